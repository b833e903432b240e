// A client of a cluster: submits tasks, hears how they end, brings their results from workers. It numbers its tasks itself: an id is known at once.
#pragma once
#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "cluster/client_peer.hpp"
#include "cluster/fetcher.hpp"
#include "cluster/hub.hpp"

namespace muster::cluster {

enum class Status : uint8_t { pending, finished, error, cancelled, lost };
const char* name_of(Status s);

struct Known {
  Status status = Status::pending;
  int64_t bytes = 0;
  std::string type{};
  graph::Blob value{}, note{};
  std::shared_ptr<const TaskError> error{};
  std::vector<std::string> holders{};
  TaskId cause{};
  int64_t wants = 0;      // of this client: released as often, it is given up
};

/// No worker that has a result answers (any more): once the scheduler knows, it is made again, or has an error.
struct Unreachable : Error {
  explicit Unreachable(const std::string& why) : Error(ErrorKind::io, why, "muster.distributed._errors.UnreachableError") {}
};

class Client : public ClientPeer {
 public:
  /// Of a scheduler in this process.
  Client(std::shared_ptr<Hub> hub, const std::string& name);
  /// From inside of `depth` tasks, one in the other. Throws Error{io} when nobody answers within `seconds`.
  Client(const std::string& address, const std::string& name, double seconds, uint32_t depth = 0);
  ~Client() override;
  ClientId id() const { return id_; }
  bool connected() const;
  /// Why it is not: closed here, or lost.
  std::string why_over() const {
    std::lock_guard lock(mutex_);
    return why_over_;
  }
  void close();

  /// Adds a graph to the job of small submits, or to one of its own, and returns the id of its first task. Explicit inputs with job 0 count from there.
  /// `heard` is called with all news of a job of its own, in the thread that hears them, until forget().
  TaskId submit(graph::Graph graph, bool own_job, std::function<void(const News&)> heard = {});
  void forget(JobId job);
  /// The id of a partition of a table in memory: a thread puts it on a worker when it is first asked for, and on another when that died; freed after the table.
  TaskId table_partition(const std::shared_ptr<const base::Opaque>& table, int64_t partition);
  void want(const std::vector<TaskId>& tasks);
  void release(TaskId task);           // sent with others, at the latest after a tenth of a second
  /// `force`: also where other clients want them.
  void cancel(const std::vector<TaskId>& tasks, bool force);
  void retry(const std::vector<TaskId>& tasks);
  void keep(const std::vector<TaskId>& tasks);
  void hold(TaskId holder, const std::vector<TaskId>& tasks);
  /// Sends an object to these workers; the id is that of a task that is done.
  TaskId scatter(const worker::Object& object, const std::vector<std::string>& holders);
  /// A task that is pending until it is bound to a call, a graph of one task with explicit inputs, or refused with an error.
  /// `renewable`: once it is refused, retry() makes it pending again.
  TaskId promise(const std::string& label, bool renewable);
  void bind(TaskId task, graph::Graph graph);
  void refuse(TaskId task, TaskError error);
  base::Value ask(const std::string& name, const base::Value& argument, double seconds);

  /// Waits until all (or any) of them have ended. False after `seconds`.
  bool wait(const std::vector<TaskId>& tasks, bool any, double seconds);
  Known known(TaskId task);
  /// The object of a finished task, or more of it than this output. Throws Unreachable, and what a holder cannot hand out it for.
  worker::Object get(TaskId task, uint32_t output = worker::kAllOutputs);
  /// Tasks of which something is to be told: all that end, or fall back to pending, from now on.
  void watch(const std::vector<TaskId>& tasks);
  /// Watched tasks that changed; waits up to `seconds` for the first.
  std::vector<TaskId> changes(double seconds);
  void deliver(std::vector<News>&& news) override;
  std::vector<TaskId> take_releases() override;
  void over(const std::string& why) override;

 private:
  void flush_releases();
  void close_job(JobId job);
  void on_frame(const net::Frame& frame);
  template <class M>
  void tell(const M& message);
  void check_open() const;      // throws what a call on a client that has ended raises
  void end_pending();           // with the mutex held
  TaskId next_task();           // the id of a task to be promised; with `sending_` held
  void tell_promised(TaskId id, const std::string& label, bool renewable);
  void tell_scattered(TaskId id, const worker::Object& object, const std::vector<std::string>& holders, bool renewable);
  std::string a_worker();       // that data may be put on: one after the other; "" = none is there
  void forget_tables();         // with the mutex held
  void put_later(TaskId id);    // with the mutex held
  void put_tables();            // the thread that does it
  void put(TaskId id, const base::Opaque& table, int64_t partition);

  std::shared_ptr<Hub> hub_;                       // in this process, or
  std::unique_ptr<net::Loop> loop_;                // the connection to it
  std::shared_ptr<net::Connection> connection_;
  ClientId id_ = 0;
  std::string name_;
  mutable std::mutex mutex_;
  std::mutex sending_;
  std::mutex putting_;     // tables
  std::mutex references_;  // taken first: releases and wants are sent in the order in which they were made
  std::condition_variable changed_;
  std::unordered_map<TaskId, Known, base::TaskHash> tasks_;
  std::unordered_map<TaskId, bool, base::TaskHash> watched_;
  std::deque<TaskId> changes_;
  std::vector<TaskId> releases_;
  std::unordered_map<uint64_t, Answer> answers_;
  std::unordered_map<JobId, std::function<void(const News&)>> reports_;
  struct Table {
    std::weak_ptr<const base::Opaque> alive;
    std::unordered_map<int64_t, TaskId> partitions;
  };
  std::unordered_map<std::string, Table> tables_;  // by token
  std::unordered_map<TaskId, std::pair<std::weak_ptr<const base::Opaque>, int64_t>, base::TaskHash> of_tables_;
  std::deque<TaskId> renewals_;  // partitions of tables that are to be put on a worker
  std::thread putter_;           // begun with the first
  size_t next_holder_ = 0;
  uint64_t questions_ = 0;
  JobId open_job_ = 0, next_job_ = 0;
  uint32_t next_index_ = 0;
  int64_t open_bytes_ = 0;  // with `sending_`
  std::atomic<bool> closed_{false}, lost_{false};
  std::string why_over_;  // set before either
  Peers peers_;
};

}  // namespace muster::cluster
