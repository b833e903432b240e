// Ids of the runtime: dense numbers, so that state lives in arrays.
#pragma once
#include <compare>
#include <cstdint>
#include <functional>

namespace muster::base {

using JobId = uint32_t;     // the client's number in the upper 12 bits, its jobs in the lower 20
using ClientId = uint32_t;
using Slot = uint32_t;      // of a worker: dense, used again after its death

constexpr int kJobBits = 20;
constexpr uint32_t kNone = 0xFFFFFFFF;

/// A task, and the object it leaves: number `index` of its job.
struct TaskId {
  JobId job = 0;
  uint32_t index = 0;
  auto operator<=>(const TaskId&) const = default;
  uint64_t bits() const { return uint64_t{job} << 32 | index; }
  static TaskId of(uint64_t bits) { return {static_cast<JobId>(bits >> 32), static_cast<uint32_t>(bits)}; }
};

struct TaskHash {
  size_t operator()(const TaskId& t) const { return std::hash<uint64_t>()(t.bits() * 0x9E3779B97F4A7C15ull); }
};

}  // namespace muster::base
