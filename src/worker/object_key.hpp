// What is stored, fetched and read: all that a task has left, or one of its outputs alone.
#pragma once
#include <compare>
#include <cstdint>

#include "base/ids.hpp"

namespace muster::worker {

constexpr uint32_t kAllOutputs = 0xFFFFFFFF;
constexpr uint32_t kSlice = 0xFFFFFFFE;  // of what a range reads: the output of each task's own partition

struct ObjectKey {
  ObjectKey() = default;
  ObjectKey(base::TaskId t, uint32_t o = kAllOutputs) : task(t), output(o) {}
  auto operator<=>(const ObjectKey&) const = default;
  bool whole() const { return output == kAllOutputs; }
  base::TaskId task;
  uint32_t output = kAllOutputs;
};

}  // namespace muster::worker
