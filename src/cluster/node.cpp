// One mutex guards state, objects and executors; it is never held while a task runs or a peer is asked. Executors are started and served by the loop.
#include "cluster/node.hpp"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <fstream>
#include <map>

#include "base/error.hpp"
#include "cluster/executor.hpp"
#include "cluster/fetcher.hpp"
#include "cluster/hub.hpp"
#include "cluster/object_server.hpp"
#include "kernels/wire.hpp"
#include "muster/error.hpp"
#include "net/connection.hpp"
#include "net/messages.hpp"
#include "schedule/scheduler.hpp"
#include "worker/functions.hpp"
#include "worker/objects.hpp"
#include "worker/state.hpp"
#include "worker/store.hpp"

namespace muster::cluster {
using namespace base;
using namespace net;
using schedule::Failure;
using worker::Object;
using std::chrono::steady_clock;
namespace {

constexpr int64_t kInline = 8 * 1024;          // results up to here travel with the news
constexpr size_t kFlush = 64 * 1024;
constexpr int64_t kFastUs = 500;               // tasks shorter than this are handed to an executor in advance
constexpr auto kGrace = std::chrono::milliseconds(300);
constexpr int kStarts = 5;                     // executors that do not come up, one after the other, before tasks hear of it
constexpr auto kPause = std::chrono::milliseconds(100), kLongestPause = std::chrono::milliseconds(5000);  // between starts, doubled each time
constexpr char kPython[] = "python", kGuestPipeline[] = "guest pipeline";

// What put_range said.
struct RangeInfo {
  std::string function, label;
  Value args;
  int64_t timeout_us = 0;
  bool inlined = true;                       // small results go along with the news
  std::vector<uint32_t> outputs;             // of each dependency: which
  uint32_t depth = 0;                        // tasks around its tasks
  std::shared_ptr<worker::Function> bound;
  bool guest() const { return function == kPython || function == kGuestPipeline; }
};

// What assign said.
struct Work {
  uint32_t range;
  int64_t index;
  uint32_t function;
  std::string arguments;
  std::vector<uint32_t> groups;
  struct In { TaskId object; bool inlined; std::string value; };
  std::vector<In> inputs;
  bool stop = false, timed_out = false;
};

class NodeTask : public data::Task {
 public:
  NodeTask(const std::atomic<bool>& stop, int64_t partition) : stop_(stop), partition_(partition) {}
  ~NodeTask() override { worker::budget().give_back(reserved_); }
  bool stopped() const override { return stop_; }
  int64_t partition() const override { return partition_; }
  void reserve(int64_t bytes) override { worker::budget().take(bytes), reserved_ += bytes; }
  void hold(int64_t bytes) override { worker::budget().hold(bytes), reserved_ += bytes; }
  int64_t headroom() const override { return worker::budget().limit() / 2 - worker::budget().used(); }
  void progress(int64_t) override {}

 private:
  const std::atomic<bool>& stop_;
  int64_t partition_, reserved_ = 0;
};

// Bytes of a process that it shares with nobody.
int64_t private_memory(pid_t pid) {
  int64_t size = 0, resident = 0, shared = 0;
  std::ifstream(concat("/proc/", pid, "/statm")) >> size >> resident >> shared;
  return (resident - shared) * sysconf(_SC_PAGESIZE);
}

class Node {
 public:
  explicit Node(NodeOptions o) : options_(std::move(o)), fetcher_([this](Fetched&& f) { fetched(std::move(f)); }) {}

  int run() {
    rlimit files{};
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) files.rlim_cur = files.rlim_max, setrlimit(RLIMIT_NOFILE, &files);
    if (options_.memory_limit > 0) worker::budget().set_limit(options_.memory_limit);
    auto [listener, bound] = listen(Address::parse(options_.listen.empty() ? "unix://@muster-" + random_name() : options_.listen));
    address_ = bound.text();
    loop_.add_listener(std::move(listener), bound.local, [this](Fd fd) {
      serve_objects(loop_, std::move(fd), [this](TaskId id, uint16_t attempt, Object& out) { return find(id, attempt, out); }, [this](TaskId id, Object&& o) { put(id, std::move(o)); });
    });
    scheduler_ = loop_.add(connect(Address::parse(options_.scheduler), 10));
    scheduler_->on_frame = [this](Frame&& f) { on_scheduler(std::move(f)); };
    scheduler_->on_close = [this] { finish(); };
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    Encoder out;
    out << address_ << name() << host << options_.threads << worker::budget().limit() << static_cast<int64_t>(getpid()) << static_cast<uint64_t>(options_.resources.size());
    for (const auto& [name, amount] : options_.resources) out << name << amount;
    for (int64_t i = 0; i < options_.threads; ++i) threads_.emplace_back([this] { native_loop(); });
    loop_.start(scheduler_);
    scheduler_->send(Type::register_worker, out.take());
    loop_.every(100, [this] { tick(); });
    {
      std::unique_lock lock(mutex_);
      over_cv_.wait(lock, [this] { return over_; });
      native_cv_.notify_all();
    }
    for (auto& t : threads_) t.join();
    fetcher_.stop();
    loop_.stop();
    executors_.clear();
    return 0;
  }

 private:
  using Key = std::pair<TaskId, uint16_t>;
  struct Lock : std::unique_lock<std::mutex> {
    explicit Lock(Node& n) : std::unique_lock<std::mutex>(n.mutex_), node(n) {}
    ~Lock() {
      if (owns_lock()) node.flush();
    }
    Node& node;
  };

  // ---- the scheduler speaks

  void on_scheduler(Frame&& f) {
    Decoder in(f.body);
    Lock lock(*this);
    switch (f.type) {
      case Type::welcome_worker:
        for (int64_t i = 0; i < options_.threads && !options_.executor.empty(); ++i) start_executor();
        break;
      case Type::put_range: {
        const auto number = in.get<uint32_t>();
        RangeInfo r;
        r.function = in.get<std::string>(), r.label = in.get<std::string>(), r.args = decode_value(in), r.timeout_us = in.get<int64_t>(), r.inlined = in.get<uint8_t>(), r.outputs = in.list<uint32_t>(), r.depth = in.get<uint32_t>();
        ranges_[number] = std::move(r);
        break;
      }
      case Type::drop_ranges:
        while (!in.empty()) {
          const auto number = in.get<uint32_t>();
          const auto range = ranges_.extract(number);
          if (range && range.mapped().function == kGuestPipeline)
            for (auto& e : executors_) e->forget(Executor::Thing::pipeline, number);
        }
        break;
      case Type::drop_functions:
        while (!in.empty()) {
          const auto number = in.get<uint32_t>();
          functions_.erase(number);
          for (auto& e : executors_)
            if (number < e->functions.size() && e->functions[number]) e->forget(Executor::Thing::function, number);
        }
        break;
      case Type::put_function: {
        const auto number = in.get<uint32_t>();
        functions_[number] = in.get<std::string>();
        break;
      }
      case Type::assign:
        while (!in.empty()) assign(in);
        break;
      case Type::cancel:
        while (!in.empty()) {
          const auto task = in.get<TaskId>();
          state_.cancel(task, in.get<uint16_t>());
        }
        break;
      case Type::retract: retract(in.get<uint32_t>()); break;
      case Type::free_objects:
        while (!in.empty()) {
          const auto task = in.get<TaskId>();
          if (objects_.erase(task, in.get<uint16_t>())) state_.gone(task);
        }
        break;
      case Type::stop_worker:
        lock.unlock();
        finish();
        return;
      default: throw Error(ErrorKind::io, "a message no scheduler sends");
    }
    pump();
  }

  void assign(Decoder& in) {
    const auto task = in.get<TaskId>();
    const auto attempt = in.get<uint16_t>();
    Work w;
    w.range = in.get<uint32_t>(), w.index = in.get<int64_t>();
    const auto priority = in.get<uint64_t>();
    w.function = in.get<uint32_t>(), w.arguments = in.get<std::string>(), w.groups = in.list<uint32_t>();
    std::vector<worker::Input> missing;
    for (uint64_t n = in.count(); n > 0; --n) {
      Work::In i{in.get<TaskId>(), false, {}};
      const auto copy = in.get<uint16_t>();
      i.inlined = in.get<uint8_t>();
      if (i.inlined) {
        i.value = in.get<std::string>();
      } else {
        worker::Input m{i.object, copy, {}};
        for (uint64_t h = in.count(); h > 0; --h) m.holders.push_back(in.get<std::string>());
        missing.push_back(std::move(m));
      }
      w.inputs.push_back(std::move(i));
    }
    const bool guest = ranges_.at(w.range).guest();
    work_[{task, attempt}] = std::move(w);
    state_.assign(task, attempt, priority, guest, std::move(missing));
  }

  // The last ones first; then what executors were handed and have not begun.
  void retract(uint32_t count) {
    uint32_t given = state_.retract(count);
    for (auto& e : executors_) {
      if (given >= count || e->sent.size() < 2) continue;
      for (auto [task, attempt] : e->take_back()) state_.give_back(task, attempt);
    }
    if (given < count) given += state_.retract(count - given);
    report_actions();
    scheduler_->send(Type::retracted, retracted_.take());
    retracted_ = Encoder();
  }

  // ---- deciding, with the mutex held

  void pump() {
    report_actions();
    for (auto& e : executors_) e->send_forgets();
    // Native tasks and guest tasks share the threads.
    int64_t busy = native_running_ + static_cast<int64_t>(native_queue_.size());
    for (const auto& e : executors_) busy += !e->sent.empty() && !e->seceded;
    TaskId task;
    uint16_t attempt;
    while (busy < options_.threads && state_.take(false, task, attempt)) {
      native_queue_.push_back({task, attempt});
      native_cv_.notify_one();
      ++busy;
    }
    while (busy < options_.threads && state_.queued(true)) {
      Executor* idle = nullptr;
      for (auto& e : executors_)
        if (e->sent.empty() && !e->seceded && !e->interrupted()) idle = e.get();
      if (!idle) {
        if (!start_executor()) break;
        continue;
      }
      state_.take(true, task, attempt);
      if (!hand_over(*idle, task, attempt)) {
        if (state_.knows(task, attempt)) break;  // not now
        continue;
      }
      ++busy;
    }
    // Short tasks are handed over in advance: an executor then never waits for the next.
    for (auto& e : executors_) {
      if (e->sent.empty() || e->seceded || e->interrupted() || state_.queued(true) == 0) continue;
      const size_t depth = guest_us_ >= 0 && guest_us_ < kFastUs ? static_cast<size_t>(std::clamp<int64_t>(2000 / (guest_us_ + 20), 2, 64)) : 1;
      while (e->sent.size() < depth && state_.take(true, task, attempt))
        if (timeout_of(task, attempt) || !hand_over(*e, task, attempt)) {
          if (state_.knows(task, attempt)) state_.give_back(task, attempt);
          break;
        }
    }
    // An executor with nothing to do while another has tasks it has not begun: these are shared anew.
    if (busy < options_.threads && state_.queued(true) == 0)
      for (auto& e : executors_)
        if (e->sent.size() > 2 && !e->seceded) {
          auto back = e->take_back();
          for (auto [t, a] : back) state_.give_back(t, a);
          if (back.size() > 1) {
            pump();
            return;
          }
        }
    report_actions();
  }

  int64_t timeout_of(TaskId task, uint16_t attempt) {
    auto w = work_.find({task, attempt});
    return w == work_.end() ? 0 : ranges_.at(w->second.range).timeout_us;
  }

  void report_actions() {
    for (auto& a : state_.act()) {
      switch (a.kind) {
        case worker::StateAction::Kind::fetch: fetcher_.fetch(a.task, a.attempt, a.holder); break;
        case worker::StateAction::Kind::stop: stop(a.task, a.attempt); break;
        case worker::StateAction::Kind::failed:
          work_.erase({a.task, a.attempt});
          failed_ << a.task << a.attempt << static_cast<uint8_t>(Failure::inputs) << "" << "" << static_cast<uint64_t>(a.lost.size());
          for (const auto& l : a.lost) failed_ << l.object << l.attempt << l.holder;
          break;
        case worker::StateAction::Kind::stopped:
          work_.erase({a.task, a.attempt});
          report_failure(a.task, a.attempt, Failure::stopped, {});
          break;
        case worker::StateAction::Kind::retracted:
          work_.erase({a.task, a.attempt});
          retracted_ << a.task << a.attempt;
          break;
      }
    }
  }

  void stop(TaskId task, uint16_t attempt) {
    auto w = work_.find({task, attempt});
    if (w == work_.end()) return;
    w->second.stop = true;
    if (auto running = native_stops_.find({task, attempt}); running != native_stops_.end()) *running->second = true;
    for (auto& e : executors_)
      for (size_t i = 0; i < e->sent.size(); ++i)
        if (e->sent[i].task == task && e->sent[i].attempt == attempt) {
          // Perhaps it has not begun: then it comes back, and others with it.
          for (auto [t, a] : e->take_back()) state_.give_back(t, a);
          if (std::none_of(e->sent.begin(), e->sent.end(), [&](const auto& s) { return s.task == task && s.attempt == attempt; })) {
            state_.cancel(task, attempt);
            return;
          }
          e->interrupt(task, attempt);
          if (!e->interrupted()) e->killed_at = steady_clock::now() + kGrace;
          return;
        }
  }

  void report_failure(TaskId task, uint16_t attempt, Failure why, std::string_view error, std::string_view note = {}) {
    failed_ << task << attempt << static_cast<uint8_t>(why) << error << note << uint64_t{0};
  }

  void report_result(TaskId task, uint16_t attempt, Object object, int64_t us, const std::string& note) {
    finished_ << task << attempt << object.bytes << us << object.type << note;
    const auto work = work_.find({task, attempt});
    const bool inlined = object.small && static_cast<int64_t>(object.small->size()) <= kInline && (work == work_.end() || ranges_.at(work->second.range).inlined);
    finished_ << static_cast<uint8_t>(inlined) << (inlined ? std::string_view(*object.small) : std::string_view());
    object.attempt = attempt;
    objects_.put(task, std::move(object));
    state_.here(task, attempt);
    state_.ended(task, attempt);
    if (work != work_.end()) work_.erase(work);
    if (finished_.size() > kFlush) flush();
  }

  void flush() {
    if (!scheduler_) return;
    auto send = [&](Encoder& w, uint16_t type) {
      if (w.empty()) return;
      scheduler_->send(type, w.take());
      w = Encoder();
    };
    send(added_, Type::added);
    send(finished_, Type::finished);
    send(failed_, Type::failed);
  }

  // ---- native tasks

  void native_loop() {
    std::unique_lock lock(mutex_);
    for (;;) {
      native_cv_.wait(lock, [this] { return over_ || !native_queue_.empty(); });
      if (over_) return;
      const Key key = native_queue_.front();
      native_queue_.pop_front();
      ++native_running_;
      run_native(key, lock);
      --native_running_;
      pump();
      if (native_queue_.empty()) flush();
    }
  }

  void run_native(const Key& key, std::unique_lock<std::mutex>& lock) {
    const auto [task, attempt] = key;
    auto found = work_.find(key);
    if (found == work_.end()) return state_.ended(task, attempt);
    Work work = std::move(found->second);
    RangeInfo& range = ranges_.at(work.range);  // stays where it is; only `bound` is written, with the mutex
    std::atomic<bool> stop{work.stop};
    native_stops_[key] = &stop;
    std::vector<Object> inputs;
    for (const auto& in : work.inputs) {
      const Object* o = in.inlined ? nullptr : objects_.find(in.object);
      inputs.push_back(o ? *o : Object{});
      if (in.inlined) inputs.back().small = std::make_shared<const std::string>(in.value), inputs.back().native = true;
    }
    auto function = range.bound;
    const bool inlined = range.inlined;
    const auto begun = steady_clock::now();
    Object result;
    std::string error;
    Failure why = Failure::raised;
    lock.unlock();
    NodeTask t(stop, work.index);
    try {
      if (!function) function = worker::bind(range.function, range.args);
      worker::Inputs groups;
      size_t at = 0;
      for (size_t g = 0; g < work.groups.size(); ++g) {
        if (work.groups[g] == 0 && g + 1 == work.groups.size()) continue;
        auto& group = groups.emplace_back();
        for (uint32_t i = 0; i < work.groups[g]; ++i, ++at) group.push_back(output_of(inputs[at], g < range.outputs.size() ? range.outputs[g] : 0));
      }
      auto outputs = std::make_shared<std::vector<kernels::Output>>(function->run(t, groups, work.arguments));
      result.native = true, result.type = "native";
      for (const auto& o : *outputs) result.bytes += o.bytes;
      if (inlined && result.bytes <= kInline) result.small = std::make_shared<const std::string>(kernels::encode(*outputs));
      result.outputs = std::move(outputs);
    } catch (const Error& e) {
      Error named = e;
      if (e.kind == ErrorKind::cancelled) why = Failure::stopped;
      else named.through(concat(range.label, ", partition ", work.index));
      error = encode_error(named);
    } catch (const std::bad_alloc&) {
      error = encode_error(Error(ErrorKind::memory, concat("out of memory in ", range.label, ", partition ", work.index)));
    } catch (const std::exception& e) {
      error = encode_error(Error(ErrorKind::internal, e.what()));
    }
    const std::string note = kernels::encode(t.report);  // also of a failure: it says whether the failure is to be believed
    const int64_t us = std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now() - begun).count();
    lock.lock();
    native_stops_.erase(key);
    if (!range.bound) range.bound = function;
    if (error.empty()) return report_result(task, attempt, std::move(result), us, note);
    report_failure(task, attempt, why, error, note);
    state_.ended(task, attempt);
    work_.erase(key);
  }

  // A copy that came from elsewhere is decoded where it is needed.
  static kernels::Output output_of(const Object& o, size_t which) {
    if (o.outputs) return o.outputs->at(which);
    return kernels::decode_outputs(o.view()).at(which);
  }

  static std::string encode_error(const Error& e) { return concat("native\n", static_cast<int>(e.kind), "\n", e.python, "\n", e.what()); }

  // ---- guest tasks

  bool start_executor() {
    if (options_.executor.empty()) {
      refuse_guests(Error(ErrorKind::unsupported, "this worker runs no Python: it was started without --executor"));
      return false;
    }
    if (!loop_.here()) {
      loop_.post([this] {
        Lock lock(*this);
        pump();
      });
      return false;
    }
    if (live() >= options_.threads) return false;
    if (steady_clock::now() < next_start_) {
      if (failed_starts_ >= kStarts && live() == 0) refuse_guests(Error(ErrorKind::io, start_failure_));
      return false;
    }
    auto command = options_.executor;
    command.insert(command.end(), {options_.scheduler, address_, name()});
    try {
      executors_.push_back(std::make_unique<Executor>(command));
    } catch (const Error& e) {
      start_failed(e.message);
      return false;
    }
    Executor* e = executors_.back().get();
    loop_.watch(e->reply_fd(), [this, fd = e->reply_fd()] { on_replies(fd); });
    if (e->end_fd() >= 0) loop_.watch(e->end_fd(), [this, fd = e->reply_fd()] { on_replies(fd); });
    return true;
  }

  // Executors that count as threads.
  int64_t live() const {
    return std::count_if(executors_.begin(), executors_.end(), [](const auto& e) { return !e->seceded; });
  }

  void start_failed(const std::string& how) {
    next_start_ = steady_clock::now() + std::min<steady_clock::duration>(kPause * (1 << std::min(failed_starts_++, 6)), kLongestPause);
    start_failure_ = concat("worker ", name(), " cannot start Python executors, tried ", failed_starts_, " times in a row; the last one ", how);
  }

  // Tasks that are queued for executors that there are none of.
  void refuse_guests(const Error& why) {
    TaskId task;
    uint16_t attempt;
    while (state_.take(true, task, attempt)) refuse(task, attempt, why);
  }
  void refuse(TaskId task, uint16_t attempt, const Error& why) {
    report_failure(task, attempt, Failure::refused, encode_error(why));
    state_.ended(task, attempt);
    work_.erase({task, attempt});
  }

  // False: it is queued again, or unknown and ended.
  bool hand_over(Executor& e, TaskId task, uint16_t attempt) {
    auto found = work_.find({task, attempt});
    if (found == work_.end()) {
      state_.ended(task, attempt);
      return false;
    }
    const Work& work = found->second;
    const RangeInfo& range = ranges_.at(work.range);
    Request r{task, attempt, {}, {}};
    Encoder out;
    if (range.function == kPython) {
      if (e.functions.size() <= work.function) e.functions.resize(work.function + 1);
      out << uint8_t{0} << work.function << (e.functions[work.function] ? std::string_view() : std::string_view(functions_.at(work.function)));
    } else {
      std::string args;
      range.args.encode(args);
      out << uint8_t{1} << static_cast<uint32_t>(work.range) << std::string_view(args);
    }
    auto groups = work.groups;
    groups.insert(groups.end(), range.outputs.begin(), range.outputs.end());  // and which output of each dependency
    out << work.index << range.depth << range.label << work.arguments << groups << static_cast<uint32_t>(work.inputs.size());
    for (const auto& in : work.inputs) {
      if (in.inlined) {
        out << uint8_t{0} << in.value;
        continue;
      }
      const Object* o = objects_.find(in.object);
      if (!o) throw internal("an input of a task that may run is not here");
      if (o->segment && o->segment->fd() >= 0 && static_cast<int64_t>(r.fds.size()) < worker::most_descriptors() / 2) {
        out << uint8_t{1} << static_cast<uint64_t>(o->segment->size());
        r.fds.push_back(o->segment->fd());
      } else if (o->segment) {
        out << uint8_t{0} << o->segment->view();
      } else if (o->small) {
        out << uint8_t{0} << *o->small;
      } else {
        out << uint8_t{0} << kernels::encode(*o->outputs);
      }
    }
    r.body = out.take();
    try {
      if (!e.send(r)) {
        state_.give_back(task, attempt);
        return false;
      }
    } catch (const Error& why) {
      refuse(task, attempt, why);
      return false;
    }
    if (range.function == kPython) e.functions[work.function] = true;
    return true;
  }

  void on_replies(int fd) {
    Lock lock(*this);
    auto found = std::find_if(executors_.begin(), executors_.end(), [fd](const auto& e) { return e->reply_fd() == fd; });
    if (found == executors_.end()) return;
    Executor& e = **found;
    bool alive = !e.over();
    try {
      alive = e.read([&](Reply&& r) { on_reply(e, std::move(r)); }, !alive) && alive;
    } catch (const Error&) {
      alive = false;  // what it said is no reply
    }
    if (!alive) {
      loop_.remove(fd);
      if (e.end_fd() >= 0) loop_.remove(e.end_fd());
      bury(e);
      executors_.erase(found);
    }
    pump();
  }

  void on_reply(Executor& e, Reply&& r) {
    Decoder in(r.body);
    if (!e.ready) {
      e.is_ready();
      failed_starts_ = 0;
      for (auto& s : e.sent) s.at = steady_clock::now();  // from now on it may run
    }
    if (r.kind == 'H') return;
    const TaskId task = TaskId::of(in.get<uint64_t>());
    const auto attempt = in.get<uint16_t>();
    if (r.kind == 'N') {  // the request that brought its function was taken back
      std::erase_if(e.sent, [&](const auto& s) { return s.task == task && s.attempt == attempt; });
      if (auto w = work_.find({task, attempt}); w != work_.end() && w->second.function < e.functions.size()) e.functions[w->second.function] = false;
      state_.give_back(task, attempt);
      return;
    }
    if (r.kind == 'S') {
      e.seceded = true;
      for (auto [t, a] : e.take_back()) state_.give_back(t, a);
      scheduler_->send(Type::seceded, Encoder().operator<<(task).operator<<(attempt).take());
      return;
    }
    std::erase_if(e.sent, [&](const auto& s) { return s.task == task && s.attempt == attempt; });
    e.killed_at = {};
    if (e.sent.empty()) e.seceded = false;
    const auto us = in.get<int64_t>();
    const auto w = work_.find({task, attempt});
    const bool timed_out = w != work_.end() && w->second.timed_out;  // then its answer, whatever it is, is what the interruption made of it
    if (r.kind == 'D' && !timed_out) {
      Object o;
      o.bytes = in.get<int64_t>(), o.type = in.get<std::string>(), o.native = in.get<uint8_t>();
      const auto note = in.get<std::string>();
      const auto size = in.get<uint64_t>();
      if (!r.fds.empty()) try {
          o.segment = std::make_shared<worker::Segment>(std::move(r.fds[0]), size);
        } catch (const Error& why) {
          return refuse(task, attempt, why);
        }
      else o.small = std::make_shared<const std::string>(in.take(size));
      o.bytes = std::max<int64_t>(o.bytes, static_cast<int64_t>(size));
      guest_us_ = guest_us_ < 0 ? us : std::max(us / 2, guest_us_ + (us - guest_us_) / 8);
      report_result(task, attempt, std::move(o), us, note);
    } else {
      const auto why = r.kind == 'E' ? static_cast<Failure>(in.get<uint8_t>()) : Failure::refused;
      const auto note = r.kind == 'E' ? in.get<std::string>() : std::string();
      report_failure(task, attempt, timed_out ? Failure::refused : why, timed_out ? timeout_error(task, attempt) : in.rest(), note);
      state_.ended(task, attempt);
      work_.erase({task, attempt});
    }
    if (live() > options_.threads && e.sent.empty()) e.kill(), e.killed_at = steady_clock::now();  // it came back while another had taken its place
  }

  std::string timeout_error(TaskId task, uint16_t attempt) {
    const RangeInfo& range = ranges_.at(work_.at({task, attempt}).range);
    return concat("timeout\n", range.label, " ran longer than its timeout of ", static_cast<double>(range.timeout_us) / 1e6, " s");
  }

  // The executor is dead: what it had not begun goes to another, what it ran failed.
  void bury(Executor& e) {
    for (auto [t, a] : e.take_back()) state_.give_back(t, a);
    const std::string how = e.death();
    if (!e.ready) start_failed(how);
    for (size_t i = 0; i < e.sent.size(); ++i) {
      const auto [task, attempt, at, ahead] = e.sent[i];
      auto w = work_.find({task, attempt});
      if (w == work_.end()) {
        state_.ended(task, attempt);
        continue;
      }
      if (i + 1 < e.sent.size()) {  // done before, its reply was lost: not to blame
        state_.give_back(task, attempt);
        continue;
      }
      const bool stopped = w->second.stop, timed_out = w->second.timed_out;
      const std::string label = ranges_.at(w->second.range).label;
      const auto why = timed_out ? Failure::refused : stopped ? Failure::stopped : Failure::died;
      report_failure(task, attempt, why, timed_out ? timeout_error(task, attempt) : concat("killed\n", label, "\n", how));
      state_.ended(task, attempt);
      work_.erase(w);
    }
    e.sent.clear();
  }

  // ---- objects from and to others

  void fetched(Fetched&& f) {
    Lock lock(*this);
    if (f.ok) {
      f.object.attempt = f.attempt;
      objects_.put(f.id, std::move(f.object));
      state_.here(f.id, f.attempt);
      added_ << f.id << f.attempt;
    } else {
      state_.fetch_failed(f.id, f.attempt, f.holder);
    }
    pump();
  }

  bool find(TaskId id, uint16_t attempt, Object& out) {
    std::lock_guard lock(mutex_);
    const Object* known = objects_.find(id);
    if (!known || (attempt != kAnyAttempt && known->attempt != attempt)) return false;
    out = *known;
    return true;
  }
  void put(TaskId id, Object&& o) {
    Lock lock(*this);
    objects_.put(id, std::move(o));
    state_.here(id, 0);
    pump();
  }

  // ---- time

  void tick() {
    Lock lock(*this);
    const auto now = steady_clock::now();
    for (auto& e : executors_) {
      if (e->interrupted()) {
        if (now > e->killed_at) e->kill();
        else if (!e->sent.empty()) e->interrupt(e->sent.front().task, e->sent.front().attempt);  // it may have been where nothing is to be broken off
      }
      if (e->ready && !e->sent.empty())
        if (const int64_t limit = timeout_of(e->sent.front().task, e->sent.front().attempt); limit && now - e->sent.front().at > std::chrono::microseconds(limit)) {
          work_.at({e->sent.front().task, e->sent.front().attempt}).timed_out = true;
          e->interrupt(e->sent.front().task, e->sent.front().attempt);
          if (!e->interrupted()) e->killed_at = now + kGrace;
        }
    }
    if (++ticks_ % 5 == 0) {
      int64_t memory = private_memory(getpid()) + worker::segment_bytes();
      for (const auto& e : executors_) memory += private_memory(e->pid());
      Encoder out;
      out << memory << objects_.bytes() << static_cast<uint32_t>(state_.running()) << static_cast<uint32_t>(state_.waiting() + state_.queued(false) + state_.queued(true));
      scheduler_->send(Type::heartbeat, out.take());
    }
    pump();
  }

  std::string name() const { return options_.name.empty() ? address_ : options_.name; }

  void finish() {
    std::lock_guard lock(mutex_);
    over_ = true;
    for (auto& [key, stop] : native_stops_) *stop = true;
    over_cv_.notify_all();
    native_cv_.notify_all();
  }

  NodeOptions options_;
  std::string address_;
  std::mutex mutex_;
  std::condition_variable native_cv_, over_cv_;
  bool over_ = false;
  worker::State state_;
  worker::Objects objects_;
  std::unordered_map<uint32_t, RangeInfo> ranges_;
  std::map<uint32_t, std::string> functions_;
  struct KeyHash {
    size_t operator()(const Key& k) const { return TaskHash()(k.first) ^ k.second; }
  };
  std::unordered_map<Key, Work, KeyHash> work_;
  std::deque<Key> native_queue_;
  std::map<Key, std::atomic<bool>*> native_stops_;
  int64_t native_running_ = 0;
  int64_t guest_us_ = -1;              // how long guest tasks take lately, µs
  std::vector<std::unique_ptr<Executor>> executors_;
  int failed_starts_ = 0;              // since one came up
  steady_clock::time_point next_start_{};
  std::string start_failure_;
  Encoder finished_, failed_, retracted_, added_;
  std::vector<std::thread> threads_;
  int64_t ticks_ = 0;
  Loop loop_;
  std::shared_ptr<Connection> scheduler_;
  Fetcher fetcher_;
};
}  // namespace

int run_node(const NodeOptions& options) { return Node(options).run(); }

}  // namespace muster::cluster
