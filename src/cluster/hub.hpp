// The scheduler's side of a cluster: the state machine, who is connected, and what must be kept beside it (small values, errors, functions). Whoever
// brings an event, the loop that read it or a client in this process, takes the mutex, lets the machine decide and sends what follows.
#pragma once
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "cluster/news.hpp"
#include "net/connection.hpp"
#include "monitor/ring.hpp"
#include "net/messages.hpp"
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
  void cancel(ClientId client, const std::vector<TaskId>& tasks);
  void retry(ClientId client, const std::vector<TaskId>& tasks);
  void keep(const std::vector<TaskId>& tasks);  // fire and forget
  /// Keeps `tasks`, whose futures lie in the arguments or the result of `holder`, as long as that one is needed.
  void hold(TaskId holder, const std::vector<TaskId>& tasks);
  /// What a client has put on these workers. `renewable`: it hears when it is gone, and puts it there again under the same id.
  void scatter(ClientId client, TaskId id, int64_t bytes, const std::vector<std::string>& holders, const std::string& type, bool renewable);
  /// A task whose result or call follows: see schedule::Scheduler.
  void promise(ClientId client, TaskId id, const std::string& label, bool renewable);
  void bind(TaskId id, std::shared_ptr<const graph::Graph> graph);
  void refuse(TaskId id, graph::Blob error);
  /// A question about the cluster by name; see hub_queries.cpp. Throws Error{missing} on a name nobody knows.
  base::Value ask(const std::string& name, const base::Value& argument);

  /// Called without the mutex when a worker that was not asked to stop is gone.
  std::function<void(const WorkerFacts&)> on_worker_lost;
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
    net::Encoder assign, free, cancel, dropped, dropped_functions;  // messages being collected
  };
  struct RangePut { uint32_t number; std::vector<uint32_t> functions; };

  void accept(net::Fd fd);
  void on_worker(schedule::Slot slot, uint32_t incarnation, net::Frame&& frame);
  void on_client(ClientId client, net::Frame&& frame, const std::function<void(std::string)>& answer);
  schedule::Slot register_worker(const std::shared_ptr<net::Connection>& c, net::Decoder& in);  // with the mutex held
  void lose_worker(schedule::Slot slot, uint32_t incarnation);
  void act();                                   // with the mutex held
  void send_assign(const schedule::Action& a);
  void flush(std::vector<std::pair<ClientId, News>>& news);
  void keep_note(base::TaskId task, std::string_view note);
  News news_of(const schedule::Action& a);
  void tick();
  void cap_values();
  uint32_t use_function(const graph::Blob& bytes);
  void leave_function(uint32_t number);
  void record(schedule::Slot slot, TaskId task, int64_t us, int64_t bytes, monitor::Kind kind);
  ClientId new_client(ClientPeer& peer, const std::string& name, uint32_t depth);
  WorkerPeer* peer(schedule::Slot slot);
  bool is_needed(base::TaskId task) const;
  void leave(ClientId client, base::TaskId task);
  void promise_locked(ClientId client, TaskId id, const std::string& label, bool renewable);
  bool let_go(base::TaskId holder);  // whether it held anything
  std::vector<base::TaskId> holders_in(base::JobId job) const;

  HubOptions options_;
  std::mutex mutex_;
  schedule::Scheduler core_;
  std::vector<std::string> addresses_;
  std::vector<WorkerPeer> workers_;             // by slot
  std::map<ClientId, ClientPeer*> clients_;
  std::map<ClientId, std::string> client_names_;
  std::map<ClientId, std::unique_ptr<ClientPeer>> remote_;
  std::unordered_map<TaskId, graph::Blob, base::TaskHash> values_, notes_, errors_;
  std::unordered_map<TaskId, std::string, base::TaskHash> types_;
  std::deque<std::pair<TaskId, int64_t>> value_order_;
  std::unordered_map<TaskId, std::vector<TaskId>, base::TaskHash> held_;  // by their holder
  std::unordered_map<TaskId, uint32_t, base::TaskHash> holds_;            // how many holders a task has
  int64_t value_bytes_ = 0;
  std::map<std::pair<JobId, uint32_t>, RangePut> ranges_;
  struct Function { graph::Blob bytes; std::string content; int64_t ranges; uint64_t idle; };  // idle: since when no range names it
  std::unordered_map<uint32_t, Function> functions_;            // by number
  std::unordered_map<std::string, uint32_t> function_numbers_;  // by content
  std::map<uint64_t, uint32_t> idle_functions_;                 // oldest first
  int64_t idle_function_bytes_ = 0;
  uint64_t idles_ = 0;
  uint32_t function_count_ = 0;
  uint32_t range_numbers_ = 0;
  ClientId next_client_ = 1;
  monitor::Ring ring_;
  std::vector<std::string> groups_;             // names of the ring's groups
  std::unordered_map<std::string, uint32_t> group_numbers_;
  net::Loop loop_;                              // last: its thread ends first
};

/// 24 hexadecimal digits nobody can guess.
std::string random_name();

}  // namespace muster::cluster
