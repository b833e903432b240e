// In which order the ranges of a plan go. Later ones first, so that results are used up before new ones are made; but what is made for a task that still waits
// for whole ranges would only lie there: those ranges go before it.
#include <algorithm>

#include "schedule/scheduler.hpp"

namespace muster::schedule {
namespace {
constexpr uint32_t kMost = 255;        // what a priority tells apart
constexpr uint32_t kPlanned = 4096;    // ranges: a graph of more is no plan
}

// Ranges that a reader's task needs as they go, and those that must be done before any of its tasks begins.
struct Scheduler::Before {
  std::vector<uint8_t> beside, whole;  // by range, from the first of the graph
};

void Scheduler::find_before(const Job& j, uint32_t base, uint32_t reader, Before& out) const {
  out.beside.assign(j.ranges.size() - base, 0), out.whole.assign(j.ranges.size() - base, 0);
  std::vector<std::pair<uint32_t, bool>> waiting{{reader, false}};  // and whether it must be done as a whole
  while (!waiting.empty()) {
    const auto [at, whole] = waiting.back();
    waiting.pop_back();
    for (const auto& d : j.ranges[at].spec->inputs) {
      const auto source = static_cast<uint32_t>(d.range);
      const bool done = whole || d.every();
      uint8_t& seen = done ? out.whole[source] : out.beside[source];
      if (!std::exchange(seen, 1)) waiting.emplace_back(base + source, done);
    }
  }
}

void Scheduler::set_levels(Job& j, uint32_t base) {
  const auto end = static_cast<uint32_t>(j.ranges.size());
  if (end - base > kPlanned) return;
  for (uint32_t n = end; n-- > base;)
    for (const auto& d : j.ranges[n].spec->inputs)
      if (RangeState& source = j.ranges[base + static_cast<uint32_t>(d.range)]; !d.every()) source.level = std::max(source.level, j.ranges[n].level - 1);
  Before before;
  for (uint32_t n = end; n-- > base;) {
    const auto& inputs = j.ranges[n].spec->inputs;
    if (inputs.size() < 2 || std::all_of(inputs.begin(), inputs.end(), [](const auto& d) { return d.every(); })) continue;
    find_before(j, base, n, before);
    uint32_t beside = 0, first = UINT32_MAX;
    for (uint32_t i = 0; i < end - base; ++i) {
      const uint32_t level = j.ranges[base + i].level;
      if (before.whole[i]) first = std::min(first, level);
      else if (before.beside[i]) beside = std::max(beside, level);
    }
    if (first > beside) continue;
    for (uint32_t i = 0; i < end - base; ++i)
      if (before.whole[i]) j.ranges[base + i].level += beside + 1 - first;
  }
  std::vector<uint32_t> levels;
  for (uint32_t n = base; n < end; ++n) levels.push_back(j.ranges[n].level);
  std::sort(levels.begin(), levels.end());
  if (levels.empty() || levels.back() <= kMost) return;
  levels.erase(std::unique(levels.begin(), levels.end()), levels.end());
  for (uint32_t n = base; n < end; ++n)
    j.ranges[n].level = static_cast<uint32_t>(std::lower_bound(levels.begin(), levels.end(), j.ranges[n].level) - levels.begin());
}

}  // namespace muster::schedule
