// The scheduler's side of a cluster: the state machine, who is connected, and what must be kept beside it (small values, errors, functions). Whoever
// brings an event, the loop that read it or a client in this process, takes the mutex, lets the machine decide and sends what follows.
#pragma once
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "cluster/client_peer.hpp"
#include "cluster/function_numbers.hpp"
#include "cluster/messages.hpp"
#include "cluster/results.hpp"
#include "monitor/ring.hpp"
#include "net/connection.hpp"
#include "schedule/scheduler.hpp"

namespace muster::cluster {

struct HubOptions {
  std::vector<std::string> listen = {};   // addresses; a Unix one for this host is always made
  int allowed_failures = 3;
};

/// What a worker said of itself.
struct WorkerFacts {
  schedule::WorkerInfo info;
  int64_t memory_limit = 0, pid = 0, rss = 0, stored = 0;
  uint32_t running = 0, waiting = 0;
  std::chrono::steady_clock::time_point seen;
};

class Hub {
 public:
  explicit Hub(HubOptions options);
  ~Hub();
  /// The address for others on this host, and all addresses.
  const std::string& address() const { return addresses_.front(); }
  const std::vector<std::string>& addresses() const { return addresses_; }

  // ---- clients in this process; remote ones come in through the loop
  ClientId connect(ClientPeer& peer, const std::string& name);
  void disconnect(ClientId client);
  void submit(ClientId client, JobId job, std::shared_ptr<const graph::Graph> graph, bool open);
  void close_job(JobId job);
  void want(ClientId client, const std::vector<TaskId>& tasks);
  void release(ClientId client, const std::vector<TaskId>& tasks);
  void cancel(ClientId client, const std::vector<TaskId>& tasks, bool force);
  void retry(ClientId client, const std::vector<TaskId>& tasks);
  void keep(const std::vector<TaskId>& tasks);  // fire and forget
  /// Keeps `tasks`, whose futures lie in the arguments or the result of `holder`, as long as that one is needed.
  void hold(TaskId holder, const std::vector<TaskId>& tasks);
  /// What a client has put on these workers. `renewable`: it hears when it is gone, and puts it there again under the same id.
  void scatter(ClientId client, TaskId id, int64_t bytes, const std::vector<std::string>& holders, const std::string& type, bool renewable);
  /// A task whose result or call follows: see schedule::Scheduler.
  void promise(ClientId client, TaskId id, const std::string& label, bool renewable);
  void bind(TaskId id, std::shared_ptr<const graph::Graph> graph);
  void refuse(TaskId id, std::shared_ptr<const TaskError> error);
  /// A question about the cluster by name; see queries.cpp. Throws Error{missing} on a name nobody knows.
  base::Value ask(const std::string& name, const base::Value& argument);

  /// Called without the mutex when a worker that was not asked to stop is gone.
  std::function<void(const WorkerFacts&)> on_worker_lost;
  /// Called without the mutex by the loop, about ten times a second; set in the loop.
  std::function<void()> on_tick;
  /// Whether a worker with this process id is connected.
  bool has_worker(int64_t pid);
  size_t worker_count();
  void stop_workers();
  /// Tells the clients that there will be no news any more.
  void end_clients(const std::string& why);
  net::Loop& loop() { return loop_; }

 private:
  struct WorkerPeer {
    std::shared_ptr<net::Connection> connection;
    WorkerFacts facts;
    bool stopping = false;
    std::vector<bool> ranges, functions;       // by number: what it was sent
    Batch<Assign> assign;  // messages being collected
    Batch<FreeObject> free;
    Batch<Cancel> cancel;
    Batch<DropRange> dropped;
    Batch<DropFunction> dropped_functions;
  };
  struct RangePut { uint32_t number; std::vector<uint32_t> functions; };

  // ---- hub.cpp: who is connected, and what they say
  void accept(net::Fd fd);
  void on_worker(schedule::Slot slot, uint32_t incarnation, net::Frame&& frame);
  void on_client(ClientId client, const net::Frame& frame, net::Connection& from);
  schedule::Slot register_worker(const std::shared_ptr<net::Connection>& c, const RegisterWorker& said);  // with the mutex held
  void finished(schedule::Slot slot, const Finished& run);
  void failed(schedule::Slot slot, const Failed& said);
  void lose_worker(schedule::Slot slot, uint32_t incarnation);
  ClientId new_client(ClientPeer& peer, const std::string& name, uint32_t depth);
  WorkerPeer* peer(schedule::Slot slot);
  schedule::Slot slot_at(const std::string& address) const;  // kNone: no worker is there
  void tick();
  void record(schedule::Slot slot, TaskId task, int64_t us, int64_t bytes, monitor::Kind kind, uint64_t now);

  // ---- hub_jobs.cpp: what clients want
  bool is_needed(base::TaskId task) const;
  void leave(ClientId client, base::TaskId task);
  void promise_locked(ClientId client, TaskId id, const std::string& label, bool renewable);
  bool let_go(base::TaskId holder);  // whether it held anything
  void let_go_of_own(ClientId client, base::TaskId task);
  std::vector<base::TaskId> holders_in(base::JobId job) const;

  // ---- hub_actions.cpp: what the machine says is done
  void act();                                   // with the mutex held
  uint32_t send_assign(const schedule::Action& a, uint32_t most);  // and of those that follow it; how many
  void send_batches();
  void drop_job(JobId job);
  bool keeps_note(base::TaskId task) const;
  News news_of(const schedule::Action& a);
  std::shared_ptr<const TaskError> error_of(const schedule::Action& a) const;

  static constexpr ClientId kHolder = 1 << 12;  // wants, in the scheduler's name, what other tasks' results mention: no client has this number
  HubOptions options_;
  std::mutex mutex_;
  schedule::Scheduler core_;
  std::vector<std::string> addresses_;
  std::vector<WorkerPeer> workers_;             // by slot
  std::map<ClientId, ClientPeer*> clients_;
  std::map<ClientId, std::string> client_names_;
  std::map<ClientId, std::unique_ptr<ClientPeer>> remote_;
  Results results_;
  FunctionNumbers functions_;
  std::unordered_map<TaskId, std::vector<TaskId>, base::TaskHash> held_;  // by their holder
  std::unordered_map<TaskId, uint32_t, base::TaskHash> holds_;            // how many holders a task has
  std::map<std::pair<JobId, uint32_t>, RangePut> ranges_;
  uint32_t range_numbers_ = 0;
  ClientId next_client_ = 1;
  monitor::Ring ring_;                          // its groups are the machine's functions
  net::Loop loop_;                              // last: its thread ends first
};

/// 24 hexadecimal digits nobody can guess.
std::string random_name();

}  // namespace muster::cluster
