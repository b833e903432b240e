// When a task goes, as one number: smaller goes first. What the user asked for, then older jobs, then later stages, then earlier tasks.
#pragma once
#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdlib>

namespace muster::schedule {

/// A user's priority, in units of 1/256, in 15 bits and a sign: in its order, and 11 bits of it are told apart.
inline int32_t in_few_bits(int32_t priority) {
  const auto size = static_cast<uint32_t>(std::abs(int64_t{priority}));
  const int shift = std::max(0, static_cast<int>(std::bit_width(size)) - 11);
  const int32_t code = (shift << 10) + static_cast<int32_t>(size >> shift);
  return priority < 0 ? -code : code;
}

/// Equal for the tasks of a job beyond its 16 millionth, of which the scheduler looks at the ids.
inline uint64_t order_of(int32_t priority, uint32_t job, uint64_t stage, uint32_t index) {
  const auto user = static_cast<uint64_t>((1 << 15) - in_few_bits(priority));
  return user << 48 | uint64_t{job & 0xFFFF} << 32 | std::min<uint64_t>(stage, 255) << 24 | std::min<uint32_t>(index, (1 << 24) - 1);
}

}  // namespace muster::schedule
