// A put object counts in the budget until it is erased or lies on disk, once, however many readers it has. Copies that someone reads live on beside their
// entry.
#include "worker/object_store.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "kernels/wire.hpp"
#include "muster/error.hpp"
#include "worker/store.hpp"

namespace muster::worker {
using namespace base;
namespace {
constexpr int64_t kWorthSpilling = 16 << 10;   // bytes
constexpr size_t kShared = 1 << 20;            // larger ones lie in shared memory

bool is_state(const Object& o) {
  return o.outputs && std::any_of(o.outputs->begin(), o.outputs->end(), [](const auto& out) { return out.fold != nullptr; });
}
}  // namespace

ObjectStore::~ObjectStore() {
  objects_.each([](TaskId, Entry& entry) { budget().give_back(entry.held); });
}

void ObjectStore::let_go(Entry& entry) {
  budget().give_back(std::exchange(entry.held, 0));
  oldest_.erase(std::exchange(entry.age, 0));
}

void ObjectStore::queue(TaskId id, Entry& entry) {
  if (entry.held < kWorthSpilling || is_state(entry.object)) return;
  entry.age = ++ages_;
  oldest_[entry.age] = id;
}

void ObjectStore::put(TaskId id, Object object) {
  std::optional<Object> old;  // destroyed without the lock
  std::lock_guard lock(mutex_);
  auto [place, fresh] = objects_.try_emplace(id);
  Entry& entry = *place;
  if (!fresh) let_go(entry), bytes_ -= entry.object.bytes, old = std::move(entry.object);
  bytes_ += object.bytes;
  entry.held = object.bytes, entry.object = std::move(object);
  queue(id, entry);
}

std::optional<Object> ObjectStore::find(TaskId id) const {
  std::lock_guard lock(mutex_);
  const Entry* found = objects_.find(id);
  return found ? std::optional(found->object) : std::nullopt;
}

bool ObjectStore::erase(TaskId id, uint16_t attempt) {
  std::optional<Object> old;
  std::lock_guard lock(mutex_);
  Entry* found = objects_.find(id);
  if (!found || found->object.attempt != attempt) return false;
  let_go(*found);
  bytes_ -= found->object.bytes;
  old = std::move(found->object);
  objects_.erase(id);
  return true;
}

void ObjectStore::opened(TaskId id, uint16_t attempt, std::shared_ptr<const std::vector<kernels::Output>> outputs) {
  int64_t held = 0;
  for (const auto& o : *outputs) held += o.fold ? o.fold->bytes() : o.bytes;
  std::optional<Object> old;
  std::lock_guard lock(mutex_);
  Entry* found = objects_.find(id);
  if (!found || found->object.attempt != attempt || found->object.outputs) return;
  Entry& entry = *found;
  old = entry.object;
  let_go(entry);
  budget().hold(held);
  entry.held = held, entry.object.outputs = std::move(outputs);
  entry.object.segment.reset(), entry.object.spilled.reset();
  queue(id, entry);
}

int64_t ObjectStore::spill(int64_t goal) {
  int64_t freed = 0;
  std::unique_lock lock(mutex_);
  while (budget().used() > goal && !oldest_.empty()) {
    const TaskId id = oldest_.begin()->second;
    Entry& chosen = *objects_.find(id);
    oldest_.erase(std::exchange(chosen.age, 0));
    Object object = chosen.object;
    lock.unlock();
    std::shared_ptr<const kernels::Spilled> spilled;
    try {
      const Object bytes = as_bytes(object);
      spilled = kernels::spill(bytes.view());
    } catch (const Error& e) {
      lock.lock();
      if (e.kind == ErrorKind::unsupported) continue;  // of objects that do not leave this process
      if (Entry* found = objects_.find(id); found && found->age == 0) queue(id, *found);
      throw;
    }
    lock.lock();
    Entry* found = objects_.find(id);
    if (!found || found->object.attempt != object.attempt || found->object.outputs != object.outputs || found->object.segment != object.segment) continue;
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

Object as_bytes(const Object& o) {
  if (o.segment || o.small || (!o.outputs && !o.spilled)) return o;
  Object out = o;
  std::string bytes = o.spilled ? o.spilled->read() : kernels::encode(*o.outputs);
  out.outputs.reset(), out.spilled.reset();
  if (bytes.size() > kShared) out.segment = Segment::of({bytes});
  else out.small = std::make_shared<const std::string>(std::move(bytes));
  return out;
}

std::shared_ptr<const Object> counted_bytes(const Object& o) {
  if (o.segment || o.small || (!o.outputs && !o.spilled)) return std::make_shared<const Object>(o);
  const int64_t bytes = o.bytes;
  const auto uncount = [bytes](const Object* made) {
    delete made;
    budget().give_back(bytes);
  };
  budget().hold(bytes);
  std::shared_ptr<Object> out(new Object, uncount);
  *out = as_bytes(o);
  return out;
}

}  // namespace muster::worker
