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
constexpr int64_t kShortUs = 20;                            // tasks of a range that takes less follow each other in a thread, if they begin in this time:
constexpr auto kLongestTogether = std::chrono::milliseconds(1);

bool is_nothing(const std::vector<kernels::Output>& outputs) {
  if (outputs.size() != 1) return false;
  const auto& o = outputs[0];
  return !o.batches && !o.fold && !o.recipe && !o.text && !o.bytes;
}

// As an object has them.
std::shared_ptr<const std::vector<kernels::Output>> kept(std::vector<kernels::Output>&& outputs) {
  return is_nothing(outputs) ? worker::no_rows() : std::make_shared<const std::vector<kernels::Output>>(std::move(outputs));
}
}  // namespace

void Node::native_loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    native_cv_.wait(lock, [this] { return over_ || !native_queue_.empty(); });
    if (over_) return;
    auto work = std::move(native_queue_.front());
    native_queue_.pop_front();
    ++native_running_;
    if (work->prepares) run_preparation(*work, lock);
    else if (work->short_of) run_refusal(*work, lock);
    else run_natives(std::move(work), lock);
    --native_running_;
    pump();
    if (native_queue_.empty()) flush();
  }
}

void Node::hand_to_thread(const std::shared_ptr<Work>& work) {
  work->native = true, ++native_taken_;
  native_queue_.push_back(work);
  native_cv_.notify_one();
}

// Tasks that take less than what it costs to hand them out are run one behind the other. Once an attempt waits for memory another thread may have it: it is
// not touched any more.
void Node::run_natives(std::shared_ptr<Work> first, std::unique_lock<std::mutex>& lock) {
  std::vector<Ran> batch;
  const auto add = [&](std::shared_ptr<Work> work) {
    if (!work->begun && !begin(*work)) return false;
    auto known = work->known();
    const Key key = work->key;
    batch.push_back({.key = key, .work = std::move(work), .known = known});
    return true;
  };
  const std::shared_ptr<RangeInfo> range = first->range;  // only `bound`, `us` and `apart` are written, with the mutex
  if (!add(std::move(first))) return;
  auto function = range->bound;
  const size_t most = range->us < 0 || range->us > kShortUs ? 1 : std::min<size_t>(kTogether, state_.queued(false) / static_cast<size_t>(options_.threads));
  NativeRun behind;
  while (batch.size() < most && state_.queued(false)) {
    const auto* said = static_cast<const SaidRun*>(state_.next_run());
    if (said && (said->range != range || begin_run(behind, *range, most - batch.size()))) break;
    auto work = take(false);
    if (work->range != range) {
      state_.give_back(work->key.first, work->key.second);
      break;
    }
    work->native = true, ++native_taken_;
    if (!add(std::move(work))) break;
  }
  lock.unlock();
  size_t done = 0;
  const auto there_is_none = [&](const Error& why) {
    batch[done++].error = std::make_unique<TaskError>(written_down(why));
    worker::budget().give_back(batch[0].work->reserved), runner_.end(this);
  };
  try {
    if (!function) function = worker::bind(range->function, range->args);
  } catch (const Error& e) {
    there_is_none(e);
  } catch (const std::exception& e) {
    there_is_none(Error(ErrorKind::internal, e.what()));
  }
  auto begun = steady_clock::now();
  const auto latest = begun + kLongestTogether;
  while (function && done < batch.size() && (done == 0 || begun < latest)) {
    Ran& ran = batch[done++];
    run(ran, *function);
    const auto now = steady_clock::now();
    ran.us = std::chrono::duration_cast<std::chrono::microseconds>(now - std::exchange(begun, now)).count();
  }
  if (function && behind.run.count) run(behind, *function, latest);
  lock.lock();
  if (!range->bound) range->bound = function;
  for (; batch.size() > done; batch.pop_back()) {  // others may run them now
    --native_taken_;
    Work& work = *batch.back().work;
    worker::budget().give_back(std::exchange(work.reserved, 0)), runner_.end(this);
    work.begun = work.native = false;
    state_.give_back(work.key.first, work.key.second);
  }
  for (Ran& ran : batch) {
    if (ran.waits) continue;
    --native_taken_;
    report(ran, *range);
  }
  if (behind.run.count) end_run(behind, *range);
}

void Node::report(Ran& ran, RangeInfo& range) {
  if (!ran.error && ran.result.bytes && !spill_error_.empty() && is_full()) {
    worker::budget().give_back(std::exchange(ran.result.bytes, 0));
    ran.error = std::make_unique<TaskError>(written_down(Error(ErrorKind::io, spill_error_)));
  }
  if (ran.work) {
    range.took(ran.us);
    if (ran.error) fail(*ran.work, ran.why, std::move(*ran.error), ran.note);
    else report_result(*ran.work, std::move(ran.result), ran.us, ran.note);
  } else {
    if (ran.error) report_failure(ran.key.first, ran.key.second, ran.why, std::move(*ran.error), std::move(ran.note));
    else report_result(ran.key, range, std::move(ran.result), ran.us, ran.note);
  }
}

// Its tasks read nothing and are short: they are admitted as one, which reserves nothing.
bool Node::begin_run(NativeRun& of, const RangeInfo& range, size_t most) {
  if (range.apart || !admission_.begin(this, 0)) return false;
  of.run = state_.take_run(static_cast<uint32_t>(most));
  native_runs_.push_back(&of);
  return true;
}

// One that is refused memory has not begun, nor have those behind it.
void Node::run(NativeRun& of, const worker::Function& function, steady_clock::time_point latest) {
  const auto& said = *static_cast<const SaidRun*>(of.run.said.get());
  const RangeInfo& range = *said.range;
  const worker::Attempt known{.owner = this, .stage = -static_cast<int64_t>(said.range_number), .memory = range.memory.get()};
  const auto began = steady_clock::now();
  auto now = began;
  for (; of.begun < of.run.count && now < latest; ++of.begun) {
    const uint32_t i = of.begun;
    const Key key(TaskId{of.run.first.job, of.run.first.index + i}, of.run.attempt);
    const int64_t index = said.index + (key.first.index - said.first.index);
    auto outcome = runner_.run(known, {function, [](data::Task&) { return worker::Inputs(); }, {}, index, range.label, of.stop[i]});
    if (outcome.short_of && !outcome.error) {
      of.refused = outcome.short_of;
      break;
    }
    now = steady_clock::now();
    if (!outcome.error && !range.inlined && is_nothing(outcome.outputs) && outcome.report.wider.empty() && kernels::encode(outcome.report).empty()) continue;
    keep(of.left.emplace_back(Ran{.key = key}), std::move(outcome), range, index);
  }
  of.us = std::chrono::duration_cast<std::chrono::microseconds>(now - began).count() / std::max<uint32_t>(1, of.begun);
}

void Node::end_run(NativeRun& of, RangeInfo& range) {
  std::erase(native_runs_, &of);
  runner_.end(this);
  state_.run_ended(of.run, of.begun);
  auto [task, attempt] = Key(of.run.first, of.run.attempt);
  for (uint32_t i = of.begun; i < of.run.count; ++i)
    if (of.stop[i]) state_.cancel({task.job, task.index + i}, attempt);
  if (of.refused) range.memory->learn(of.refused + of.refused / 4), range.apart = true;
  if (of.begun) range.took(of.us);
  const uint32_t end = task.index + of.begun;
  for (Ran& ran : of.left) {
    if (ran.key.first.index > task.index) report_nothing({task, attempt}, ran.key.first.index - task.index, of.us);
    task.index = ran.key.first.index + 1, ran.us = of.us;
    report(ran, range);
  }
  if (end > task.index) report_nothing({task, attempt}, end - task.index, of.us);
}

void Node::run(Ran& ran, const worker::Function& function) {
  Work& work = *ran.work;
  const auto inputs = [&](data::Task& t) { return inputs_of(t, work); };
  auto outcome = runner_.run(ran.known, {function, std::ref(inputs), work.arguments, work.index, work.range->label, work.stop}, work);
  if ((ran.waits = outcome.waits)) return;
  runner_.end(this);
  keep(ran, std::move(outcome), *work.range, work.index);
}

// What has become of an attempt that waits for nothing.
void Node::keep(Ran& ran, worker::Outcome&& outcome, const RangeInfo& range, int64_t index) {
  const auto named = [&](const Error& e) {
    if (e.kind == ErrorKind::cancelled) ran.why = Failure::stopped;
    ran.error = std::make_unique<TaskError>(written_down(e));
  };
  try {
    ran.note = kernels::encode(outcome.report);  // also of a failure: it says whether the failure is to be believed
    if (outcome.error) std::rethrow_exception(outcome.error);
    ran.result.native = true, ran.result.type = "native", ran.result.bytes = outcome.bytes;
    try {
      if (range.inlined && outcome.bytes <= kInline)
        if (auto small = kernels::encode(outcome.outputs); static_cast<int64_t>(small.size()) <= kInline)  // what was spilled is not among its bytes
          ran.result.small = std::make_shared<const std::string>(std::move(small));
    } catch (Error& e) {
      worker::budget().give_back(outcome.bytes);
      e.through(concat(range.label, ", partition ", index));
      throw;
    }
    ran.result.outputs = kept(std::move(outcome.outputs));
  } catch (const Error& e) {
    named(e);
  } catch (const std::exception& e) {
    named(Error(ErrorKind::internal, e.what()));
  }
}

worker::Attempt Work::known() const {
  return {.owner = &node, .stage = -static_cast<int64_t>(range_number), .memory = &memory(), .reserved = reserved, .which = this};
}

// What it waits for may be told by whoever has the mutex: it goes on in the loop's thread.
std::function<void(int64_t)> Work::again(const worker::Attempt&) {
  return [self = shared_from_this()](int64_t bytes) {
    Node& node = self->node;
    node.loop_.post([&node, self, bytes] {
      Node::Lock lock(node);
      self->begun = true, self->reserved = bytes;
      if (self->guest()) --node.guests_waiting_, node.begun_guests_.push_back(self);
      else node.native_queue_.push_back(self), node.native_cv_.notify_one();
      node.pump();
    });
  };
}

bool Node::begin(Work& work) {
  const int64_t need = work.stop ? 0 : known_need(work);
  want_room(need, true);
  if (!runner_.begin(work.known(), need, work)) return false;
  work.begun = true, work.reserved = need;
  return true;
}

// An executor was refused memory: the attempt waits, or has failed.
void Node::run_refusal(Work& work, std::unique_lock<std::mutex>& lock) {
  const int64_t short_of = std::exchange(work.short_of, 0);
  const auto known = work.known();
  const std::string where = concat(work.range->label, ", partition ", work.index);
  want_room(short_of, true);
  ++guests_waiting_;
  lock.unlock();
  std::optional<Error> error;
  try {
    if (!runner_.waits(known, short_of, work)) error = work.too_little(known, short_of);
  } catch (const Error& of_spill) {
    error = of_spill;
  }
  lock.lock();
  if (!error) return;
  --guests_waiting_;
  error->through(where);
  fail(work, work.stop ? Failure::stopped : Failure::raised, written_down(*error));
}

int64_t Node::known_need(const Work& work) const {
  int64_t need = work.memory().need;
  if (need == 0 && worker::budget().used() > worker::budget().limit() / 4)  // nothing is known yet: as much as it reads
    for (const auto& in : work.inputs)
      if (const auto o = in.inlined ? std::nullopt : objects_.find_output({in.object, in.output})) need += worker::bytes_of(*o, in.output);
  return need;
}

worker::Inputs Node::inputs_of(data::Task& task, const Work& work) {
  worker::Inputs groups;
  size_t at = 0;
  for (size_t g = 0; g < work.groups.size(); ++g) {
    if (work.groups[g] == 0 && g + 1 == work.groups.size()) continue;
    auto& group = groups.emplace_back();
    for (uint32_t i = 0; i < work.groups[g]; ++i, ++at) group.push_back(open(task, work.inputs[at]));
  }
  return groups;
}

// Of what came as bytes only the output that is read is decoded: once for all that read it where it is a state, or all that there is. Other rows, and what was
// spilled, are the task's alone; states are spilled by themselves.
kernels::Output Node::open(data::Task& task, const Work::In& in) {
  if (in.inlined) return kernels::decode_output(in.value, kernels::count_outputs(in.value) == 1 ? 0 : in.output);
  const worker::ObjectKey key(in.object, in.output);
  const auto object = objects_.find_output(key);
  if (!object) throw Error(ErrorKind::io, "an input of a task that runs is not here");
  const bool alone = worker::outputs_of(*object) == 1;
  if (object->outputs) return object->outputs->at(alone ? 0 : in.output);
  if (object->states)
    if (const auto known = object->states->find(in.output); known != object->states->end()) return known->second;
  const uint32_t which = alone && object->output == worker::kAllOutputs ? 0 : in.output;  // the only one is everybody's
  const auto spilled = object->spilled.empty() ? nullptr : object->spilled.at(alone ? 0 : in.output);
  const int64_t size = alone ? object->bytes : spilled ? spilled->bytes() : static_cast<int64_t>(kernels::encoded_output(object->view(), in.output).size());
  task.reserve(size);
  const auto read = spilled ? std::make_shared<const std::string>(spilled->read()) : nullptr;
  kernels::Output output = read ? kernels::decode_output(*read, which, read) : kernels::decode_output(object->view(), which, object->keep());
  if (output.fold) output.fold->seal(task);
  else if (spilled || !alone) return output;
  objects_.opened(*object, key, output);
  task.hold(-size);
  return output;
}

void Node::run_preparation(Work& work, std::unique_lock<std::mutex>& lock) {
  lock.unlock();
  std::optional<Error> error;
  try {
    for (auto& in : work.inputs) {
      if (in.inlined || in.ready) continue;
      const auto object = objects_.find_output({in.object, in.output});
      if (!object) throw Error(ErrorKind::io, "an input of a task that runs is not here");
      if (!object->segment && !object->small) in.ready = worker::counted_bytes(*object, in.output);
    }
    if (!work.pack) pack(work);
  } catch (const Error& e) {
    error = e;
  }
  lock.lock();
  --native_taken_;
  work.native = work.prepares = false;
  if (work.stop) fail(work, Failure::stopped, {});
  else if (error) refuse(work, *error);
  else put_back(work);
}

// While the preparation has the attempt, nobody else looks at its inputs.
void Node::pack(Work& work) {
  std::vector<std::pair<Work::In*, std::shared_ptr<const Object>>> some;
  size_t bytes = 0, descriptors = 0;
  for (auto& in : work.inputs) {
    std::shared_ptr<const Object> object;
    if (!in.inlined && !(object = in.ready)) {
      auto found = objects_.find_output({in.object, in.output});
      if (!found) throw Error(ErrorKind::io, "an input of a task that runs is not here");
      if (!found->segment && !found->small) continue;  // it was spilled meanwhile, and is made ready once more
      object = std::make_shared<const Object>(std::move(*found));
    }
    if (object && goes_by_descriptor(*object, descriptors)) {
      ++descriptors;
      continue;
    }
    some.emplace_back(&in, object);
    bytes += object ? object->view().size() : in.value.size();
  }
  if (bytes <= kMostCopied) return;
  worker::SegmentWriter out(bytes);
  for (const auto& [in, object] : some) out.append(object ? object->view() : std::string_view(in->value));
  worker::budget().hold(static_cast<int64_t>(bytes));
  auto made = std::make_shared<Work::Pack>();
  made->bytes = bytes, made->file = out.finish_fd();
  for (const auto& [in, object] : some) in->packed = object ? object->view().size() : in->value.size();
  work.pack = std::move(made);
}

// ---- memory

int64_t Work::spill_results() { return node.spill(worker::budget().limit() / 4); }

Error Work::too_little(const worker::Attempt&, int64_t need) {
  const auto megabytes = [](int64_t bytes) { return bytes / 1'000'000; };
  return Error(ErrorKind::memory, concat("the memory limit of worker ", node.name(), ", ", megabytes(worker::budget().limit()), " MB, is too small: ",
                                         "a partition needs ", megabytes(need), " MB or more beside ", megabytes(worker::budget().used()),
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
    // Step by step: those for whom there is room do not wait for all of it.
    while (error.empty() && !over_ && worker::budget().used() > spill_goal_ && objects_.can_spill()) {
      lock.unlock();
      try {
        spill(std::max(spill_goal_, worker::budget().used() - worker::budget().limit() / 16));
      } catch (const Error& e) {
        error = e.what();
      }
      lock.lock();
      admission_.room();
      fetch_more();
      answer_puts();
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
      reserved += s.work->reserved;
    if (e->bytes_at_start) taken += std::max<int64_t>(0, bytes - e->bytes_at_start - reserved);
  }
  taken = std::min(taken, worker::budget().limit() / 4) + slabs;
  worker::budget().hold(taken - std::exchange(executors_bytes_, taken));
  return all;
}

}  // namespace muster::cluster
