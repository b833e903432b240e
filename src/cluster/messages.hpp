// Every message between the processes of a cluster: a struct, whose one list of fields writes and reads it. A frame carries one message, or, of those that
// come in numbers, several of a type behind each other. Views point into the frame that was read, or at what is to be written.
//
// The first message of each connection to the scheduler, and its answer, begin with the version of all others: processes of two versions say so and part.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cluster/task_error.hpp"
#include "graph/graph.hpp"
#include "net/connection.hpp"
#include "net/fields.hpp"
#include "schedule/scheduler.hpp"
#include "worker/object_key.hpp"

namespace muster::cluster {
using base::ClientId, base::JobId, base::Slot, base::TaskId;
using graph::Blob;

/// Raised with every change of a message.
constexpr uint32_t kProtocol = 5;
constexpr uint16_t kAnyAttempt = 0xFFFF;

enum class Type : uint16_t {
  // worker → scheduler
  register_worker = 1, finished, failed, retracted, seceded, added, heartbeat,
  // scheduler → worker
  welcome_worker, put_range, drop_range, put_function, drop_function, assign, cancel, retract, free_object, stop_worker,
  // client → scheduler
  hello, submit, close_job, want, release, cancel_tasks, retry, scatter, promise, bind, refuse, ask, fire_and_forget, hold,
  // scheduler → client
  welcome_client, news, answer,
  // between whoever asks for data and who has it
  get_object, object, put_object, stored,
  // to whom the scheduler does not let in, or cannot understand
  rejected,
};

// A message with a `count` stands for a run: equal ones of so many tasks that follow each other. What a run views outlives it.
constexpr uint32_t kLongestRun = 1 << 16;
bool follows_run(const auto& run, const auto& m) {
  return run.count + m.count <= kLongestRun && m.attempt == run.attempt && m.task.job == run.task.job && m.task.index - run.task.index == run.count;
}
const char* no_run(const auto& m) { return m.count && m.count <= kLongestRun ? nullptr : "a run of no tasks, or of too many"; }

template <Type T>
struct OfAttempt {
  static constexpr Type kType = T;
  TaskId task;
  uint16_t attempt = 0;
  static void fields(auto& m, auto&& f) { f(m.task, m.attempt); }
};

template <Type T>
struct OfTasks {
  static constexpr Type kType = T;
  std::vector<TaskId> tasks{};
  static void fields(auto& m, auto&& f) { f(m.tasks); }
};

template <Type T>
struct OfNumber {
  static constexpr Type kType = T;
  uint32_t number = 0;
  static void fields(auto& m, auto&& f) { f(m.number); }
};

// ---- worker → scheduler

struct RegisterWorker {
  static constexpr Type kType = Type::register_worker;
  uint32_t version = kProtocol;
  std::string address{}, name{}, host{};
  int64_t threads = 1, memory_limit = 0, pid = 0;
  std::vector<std::pair<std::string, double>> resources{};
  static void fields(auto& m, auto&& f) { f(m.version, m.address, m.name, m.host, m.threads, m.memory_limit, m.pid, m.resources); }
};

struct Finished {  // in numbers
  static constexpr Type kType = Type::finished;
  TaskId task;
  uint16_t attempt = 0;
  int64_t bytes = 0, us = 0;
  std::string_view type{}, note{};
  bool inlined = false;  // the value comes along
  std::string_view value{};
  uint32_t count = 1;
  static void fields(auto& m, auto&& f) { f(m.task, m.attempt, m.bytes, m.us, m.type, m.note, m.inlined, m.value, m.count); }
  static const char* complaint(const Finished& m) { return no_run(m); }
  static bool begins_run(const Finished& m) { return m.note.empty() && !m.inlined && m.type == kNative; }
  static bool follows(const Finished& run, const Finished& m) {
    return follows_run(run, m) && m.bytes == run.bytes && m.us == run.us && begins_run(m);
  }
  static constexpr std::string_view kNative = "native";  // the type of what the engine made
};

struct LostCopy {
  TaskId object;
  uint16_t attempt = 0;
  std::string holder{};
  static void fields(auto& m, auto&& f) { f(m.object, m.attempt, m.holder); }
};

struct Failed {  // in numbers
  static constexpr Type kType = Type::failed;
  TaskId task;
  uint16_t attempt = 0;
  schedule::Failure why = schedule::Failure::raised;
  std::shared_ptr<const TaskError> error{};
  std::string note{};
  std::vector<LostCopy> lost{};
  static void fields(auto& m, auto&& f) { f(m.task, m.attempt, m.why, m.error, m.note, m.lost); }
};

struct AttemptOf {
  TaskId task;
  uint16_t attempt = 0;
  static void fields(auto& m, auto&& f) { f(m.task, m.attempt); }
};

/// Ends the retract.
struct Retracted {
  static constexpr Type kType = Type::retracted;
  std::vector<AttemptOf> attempts{};
  static void fields(auto& m, auto&& f) { f(m.attempts); }
};

using Seceded = OfAttempt<Type::seceded>;
using Added = OfAttempt<Type::added>;  // in numbers

struct Heartbeat {
  static constexpr Type kType = Type::heartbeat;
  int64_t rss = 0, stored = 0;  // bytes
  uint32_t running = 0, waiting = 0;
  static void fields(auto& m, auto&& f) { f(m.rss, m.stored, m.running, m.waiting); }
};

// ---- scheduler → worker

struct WelcomeWorker {
  static constexpr Type kType = Type::welcome_worker;
  uint32_t version = kProtocol;
  Slot slot = 0;
  static void fields(auto& m, auto&& f) { f(m.version, m.slot); }
};

struct PutRange {
  static constexpr Type kType = Type::put_range;
  uint32_t number = 0;
  std::string function{}, label{};
  base::Value args{};
  int64_t timeout_us = 0;
  bool inlined = true;              // small results go along with the news
  std::vector<uint32_t> outputs{};  // which of each dependency, and of the explicit inputs
  uint32_t depth = 0;               // tasks around its tasks
  static void fields(auto& m, auto&& f) { f(m.number, m.function, m.label, m.args, m.timeout_us, m.inlined, m.outputs, m.depth); }
};

using DropRange = OfNumber<Type::drop_range>;  // in numbers: nothing of it will come any more

struct PutFunction {
  static constexpr Type kType = Type::put_function;
  uint32_t number = 0;
  std::string_view bytes{};
  static void fields(auto& m, auto&& f) { f(m.number, m.bytes); }
};

using DropFunction = OfNumber<Type::drop_function>;  // in numbers: no task needs it

struct AssignedInput {
  TaskId object;
  uint16_t attempt = 0;
  bool inlined = false;  // the value comes along
  std::string_view value{};
  std::vector<std::string_view> holders{};  // addresses; none where it is on this worker
  static void fields(auto& m, auto&& f) { f(m.object, m.attempt, m.inlined, m.value, m.holders); }
};

struct Assign {  // in numbers
  static constexpr Type kType = Type::assign;
  TaskId task;
  uint16_t attempt = 0;
  uint32_t range = 0;
  int64_t index = 0;
  uint64_t priority = 0;  // smaller goes first
  uint32_t function = base::kNone;
  std::string_view arguments{};
  std::vector<uint32_t> groups{};  // how many inputs of each dependency, and how many explicit ones
  std::vector<AssignedInput> inputs{};
  uint32_t count = 1;      // index and priority go up with the task
  static void fields(auto& m, auto&& f) { f(m.task, m.attempt, m.range, m.index, m.priority, m.function, m.arguments, m.groups, m.inputs, m.count); }
  static const char* complaint(const Assign& m) { return no_run(m); }
  static bool begins_run(const Assign& m) { return m.arguments.empty() && m.groups.empty() && m.inputs.empty(); }
  static bool follows(const Assign& run, const Assign& m) {
    return follows_run(run, m) && m.range == run.range && m.function == run.function && m.index == run.index + run.count &&
           m.priority == run.priority + run.count && begins_run(m);
  }
};

using Cancel = OfAttempt<Type::cancel>;  // in numbers
using Retract = OfNumber<Type::retract>;

struct FreeObject {  // in numbers
  static constexpr Type kType = Type::free_object;
  TaskId task;
  uint16_t attempt = 0;
  uint32_t count = 1;
  static void fields(auto& m, auto&& f) { f(m.task, m.attempt, m.count); }
  static const char* complaint(const FreeObject& m) { return no_run(m); }
  static bool begins_run(const FreeObject&) { return true; }
  static bool follows(const FreeObject& run, const FreeObject& m) { return follows_run(run, m); }
};

struct StopWorker {
  static constexpr Type kType = Type::stop_worker;
  static void fields(auto&, auto&&) {}
};

// ---- client → scheduler

struct Hello {
  static constexpr Type kType = Type::hello;
  uint32_t version = kProtocol;
  std::string name{};
  uint32_t depth = 0;  // tasks around it
  static void fields(auto& m, auto&& f) { f(m.version, m.name, m.depth); }
};

struct Submit {
  static constexpr Type kType = Type::submit;
  JobId job = 0;
  bool open = false;  // more will be added to the job
  std::shared_ptr<const graph::Graph> graph{};
  static void fields(auto& m, auto&& f) { f(m.job, m.open, m.graph); }
  static const char* complaint(const Submit& m) { return m.graph ? nullptr : "a submit without a graph"; }
};

using CloseJob = OfNumber<Type::close_job>;
using Want = OfTasks<Type::want>;
using Release = OfTasks<Type::release>;
using Retry = OfTasks<Type::retry>;
using FireAndForget = OfTasks<Type::fire_and_forget>;

struct CancelTasks {
  static constexpr Type kType = Type::cancel_tasks;
  std::vector<TaskId> tasks{};
  bool force = false;  // also what other clients want
  static void fields(auto& m, auto&& f) { f(m.tasks, m.force); }
};

struct Scatter {
  static constexpr Type kType = Type::scatter;
  TaskId task;
  int64_t bytes = 0;
  std::string type{};
  bool renewable = false;
  std::vector<std::string> holders{};
  static void fields(auto& m, auto&& f) { f(m.task, m.bytes, m.type, m.renewable, m.holders); }
};

struct Promise {
  static constexpr Type kType = Type::promise;
  TaskId task;
  std::string label{};
  bool renewable = false;
  static void fields(auto& m, auto&& f) { f(m.task, m.label, m.renewable); }
};

struct Bind {
  static constexpr Type kType = Type::bind;
  TaskId task;
  std::shared_ptr<const graph::Graph> graph{};
  static void fields(auto& m, auto&& f) { f(m.task, m.graph); }
  static const char* complaint(const Bind& m) { return m.graph ? nullptr : "a promise bound to no graph"; }
};

struct Refuse {
  static constexpr Type kType = Type::refuse;
  TaskId task;
  std::shared_ptr<const TaskError> error{};
  static void fields(auto& m, auto&& f) { f(m.task, m.error); }
  static const char* complaint(const Refuse& m) { return m.error ? nullptr : "a refusal without an error"; }
};

struct Ask {
  static constexpr Type kType = Type::ask;
  uint64_t question = 0;
  std::string name{};
  base::Value argument{};
  static void fields(auto& m, auto&& f) { f(m.question, m.name, m.argument); }
};

/// What a task's function, arguments or result mention.
struct Hold {
  static constexpr Type kType = Type::hold;
  TaskId holder;
  std::vector<TaskId> tasks{};
  static void fields(auto& m, auto&& f) { f(m.holder, m.tasks); }
};

// ---- scheduler → client

struct WelcomeClient {
  static constexpr Type kType = Type::welcome_client;
  uint32_t version = kProtocol;
  ClientId id = 0;
  static void fields(auto& m, auto&& f) { f(m.version, m.id); }
};

struct News {  // in numbers
  static constexpr Type kType = Type::news;
  enum class Kind : uint8_t { done, failed, cancelled, lost, reported, ended, renew } kind = Kind::done;
  TaskId task;
  int64_t bytes = 0;
  std::string type{};                  // of the value, as its language names it
  Blob value{};                        // small ones come along
  std::vector<std::string> holders{};  // addresses of workers that have it
  Blob note{};                         // what the task reported
  TaskId cause{};                      // of a failure
  std::shared_ptr<const TaskError> error{};
  static void fields(auto& m, auto&& f) { f(m.kind, m.task, m.bytes, m.type, m.value, m.holders, m.note, m.cause, m.error); }
  static const char* complaint(const News& m) { return m.kind == Kind::failed && !m.error ? "news of a failure without its error" : nullptr; }
};

struct Answer {
  static constexpr Type kType = Type::answer;
  uint64_t question = 0;
  base::Value value{};
  std::shared_ptr<const TaskError> error{};  // instead
  static void fields(auto& m, auto&& f) { f(m.question, m.value, m.error); }
};

/// What a process cannot or must not understand ends the connection; this says why. It looks the same in every version.
struct Rejected {
  static constexpr Type kType = Type::rejected;
  uint32_t version = kProtocol;
  std::string why{};
  static void fields(auto& m, auto&& f) { f(m.version, m.why); }
};

// ---- data; the bytes of an object lie behind the message that announces them, or come as a descriptor

struct GetObject {
  static constexpr Type kType = Type::get_object;
  TaskId object;
  uint16_t attempt = kAnyAttempt;
  bool descriptor = false;                 // may be answered with one
  uint32_t output = worker::kAllOutputs;   // this is enough, and may be answered with more
  static void fields(auto& m, auto&& f) { f(m.object, m.attempt, m.descriptor, m.output); }
};

struct ObjectHead {
  static constexpr Type kType = Type::object;
  enum class Found : uint8_t { no, yes, refused } found = Found::no;  // refused: in place of the object's bytes lie those of a TaskError, which says why
  bool native = false;                                                // encoded outputs of the engine, not of a guest
  uint64_t size = 0;
  uint32_t output = worker::kAllOutputs;                              // that comes alone
  static void fields(auto& m, auto&& f) { f(m.found, m.native, m.size, m.output); }
};

struct PutObject {
  static constexpr Type kType = Type::put_object;
  TaskId object;
  bool native = false;
  uint64_t size = 0;
  std::string type{};
  static void fields(auto& m, auto&& f) { f(m.object, m.native, m.size, m.type); }
};

/// Said once there is room for more.
struct Stored {
  static constexpr Type kType = Type::stored;
  std::shared_ptr<const TaskError> error{};  // it is not
  static void fields(auto& m, auto&& f) { f(m.error); }
};

// ---- on connections

template <class M>
void send(net::Connection& to, const M& message, std::vector<int> fds = {}, net::Payload behind = {}) {
  to.send(static_cast<uint16_t>(M::kType), net::encoded(message), std::move(fds), std::move(behind));
}
template <class M>
void send(const net::Fd& to, const M& message, const std::vector<int>& fds = {}, net::Payload behind = {}) {
  net::send_frame(to, static_cast<uint16_t>(M::kType), net::encoded(message), fds, std::move(behind));
}

/// Messages of a type that go together; those that make a run become one.
template <class M>
class Batch {
 public:
  void add(const M& message) {
    if constexpr (kRuns) {
      if (run_.count && M::follows(run_, message)) return void(run_.count += message.count);
      end_run();
      if (M::begins_run(message)) return void(run_ = message);
    }
    net::put(out_, message);
  }
  /// Bytes, about: those of a run count as if each were written.
  size_t size() const {
    if constexpr (kRuns) return out_.size() + run_.count * sizeof(M);
    else return out_.size();
  }
  /// What was added, written; nothing is left.
  std::string take() {
    end_run();
    return std::exchange(out_, {}).take();
  }
  void send(net::Connection& to) {
    if (std::string all = take(); !all.empty()) to.send(static_cast<uint16_t>(M::kType), std::move(all));
  }

 private:
  static constexpr bool kRuns = requires(const M& m) { M::begins_run(m); };
  struct NoRun {};
  static auto no_run_yet() {
    if constexpr (kRuns) return M{.count = 0};
    else return NoRun();
  }
  void end_run() {
    if constexpr (kRuns)
      if (run_.count) net::put(out_, run_), run_.count = 0;
  }
  net::Encoder out_;
  decltype(no_run_yet()) run_ = no_run_yet();
};

/// The sentence for two processes that do not speak alike.
std::string versions_differ(const std::string& one, uint32_t of_one, const std::string& other, uint32_t of_other);

}  // namespace muster::cluster

namespace muster::net {

template <>
struct LastOf<cluster::TaskError::Kind> { static constexpr auto value = cluster::TaskError::Kind::disconnected; };
template <>
struct LastOf<ErrorKind> { static constexpr auto value = ErrorKind::internal; };
template <>
struct LastOf<schedule::Failure> { static constexpr auto value = schedule::Failure::refused; };
template <>
struct LastOf<cluster::News::Kind> { static constexpr auto value = cluster::News::Kind::renew; };
template <>
struct LastOf<cluster::ObjectHead::Found> { static constexpr auto value = cluster::ObjectHead::Found::refused; };
template <>
struct LastOf<graph::Dependency::Rule> { static constexpr auto value = graph::Dependency::Rule::slice; };

template <>
struct Fields<graph::Dependency> {
  static void of(auto& d, auto&& f) { f(d.range, d.rule, d.k, d.output, d.first); }
};
template <>
struct Fields<graph::Options> {
  static void of(auto& o, auto&& f) { f(o.priority, o.retries, o.workers, o.allow_other_workers, o.resources, o.timeout_us); }
};
template <>
struct Fields<graph::Range> {
  static void of(auto& r, auto&& f) {
    f(r.count, r.function, r.args, r.partition, r.inputs, r.wanted, r.wanted_tasks, r.reports, r.label, r.options, r.begins, r.needs, r.output, r.functions,
      r.function_of, r.labels, r.arguments);
  }
  static const char* complaint(const graph::Range& range);
};
template <>
struct Fields<graph::Graph> {
  static void of(auto& g, auto&& f) { f(g.ranges); }
};

}  // namespace muster::net
