// The objects of a worker by their task: what is in memory counts in the budget, what is not needed soon can be moved to the spill file. Thread safe;
// nothing is encoded, written or read with the lock held.
#pragma once
#include <map>
#include <mutex>
#include <optional>

#include "base/attempt_table.hpp"
#include "worker/objects.hpp"

namespace muster::worker {

class ObjectStore {
 public:
  ~ObjectStore();
  /// Takes an object; its bytes are held in the budget already, and given back with it.
  void put(ObjectKey key, Object object);
  /// Takes the objects of so many tasks that follow each other and have left one output that holds nothing: they are one entry.
  void put_nothing(base::AttemptKey first, uint32_t count);
  std::optional<Object> find(ObjectKey key) const;
  /// What has this output of a task: the whole object, or that output alone.
  std::optional<Object> find_output(ObjectKey key) const;
  /// Forgets the object if it is of this attempt.
  bool erase(ObjectKey key, uint16_t attempt);
  /// The same, of so many tasks that follow each other.
  void erase_run(base::AttemptKey first, uint32_t count);
  /// An output of an object that came as bytes: where it is the only one it takes the place of these, else it is kept beside them.
  void opened(const Object& object, ObjectKey key, kernels::Output output);
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
  struct Nothings {
    uint16_t attempt;
    uint32_t count;
  };
  std::optional<Object> nothing(TaskId task) const;
  bool cut_nothings(base::AttemptKey first, uint32_t count, bool of_any_attempt);
  Entry* entry(ObjectKey key);
  const Entry* entry(ObjectKey key) const { return const_cast<ObjectStore*>(this)->entry(key); }
  void let_go(Entry& entry);
  void queue(ObjectKey key, Entry& entry);
  mutable std::mutex mutex_;
  base::TaskTable<Entry> objects_;
  std::map<ObjectKey, Entry> slices_;  // outputs that are here alone
  std::map<TaskId, Nothings> nothings_;  // by the first task
  std::map<uint64_t, ObjectKey> oldest_;
  uint64_t ages_ = 0;
  int64_t bytes_ = 0;
};

/// The outputs of a task that left one, which holds nothing: everybody's.
const std::shared_ptr<const std::vector<kernels::Output>>& no_rows();
/// How many outputs it has; 1 of what is no object of the engine's, or an output alone. Throws Error{io} on damaged bytes.
size_t outputs_of(const Object& object);
/// Of what it has of this output; of all if it is cut no further.
int64_t bytes_of(const Object& object, uint32_t output);
/// About how many bytes it is when it is encoded, or what it has of this output: also what its states have spilled.
int64_t encoded_bytes(const Object& object, uint32_t output = kAllOutputs);
/// The object as bytes, or what has this output of it as bytes: as they are, encoded, or read back from the spill file. Throws Error{io}, and
/// Error{unsupported} as kernels::encode.
Object as_bytes(const Object& object, uint32_t output = kAllOutputs);
/// The same; what is made for it counts in the budget as long as it lives.
std::shared_ptr<const Object> counted_bytes(const Object& object, uint32_t output = kAllOutputs);
/// Outputs of the engine, encoded; larger ones lie in shared memory. Throws as kernels::encode, and Error{memory}.
Object encoded_object(const std::vector<kernels::Output>& outputs);

}  // namespace muster::worker
