// Executors, and the tasks of guests that they run. Executors are started in the loop's thread, with which they would die. When one dies, what it had not begun
// goes to another, and what it ran is to blame.
#include <sys/stat.h>

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
  for (auto& work : std::exchange(begun_guests_, {})) refuse(*work, why);
  while (const auto work = take(true)) refuse(*work, why);
}

void Node::refuse(Work& work, const Error& why) { fail(work, Failure::refused, written_down(why)); }

void Node::fail(Work& work, Failure why, std::optional<TaskError> error, std::string_view note) {
  report_failure(work.key.first, work.key.second, why, std::move(error), std::string(note));
  ended(work);
}

void Node::ended(Work& work) {
  let_go(work);
  state_.ended(work.key.first, work.key.second);
  work_.erase(Key(work.key));
}

void Node::let_go(Work& work) {
  if (!std::exchange(work.admitted, false)) return;
  worker::budget().give_back(std::exchange(work.reserved, 0));
  work.begun = false;
  runner_.end(this);
}

void Node::put_back(Work& work) {
  let_go(work);
  state_.give_back(work.key.first, work.key.second);
}

void Node::take_back(Executor& e) {
  for (const auto& work : e.take_back()) put_back(*work);
}

// One that has waited for memory, or the first in the queue if there is room for it. `ahead`: behind others, then what it takes has to be known.
std::shared_ptr<Work> Node::next_guest(bool ahead) {
  for (;;) {
    std::shared_ptr<Work> work;
    if (!begun_guests_.empty()) {
      work = std::move(begun_guests_.front());
      begun_guests_.pop_front();
    } else {
      if (guests_waiting_ || !(work = take(true))) return nullptr;
      if (ahead && (work->memory().made == 0 || work->range->timeout_us)) {
        state_.give_back(work->key.first, work->key.second);
        return nullptr;
      }
      work->admitted = true;
      if (!begin(*work)) {
        ++guests_waiting_;
        return nullptr;
      }
    }
    if (!work->stop) return work;
    fail(*work, Failure::stopped, {});
  }
}

bool Node::goes_by_descriptor(const Object& o, size_t others) {
  return o.segment && o.segment->fd() >= 0 && static_cast<int64_t>(others) < worker::most_descriptors() / 2;
}

bool Node::hand_over(Executor& e, const std::shared_ptr<Work>& shared) {
  Work& work = *shared;
  const RangeInfo& range = *work.range;
  const bool python = work.function != nullptr;
  const uint32_t number = python ? work.function_number : work.range_number;
  ExecutorCall call{.pipeline = !python, .number = number, .index = work.index, .reserved = work.reserved, .heard = e.heard,
                    .depth = range.depth, .label = range.label, .arguments = work.arguments};
  if (python) {
    if (e.functions.size() <= number) e.functions.resize(number + 1);
    if (!e.functions[number]) call.code = work.function->bytes;
  } else {
    call.code = range.program;
    call.groups = work.groups;
    call.groups.insert(call.groups.end(), range.outputs.begin(), range.outputs.end());
  }
  const int64_t room = (worker::budget().limit() - worker::budget().used()) / std::max<int64_t>(1, live());
  call.limit = std::max(work.reserved + std::max<int64_t>(0, room), worker::budget().limit() / kLeast);
  std::vector<Object> kept;  // that the call points to
  std::vector<int> fds;
  size_t copied = 0;
  const auto prepare = [&] {
    let_go(work);
    work.prepares = true;
    hand_to_thread(shared);
    return false;
  };
  kept.reserve(work.inputs.size()), call.inputs.reserve(work.inputs.size());
  for (const auto& in : work.inputs) {
    ExecutorInput& to = call.inputs.emplace_back();
    if (in.packed) {
      to.place = ExecutorInput::Place::pack, to.size = *in.packed;
      continue;
    }
    if (in.inlined) {
      to.value = in.value, copied += in.value.size();
      continue;
    }
    const auto known = in.ready ? std::optional<Object>(*in.ready) : objects_.find_output({in.object, in.output});
    if (!known) throw internal("an input of a task that may run is not here");
    if (!known->segment && !known->small) return prepare();  // it is encoded, or read back, first
    const Object& o = kept.emplace_back(*known);
    if (goes_by_descriptor(o, fds.size())) {
      to.place = ExecutorInput::Place::descriptor, to.size = o.segment->size();
      fds.push_back(o.segment->fd());
    } else {
      to.value = o.view(), copied += to.value.size();
    }
  }
  if (copied > kMostCopied && !work.pack) return prepare();
  if (work.pack) call.pack = work.pack->bytes, fds.push_back(work.pack->file.get());
  try {
    if (!e.send(work.key.first, work.key.second, call, fds, shared)) {
      put_back(work);
      return false;
    }
  } catch (const Error& why) {
    refuse(work, why);
    return false;
  }
  if (python) e.functions[number] = true;
  return true;
}

// The loop's thread alone adds, removes and hears executors: while it does so others may look at them. What they say is received and copied without the mutex,
// which is taken for what follows from it.
void Node::on_replies(int fd) {
  std::unique_lock looking(mutex_);
  const auto is_it = [fd](const auto& e) { return e->reply_fd() == fd; };
  const auto found = std::find_if(executors_.begin(), executors_.end(), is_it);
  if (found == executors_.end()) return;
  Executor& e = **found;
  looking.unlock();
  bool alive = !e.over();
  try {
    alive = e.read([&](Reply&& r) { take_reply(e, std::move(r)); }, !alive) && alive;
  } catch (const Error& what) {
    alive = false;
    e.blame(what.message);
  }
  Lock lock(*this);
  if (!alive) {
    loop_.remove(fd);
    if (e.end_fd() >= 0) loop_.remove(e.end_fd());
    bury(e);
    executors_.erase(std::find_if(executors_.begin(), executors_.end(), is_it));
  }
  pump();
}

void Node::take_reply(Executor& e, Reply&& r) {
  if (r.type != ReplyType::done || !e.ready) {
    std::lock_guard lock(mutex_);
    return on_reply(e, r);
  }
  Decoder in(r.body);
  const auto said = taken<TaskDone>(in);
  const auto value = in.rest();
  Object o{.native = said.native, .type = std::string(said.type), .bytes = static_cast<int64_t>(said.size)};
  struct stat facts {};
  const bool short_file = !r.fds.empty() && fstat(r.fds[0].get(), &facts) == 0 && static_cast<uint64_t>(facts.st_size) < said.size;
  if (short_file || (r.fds.empty() && value.size() != said.size)) throw Error(ErrorKind::io, "a result does not have the size that it said");
  std::optional<Error> refused;
  if (r.fds.empty()) o.small = std::make_shared<const std::string>(value);
  else try {
      o.segment = std::make_shared<worker::Segment>(std::move(r.fds[0]), said.size);
    } catch (const Error& why) {
      refused = why;
    }
  std::lock_guard lock(mutex_);
  on_reply(e, said, std::move(o), refused);
  end_what_came_back(e);
}

// A reply is for a task that the executor was given, or it is none.
std::shared_ptr<Work> Node::answered(Executor& e, TaskId task, uint16_t attempt) {
  const auto found = std::find_if(e.sent.begin(), e.sent.end(), [&](const auto& s) { return s.task == task && s.attempt == attempt; });
  if (found == e.sent.end()) throw Error(ErrorKind::io, "it answered for a task that it was not given");
  auto work = std::move(found->work);
  e.sent.erase(found);
  e.killed_at = {};
  if (e.sent.empty()) e.seceded = false;
  return work;
}

void Node::on_reply(Executor& e, const Reply& r) {
  if (!e.ready) {
    if (r.type != ReplyType::ready) throw Error(ErrorKind::io, "it spoke before it was ready");
    if (const auto version = Decoder(r.body).get<uint32_t>(); version != kProtocol)
      throw Error(ErrorKind::io, versions_differ("the executor", version, "its worker", kProtocol));
    e.is_ready();
    failed_starts_ = 0;
    for (auto& s : e.sent) s.at = steady_clock::now();  // from now on it may run
    e.bytes_at_start = private_memory(e.pid());
    return;
  }
  switch (r.type) {
    case ReplyType::not_begun: return on_reply(e, decoded<TaskNotBegun>(r.body));
    case ReplyType::seceded: return on_reply(e, decoded<TaskSeceded>(r.body));
    case ReplyType::failed: on_reply(e, decoded<TaskFailed>(r.body)); break;
    default: throw Error(ErrorKind::io, concat("a reply of kind ", static_cast<int>(r.type), ", which no executor gives"));
  }
  end_what_came_back(e);
}

// It gave its thread back, and another has taken its place.
void Node::end_what_came_back(Executor& e) {
  if (live() > options_.threads && e.sent.empty()) e.kill(), e.killed_at = steady_clock::now();
}

// The request that brought its function was taken back, or it has brought it in vain.
void Node::on_reply(Executor& e, const TaskNotBegun& said) {
  const auto work = answered(e, said.task, said.attempt);
  if (work->function && work->function_number < e.functions.size()) e.functions[work->function_number] = false;
  put_back(*work);
}

void Node::on_reply(Executor& e, const TaskSeceded& said) {
  if (e.sent.empty() || e.sent.front().task != said.task || e.sent.front().attempt != said.attempt)
    throw Error(ErrorKind::io, "it gave back the thread of a task that it was not given");
  e.seceded = true;
  let_go(*e.sent.front().work);  // tasks that it waits for need the room
  take_back(e);
  send(*scheduler_, Seceded{said.task, said.attempt});
}

void Node::on_reply(Executor& e, const TaskDone& said, Object&& o, const std::optional<Error>& refused) {
  const auto work = answered(e, said.task, said.attempt);
  e.heard += static_cast<int64_t>(said.size);
  if (work->timed_out) return fail(*work, Failure::refused, timeout_error(*work));
  if (refused) return refuse(*work, *refused);
  if (o.segment) e.shared_bytes = std::min(e.shared_bytes + static_cast<int64_t>(said.size), most_shared());
  if (!spill_error_.empty() && worker::budget().used() + o.bytes > worker::budget().limit()) return refuse(*work, Error(ErrorKind::io, spill_error_));
  worker::budget().hold(o.bytes);
  let_go(*work);
  learn(*work, std::max(o.bytes, said.memory));
  guest_us_ = guest_us_ < 0 ? said.us : std::max(said.us / 2, guest_us_ + (said.us - guest_us_) / 8);
  report_result(*work, std::move(o), said.us, said.note);
}

void Node::on_reply(Executor& e, const TaskFailed& said) {
  const auto work = answered(e, said.task, said.attempt);
  // Its answer, whatever it is, is what the interruption made of it.
  if (work->timed_out) return fail(*work, Failure::refused, timeout_error(*work), said.note);
  if (!said.memory || !work->admitted) return fail(*work, said.why, said.error ? std::optional(*said.error) : std::nullopt, said.note);
  worker::budget().give_back(std::exchange(work->reserved, 0));
  work->short_of = said.memory, work->begun = false;
  native_queue_.push_back(work);
  native_cv_.notify_one();
}

// What its results take lately: one that is larger counts at once, smaller ones little by little.
void Node::learn(const Work& work, int64_t bytes) {
  auto& memory = work.memory();
  ++memory.made;
  memory.need = std::max(bytes, memory.need - memory.need / 8);
}

TaskError Node::timeout_error(const Work& work) {
  return {.kind = TaskError::Kind::timed_out, .message = concat("ran longer than its timeout of ", static_cast<double>(work.range->timeout_us) / 1e6, " s")};
}

// The executor is dead: what it had not begun goes to another, what it ran failed.
void Node::bury(Executor& e) {
  take_back(e);
  const std::string how = e.death();
  if (!e.ready) start_failed(how);
  const auto sent = std::exchange(e.sent, {});
  for (size_t i = 0; i < sent.size(); ++i) {
    Work& work = *sent[i].work;
    if (!e.ready || i + 1 < sent.size()) put_back(work);  // it had not begun, or was done and its reply is lost: not to blame
    else if (work.timed_out) fail(work, Failure::refused, timeout_error(work));
    else fail(work, work.stop ? Failure::stopped : Failure::died, TaskError{.kind = TaskError::Kind::killed, .message = how});
  }
}

// Ends those that ran too long or do not end, and begins to end those whose time is over.
void Node::watch_executors() {
  const auto now = steady_clock::now();
  for (auto& e : executors_) {
    if (e->interrupted()) {
      if (now > e->killed_at) e->kill();
      else if (!e->sent.empty()) e->interrupt(e->sent.front().task, e->sent.front().attempt);  // it may have been where nothing is to be broken off
    }
    if (!e->ready || e->sent.empty()) continue;
    Work& work = *e->sent.front().work;
    if (const int64_t limit = work.range->timeout_us; limit && now - e->sent.front().at > std::chrono::microseconds(limit)) {
      work.timed_out = true;
      interrupt(*e, e->sent.front());
    }
  }
}

void Node::interrupt(Executor& e, const Executor::Sent& sent) {
  e.interrupt(sent.task, sent.attempt);
  if (!e.interrupted()) e.killed_at = steady_clock::now() + kGrace;
}

}  // namespace muster::cluster
