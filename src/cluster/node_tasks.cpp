// Native tasks of a worker, and the memory of all that it holds. An attempt is one thread's at a time: what waits for memory may be another's at once.
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "base/error.hpp"
#include "cluster/node_class.hpp"
#include "kernels/wire.hpp"
#include "muster/error.hpp"

namespace muster::cluster {
namespace {
constexpr auto kPauseOfSpilling = std::chrono::seconds(1);  // after an error
}  // namespace

void Node::native_loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    native_cv_.wait(lock, [this] { return over_ || !native_queue_.empty(); });
    if (over_) return;
    const auto running = std::move(native_queue_.front());
    native_queue_.pop_front();
    ++native_running_;
    if (running->prepares) run_preparation(running, lock);
    else if (running->short_of) run_refusal(running, lock);
    else run_native(running, lock);
    --native_running_;
    pump();
    if (native_queue_.empty()) flush();
  }
}

// Once an attempt waits for memory another thread may have it: it is not touched any more.
void Node::run_native(const std::shared_ptr<Running>& running, std::unique_lock<std::mutex>& lock) {
  const auto [task, attempt] = running->key;
  const Work& work = work_.at(running->key);    // both stay where they are until the attempt is answered
  RangeInfo& range = ranges_.at(work.range);    // only `bound` is written, with the mutex
  running->stop = running->stop || work.stop;
  if (!running->begun && !begin(running, work)) return;
  auto function = range.bound;
  const worker::Attempt known = attempt_of(running, work);
  lock.unlock();
  Object result;
  std::optional<TaskError> error;
  std::string note;
  Failure why = Failure::raised;
  const auto named = [&](Error e) {
    if (e.kind == ErrorKind::cancelled) why = Failure::stopped;
    error = written_down(e);
  };
  int64_t us = 0;
  try {
    if (!function) function = worker::bind(range.function, range.args);
    const auto begun = steady_clock::now();
    auto outcome = runner_.run(known, {*function, [&](data::Task& t) { return inputs_of(t, work, range.outputs); }, work.arguments, work.index, range.label, running->stop}, *running);
    if (outcome.waits) return lock.lock();
    us = std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now() - begun).count();
    note = kernels::encode(outcome.report);  // also of a failure: it says whether the failure is to be believed
    runner_.end(running.get());
    if (outcome.error) std::rethrow_exception(outcome.error);
    result.native = true, result.type = "native", result.bytes = outcome.bytes;
    try {
      if (range.inlined && result.bytes <= kInline) result.small = std::make_shared<const std::string>(kernels::encode(outcome.outputs));
    } catch (Error& e) {
      worker::budget().give_back(result.bytes);
      e.through(concat(range.label, ", partition ", work.index));
      throw;
    }
    result.outputs = std::make_shared<const std::vector<kernels::Output>>(std::move(outcome.outputs));
  } catch (const Error& e) {
    named(e);
  } catch (const std::exception& e) {
    named(Error(ErrorKind::internal, e.what()));
  }
  lock.lock();
  native_.erase(running->key);
  if (!range.bound) range.bound = function;
  if (!error && !spill_error_.empty() && is_full()) {
    worker::budget().give_back(std::exchange(result.bytes, 0));
    named(Error(ErrorKind::io, spill_error_));
  }
  if (!error) return report_result(task, attempt, std::move(result), us, note);
  report_failure(task, attempt, why, std::move(error), note);
  state_.ended(task, attempt);
  work_.erase(running->key);
}

// What it waits for may be told by whoever has the mutex: it goes on in the loop's thread.
worker::Attempt Node::attempt_of(const std::shared_ptr<Running>& running, const Work& work) {
  const bool guest = ranges_.at(work.range).guest();
  const auto again = [this, running, guest](int64_t reserved) {
    loop_.post([this, running, guest, reserved] {
      Lock lock(*this);
      running->begun = true, running->reserved = reserved;
      if (guest) --guests_waiting_, begun_guests_.push_back(running);
      else native_queue_.push_back(running), native_cv_.notify_one();
      pump();
    });
  };
  return {running.get(), -static_cast<int64_t>(work.range), &memory_of(work), again, running->reserved};
}

bool Node::begin(const std::shared_ptr<Running>& running, const Work& work) {
  const int64_t need = running->stop ? 0 : known_need(work, memory_of(work));
  want_room(need, true);
  if (!runner_.begin(attempt_of(running, work), need, *running)) return false;
  running->begun = true, running->reserved = need;
  return true;
}

// An executor was refused memory: the attempt waits, or has failed.
void Node::run_refusal(const std::shared_ptr<Running>& running, std::unique_lock<std::mutex>& lock) {
  const auto [task, attempt] = running->key;
  const Work& work = work_.at(running->key);
  const int64_t short_of = std::exchange(running->short_of, 0);
  const auto known = attempt_of(running, work);
  const std::string where = concat(ranges_.at(work.range).label, ", partition ", work.index);
  want_room(short_of, true);
  ++guests_waiting_;
  lock.unlock();
  std::optional<Error> error;
  try {
    if (!runner_.waits(known, short_of, *running)) error = running->too_little(known, short_of);
  } catch (const Error& of_spill) {
    error = of_spill;
  }
  lock.lock();
  if (!error) return;
  --guests_waiting_;
  error->through(where);
  report_failure(task, attempt, running->stop ? Failure::stopped : Failure::raised, written_down(*error));
  ended(running->key);
}

int64_t Node::known_need(const Work& work, const worker::RangeMemory& memory) const {
  int64_t need = memory.need;
  if (need == 0 && worker::budget().used() > worker::budget().limit() / 4)  // nothing is known yet: as much as it reads
    for (const auto& in : work.inputs)
      if (const auto o = in.inlined ? std::nullopt : objects_.find(in.object)) need += o->bytes;
  return need;
}

worker::Inputs Node::inputs_of(data::Task& task, const Work& work, const std::vector<uint32_t>& outputs) {
  worker::Inputs groups;
  size_t at = 0;
  for (size_t g = 0; g < work.groups.size(); ++g) {
    if (work.groups[g] == 0 && g + 1 == work.groups.size()) continue;
    auto& group = groups.emplace_back();
    const size_t which = g < outputs.size() ? outputs[g] : 0;
    for (uint32_t i = 0; i < work.groups[g]; ++i, ++at) {
      const auto& in = work.inputs[at];
      group.push_back(in.inlined ? kernels::decode_outputs(in.value).at(which) : open(task, in.object)->at(which));
    }
  }
  return groups;
}

// What came as bytes is decoded once, for all that read it; what was spilled is read for the task alone, but for states, which are spilled by themselves.
std::shared_ptr<const std::vector<kernels::Output>> Node::open(data::Task& task, TaskId id) {
  const auto object = objects_.find(id);
  if (!object) throw Error(ErrorKind::io, "an input of a task that runs is not here");
  if (object->outputs) return object->outputs;
  task.reserve(object->bytes);
  const auto read = object->spilled ? std::make_shared<const std::string>(object->spilled->read()) : object->small;
  auto outputs = std::make_shared<const std::vector<kernels::Output>>(read ? kernels::decode_outputs(*read, read) : kernels::decode_outputs(object->view(), object->segment));
  bool state = false;
  for (const auto& o : *outputs)
    if (o.fold) o.fold->seal(task), state = true;
  if (object->spilled && !state) return outputs;
  objects_.opened(id, object->attempt, outputs);
  task.hold(-object->bytes);
  return outputs;
}

void Node::prepare(TaskId task, uint16_t attempt) {
  auto running = std::make_shared<Running>(*this, Key(task, attempt));
  running->prepares = true;
  native_[running->key] = running;
  native_queue_.push_back(running);
  native_cv_.notify_one();
}

void Node::run_preparation(const std::shared_ptr<Running>& running, std::unique_lock<std::mutex>& lock) {
  const auto [task, attempt] = running->key;
  Work& work = work_.at(running->key);
  lock.unlock();
  std::optional<Error> error;
  try {
    for (auto& in : work.inputs) {
      if (in.inlined || in.ready) continue;
      const auto object = objects_.find(in.object);
      if (!object) throw Error(ErrorKind::io, "an input of a task that runs is not here");
      if (!object->segment && !object->small) in.ready = worker::counted_bytes(*object);
    }
  } catch (const Error& e) {
    error = e;
  }
  lock.lock();
  native_.erase(running->key);
  if (running->stop) {
    report_failure(task, attempt, Failure::stopped);
    state_.ended(task, attempt);
    work_.erase(running->key);
  } else if (error) {
    refuse(task, attempt, *error);
  } else {
    state_.give_back(task, attempt);
  }
}

// ---- memory

int64_t Node::Running::spill_results() { return node.spill(worker::budget().limit() / 4); }

Error Node::Running::too_little(const worker::Attempt&, int64_t need) {
  const auto megabytes = [](int64_t bytes) { return bytes / 1'000'000; };
  return Error(ErrorKind::memory, concat("the memory limit of worker ", node.name(), ", ", megabytes(worker::budget().limit()), " MB, is too small: a partition needs ", megabytes(need), " MB or more beside ", megabytes(worker::budget().used()),
                                         " MB that are in use; make partitions smaller, give workers more (memory_limit=), or ", worker::kWaysOut));
}

void Node::want_room(int64_t bytes, bool again) {
  const int64_t used = worker::budget().used(), limit = worker::budget().limit();
  if (spilling_ || over_) return;
  if (used <= limit / 10 * 6 && used + bytes <= limit) {
    spill_error_.clear();  // it has no say any more
    return;
  }
  if (!objects_.can_spill() || (!again && steady_clock::now() < next_spill_)) return;
  spilling_ = true, spill_goal_ = std::clamp(limit - bytes, limit / 4, limit / 2);
  admission_.begin_giving(this);
  short_cv_.notify_one();
}

// Returns the bytes that are free now. One at a time: who comes second finds what the first has freed.
int64_t Node::spill(int64_t goal) {
  const int64_t before = worker::budget().used();
  std::lock_guard one(spilling_mutex_);
  objects_.spill(goal);
  return std::max<int64_t>(0, before - worker::budget().used());
}

void Node::spill_loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    short_cv_.wait(lock, [this] { return over_ || spilling_; });
    if (over_) return;
    std::string error;
    while (error.empty() && !over_ && worker::budget().used() > spill_goal_ && objects_.can_spill()) {  // step by step: those for whom there is room do not wait for all of it
      lock.unlock();
      try {
        spill(std::max(spill_goal_, worker::budget().used() - worker::budget().limit() / 16));
      } catch (const Error& e) {
        error = e.what();
      }
      lock.lock();
      admission_.room();
      fetch_more();
    }
    spilling_ = false, spill_error_ = error;
    if (!error.empty()) next_spill_ = steady_clock::now() + kPauseOfSpilling;
    admission_.end(this);
    pump();
    flush();
  }
}

void Node::serve(std::function<void()> job) {
  std::lock_guard lock(mutex_);
  to_serve_.push_back(std::move(job));
  serve_cv_.notify_one();
}

void Node::serve_loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    serve_cv_.wait(lock, [this] { return over_ || !to_serve_.empty(); });
    if (over_) return;
    auto job = std::move(to_serve_.front());
    to_serve_.pop_front();
    lock.unlock();
    job();
    job = nullptr;
    lock.lock();
  }
}

int64_t Node::private_memory(pid_t pid) {
  int64_t size = 0, resident = 0, shared = 0;
  std::ifstream(concat("/proc/", pid, "/statm")) >> size >> resident >> shared;
  return (resident - shared) * sysconf(_SC_PAGESIZE);
}

// Of all their memory. What they have taken since they began, beyond what is reserved for their tasks, counts in the budget, up to a quarter of it: nobody
// can make them give it back. So do the slabs that they and this process keep, also while objects are in them.
int64_t Node::count_executors() {
  int64_t all = 0, taken = 0, slabs = static_cast<int64_t>(worker::slabs().bytes());
  for (const auto& e : executors_) {
    const int64_t bytes = private_memory(e->pid());
    all += bytes;
    slabs += e->shared_bytes;
    int64_t reserved = 0;
    for (const auto& s : e->sent)
      if (const auto found = guests_.find({s.task, s.attempt}); found != guests_.end()) reserved += found->second->reserved;
    if (e->bytes_at_start) taken += std::max<int64_t>(0, bytes - e->bytes_at_start - reserved);
  }
  taken = std::min(taken, worker::budget().limit() / 4) + slabs;
  worker::budget().hold(taken - std::exchange(executors_bytes_, taken));
  return all;
}

}  // namespace muster::cluster
