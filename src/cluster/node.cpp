#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.hpp"
#include "cluster/hub.hpp"
#include "cluster/node_class.hpp"
#include "cluster/object_server.hpp"
#include "muster/error.hpp"
#include "net/messages.hpp"

namespace muster::cluster {
namespace {
constexpr size_t kFlush = 64 * 1024;
constexpr int64_t kFastUs = 500;  // tasks shorter than this are handed to an executor in advance
}  // namespace

Node::Node(NodeOptions o) : options_(std::move(o)), fetcher_([this](Fetched&& f) { fetched(std::move(f)); }) {}

int Node::run() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) files.rlim_cur = files.rlim_max, setrlimit(RLIMIT_NOFILE, &files);
  if (options_.memory_limit > 0) worker::budget().set_limit(options_.memory_limit);
  auto [listener, bound] = listen(Address::parse(options_.listen.empty() ? "unix://@muster-" + random_name() : options_.listen));
  address_ = bound.text();
  loop_.add_listener(std::move(listener), bound.local, [this](Fd fd) {
    serve_objects(loop_, std::move(fd), [this](std::function<void()> job) { serve(std::move(job)); }, [this](TaskId id, uint16_t attempt, Object& out) { return find(id, attempt, out); }, [this](TaskId id, Object&& o) { put(id, std::move(o)); });
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
  threads_.emplace_back([this] { spill_loop(); });
  threads_.emplace_back([this] { serve_loop(); });
  loop_.start(scheduler_);
  scheduler_->send(Type::register_worker, out.take());
  loop_.every(100, [this] { tick(); });
  {
    std::unique_lock lock(mutex_);
    over_cv_.wait(lock, [this] { return over_; });
    native_cv_.notify_all(), short_cv_.notify_all(), serve_cv_.notify_all();
  }
  for (auto& t : threads_) t.join();
  fetcher_.stop();
  loop_.stop();
  executors_.clear();
  return 0;
}

// ---- the scheduler speaks

void Node::on_scheduler(Frame&& f) {
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

void Node::assign(Decoder& in) {
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
void Node::retract(uint32_t count) {
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

void Node::pump() {
  report_actions();
  for (auto& e : executors_) e->send_forgets();
  // Native tasks and guest tasks share the threads.
  int64_t busy = native_running_ + static_cast<int64_t>(native_queue_.size());
  for (const auto& e : executors_) busy += !e->sent.empty() && !e->seceded;
  TaskId task;
  uint16_t attempt;
  while (busy < options_.threads && static_cast<int64_t>(native_.size()) < 2 * options_.threads && state_.take(false, task, attempt)) {  // those that wait for memory are few
    native_queue_.push_back(native_[{task, attempt}] = std::make_shared<Running>(*this, Key(task, attempt)));
    native_cv_.notify_one();
    ++busy;
  }
  const auto waits = [&] { return is_full() && (busy > 0 || spilling_); };  // what guests make is spilled first
  while (busy < options_.threads && state_.queued(true) && !waits()) {
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
    if (e->sent.empty() || e->seceded || e->interrupted() || state_.queued(true) == 0 || waits()) continue;
    const size_t depth = guest_us_ >= 0 && guest_us_ < kFastUs ? static_cast<size_t>(std::clamp<int64_t>(2000 / (guest_us_ + 20), 2, 64)) : 1;
    while (e->sent.size() < depth && state_.take(true, task, attempt))
      if (timeout_of(task, attempt) || !hand_over(*e, task, attempt)) {
        if (state_.knows(task, attempt) && !native_.contains({task, attempt})) state_.give_back(task, attempt);
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

int64_t Node::timeout_of(TaskId task, uint16_t attempt) {
  auto w = work_.find({task, attempt});
  return w == work_.end() ? 0 : ranges_.at(w->second.range).timeout_us;
}

void Node::report_actions() {
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

void Node::stop(TaskId task, uint16_t attempt) {
  auto w = work_.find({task, attempt});
  if (w == work_.end()) return;
  w->second.stop = true;
  if (auto running = native_.find({task, attempt}); running != native_.end()) {
    running->second->stop = true;
    loop_.post([this, r = running->second] { admission_.hurry(r.get()); });  // should it wait for memory
  }
  for (auto& e : executors_)
    for (size_t i = 0; i < e->sent.size(); ++i)
      if (e->sent[i].task == task && e->sent[i].attempt == attempt) {
        // Perhaps it has not begun: then it comes back, and others with it.
        for (auto [t, a] : e->take_back()) state_.give_back(t, a);
        if (std::none_of(e->sent.begin(), e->sent.end(), [&](const auto& s) { return s.task == task && s.attempt == attempt; })) {
          state_.cancel(task, attempt);
          return;
        }
        interrupt(*e, task, attempt);
        return;
      }
}

void Node::report_failure(TaskId task, uint16_t attempt, Failure why, std::string_view error, std::string_view note) {
  failed_ << task << attempt << static_cast<uint8_t>(why) << error << note << uint64_t{0};
}

void Node::report_result(TaskId task, uint16_t attempt, Object object, int64_t us, const std::string& note) {
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

void Node::flush() {
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

// ---- objects from and to others

void Node::fetched(Fetched&& f) {
  Lock lock(*this);
  if (f.ok) {
    f.object.attempt = f.attempt;
    worker::budget().hold(f.object.bytes);
    objects_.put(f.id, std::move(f.object));
    state_.here(f.id, f.attempt);
    added_ << f.id << f.attempt;
  } else {
    state_.fetch_failed(f.id, f.attempt, f.holder);
  }
  pump();
}

bool Node::find(TaskId id, uint16_t attempt, Object& out) {
  auto known = objects_.find(id);
  if (!known || (attempt != kAnyAttempt && known->attempt != attempt)) return false;
  out = std::move(*known);
  return true;
}

void Node::put(TaskId id, Object&& o) {
  Lock lock(*this);
  worker::budget().hold(o.bytes);
  objects_.put(id, std::move(o));
  state_.here(id, 0);
  pump();
}

// ---- time

void Node::tick() {
  Lock lock(*this);
  watch_executors();
  if (++ticks_ % 5 == 0) {
    const int64_t memory = private_memory(getpid()) + worker::segment_bytes() + count_executors();
    Encoder out;
    out << memory << objects_.bytes() << static_cast<uint32_t>(state_.running()) << static_cast<uint32_t>(state_.waiting() + state_.queued(false) + state_.queued(true));
    scheduler_->send(Type::heartbeat, out.take());
  }
  if (is_short()) short_cv_.notify_one();
  pump();
}

void Node::finish() {
  std::lock_guard lock(mutex_);
  over_ = true;
  for (auto& [key, running] : native_) running->stop = true;
  over_cv_.notify_all();
  native_cv_.notify_all(), short_cv_.notify_all(), serve_cv_.notify_all();
}

std::string Node::encode_error(const Error& e) { return concat("native\n", static_cast<int>(e.kind), "\n", e.python, "\n", e.what()); }

int run_node(const NodeOptions& options) { return Node(options).run(); }

}  // namespace muster::cluster
