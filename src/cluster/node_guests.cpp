// Executors, and the tasks of guests that they run. Executors are started in the loop's thread, with which they would die. When one dies, what it had not begun
// goes to another, and what it ran is to blame.
#include <algorithm>

#include "base/error.hpp"
#include "cluster/node_class.hpp"
#include "muster/error.hpp"

namespace muster::cluster {
namespace {
constexpr auto kGrace = std::chrono::milliseconds(300);
constexpr int64_t kLeast = 8;  // part of the limit that a task of an executor may take, however little is left
constexpr int kStarts = 5;  // executors that do not come up, one after the other, before tasks hear of it
constexpr auto kPause = std::chrono::milliseconds(100), kLongestPause = std::chrono::milliseconds(5000);  // between starts, doubled each time
}  // namespace

bool Node::start_executor() {
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
  command.insert(command.end(), {options_.scheduler, address_, name(), std::to_string(worker::budget().limit()), std::to_string(most_shared())});
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

int64_t Node::live() const {
  return std::count_if(executors_.begin(), executors_.end(), [](const auto& e) { return !e->seceded; });
}

void Node::start_failed(const std::string& how) {
  next_start_ = steady_clock::now() + std::min<steady_clock::duration>(kPause * (1 << std::min(failed_starts_++, 6)), kLongestPause);
  start_failure_ = concat("worker ", name(), " cannot start Python executors, tried ", failed_starts_, " times in a row; the last one ", how);
}

void Node::refuse_guests(const Error& why) {
  TaskId task;
  uint16_t attempt;
  for (auto& running : std::exchange(begun_guests_, {})) refuse(running->key.first, running->key.second, why);
  while (state_.take(true, task, attempt)) refuse(task, attempt, why);
}

void Node::refuse(TaskId task, uint16_t attempt, const Error& why) {
  report_failure(task, attempt, Failure::refused, written_down(why));
  ended({task, attempt});
}

void Node::ended(Key key) {
  let_go(key);
  state_.ended(key.first, key.second);
  work_.erase(key);
}

void Node::let_go(Key key) {
  const auto found = guests_.extract(key);
  if (found.empty()) return;
  worker::budget().give_back(found.mapped()->reserved);
  runner_.end(found.mapped().get());
}

void Node::put_back(Key key) {
  let_go(key);
  state_.give_back(key.first, key.second);
}

void Node::take_back(Executor& e) {
  for (const auto& key : e.take_back()) put_back(key);
}

// One that has waited for memory, or the first in the queue if there is room for it. `ahead`: behind others, then what it takes has to be known.
std::shared_ptr<Node::Running> Node::next_guest(bool ahead) {
  for (TaskId task; ;) {
    std::shared_ptr<Running> running;
    if (!begun_guests_.empty()) {
      running = std::move(begun_guests_.front());
      begun_guests_.pop_front();
    } else {
      uint16_t attempt;
      if (guests_waiting_ || !state_.take(true, task, attempt)) return nullptr;
      const Key key{task, attempt};
      const auto work = work_.find(key);
      if (work == work_.end()) {
        state_.ended(task, attempt);
        continue;
      }
      if (ahead && (memory_of(work->second).made == 0 || timeout_of(task, attempt))) {
        state_.give_back(task, attempt);
        return nullptr;
      }
      running = guests_[key] = std::make_shared<Running>(*this, key);
      if (!begin(running, work->second)) {
        ++guests_waiting_;
        return nullptr;
      }
    }
    if (!running->stop) return running;
    report_failure(running->key.first, running->key.second, Failure::stopped, {});
    ended(running->key);
  }
}

bool Node::hand_over(Executor& e, Running& running) {
  const auto [task, attempt] = running.key;
  const Work& work = work_.at(running.key);
  const RangeInfo& range = ranges_.at(work.range);
  Request r{task, attempt, {}, {}};
  Encoder out;
  if (range.function == kPython) {
    if (e.functions.size() <= work.function) e.functions.resize(work.function + 1);
    out << uint8_t{0} << work.function << (e.functions[work.function] ? std::string_view() : std::string_view(functions_.at(work.function).bytes));
  } else {
    std::string args;
    range.args.encode(args);
    out << uint8_t{1} << static_cast<uint32_t>(work.range) << std::string_view(args);
  }
  auto groups = work.groups;
  groups.insert(groups.end(), range.outputs.begin(), range.outputs.end());  // and which output of each dependency
  const int64_t room = (worker::budget().limit() - worker::budget().used()) / std::max<int64_t>(1, live());
  out << work.index << std::max(running.reserved + std::max<int64_t>(0, room), worker::budget().limit() / kLeast) << running.reserved << range.depth << range.label << work.arguments << groups << static_cast<uint32_t>(work.inputs.size());
  std::vector<Object> kept;  // whose descriptors are borrowed
  for (const auto& in : work.inputs) {
    if (in.inlined) {
      out << uint8_t{0} << in.value;
      continue;
    }
    const auto known = in.ready ? std::optional<Object>(*in.ready) : objects_.find(in.object);
    if (!known) throw internal("an input of a task that may run is not here");
    if (!known->segment && !known->small) {  // it is encoded, or read back, first
      let_go(running.key);
      prepare(task, attempt);
      return false;
    }
    const Object& o = kept.emplace_back(*known);
    if (o.segment && o.segment->fd() >= 0 && static_cast<int64_t>(r.fds.size()) < worker::most_descriptors() / 2) {
      out << uint8_t{1} << static_cast<uint64_t>(o.segment->size());
      r.fds.push_back(o.segment->fd());
    } else {
      out << uint8_t{0} << o.view();
    }
  }
  r.body = out.take();
  try {
    if (!e.send(r)) {
      put_back(running.key);
      return false;
    }
  } catch (const Error& why) {
    refuse(task, attempt, why);
    return false;
  }
  if (range.function == kPython) e.functions[work.function] = true;
  return true;
}

void Node::on_replies(int fd) {
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

void Node::on_reply(Executor& e, Reply&& r) {
  Decoder in(r.body);
  if (!e.ready) {
    e.is_ready();
    failed_starts_ = 0;
    for (auto& s : e.sent) s.at = steady_clock::now();  // from now on it may run
  }
  if (r.kind == 'H') {
    e.bytes_at_start = private_memory(e.pid());
    return;
  }
  const TaskId task = TaskId::of(in.get<uint64_t>());
  const auto attempt = in.get<uint16_t>();
  if (r.kind == 'N') {  // the request that brought its function was taken back
    std::erase_if(e.sent, [&](const auto& s) { return s.task == task && s.attempt == attempt; });
    if (auto w = work_.find({task, attempt}); w != work_.end() && w->second.function < e.functions.size()) e.functions[w->second.function] = false;
    put_back({task, attempt});
    return;
  }
  if (r.kind == 'S') {
    e.seceded = true;
    let_go({task, attempt});  // tasks that it waits for need the room
    take_back(e);
    send(*scheduler_, Seceded{task, attempt});
    return;
  }
  std::erase_if(e.sent, [&](const auto& s) { return s.task == task && s.attempt == attempt; });
  e.killed_at = {};
  if (e.sent.empty()) e.seceded = false;
  const auto us = in.get<int64_t>(), memory = in.get<int64_t>();
  const auto w = work_.find({task, attempt});
  const bool timed_out = w != work_.end() && w->second.timed_out;  // then its answer, whatever it is, is what the interruption made of it
  if (r.kind == 'D' && !timed_out) {
    Object o;
    o.bytes = in.get<int64_t>(), o.type = in.get<std::string>(), o.native = in.get<uint8_t>();
    const auto note = in.get<std::string>();
    const auto size = in.get<uint64_t>();
    if (!r.fds.empty()) try {
        o.segment = std::make_shared<worker::Segment>(std::move(r.fds[0]), size);
        e.shared_bytes = std::min(e.shared_bytes + static_cast<int64_t>(size), most_shared());
      } catch (const Error& why) {
        return refuse(task, attempt, why);
      }
    else o.small = std::make_shared<const std::string>(in.take(size));
    o.bytes = std::max<int64_t>(o.bytes, static_cast<int64_t>(size));
    if (!spill_error_.empty() && worker::budget().used() + o.bytes > worker::budget().limit()) return refuse(task, attempt, Error(ErrorKind::io, spill_error_));
    worker::budget().hold(o.bytes);
    let_go({task, attempt});
    if (w != work_.end()) learn(w->second, std::max(o.bytes, memory));
    guest_us_ = guest_us_ < 0 ? us : std::max(us / 2, guest_us_ + (us - guest_us_) / 8);
    report_result(task, attempt, std::move(o), us, note);
  } else {
    const auto why = r.kind == 'E' ? static_cast<Failure>(in.get<uint8_t>()) : Failure::refused;
    const auto note = r.kind == 'E' ? in.get<std::string>() : std::string();
    auto error = in.empty() ? std::optional<TaskError>() : decoded<TaskError>(in.rest());
    if (timed_out) error = timeout_error(task, attempt);
    if (const auto running = guests_.find({task, attempt}); memory && !timed_out && running != guests_.end()) {
      worker::budget().give_back(std::exchange(running->second->reserved, 0));
      running->second->short_of = memory, running->second->begun = false;
      native_queue_.push_back(running->second);
      native_cv_.notify_one();
    } else {
      report_failure(task, attempt, timed_out ? Failure::refused : why, std::move(error), note);
      ended({task, attempt});
    }
  }
  if (live() > options_.threads && e.sent.empty()) e.kill(), e.killed_at = steady_clock::now();  // it came back while another had taken its place
}

// What its results take lately: one that is larger counts at once, smaller ones little by little.
void Node::learn(const Work& work, int64_t bytes) {
  if (!ranges_.contains(work.range) || (ranges_.at(work.range).function == kPython && !functions_.contains(work.function))) return;
  auto& memory = memory_of(work);
  ++memory.made;
  memory.need = std::max(bytes, memory.need - memory.need / 8);
}

TaskError Node::timeout_error(TaskId task, uint16_t attempt) {
  const RangeInfo& range = ranges_.at(work_.at({task, attempt}).range);
  return {.kind = TaskError::Kind::timed_out, .message = concat(range.label, " ran longer than its timeout of ", static_cast<double>(range.timeout_us) / 1e6, " s")};
}

// The executor is dead: what it had not begun goes to another, what it ran failed.
void Node::bury(Executor& e) {
  take_back(e);
  const std::string how = e.death();
  if (!e.ready) start_failed(how);
  for (size_t i = 0; i < e.sent.size(); ++i) {
    const auto [task, attempt, at, ahead] = e.sent[i];
    auto w = work_.find({task, attempt});
    if (w == work_.end()) {
      let_go({task, attempt});
      state_.ended(task, attempt);
      continue;
    }
    if (i + 1 < e.sent.size()) {  // done before, its reply was lost: not to blame
      put_back({task, attempt});
      continue;
    }
    const bool stopped = w->second.stop, timed_out = w->second.timed_out;
    const std::string label = ranges_.at(w->second.range).label;
    const auto why = timed_out ? Failure::refused : stopped ? Failure::stopped : Failure::died;
    report_failure(task, attempt, why, timed_out ? timeout_error(task, attempt) : TaskError{.kind = TaskError::Kind::killed, .message = how, .task = label});
    ended({task, attempt});
  }
  e.sent.clear();
}

// Ends those that ran too long or do not end, and begins to end those whose time is over.
void Node::watch_executors() {
  const auto now = steady_clock::now();
  for (auto& e : executors_) {
    if (e->interrupted()) {
      if (now > e->killed_at) e->kill();
      else if (!e->sent.empty()) e->interrupt(e->sent.front().task, e->sent.front().attempt);  // it may have been where nothing is to be broken off
    }
    if (e->ready && !e->sent.empty())
      if (const int64_t limit = timeout_of(e->sent.front().task, e->sent.front().attempt); limit && now - e->sent.front().at > std::chrono::microseconds(limit)) {
        work_.at({e->sent.front().task, e->sent.front().attempt}).timed_out = true;
        interrupt(*e, e->sent.front().task, e->sent.front().attempt);
      }
  }
}

void Node::interrupt(Executor& e, TaskId task, uint16_t attempt) {
  e.interrupt(task, attempt);
  if (!e.interrupted()) e.killed_at = steady_clock::now() + kGrace;
}

}  // namespace muster::cluster
