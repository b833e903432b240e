// What happened lately: events of 32 bytes in a ring, the oldest give way. Names are numbers here; who writes keeps the dictionary.
#pragma once
#include <cstdint>
#include <vector>

namespace muster::monitor {

enum class Kind : uint8_t { compute, transfer, failed };

struct Event {
  uint64_t start_us = 0;    // since 1970
  uint32_t duration_us = 0; // at most 71 minutes
  uint32_t slot = 0;        // worker
  uint32_t group = 0;       // function
  uint32_t task = 0;        // index in its job
  uint64_t bytes : 48 = 0;  // of the result
  uint64_t kind : 8 = 0;
  uint64_t flags : 8 = 0;
};
static_assert(sizeof(Event) == 32);

/// Not locked: its owner is.
class Ring {
 public:
  explicit Ring(size_t size = size_t{1} << 17) : size_(size) {}
  void add(const Event& e) {
    if (events_.size() < size_) events_.push_back(e);
    else events_[static_cast<size_t>(count_) % size_] = e;
    ++count_;
  }
  /// Events since the ring was made; the last of them are there.
  uint64_t count() const { return count_; }
  /// Calls f(event) for events from number `from` on, as far as they are still there.
  template <class F>
  void each(uint64_t from, F f) const {
    if (count_ > events_.size() && from < count_ - events_.size()) from = count_ - events_.size();
    for (; from < count_; ++from) f(events_[static_cast<size_t>(from) % events_.size()]);
  }

 private:
  size_t size_;
  std::vector<Event> events_;  // grows to that size
  uint64_t count_ = 0;
};

}  // namespace muster::monitor
