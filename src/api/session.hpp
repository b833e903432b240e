// Expressions to results: plan, run, and plan again when a source turns out to be other than its sample promised.
// What the public headers and the Python module stand on.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "data/column.hpp"
#include "expr/node.hpp"
#include "graph/graph.hpp"
#include "muster/export.hpp"
#include "worker/guest.hpp"
#include "worker/local.hpp"

namespace muster::cluster {
class Client;
}

namespace muster::api {

using expr::Expr;
class Calls;

/// Registers all operators and kernels; the first call does it, every other entry calls it.
MUSTER_API void start();

/// The tasks on a cluster of the guest language's values that "from_values" names.
using ValueTasks = std::function<std::vector<base::TaskId>(const base::Opaque& values)>;

struct RunOptions {
  int64_t threads = 0;                                    // 0 = in the calling thread
  std::shared_ptr<cluster::Client> cluster = {};          // set: there, not here
  graph::Options placing = {};                            // there: of all tasks
  ValueTasks values = {};                                 // there
  std::shared_ptr<Calls> calls = {};                      // here
  std::function<bool(const worker::Progress&)> tick;      // called about every 20 ms by the waiting thread; true stops the computation
  std::function<void(const std::string&)> warn;           // a row left out, ...
  std::function<void(const std::string&)> note;           // for the log: a source was planned again, ...
};

/// Makes a part's column what the result's schema says of it; called from several threads.
using Finish = std::function<data::Column(size_t column, const data::Column& part, int64_t rows)>;

/// A result in parts, index columns first; api/gather.hpp puts them together. Open columns have their final dtype: `schema` says what the columns are now.
struct Computed {
  data::Schema schema;
  data::Batches parts;
  Finish finish;
  int64_t rows = 0;
  std::vector<int64_t> partition_rows;
};

/// Calls of the guest language in the same job as a plan: those whose values its sources name, and others that are wanted beside it. Some take the value of an
/// expression.
class Calls {
 public:
  /// What is not done yet, inputs first.
  struct Numbered {
    std::vector<uint32_t> begins, needs;            // of each call, the calls it needs
    std::vector<std::pair<uint32_t, Expr>> frames;  // the calls that take expressions, in order
    std::vector<std::vector<uint32_t>> values;      // of each of the values, the calls that make it
    std::vector<uint32_t> wanted;
  };
  /// Gives what the number-th of the frames is. Throws what Computed cannot be made of, and worker::Postponed.
  using Take = std::function<Computed(size_t number, worker::Beside& job)>;

  virtual ~Calls() = default;
  /// The calls that are wanted, those that make these values, and all that they need, but for what earlier runs have made.
  virtual Numbered number(const std::vector<std::shared_ptr<const base::Opaque>>& values) = 0;
  /// As numbered last, these calls as the arguments of a range of guest tasks.
  virtual base::Value tasks(std::vector<uint32_t> calls, Take take) = 0;
  /// What "rows" is of a source of the number-th of the values.
  virtual base::Value source(size_t number) const = 0;
};

/// Computes several expressions in one run. Throws Error.
MUSTER_API std::vector<Computed> compute(const std::vector<Expr>& expressions, const RunOptions& options);
/// Computes and keeps the partitions, in memory or on the cluster's workers: expressions that start from there.
MUSTER_API std::vector<Expr> persist(const std::vector<Expr>& expressions, const RunOptions& options);

using Shared = std::shared_ptr<const base::Opaque>;
/// An expression that stands for what persist() of another will return, and its outcome: whoever computes it waits for that, or throws what it failed of.
/// `holder` lives as long as the expression.
MUSTER_API std::pair<Expr, Shared> pending(const Expr& of, const Shared& holder);
MUSTER_API void settle(const base::Opaque& outcome, const Expr& persisted);
MUSTER_API void fail(const base::Opaque& outcome, std::function<void()> raise);
/// The ids of the tasks on a cluster whose results are the partitions of a persisted expression; none while it is pending.
MUSTER_API std::vector<base::TaskId> tasks_of(const Expr& expression);
/// The persisted expressions that this one reads, there or to come, and which of their partitions. Throws what planning throws.
MUSTER_API std::vector<std::pair<Expr, std::vector<int64_t>>> partitions_read(const Expr& expression);
/// What together() must know of a persisted expression's partitions; null while it is pending.
MUSTER_API base::Value described(const Expr& expression);
/// The result that tasks' results, as bytes, are together.
MUSTER_API Computed together(const base::Value& description, const std::vector<std::string_view>& objects);

/// Makes a node from an operator's name; InputRefs in `args` count into `inputs`.
MUSTER_API Expr call(const std::string& op, base::Value args, std::vector<Expr> inputs);
/// A read_csv expression from the arguments of the Python call.
MUSTER_API Expr read_csv(const base::Value& arguments);
/// The same of read_parquet.
MUSTER_API Expr read_parquet(const base::Value& arguments);
/// [path, size, mtime, identity] of each Parquet file that the paths and globs name. Throws Error{io} if there is none.
MUSTER_API base::Value parquet_files(const base::Value& paths, const std::string& options);
/// What footers say: {columns: [name, dtype or what it is, native] of all, schemas: one of each kind, {file, columns: [name, dtype or what it is], metadata}}.
MUSTER_API base::Value parquet_footers(const base::Value& files, const std::string& options);
/// A table in memory as an expression; `divisions`: list of index values at the partitions' borders, if known.
MUSTER_API Expr from_partitions(std::vector<data::Batches> partitions, const data::Schema& schema, base::Value divisions = {});

/// Expressions as bytes for another process, with the rows, objects and dtypes that they name; and back. Needs the GIL where there are objects of Python.
MUSTER_API std::string to_bytes(const std::vector<Expr>& expressions);
MUSTER_API std::vector<Expr> from_bytes(std::string_view bytes);
/// What gives the client of a process that reads partitions on a cluster, named by such bytes, or throws.
MUSTER_API void set_client_here(std::function<std::shared_ptr<cluster::Client>()> get);

/// Logical, optimized and physical plan as text.
MUSTER_API std::string explain(const std::vector<Expr>& expressions);
/// A digest of the optimized plan: equal for expressions that do the same work.
MUSTER_API std::string plan_digest(const Expr& expression);
/// The graph in Graphviz' language: a node per operation and partition, or per fused task.
MUSTER_API std::string to_dot(const std::vector<Expr>& expressions, bool optimized);
/// Bytes of sources that a plan for this process may keep where they would be read again: an eighth of the memory limit.
int64_t kept_between_stages();
MUSTER_API void set_memory_limit(int64_t bytes);
MUSTER_API int64_t cpu_count();
/// 80 % of the memory this process may use.
MUSTER_API int64_t memory_limit();
MUSTER_API void stop();

}  // namespace muster::api
