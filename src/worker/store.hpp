// The budget of this process: what results, copies and running tasks have of its memory. Taking may be refused, holding is not; all is given back once.
#pragma once
#include <atomic>
#include <cstdint>
#include <string>

namespace muster::worker {

/// What a message about too little memory ends with.
extern const char* const kWaysOut;

class Budget {
 public:
  explicit Budget(int64_t limit) : limit_(limit) {}
  /// Throws Error{memory} when the limit would be passed.
  void take(int64_t bytes);
  /// As take(); false when the limit would be passed.
  bool try_take(int64_t bytes);
  /// As take(), but never refused: what can be spilled, or must be there.
  void hold(int64_t bytes) { used_ += bytes; }
  void give_back(int64_t bytes) { used_ -= bytes; }
  /// Before `bytes` more are used: where that is much of the limit, memory that is free goes back to the system first.
  void make_room(int64_t bytes) const;
  int64_t used() const { return used_; }
  int64_t limit() const { return limit_; }
  /// Column memory that is free and stays resident is an eighth of the limit, at most 1 GiB.
  void set_limit(int64_t bytes);

 private:
  std::atomic<int64_t> limit_, used_{0};
};

/// 80 % of the memory that RAM and cgroup leave to this process.
int64_t default_memory_limit();
/// CPUs this process may use: affinity and cgroup quota.
int64_t cpu_count();

/// Bytes of results and reservations in this process.
Budget& budget();

}  // namespace muster::worker
