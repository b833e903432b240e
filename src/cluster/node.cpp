// The loop's thread never encodes, reads or writes objects: silence means death. Every attempt is answered once, whatever becomes of its executor.
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.hpp"
#include "cluster/hub.hpp"
#include "cluster/node_class.hpp"
#include "cluster/object_server.hpp"
#include "muster/error.hpp"

namespace muster::cluster {
namespace {
constexpr size_t kFlush = 64 * 1024;
constexpr int64_t kFetches = 4;  // objects that are asked for at once
constexpr int64_t kFastUs = 500;  // tasks shorter than this are handed to an executor in advance
}  // namespace

Node::Node(NodeOptions o) : options_(std::move(o)), fetcher_([this](Fetched&& f) { fetched(std::move(f)); }) {}

int Node::run() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) files.rlim_cur = files.rlim_max, setrlimit(RLIMIT_NOFILE, &files);
  if (options_.memory_limit > 0) worker::budget().set_limit(options_.memory_limit);
  const auto kept = static_cast<size_t>(worker::budget().limit() / 16);
  worker::slabs().set_limit(kept), worker::keep_mappings(kept);
  auto [listener, bound] = listen(Address::parse(options_.listen.empty() ? "unix://@muster-" + random_name() : options_.listen));
  address_ = bound.text();
  loop_.add_listener(std::move(listener), bound.local, [this](Fd fd) {
    serve_objects(loop_, std::move(fd), {
      .run = [this](std::function<void()> job) { serve(std::move(job)); },
      .find = [this](TaskId id, uint16_t attempt, Object& out) { return find(id, attempt, out); },
      .put = [this](TaskId id, Object&& o, std::function<void(std::optional<Error>)> stored) { put(id, std::move(o), std::move(stored)); },
    });
  });
  scheduler_ = loop_.add(connect(Address::parse(options_.scheduler), 10));
  scheduler_->on_frame = [this](Frame&& f) { on_scheduler(std::move(f)); };
  scheduler_->on_error = [this](const std::exception& e) { turned_away_ = concat("what the scheduler said cannot be read: ", e.what()); };
  scheduler_->on_close = [this] { finish(); };
  char host[256] = "";
  gethostname(host, sizeof host - 1);
  for (int64_t i = 0; i < options_.threads; ++i) threads_.emplace_back([this] { native_loop(); });
  threads_.emplace_back([this] { spill_loop(); });
  threads_.emplace_back([this] { serve_loop(); });
  loop_.start(scheduler_);
  send(*scheduler_, RegisterWorker{.address = address_, .name = name(), .host = host, .threads = options_.threads,
                                          .memory_limit = worker::budget().limit(), .pid = getpid(),
                                          .resources = {options_.resources.begin(), options_.resources.end()}});
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
  if (!turned_away_.empty()) throw Error(ErrorKind::io, concat("worker ", name(), " has ended: ", turned_away_));
  return 0;
}

// ---- the scheduler speaks

void Node::on_scheduler(Frame&& f) {
  Lock lock(*this);
  switch (Type{f.type}) {
    case Type::welcome_worker:
      if (const auto version = Decoder(f.body).get<uint32_t>(); version != kProtocol)
        throw Error(ErrorKind::io, versions_differ("the scheduler", version, "this worker", kProtocol));
      for (int64_t i = 0; i < options_.threads && !options_.executor.empty(); ++i) start_executor();
      break;
    case Type::put_range: {
      auto said = decoded<PutRange>(f.body);
      std::string program;
      if (said.function == kGuestPipeline) said.args.encode(program);
      ranges_[said.number] = std::make_shared<RangeInfo>(
          RangeInfo{.function = std::move(said.function), .label = std::move(said.label), .args = std::move(said.args), .timeout_us = said.timeout_us,
                    .inlined = said.inlined, .outputs = std::move(said.outputs), .depth = said.depth, .program = std::move(program)});
      break;
    }
    case Type::drop_range:
      each<DropRange>(f.body, [&](const DropRange& said) {
        const auto range = ranges_.extract(said.number);
        if (range && range.mapped()->function == kGuestPipeline)
          for (auto& e : executors_) e->forget(Forget::Thing::pipeline, said.number);
      });
      break;
    case Type::drop_function:
      each<DropFunction>(f.body, [&](const DropFunction& said) {
        functions_.erase(said.number);
        for (auto& e : executors_)
          if (said.number < e->functions.size() && e->functions[said.number]) e->forget(Forget::Thing::function, said.number);
      });
      break;
    case Type::put_function: {
      const auto said = decoded<PutFunction>(f.body);
      const auto function = std::make_shared<GuestFunction>();
      function->bytes = said.bytes;
      functions_[said.number] = function;
      break;
    }
    case Type::assign:
      each<Assign>(f.body, [&](Assign&& said) {
        if (said.count > 1) assign_run(said);
        else assign(said);
      });
      break;
    case Type::cancel: each<Cancel>(f.body, [&](const Cancel& said) { state_.cancel(said.task, said.attempt); }); break;
    case Type::retract: retract(decoded<Retract>(f.body).number); break;
    case Type::free_object:
      each<FreeObject>(f.body, [&](FreeObject&& said) {
        objects_.erase_run({said.task, said.attempt}, said.count);
        for (; said.count; --said.count, ++said.task.index) state_.gone(said.task, said.attempt);
      });
      admission_.room();
      break;
    case Type::rejected:
      turned_away_ = decoded<Rejected>(f.body).why;
      [[fallthrough]];
    case Type::stop_worker:
      lock.unlock();
      finish();
      return;
    default: throw Error(ErrorKind::io, concat("a message of type ", f.type, ", which no scheduler sends to a worker"));
  }
  pump();
}

void Node::assign(const Assign& said) {
  const auto [place, fresh] = work_.try_emplace({said.task, said.attempt});
  if (!fresh) return;  // said twice
  const auto& work = *place = std::make_shared<Work>(*this, Key(said.task, said.attempt));
  work->range = ranges_.at(said.range), work->range_number = said.range;
  if (work->range->function == kPython) work->function = functions_.at(said.function), work->function_number = said.function;
  work->index = said.index, work->arguments = said.arguments, work->groups = said.groups;
  std::vector<worker::Input> missing;
  work->inputs.reserve(said.inputs.size());
  const auto& outputs = work->range->outputs;
  size_t group = 0, left = work->groups.empty() ? 0 : work->groups[0];
  for (const auto& in : said.inputs) {
    while (left == 0 && group + 1 < work->groups.size()) left = work->groups[++group];
    --left;
    uint32_t output = work->function ? worker::kAllOutputs : group < outputs.size() ? outputs[group] : 0;
    if (output == worker::kSlice) output = static_cast<uint32_t>(said.index);
    if (!in.inlined) missing.push_back({in.object, in.attempt, {in.holders.begin(), in.holders.end()}, output});
    work->inputs.push_back({in.object, output, in.inlined, std::string(in.value)});
  }
  state_.assign(said.task, said.attempt, said.priority, work->guest(), std::move(missing));
}

void Node::assign_run(const Assign& said) {
  const auto run = std::make_shared<SaidRun>();
  run->first = said.task, run->index = said.index;
  run->range = ranges_.at(said.range), run->range_number = said.range, run->function_number = said.function;
  if (run->range->function == kPython) run->function = functions_.at(said.function);
  state_.assign_run(run->range->guest(), {said.task, said.attempt, said.count, said.priority, run});
}

std::shared_ptr<Work> Node::take(bool guest) {
  TaskId task;
  uint16_t attempt;
  std::shared_ptr<const void> said;
  if (!state_.take(guest, task, attempt, &said)) return nullptr;
  const Key key(task, attempt);
  if (!said) return work_of(key);
  const auto& run = *static_cast<const SaidRun*>(said.get());
  const auto& work = *work_.try_emplace(key).first = std::make_shared<Work>(*this, key);
  work->range = run.range, work->range_number = run.range_number, work->function = run.function, work->function_number = run.function_number;
  work->index = run.index + (task.index - run.first.index);
  return work;
}

// The last ones first; then what executors were handed and have not begun.
void Node::retract(uint32_t count) {
  uint32_t given = state_.retract(count);
  for (auto& e : executors_) {
    if (given >= count || e->sent.size() < 2) continue;
    take_back(*e);
  }
  if (given < count) given += state_.retract(count - given);
  report_actions();
  send(*scheduler_, std::exchange(retracted_, {}));
}

// ---- deciding, with the mutex held

void Node::pump() {
  report_actions();
  for (auto& e : executors_) {
    e->send_forgets();
    if (is_full() && e->sent.size() > 1) take_back(*e);  // they took more than was foreseen
  }
  want_room(admission_.wanted());
  fetch_more();
  answer_puts();
  // Native tasks and guest tasks share the threads.
  int64_t busy = native_running_ + static_cast<int64_t>(native_queue_.size());
  for (const auto& e : executors_) busy += !e->sent.empty() && !e->seceded;
  for (; busy < options_.threads && native_taken_ < 2 * options_.threads && state_.queued(false); ++busy)  // those that wait for memory are few
    hand_to_thread(take(false));
  while (busy < options_.threads && (state_.queued(true) || !begun_guests_.empty())) {
    Executor* idle = nullptr;
    for (auto& e : executors_)
      if (e->sent.empty() && !e->seceded && !e->interrupted()) idle = e.get();
    if (!idle) {
      if (!start_executor()) break;
      continue;
    }
    const auto work = next_guest(false);
    if (!work) break;
    if (hand_over(*idle, work)) ++busy;
    else if (state_.knows(work->key.first, work->key.second)) break;  // not now
  }
  // Short tasks are handed over in advance: an executor then never waits for the next.
  for (auto& e : executors_) {
    if (e->sent.empty() || e->seceded || e->interrupted() || state_.queued(true) == 0) continue;
    const size_t depth = guest_us_ >= 0 && guest_us_ < kFastUs ? static_cast<size_t>(std::clamp<int64_t>(2000 / (guest_us_ + 20), 2, 64)) : 1;
    while (e->sent.size() < depth) {
      const auto work = next_guest(true);
      if (!work || !hand_over(*e, work)) break;
    }
  }
  // An executor with nothing to do while another has tasks it has not begun: these are shared anew.
  if (busy < options_.threads && state_.queued(true) == 0)
    for (auto& e : executors_)
      if (e->sent.size() > 2 && !e->seceded) {
        const size_t had = e->sent.size();
        take_back(*e);
        if (e->sent.size() + 1 < had) {
          pump();
          return;
        }
      }
  report_actions();
}

void Node::report_actions() {
  for (auto& a : state_.act()) {
    switch (a.kind) {
      case worker::StateAction::Kind::fetch: fetches_.push_back(std::move(a)); break;
      case worker::StateAction::Kind::forget: objects_.erase({a.task, a.output}, a.attempt); break;
      case worker::StateAction::Kind::stop: stop(a.task, a.attempt); break;
      case worker::StateAction::Kind::failed:
        work_.erase({a.task, a.attempt});
        {
          Failed out{.task = a.task, .attempt = a.attempt, .why = Failure::inputs};
          for (const auto& l : a.lost) out.lost.push_back({l.object, l.attempt, l.holder});
          failed_.add(out);
        }
        break;
      case worker::StateAction::Kind::stopped:
        work_.erase({a.task, a.attempt});
        report_failure(a.task, a.attempt, Failure::stopped);
        break;
      case worker::StateAction::Kind::retracted:
        work_.erase({a.task, a.attempt});
        retracted_.attempts.push_back({a.task, a.attempt});
        break;
    }
  }
}

// While there is no room objects come one by one, and only when no more can be spilled for them.
void Node::fetch_more() {
  const auto waits = [this] { return fetching_ >= kFetches || (is_full() && (fetching_ > 0 || spilling_ || (objects_.can_spill() && spill_error_.empty()))); };
  for (; !fetches_.empty() && !waits(); ++fetching_) {
    const auto& f = fetches_.front();
    fetcher_.fetch({f.task, f.output}, f.attempt, f.holder);
    fetches_.pop_front();
  }
}

std::shared_ptr<Work> Node::work_of(Key key) const {
  const auto* found = work_.find(key);
  return found ? *found : nullptr;
}

void Node::stop(TaskId task, uint16_t attempt) {
  const Key key(task, attempt);
  const auto work = work_of(key);
  if (!work) {
    for (NativeRun* of : native_runs_)
      if (of->run.has(key)) of->stop[task.index - of->run.first.index] = true;
    return;
  }
  work->stop = true;
  if (work->native || (work->admitted && !work->begun)) admission_.hurry(this, work.get());  // should it wait for memory
  for (auto& e : executors_)
    for (size_t i = 0; i < e->sent.size(); ++i)
      if (e->sent[i].work == work) {
        // Perhaps it has not begun: then it comes back, and others with it.
        take_back(*e);
        const auto begun = std::find_if(e->sent.begin(), e->sent.end(), [&](const auto& s) { return s.work == work; });
        if (begun == e->sent.end()) state_.cancel(task, attempt);
        else interrupt(*e, *begun);
        return;
      }
}

void Node::report_failure(TaskId task, uint16_t attempt, Failure why, std::optional<TaskError> error, std::string note) {
  failed_.add({.task = task, .attempt = attempt, .why = why,
               .error = error ? std::make_shared<const TaskError>(std::move(*error)) : nullptr, .note = std::move(note)});
}

void Node::report_result(Work& work, Object object, int64_t us, std::string_view note) {
  const auto [task, attempt] = work.key;
  report_result(work.key, *work.range, std::move(object), us, note);
  state_.ended(task, attempt);
  work_.erase({task, attempt});
}

void Node::report_result(Key key, const RangeInfo& range, Object object, int64_t us, std::string_view note) {
  const auto [task, attempt] = key;
  Finished out{.task = task, .attempt = attempt, .bytes = object.bytes, .us = us, .note = note};
  out.type = object.type == Finished::kNative ? Finished::kNative : std::string_view(object.type);
  out.inlined = object.small && static_cast<int64_t>(object.small->size()) <= kInline && range.inlined;
  if (out.inlined) out.value = *object.small;
  finished_.add(out);
  object.attempt = attempt;
  objects_.put(task, std::move(object));
  state_.here(task, attempt);
  if (finished_.size() > kFlush) flush();
}

void Node::report_nothing(Key first, uint32_t count, int64_t us) {
  objects_.put_nothing(first, count);
  finished_.add({.task = first.first, .attempt = first.second, .us = us, .type = Finished::kNative, .count = count});
  for (auto [task, attempt] = first; count; --count, ++task.index) state_.here(task, attempt);
  if (finished_.size() > kFlush) flush();
}

void Node::flush() {
  if (!scheduler_) return;
  added_.send(*scheduler_), finished_.send(*scheduler_), failed_.send(*scheduler_);
}

// ---- objects from and to others

void Node::fetched(Fetched&& f) {
  Lock lock(*this);
  --fetching_;
  if (f.ok) {
    f.object.attempt = f.attempt;
    worker::budget().hold(f.object.bytes);
    const worker::ObjectKey came(f.key.task, f.object.output);
    objects_.put(came, std::move(f.object));
    state_.here(came, f.attempt);
    if (came.whole()) added_.add({came.task, f.attempt});
  } else {
    state_.fetch_failed(f.key, f.attempt, f.holder);
  }
  pump();
}

bool Node::find(TaskId id, uint16_t attempt, Object& out) {
  auto known = objects_.find(id);
  if (!known || (attempt != kAnyAttempt && known->attempt != attempt)) return false;
  out = std::move(*known);
  return true;
}

void Node::put(TaskId id, Object&& o, std::function<void(std::optional<Error>)> stored) {
  Lock lock(*this);
  if (!spill_error_.empty() && worker::budget().used() + o.bytes > worker::budget().limit()) return stored(Error(ErrorKind::io, spill_error_));
  worker::budget().hold(o.bytes);
  objects_.put(id, std::move(o));
  state_.here(id, 0);
  puts_.push_back(std::move(stored));
  pump();
}

// Whoever brings more than there is room for waits while that is made.
void Node::answer_puts() {
  if (is_full() && spill_error_.empty() && (spilling_ || objects_.can_spill())) return;
  for (auto& stored : std::exchange(puts_, {})) stored({});
}

// ---- time

void Node::tick() {
  Lock lock(*this);
  watch_executors();
  const int64_t executors = count_executors();
  if (++ticks_ % 5 == 0) {
    const int64_t memory = private_memory(getpid()) + worker::segment_bytes() + executors;
    send(*scheduler_, Heartbeat{memory, objects_.bytes(), static_cast<uint32_t>(state_.running()),
                                 static_cast<uint32_t>(state_.waiting() + state_.queued(false) + state_.queued(true))});
  }
  admission_.room();
  pump();
}

void Node::finish() {
  std::lock_guard lock(mutex_);
  over_ = true;
  work_.each([](Key, const std::shared_ptr<Work>& work) {
    if (work->native) work->stop = true;
  });
  for (NativeRun* run : native_runs_)
    for (auto& stop : run->stop) stop = true;
  over_cv_.notify_all();
  native_cv_.notify_all(), short_cv_.notify_all(), serve_cv_.notify_all();
}

int run_node(const NodeOptions& options) { return Node(options).run(); }

}  // namespace muster::cluster
