// A put object counts in the budget until it is erased or lies on disk, once, however many readers it has. Copies that someone reads live on beside their
// entry.
#include "worker/object_store.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "kernels/parted_state.hpp"
#include "kernels/wire.hpp"
#include "muster/error.hpp"
#include "worker/store.hpp"

namespace muster::worker {
using namespace base;
namespace {
constexpr int64_t kWorthSpilling = 16 << 10;   // bytes
constexpr size_t kShared = 1 << 20;            // larger ones lie in shared memory

bool is_state(const Object& o) {
  return o.states || (o.outputs && std::any_of(o.outputs->begin(), o.outputs->end(), [](const auto& out) { return out.fold != nullptr; }));
}

// Rows that were opened where they lie: their object stays beside them, for others that read it.
bool lies_in(const kernels::Output& output, const Object& o) {
  const auto column = [&](const data::Column& c) { return c.kept_bytes || (c.texts && c.texts == o.keep()); };
  const auto batch = [&](const data::Batch& b) { return std::any_of(b.columns.begin(), b.columns.end(), column); };
  return output.batches && std::any_of(output.batches->begin(), output.batches->end(), batch);
}

bool is_bytes(const Object& o) { return o.segment || o.small || (!o.outputs && o.spilled.empty()); }

// What `write` puts into an Encoder, about so many bytes.
template <class Write>
void encode_into(Object& out, int64_t about, Write write) {
  base::Encoder encoder;
  encoder.bytes().reserve(static_cast<size_t>(about + about / 16));  // memory that is not written to costs nothing; growing would take twice as much
  write(encoder);
  out.bytes = static_cast<int64_t>(encoder.size());
  if (encoder.size() <= kShared) {
    out.small = std::make_shared<const std::string>(encoder.take());
    return;
  }
  SegmentWriter large(encoder.size());
  large.move_in(encoder.take());
  out.segment = large.finish();
}

// A piece for each output: one of them is read without the others, and encoded before the next.
std::vector<std::shared_ptr<const kernels::Spilled>> spilled_pieces(const Object& o) {
  std::vector<std::shared_ptr<const kernels::Spilled>> out;
  const auto count = static_cast<uint32_t>(outputs_of(o));
  for (uint32_t i = 0; i < count; ++i) {
    const Object bytes = as_bytes(o, i);
    out.push_back(kernels::spill(count == 1 ? bytes.view() : kernels::encoded_output(bytes.view(), i)));
  }
  return out;
}
}  // namespace

ObjectStore::~ObjectStore() {
  objects_.each([](TaskId, const Entry& entry) { budget().give_back(entry.held); });
  for (const auto& [key, entry] : slices_) budget().give_back(entry.held);
}

void ObjectStore::let_go(Entry& entry) {
  if (entry.held) budget().give_back(std::exchange(entry.held, 0));
  if (entry.age) oldest_.erase(std::exchange(entry.age, 0));
}

void ObjectStore::queue(ObjectKey key, Entry& entry) {
  if (entry.held < kWorthSpilling || is_state(entry.object)) return;
  entry.age = ++ages_;
  oldest_[entry.age] = key;
}

ObjectStore::Entry* ObjectStore::entry(ObjectKey key) {
  if (key.whole()) return objects_.find(key.task);
  const auto found = slices_.find(key);
  return found == slices_.end() ? nullptr : &found->second;
}

void ObjectStore::put(ObjectKey key, Object object) {
  std::lock_guard lock(mutex_);
  Entry& entry = key.whole() ? objects_[key.task] : slices_[key];
  let_go(entry), bytes_ -= entry.object.bytes;
  if (key.whole() && !nothings_.empty()) cut_nothings({key.task, 0}, 1, true);
  bytes_ += object.bytes;
  entry.held = object.bytes;
  std::swap(entry.object, object);  // the one before is destroyed without the lock
  queue(key, entry);
}

// Neighbours of one attempt become one entry.
void ObjectStore::put_nothing(AttemptKey first, uint32_t count) {
  std::vector<Object> old;  // destroyed without the lock
  std::lock_guard lock(mutex_);
  const auto [task, attempt] = first;
  if (!nothings_.empty()) cut_nothings(first, count, true);
  for (uint32_t i = 0; i < count && !objects_.empty(); ++i) {
    const TaskId replaced{task.job, task.index + i};
    Entry* found = objects_.find(replaced);
    if (!found) continue;
    let_go(*found);
    bytes_ -= found->object.bytes;
    old.push_back(std::move(found->object));
    objects_.erase(replaced);
  }
  auto at = nothings_.lower_bound(task);
  if (at != nothings_.end() && at->first == TaskId{task.job, task.index + count} && at->second.attempt == attempt) {
    count += at->second.count;
    at = nothings_.erase(at);
  }
  if (at != nothings_.begin()) {
    auto& [before, run] = *std::prev(at);
    if (before.job == task.job && before.index + run.count == task.index && run.attempt == attempt) return void(run.count += count);
  }
  nothings_.emplace_hint(at, task, Nothings{attempt, count});
}

// Takes so many tasks out of the entries of those that have left nothing, if they are of this attempt; whether there was one.
bool ObjectStore::cut_nothings(AttemptKey first, uint32_t count, bool of_any_attempt) {
  const TaskId task = first.first;
  const uint64_t end = uint64_t{task.index} + count;
  auto at = nothings_.upper_bound(task);
  if (at != nothings_.begin()) --at;
  bool found = false;
  while (at != nothings_.end() && at->first.job <= task.job && (at->first.job < task.job || at->first.index < end)) {
    const auto [begins, run] = *at;
    const uint64_t ends = uint64_t{begins.index} + run.count;
    if (begins.job < task.job || ends <= task.index || (run.attempt != first.second && !of_any_attempt)) {
      ++at;
      continue;
    }
    found = true;
    at = nothings_.erase(at);
    if (begins.index < task.index) nothings_.emplace_hint(at, begins, Nothings{run.attempt, task.index - begins.index});
    if (ends > end) at = nothings_.emplace_hint(at, TaskId{task.job, static_cast<uint32_t>(end)}, Nothings{run.attempt, static_cast<uint32_t>(ends - end)});
  }
  return found;
}

std::optional<Object> ObjectStore::nothing(TaskId task) const {
  auto at = nothings_.upper_bound(task);
  if (at == nothings_.begin()) return std::nullopt;
  --at;
  if (at->first.job != task.job || task.index - at->first.index >= at->second.count) return std::nullopt;
  return Object{.attempt = at->second.attempt, .native = true, .type = "native", .outputs = no_rows()};
}

std::optional<Object> ObjectStore::find(ObjectKey key) const {
  std::lock_guard lock(mutex_);
  if (const Entry* found = entry(key)) return found->object;
  return key.whole() ? nothing(key.task) : std::nullopt;
}

std::optional<Object> ObjectStore::find_output(ObjectKey key) const {
  std::lock_guard lock(mutex_);
  const Entry* found = entry(key.task);
  if (!found) found = entry(key);
  return found ? std::optional(found->object) : nothing(key.task);
}

bool ObjectStore::erase(ObjectKey key, uint16_t attempt) {
  std::optional<Object> old;
  std::lock_guard lock(mutex_);
  Entry* found = entry(key);
  if (!found) return key.whole() && cut_nothings({key.task, attempt}, 1, false);
  if (found->object.attempt != attempt) return false;
  let_go(*found);
  bytes_ -= found->object.bytes;
  old = std::move(found->object);
  if (key.whole()) objects_.erase(key.task);
  else slices_.erase(key);
  return true;
}

void ObjectStore::erase_run(AttemptKey first, uint32_t count) {
  {
    std::lock_guard lock(mutex_);
    cut_nothings(first, count, false);
    if (objects_.empty()) return;
  }
  for (TaskId task = first.first; count; --count, ++task.index) erase(ObjectKey(task), first.second);
}

void ObjectStore::opened(const Object& object, ObjectKey key, kernels::Output output) {
  const int64_t bytes = output.fold ? output.fold->bytes() : output.bytes;
  const bool alone = outputs_of(object) == 1;
  const uint32_t which = std::exchange(key.output, object.output);
  std::optional<Object> old;
  std::lock_guard lock(mutex_);
  Entry* found = entry(key);
  if (!found || found->object.attempt != object.attempt || found->object.outputs) return;
  const int64_t before = alone ? 0 : found->held;
  old = found->object;
  let_go(*found);
  budget().hold(found->held = before + bytes);
  if (alone) {
    found->object.outputs = std::make_shared<const std::vector<kernels::Output>>(1, std::move(output));
    found->object.spilled.clear();
    if (!lies_in(found->object.outputs->front(), found->object)) found->object.segment.reset();
  } else {
    auto states = old->states ? *old->states : std::map<uint32_t, kernels::Output>();
    states.emplace(which, std::move(output));
    found->object.states = std::make_shared<const std::map<uint32_t, kernels::Output>>(std::move(states));
  }
  queue(key, *found);
}

int64_t ObjectStore::spill(int64_t goal) {
  int64_t freed = 0;
  std::unique_lock lock(mutex_);
  while (budget().used() > goal && !oldest_.empty()) {
    const ObjectKey key = oldest_.begin()->second;
    Entry& chosen = *entry(key);
    oldest_.erase(std::exchange(chosen.age, 0));
    Object object = chosen.object;
    lock.unlock();
    std::vector<std::shared_ptr<const kernels::Spilled>> spilled;
    try {
      spilled = spilled_pieces(object);
    } catch (const Error& e) {
      lock.lock();
      if (e.kind == ErrorKind::unsupported) continue;  // of objects that do not leave this process
      if (Entry* found = entry(key); found && found->age == 0) queue(key, *found);
      throw;
    }
    lock.lock();
    Entry* found = entry(key);
    if (!found || found->object.attempt != object.attempt || found->object.outputs != object.outputs ||
        found->object.segment != object.segment || found->object.states)
      continue;
    freed += found->held;
    let_go(*found);
    Object& kept = found->object;
    kept.outputs.reset(), kept.segment.reset(), kept.small.reset(), kept.spilled = std::move(spilled);
    lock.unlock();
    object = Object{};  // destroyed without the lock
    lock.lock();
  }
  return freed;
}

bool ObjectStore::can_spill() const {
  std::lock_guard lock(mutex_);
  return !oldest_.empty();
}

int64_t ObjectStore::bytes() const {
  std::lock_guard lock(mutex_);
  return bytes_;
}

const std::shared_ptr<const std::vector<kernels::Output>>& no_rows() {
  static const auto nothing = std::make_shared<const std::vector<kernels::Output>>(1);
  return nothing;
}

size_t outputs_of(const Object& o) {
  if (!o.native || o.output != kAllOutputs) return 1;
  return o.outputs ? o.outputs->size() : o.spilled.empty() ? kernels::count_outputs(o.view()) : o.spilled.size();
}

int64_t bytes_of(const Object& o, uint32_t output) {
  if (output == kAllOutputs || is_bytes(o) || outputs_of(o) == 1) return o.bytes;
  return o.outputs ? o.outputs->at(output).bytes : o.spilled.at(output)->bytes();
}

int64_t encoded_bytes(const Object& o, uint32_t output) {
  if (!o.outputs) return bytes_of(o, output);
  const auto of_one = [](const kernels::Output& out) {
    const auto* state = dynamic_cast<const kernels::PartedState*>(out.fold.get());
    return state ? state->all_bytes() : out.bytes;
  };
  if (output != kAllOutputs && o.outputs->size() > 1) return of_one(o.outputs->at(output));
  int64_t total = 0;
  for (const auto& out : *o.outputs) total += of_one(out);
  return total;
}

Object as_bytes(const Object& o, uint32_t output) {
  if (is_bytes(o)) return o;
  Object out = o;
  out.outputs.reset(), out.spilled.clear();
  const size_t count = outputs_of(o);
  const bool one = count == 1 || output != kAllOutputs;
  const size_t which = count == 1 ? 0 : output;  // among those that are here
  if (count > 1) out.output = output;
  if (!o.spilled.empty()) {
    int64_t about = 0;
    for (size_t i = 0; i < o.spilled.size(); ++i)
      if (!one || i == which) about += o.spilled[i]->bytes();
    encode_into(out, about, [&](base::Encoder& to) {
      if (one) to.bytes() = o.spilled.at(which)->read();
      else kernels::lay_together(to, o.spilled.size(), [&](base::Encoder& of_one, size_t i) { of_one.bytes() += o.spilled[i]->read(); });
    });
  } else if (one) {
    const auto& the_one = o.outputs->at(which);
    encode_into(out, encoded_bytes(o, output), [&](base::Encoder& to) { kernels::encode_output(to, the_one, out.output == kAllOutputs ? 0 : out.output); });
  } else {
    encode_into(out, encoded_bytes(o), [&](base::Encoder& to) { kernels::encode(to, *o.outputs); });
  }
  return out;
}

std::shared_ptr<const Object> counted_bytes(const Object& o, uint32_t output) {
  if (is_bytes(o)) return std::make_shared<const Object>(o);
  const auto counted = std::make_shared<int64_t>(encoded_bytes(o, output));
  const auto uncount = [counted](const Object* made) {
    delete made;
    budget().give_back(*counted);
  };
  budget().hold(*counted);
  std::shared_ptr<Object> out(new Object, uncount);
  *out = as_bytes(o, output);
  budget().hold(out->bytes - std::exchange(*counted, out->bytes));
  return out;
}

Object encoded_object(const std::vector<kernels::Output>& outputs) {
  Object out;
  out.native = true, out.type = "native";
  int64_t about = 0;
  for (const auto& o : outputs) about += o.bytes;
  encode_into(out, about, [&](base::Encoder& to) { kernels::encode(to, outputs); });
  return out;
}

}  // namespace muster::worker
