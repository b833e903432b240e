// The objects of a worker by their task: what is in memory counts in the budget, what is not needed soon can be moved to the spill file. Thread safe;
// nothing is encoded, written or read with the lock held.
#pragma once
#include <map>
#include <mutex>
#include <optional>

#include "base/task_table.hpp"
#include "worker/objects.hpp"

namespace muster::worker {

class ObjectStore {
 public:
  ~ObjectStore();
  /// Takes an object; its bytes are held in the budget already, and given back with it.
  void put(TaskId id, Object object);
  std::optional<Object> find(TaskId id) const;
  /// Forgets the object if it is of this attempt.
  bool erase(TaskId id, uint16_t attempt);
  /// The outputs of an object that came as bytes take the place of these.
  void opened(TaskId id, uint16_t attempt, std::shared_ptr<const std::vector<kernels::Output>> outputs);
  /// Moves objects to the spill file, the oldest first, until the budget has at most `goal` bytes in use or there is none left; returns the bytes that
  /// are free. Throws Error{io} where the disk is full.
  int64_t spill(int64_t goal);
  /// Whether spill() would find something.
  bool can_spill() const;
  /// Of all objects, where ever they are.
  int64_t bytes() const;

 private:
  struct Entry {
    Object object;
    int64_t held = 0;   // in the budget
    uint64_t age = 0;   // its place in `oldest_`; 0 = none: it is spilled, small, being spilled, or a state that spills by itself
  };
  void let_go(Entry& entry);
  void queue(TaskId id, Entry& entry);
  mutable std::mutex mutex_;
  base::TaskTable<Entry> objects_;
  std::map<uint64_t, TaskId> oldest_;
  uint64_t ages_ = 0;
  int64_t bytes_ = 0;
};

/// The object's bytes: as they are, encoded, or read back from the spill file. Throws Error{io}, and Error{unsupported} as kernels::encode.
Object as_bytes(const Object& object);
/// The same; what is made for it counts in the budget as long as it lives.
std::shared_ptr<const Object> counted_bytes(const Object& object);

}  // namespace muster::worker
