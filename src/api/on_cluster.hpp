// A plan's graph on a cluster, as the same kind of job as in this process.
#pragma once
#include <functional>
#include <memory>

#include "api/session.hpp"
#include "cluster/client.hpp"
#include "graph/graph.hpp"
#include "muster/cluster.hpp"
#include "muster/error.hpp"
#include "worker/local.hpp"

namespace muster::api {

/// Results of tasks that stay on workers as long as this lives.
struct Tasks {
  Tasks(std::shared_ptr<cluster::Client> c, std::vector<base::TaskId> i, std::vector<std::shared_ptr<const base::Opaque>> l)
      : client(std::move(c)), ids(std::move(i)), lineage(std::move(l)) {}
  Tasks(const Tasks&) = delete;
  ~Tasks();
  std::shared_ptr<cluster::Client> client;
  std::vector<base::TaskId> ids;
  std::vector<std::shared_ptr<const base::Opaque>> lineage;  // tables in memory that they are made of again when a worker dies
};

/// One output of each: what an expression "from_tasks" names.
struct Partitions {
  std::shared_ptr<const Tasks> tasks;
  int output;
};
base::Value partitions_value(Partitions partitions, std::string token);
/// Null of other objects.
const Partitions* partitions_in(const base::Opaque& object);
/// Null of expressions that are none, or to come.
const Partitions* partitions_of(const Expr& expression);
/// Brings the rows of a partition.
data::Batches fetch(const Partitions& partitions, int64_t partition);

/// A job on a cluster, whose wanted results are brought, or stay there.
class ClusterJob : public worker::Job {
 public:
  enum class State : uint8_t { runs, done, failed };
  /// Of a wanted range.
  virtual State state(int range) const = 0;
  /// Of a wanted range, once: its results stay, also when the job is cancelled.
  virtual std::shared_ptr<const Tasks> keep(int range) = 0;
  /// Of a wanted range: its results are not wanted any more.
  virtual void give_up(int range) = 0;
};

struct Placing {
  graph::Options options;  // of all tasks
  bool stays = false;      // the results do
  bool each = false;       // what fails ends what needs it, and nothing else
  ValueTasks values = {};
  int64_t threads = 0;     // of this process, for what is done where the results are wanted
  std::function<void(const std::string&)> warn = {};  // called by wait(): nobody can run the job
};

using OnResult = std::function<bool(int range, int64_t index, const worker::TaskResult&)>;

/// Submits the graph. Tables in memory go to workers once; functions of the guest language go as bytes.
/// `on_result` as of worker::run, for tasks of ranges with `reports`.
std::shared_ptr<ClusterJob> run_on(std::shared_ptr<cluster::Client> client, const graph::Graph& graph, const Placing& placing, OnResult on_result);

/// What a program's cluster is spoken to with.
std::shared_ptr<cluster::Client> client_of(const Cluster& cluster);

}  // namespace muster::api
