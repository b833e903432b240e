// Decides what runs next, and where: a pure state machine, events in, actions out. No clock, thread or I/O, and its random numbers are part of its
// state: equal seeds and events give equal actions.
//
// A task goes  waiting ─► ready ─► assigned ─► done ─► released.  `failed` is the other end; a cancelled or no longer needed task is released. A done
// task whose last copy is lost while somebody needs it is waiting again. What is needed: a task that a client wants, or that an unfinished task reads.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <queue>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/ids.hpp"
#include "graph/graph.hpp"

namespace muster::schedule {
using base::ClientId, base::JobId, base::kNone, base::Slot, base::TaskId;

struct Settings {
  int64_t prefetch_us = 0;           // work handed to a worker beyond what it can run at once; 0 = none
  int64_t max_prefetch = 1024;       // tasks, at most
  int allowed_failures = 3;          // deaths of a worker under a task before it counts as the cause
  uint32_t max_seceded = 16;         // of a worker and one depth: each keeps a process
  int64_t bytes_per_us = 1000;       // what a transfer is taken to reach
  int64_t unknown_us = 500'000;      // a task of a function that never ran
  uint64_t seed = 1;
};

struct WorkerInfo {
  int64_t threads = 1;
  std::string address, name, host;
  std::map<std::string, double> resources;
};

enum class State : uint8_t { waiting, ready, assigned, done, failed, released };
constexpr int kStates = 6;
const char* name_of(State s);

/// Why an attempt ended without a result.
enum class Failure : uint8_t {
  raised,       // the function raised
  died,         // the process that ran it died
  inputs,       // an input could not be had: see `lost`
  stopped,      // after a cancel
  rescheduled,  // the task asked to run elsewhere
  refused,      // cannot run, now or later: bytes that do not unpickle, a function nobody knows
};

/// A copy of an input that was not where it should be.
struct Lost {
  TaskId object;
  uint16_t attempt;
  Slot holder;
};

struct Action {
  enum class Kind : uint8_t {
    assign,     // worker: run the task under this attempt
    cancel,     // worker: stop the attempt; it is answered like every other
    retract,    // worker: give up to `count` tasks back that have not begun
    free,       // worker: forget the object of this attempt
    done,       // client: a wanted result is there
    failed,     // client: a wanted result will not come; `cause` is the task that failed first
    reported,   // client: a task of a range with `reports` ended
    cancelled,  // client: a wanted result is not made any more
    lost,       // client: the task wanted is not known
    renew,      // client: data that it keeps a copy of is gone here and needed: to be given again
    ended,      // the job has nothing left to run, and nothing of it runs
    gone,       // nobody can ask for the job any more
  } kind;
  uint32_t who = 0;  // worker's slot or client
  TaskId task{};
  uint16_t attempt = 0;
  uint32_t count = 0;
  TaskId cause{};
};

class Scheduler {
 public:
  explicit Scheduler(Settings settings = {}) : settings_(settings), random_(settings.seed * 2 + 1) { classes_.emplace_back(); }

  // ---- events. What they cause is handed out by act().
  /// Adds ranges to a job; the first time makes it. Throws Error{invalid} on ranges that are not ordered; then nothing is added.
  /// An open job stays when all its tasks are gone: more will be added, until close().
  void submit(JobId job, ClientId client, std::shared_ptr<const graph::Graph> graph, bool open = false);
  void close(JobId job);
  /// A task whose result its client gives, later: give() it, bind() it to a call, or refuse() it. `renewable`: asked for again when its last copy is lost.
  TaskId promise(JobId job, ClientId client, const std::string& label, bool renewable);
  void give(TaskId task, const std::vector<Slot>& holders, int64_t bytes);
  /// What was promised is the result of the one task of this graph, whose inputs are explicit. Throws Error{invalid} as submit.
  void bind(TaskId task, std::shared_ptr<const graph::Graph> graph);
  void refuse(TaskId task);
  void want(ClientId client, TaskId task);
  void release(ClientId client, TaskId task);
  /// Ends a task, running or not, with all that needs it.
  void cancel(TaskId task);
  /// As far as this client alone wants them: it gets none of them any more, and what another client wants, or what is read on the way to that, goes on.
  void cancel(TaskId task, ClientId by);
  void cancel_job(JobId job);
  /// As cancel_job, without waiting for what runs.
  void abandon(JobId job);
  /// Runs failed tasks again, from their cause on.
  void retry(TaskId task);
  void client_gone(ClientId client);
  /// This client submits from inside of tasks of depth - 1; clients that are not named are outside, depth 0.
  void nest(ClientId client, uint32_t depth);

  Slot join(WorkerInfo info);
  void worker_gone(Slot worker);
  void pause(Slot worker, bool paused);
  void finished(Slot worker, TaskId task, uint16_t attempt, int64_t bytes, int64_t us, bool inlined = false);
  void failed(Slot worker, TaskId task, uint16_t attempt, Failure why, const std::vector<Lost>& lost = {});
  /// The worker gives a task back that has not begun.
  void retracted(Slot worker, TaskId task, uint16_t attempt);
  void retract_ended(Slot worker);
  /// The task keeps running, its thread is free for others.
  void seceded(Slot worker, TaskId task, uint16_t attempt);
  void added(Slot worker, TaskId task, uint16_t attempt);
  void dropped(Slot worker, TaskId task);
  /// The inline value of a done task is no longer at hand.
  void not_inlined(TaskId task);

  /// Places what is ready; returns all actions since the last call. Valid until the next.
  const std::vector<Action>& act();

  // ---- what others look at
  struct Task {  // 64 bytes; a job is an array of them
    State state = State::waiting;
    uint8_t deaths = 0, retries = 0;
    bool wanted : 1 = false;   // by the client of its job
    bool counted : 1 = false;  // in the job's `needed`
    bool inlined : 1 = false;  // its value travelled with the news that it is done
    bool more : 1 = false;     // more copies than `worker` has
    bool data : 1 = false;     // its client gives it: nobody here can make it (again)
    bool renewable : 1 = false; // but its client has a copy
    bool seceded : 1 = false;  // runs without occupying a thread
    uint16_t attempt = 0;
    uint32_t range = 0;
    uint32_t missing = 0;      // inputs that are not done, by rule map and block and explicit ones
    uint32_t refs = 0;         // unfinished tasks that read it, one by one, and clients that want it
    uint32_t pins = 0;         // unanswered attempts that read it and no longer count: they may still run, it stays where it is
    Slot worker = kNone;       // runs it, or holds it
    uint32_t edges = kNone;    // explicit dependents: a list in the job
    uint32_t estimate = 0;     // µs added to the worker's load
    int64_t bytes = 0;
    TaskId cause{};            // of a failure
  };
  const Task* find(TaskId task) const {
    const Job* j = job_known(task.job);
    return !j || task.index >= j->tasks.size() ? nullptr : &j->tasks[task.index];
  }
  bool wanted_by_others(TaskId task, ClientId than) const;
  const graph::Range* range_of(TaskId task, int64_t* index_in_range) const;
  uint32_t depth_of(TaskId task) const;
  std::vector<Slot> holders(TaskId task) const;
  /// f(TaskId) for every input, in the order the range and then the task names them.
  template <class F> void each_input(TaskId task, F f) const { visit_inputs(task, true, f); }
  /// How many of them belong to each dependency of the range, and at the end how many are explicit.
  std::vector<uint32_t> group_sizes(TaskId task) const;
  /// What the task is called in progress and errors, and the number of that name.
  const std::string& label_of(TaskId task) const { return label(function_of(task)); }
  const std::string& label(uint32_t function) const { return functions_[function].label; }
  uint32_t function_of(TaskId task) const;
  struct Worker {
    WorkerInfo info;
    uint32_t incarnation = 0;
    bool alive = false, paused = false, retracting = false, alone = false;  // alone: runs a suspect, and nothing else
    int64_t running = 0;       // attempts it has not answered, but for seceded ones
    std::vector<uint32_t> seceded;  // these, by depth
    int64_t backlog = 0;       // µs, estimated
    int64_t held = 0;          // bytes of first copies
    std::map<std::string, double> used;
    struct Stale { TaskId task; uint16_t attempt; bool seceded, left = false; };  // left: its job does not wait for it
    std::vector<Stale> stale;  // attempts that no longer count and are not yet answered
    std::vector<uint32_t> classes;
    uint32_t open_at = kNone, deep_at = kNone, queued_at = kNone;  // places in the indexes below
  };
  const std::vector<Worker>& workers() const { return workers_; }
  std::array<int64_t, kStates> counts() const;
  template <class F> void each_task(F f) const {  // f(TaskId, const Task&)
    for (const auto& [id, job] : jobs_)
      for (uint32_t i = 0; i < job->tasks.size(); ++i) f(TaskId{id, i}, job->tasks[i]);
  }
  struct Group { std::string label; std::array<int64_t, kStates> states; };
  std::vector<Group> groups() const;
  size_t jobs() const { return jobs_.size(); }
  bool has_job(JobId job) const { return jobs_.contains(job); }
  /// Why a ready task does not run, as a sentence; empty when it only waits for its turn.
  std::string unrunnable(TaskId task) const;
  /// Why a job cannot end, though all that run did; empty when there is somebody for each of its tasks and of those that they need.
  std::string unrunnable(JobId job) const;
  /// Recomputes every counter and index; throws Error{internal} if one is wrong.
  void validate() const;

 private:
  using Range = graph::Range;
  struct Reader { uint32_t range; size_t input; };
  struct RangeState {
    std::shared_ptr<const graph::Graph> keep;
    const Range* spec;
    JobId job;
    uint32_t base;             // range number of the graph's first range in this job
    uint32_t first;            // index of its first task
    uint32_t level = 0;        // those of a later one go first (levels.cpp)
    bool in_front = false;     // explicit tasks that are no part of a plan, or begin one with what others made
    std::vector<uint32_t> functions;  // statistics: one, or one for each of its functions
    uint32_t kind = 0;         // class: who may run it
    uint32_t depth = 0;        // tasks around it
    int64_t gate = 0;          // inputs by rule `all` that are not completely done
    int64_t open_alls = 0;     // ranges that read all of this one and have unfinished tasks
    int64_t done = 0, failed = 0, unfinished = 0;
    int64_t next_root = 0;     // of roots: tasks from here on were never ready
    bool roots = false;        // no inputs task by task
    std::vector<Reader> readers;
  };
  struct Before;
  struct Edge { TaskId dependent; uint32_t next; };
  struct Job {
    ClientId client;
    uint16_t generation;
    std::vector<RangeState> ranges;
    std::vector<Task> tasks;
    std::vector<Edge> edges;
    std::vector<JobId> imports;
    int64_t importers = 0, needed = 0, unfinished = 0, running = 0, left = 0;  // left: of those that run, abandoned ones
    bool ended = false, open = false;
  };
  // A task, or (cursor) the next root of its range. Smaller priority first.
  struct Ready {
    uint64_t priority;
    TaskId task;
    bool cursor;
    bool operator<(const Ready& o) const { return priority != o.priority ? priority > o.priority : o.task < task; }
  };
  using Heap = std::priority_queue<Ready>;
  struct Class {               // tasks with equal restrictions
    graph::Options options;
    uint32_t depth = 0;
    Heap heap;
    std::vector<Slot> eligible;
  };

  Job& job_of(TaskId t);
  const Job* job_known(JobId id) const {  // null if there is none
    if (id == last_id_ && last_) return last_;
    const auto found = jobs_.find(id);
    return found == jobs_.end() ? nullptr : found->second.get();
  }
  Task& at(TaskId t) { return job_of(t).tasks[t.index]; }
  const Task& at(TaskId t) const { return const_cast<Scheduler*>(this)->at(t); }
  RangeState& range_at(TaskId t) { Job& j = job_of(t); return j.ranges[j.tasks[t.index].range]; }
  template <class F> void visit_inputs(TaskId t, bool alls, F f) const;
  template <class F> void each_own_input(TaskId t, F f) const { visit_inputs(t, false, f); }  // counted in `missing` and `refs`
  template <class F> void each_dependent(TaskId t, F f);
  bool needed(const Job& j, const Task& t) const { return t.refs || j.ranges[t.range].open_alls; }
  static bool pinned(const Task& t) { return t.pins && t.state == State::done; }
  static bool unfinished(State s) { return s == State::waiting || s == State::ready || s == State::assigned; }
  uint64_t priority_of(const Job& j, TaskId t) const;
  void find_before(const Job& j, uint32_t base, uint32_t reader, Before& out) const;
  void set_levels(Job& j, uint32_t base);
  uint32_t function_number(const std::string& label);
  uint32_t function_of(const Job& j, TaskId t) const;

  void set_state(Job& j, Task& t, State s);
  void take_inputs(TaskId t);       // t is unfinished: its inputs are needed, and made again if they are gone
  void drop_inputs(TaskId t);       // t is finished, failed or released
  void add_ref(TaskId t);
  void drop_ref(TaskId t);
  void settle_unneeded();
  void revive();
  const Task* failed_input(TaskId t) const;  // null if there is none
  void check_ready(TaskId t);
  void ready(TaskId t);
  void open_gate(JobId id, uint32_t range);
  void complete(TaskId t);
  void lose(TaskId t);              // the last copy is gone
  void remove_copy(TaskId t, Slot worker);
  void fail(TaskId t, TaskId cause);
  bool end_attempt(Slot worker, TaskId t, uint16_t attempt);  // true if it is the attempt that counts
  void stop(TaskId t);
  void cut_off(TaskId t);           // its attempt no longer counts; until it is answered its inputs are pinned
  void unpin_inputs(TaskId t);      // it is answered, or never will be
  void open_alls(Job& j, RangeState& r);
  void close_alls(Job& j, RangeState& r);
  void again(TaskId t);             // its attempt ended without result: waiting or ready
  void free_copies(TaskId t);
  void check_needs(const Range& spec, JobId job, uint64_t before) const;
  void add_edges(JobId job, RangeState& r);
  void check_end(JobId id);
  void flush_ends();

  // place.cpp
  bool open(const Worker& w) const;
  bool idle(const Worker& w) const { return w.alive && !w.paused && !w.alone && w.running < w.info.threads; }
  bool fits(const Worker& w, const graph::Options& o) const;
  bool takes(const Worker& w, uint32_t depth) const { return w.seceded.size() <= depth || w.seceded[depth] < settings_.max_seceded; }
  void count_seceded(Worker& w, uint32_t depth, bool one_more);
  uint32_t class_of(const graph::Options& o, uint32_t depth);
  std::string nobody_for(const RangeState& r) const;  // empty if there is somebody
  bool eligible(const Worker& w, const graph::Options& o) const;
  void reindex(Slot s);
  static void index(std::vector<Slot>& list, std::vector<Worker>& workers, uint32_t Worker::*at, Slot s, bool in);
  void place(TaskId t);
  void assign(Slot s, TaskId t);
  bool pop(Heap& heap, TaskId& t);
  bool serve(Slot s);               // one task, if there is one for it
  size_t serve_roots(Slot s, size_t most);
  void fill();
  void balance();
  uint32_t random(uint32_t below);

  Settings settings_;
  uint64_t random_;
  std::unordered_map<JobId, std::unique_ptr<Job>> jobs_;
  JobId last_id_ = kNone;
  Job* last_ = nullptr;
  uint16_t generations_ = 0;
  std::vector<Worker> workers_;
  std::vector<Heap> queues_;               // per worker: placed there for its data
  std::vector<Slot> open_, deep_, queued_; // that take more; that have unstarted tasks and no retract; whose queue is not empty
  uint32_t incarnations_ = 0;
  int64_t threads_ = 0;
  std::vector<Class> classes_;             // 0 = anybody
  Heap suspects_;                          // a worker died under them: they run alone
  struct Function {
    std::string label;
    int64_t us = -1;  // how long it takes lately
  };
  std::vector<Function> functions_;
  std::unordered_map<std::string, uint32_t> function_named_;
  std::unordered_map<TaskId, std::vector<Slot>, base::TaskHash> more_;             // copies beside the first
  std::unordered_map<ClientId, std::unordered_map<TaskId, bool, base::TaskHash>> wants_;  // of clients other than the job's
  std::unordered_map<ClientId, uint32_t> depths_;  // of clients inside of tasks
  std::vector<Action> actions_, out_;
  std::vector<TaskId> unneeded_, reviving_;
  std::vector<JobId> ends_;
};

static_assert(sizeof(Scheduler::Task) <= 64);

template <class F>
void Scheduler::visit_inputs(TaskId t, bool alls, F f) const {
  const Job& j = const_cast<Scheduler*>(this)->job_of(t);
  const RangeState& r = j.ranges[j.tasks[t.index].range];
  const auto i = static_cast<int64_t>(t.index - r.first);
  for (const auto& d : r.spec->inputs) {
    const bool all = d.every();
    if (all && !alls) continue;
    const RangeState& source = j.ranges[r.base + static_cast<uint32_t>(d.range)];
    const auto [begin, end] = d.needs(i, source.spec->count);
    for (int64_t s = begin; s < end; ++s) f(TaskId{t.job, source.first + static_cast<uint32_t>(s)});
  }
  if (!r.spec->begins.empty())
    for (uint32_t e = r.spec->begins[static_cast<size_t>(i)]; e < r.spec->begins[static_cast<size_t>(i) + 1]; ++e) f(r.spec->needs[e]);
}

template <class F>
void Scheduler::each_dependent(TaskId id, F f) {
  Job& j = job_of(id);
  const uint32_t range = j.tasks[id.index].range;
  for (size_t n = 0; n < j.ranges[range].readers.size(); ++n) {
    const Reader reader = j.ranges[range].readers[n];
    const RangeState& r = j.ranges[reader.range];
    const graph::Dependency& d = r.spec->inputs[reader.input];
    if (d.every()) {
      for (int64_t i = 0; i < r.spec->count; ++i) f(TaskId{id.job, r.first + static_cast<uint32_t>(i)});
      continue;
    }
    const int64_t i = d.reader(id.index - j.ranges[range].first);
    if (i < r.spec->count) f(TaskId{id.job, r.first + static_cast<uint32_t>(i)});
  }
  for (uint32_t e = j.tasks[id.index].edges; e != kNone; e = j.edges[e].next)
    if (jobs_.contains(j.edges[e].dependent.job)) f(j.edges[e].dependent);
}

}  // namespace muster::schedule
