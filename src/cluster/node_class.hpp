// A worker of a cluster. One mutex guards state and executors; it is never held while a task runs, an object is encoded, written or read, or a peer is
// asked. Executors are started and served by the loop. Results are held in the budget and moved to the spill file where it is short.
#pragma once
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>

#include "base/attempt_table.hpp"
#include "cluster/executor.hpp"
#include "cluster/fetcher.hpp"
#include "cluster/messages.hpp"
#include "cluster/node.hpp"
#include "net/connection.hpp"
#include "schedule/scheduler.hpp"
#include "worker/object_store.hpp"
#include "worker/state.hpp"
#include "worker/store.hpp"
#include "worker/task_runner.hpp"

namespace muster::cluster {
using namespace base;
using namespace net;
using schedule::Failure;
using worker::Object;
using std::chrono::steady_clock;

constexpr int64_t kInline = 8 * 1024;  // bytes: results up to here travel with the news
constexpr size_t kMostCopied = 64 << 10;  // bytes of inputs that go into a request
constexpr uint32_t kTogether = 64;  // short native tasks that follow each other in a thread, at most
constexpr char kPython[] = "python", kGuestPipeline[] = "guest pipeline";

// What put_range said.
struct RangeInfo {
  std::string function{}, label{};
  Value args{};
  int64_t timeout_us = 0;
  bool inlined = true;                       // small results go along with the news
  std::vector<uint32_t> outputs{};           // of each dependency: which
  uint32_t depth = 0;                        // tasks around its tasks
  std::string program{};                     // of a guest pipeline, as executors read it
  std::shared_ptr<worker::Function> bound{};
  std::unique_ptr<worker::RangeMemory> memory = std::make_unique<worker::RangeMemory>();
  int64_t us = -1;                           // how long its native tasks take lately
  bool apart = false;                        // one of them was refused memory: each is admitted by itself
  bool guest() const { return function == kPython || function == kGuestPipeline; }
  void took(int64_t now) { us = us < 0 ? now : std::max(now / 2, us + (now - us) / 8); }
};

// What put_function said: a guest's function, and what its results take.
struct GuestFunction {
  std::string bytes;
  worker::RangeMemory memory{};
};

class Node;
using Key = base::AttemptKey;

// What assign said of a run of tasks, of which each is an attempt of its own only when it is handed to somebody.
struct SaidRun {
  TaskId first;
  int64_t index = 0;  // of the first
  std::shared_ptr<RangeInfo> range;
  std::shared_ptr<GuestFunction> function;
  uint32_t range_number = 0, function_number = 0;
};

// An attempt from when it is assigned until it is answered: what assign said, and how far it has come.
struct Work : worker::Place, std::enable_shared_from_this<Work> {
  Work(Node& n, Key k) : node(n), key(k) {}
  bool ending() const override { return stop; }
  int64_t spill_results() override;
  std::function<void(int64_t)> again(const worker::Attempt& attempt) override;
  Error too_little(const worker::Attempt& attempt, int64_t need) override;
  bool guest() const { return range->guest(); }
  worker::RangeMemory& memory() const { return function ? function->memory : *range->memory; }
  worker::Attempt known() const;             // to who admits it

  struct In {
    TaskId object;
    uint32_t output;                         // that is read
    bool inlined;
    std::string value;
    std::shared_ptr<const Object> ready{};   // of a guest task: its bytes, where the store has it otherwise
    std::optional<size_t> packed{};          // the same: how many bytes of it lie in the pack
  };
  // Inputs of a guest's task that have no descriptor and are many bytes: one behind the other in a memory file, as nothing large is copied with the mutex held.
  struct Pack {
    Fd file;
    size_t bytes = 0;
    ~Pack() { worker::budget().give_back(static_cast<int64_t>(bytes)); }
  };
  Node& node;
  const Key key;
  std::shared_ptr<RangeInfo> range;
  std::shared_ptr<GuestFunction> function;   // of a task of Python's
  uint32_t range_number = 0, function_number = 0;
  int64_t index = 0;
  std::string arguments;
  std::vector<uint32_t> groups;
  std::vector<In> inputs;
  std::shared_ptr<const Pack> pack;
  std::atomic<bool> stop{false};
  bool timed_out = false;
  bool native = false;      // a thread of the worker has it, or will
  bool prepares = false;    // makes the inputs of a guest's ready there
  bool admitted = false;    // it has begun, or waits for memory
  bool begun = false;
  int64_t reserved = 0;     // bytes, for one that has begun
  int64_t short_of = 0;     // bytes, of one that an executor could not go on with
};

class Node {
 public:
  explicit Node(NodeOptions o);
  int run();

 private:
  friend struct Work;
  struct Lock : std::unique_lock<std::mutex> {
    explicit Lock(Node& n) : std::unique_lock<std::mutex>(n.mutex_), node(n) {}
    ~Lock() {
      if (owns_lock()) node.flush();
    }
    Node& node;
  };
  // ---- node.cpp: what the scheduler says, what it is told, what runs next; time
  void on_scheduler(Frame&& f);
  void assign(const Assign& said);
  void assign_run(const Assign& said);
  std::shared_ptr<Work> take(bool guest);  // the next attempt to run; null if there is none
  void retract(uint32_t count);
  void pump();
  void report_actions();
  void fetch_more();
  void stop(TaskId task, uint16_t attempt);
  std::shared_ptr<Work> work_of(Key key) const;  // null where it is answered
  void report_failure(TaskId task, uint16_t attempt, Failure why, std::optional<TaskError> error = {}, std::string note = {});
  void report_result(Work& work, Object object, int64_t us, std::string_view note);  // whose bytes are held in the budget
  void report_result(Key key, const RangeInfo& range, Object object, int64_t us, std::string_view note);
  void report_nothing(Key first, uint32_t count, int64_t us);  // so many tasks that have left no rows
  void flush();
  void fetched(Fetched&& f);
  bool find(TaskId id, uint16_t attempt, Object& out);
  void put(TaskId id, Object&& o, std::function<void(std::optional<Error>)> stored);
  void answer_puts();
  void tick();
  void finish();
  std::string name() const { return options_.name.empty() ? address_ : options_.name; }

  // ---- node_tasks.cpp: native tasks, and the memory of all
  void native_loop();
  void hand_to_thread(const std::shared_ptr<Work>& work);
  struct Ran {  // an attempt that a thread has, and what has become of it
    Key key;
    std::shared_ptr<Work> work{};  // null: it is one of a run
    worker::Attempt known{};
    Object result{};
    std::unique_ptr<TaskError> error{};
    std::string note{};
    Failure why = Failure::raised;
    int64_t us = 0;
    bool waits = false;
  };
  struct NativeRun {  // that a thread has
    worker::Run run{};
    std::array<std::atomic<bool>, kTogether> stop{};  // by its tasks
    uint32_t begun = 0;                               // of them
    std::vector<Ran> left{};                          // what those have left that did not leave nothing
    int64_t us = 0;                                   // of each, about
    int64_t refused = 0;                              // bytes, to the one behind them
  };
  void run_natives(std::shared_ptr<Work> first, std::unique_lock<std::mutex>& lock);
  bool begin_run(NativeRun& run, const RangeInfo& range, size_t most);
  void run(NativeRun& run, const worker::Function& function, steady_clock::time_point latest);
  void end_run(NativeRun& run, RangeInfo& range);
  void run(Ran& ran, const worker::Function& function);
  void keep(Ran& ran, worker::Outcome&& outcome, const RangeInfo& range, int64_t index);
  void report(Ran& ran, RangeInfo& range);
  void run_preparation(Work& work, std::unique_lock<std::mutex>& lock);  // of a guest's inputs: makes bytes of them, then the attempt is queued again
  void pack(Work& work);
  void run_refusal(Work& work, std::unique_lock<std::mutex>& lock);
  bool begin(Work& work);  // false: it waits for memory
  int64_t known_need(const Work& work) const;
  worker::Inputs inputs_of(data::Task& task, const Work& work);
  kernels::Output open(data::Task& task, const Work::In& in);
  void spill_loop();
  void serve(std::function<void()> job);
  void serve_loop();
  void want_room(int64_t bytes, bool again = false);  // begins to spill where there is no room for so much more; `again`: also just after an error
  static bool is_full() { return worker::budget().used() > worker::budget().limit(); }
  int64_t spill(int64_t goal);
  int64_t count_executors();
  int64_t most_shared() const { return worker::budget().limit() / 8 / options_.threads; }  // bytes that an executor keeps to write results into
  static int64_t private_memory(pid_t pid);  // bytes of a process that it shares with nobody

  // ---- node_guests.cpp: executors and the tasks that they run
  bool start_executor();
  int64_t live() const;  // executors that count as threads
  void start_failed(const std::string& how);
  void refuse_guests(const Error& why);  // tasks that are queued for executors that there are none of
  void refuse(Work& work, const Error& why);
  void fail(Work& work, Failure why, std::optional<TaskError> error, std::string_view note = {});
  std::shared_ptr<Work> next_guest(bool ahead);                    // that has begun
  bool hand_over(Executor& e, const std::shared_ptr<Work>& work);  // false: it is queued again, or over
  static bool goes_by_descriptor(const Object& o, size_t others);  // behind so many
  void let_go(Work& work);                          // of what an attempt of a guest's has reserved
  void put_back(Work& work);                        // it is queued again
  void take_back(Executor& e);                      // what it has not begun
  void ended(Work& work);                           // it is answered
  void learn(const Work& work, int64_t bytes);
  void on_replies(int fd);                          // without the mutex; so the next one
  void take_reply(Executor& e, Reply&& r);          // throws Error{io} for what no executor says; then nothing has changed
  void on_reply(Executor& e, const Reply& r);
  void on_reply(Executor& e, const TaskNotBegun& said);
  void on_reply(Executor& e, const TaskSeceded& said);
  void on_reply(Executor& e, const TaskDone& said, Object&& result, const std::optional<Error>& refused);
  void on_reply(Executor& e, const TaskFailed& said);
  void end_what_came_back(Executor& e);
  std::shared_ptr<Work> answered(Executor& e, TaskId task, uint16_t attempt);
  TaskError timeout_error(const Work& work);
  void bury(Executor& e);
  void watch_executors();
  void interrupt(Executor& e, const Executor::Sent& sent);

  NodeOptions options_;
  std::string address_;
  std::mutex mutex_;
  std::condition_variable native_cv_, over_cv_, short_cv_, serve_cv_;
  bool over_ = false;
  worker::State state_;
  worker::ObjectStore objects_;
  worker::Admission admission_{worker::budget()};
  worker::TaskRunner runner_{admission_};
  std::unordered_map<uint32_t, std::shared_ptr<RangeInfo>> ranges_;
  std::unordered_map<uint32_t, std::shared_ptr<GuestFunction>> functions_;
  base::AttemptTable<std::shared_ptr<Work>> work_;
  std::deque<std::shared_ptr<Work>> native_queue_;
  std::vector<NativeRun*> native_runs_;
  int64_t native_taken_ = 0;           // by threads, or queued for them, and not answered
  std::deque<std::shared_ptr<Work>> begun_guests_;  // after they have waited
  int64_t guests_waiting_ = 0;
  int64_t native_running_ = 0;
  int64_t guest_us_ = -1;              // how long guest tasks take lately, µs
  std::vector<std::unique_ptr<Executor>> executors_;
  int failed_starts_ = 0;              // since one came up
  steady_clock::time_point next_start_{};
  std::string start_failure_;
  int64_t executors_bytes_ = 0;        // that they have taken since they began, and shared memory that is kept for results, as the budget knows it
  Batch<Finished> finished_;
  Batch<Failed> failed_;
  Batch<Added> added_;
  Retracted retracted_;
  std::string turned_away_;            // why the scheduler does not speak with this worker
  std::vector<std::thread> threads_;
  std::deque<std::function<void()>> to_serve_;  // objects that peers and clients ask for
  std::vector<std::function<void(std::optional<Error>)>> puts_;  // to be answered once there is room
  std::mutex spilling_mutex_;
  bool spilling_ = false;
  int64_t spill_goal_ = 0;             // bytes in use
  steady_clock::time_point next_spill_{};
  std::string spill_error_;            // of the last attempt to spill; empty: it was none
  std::deque<worker::StateAction> fetches_;  // that wait until there is room
  int64_t fetching_ = 0;
  int64_t ticks_ = 0;
  Loop loop_;
  std::shared_ptr<Connection> scheduler_;
  Fetcher fetcher_;
};

}  // namespace muster::cluster
