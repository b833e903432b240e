// Estimates are made of the tasks that have ended: bytes a task times tasks. A refusal says what was needed, what is known of the rest, and the ways out.
#include "worker/range_memory.hpp"

#include <algorithm>
#include <limits>

#include "base/error.hpp"
#include "kernels/aggregate.hpp"
#include "worker/store.hpp"

namespace muster::worker {
using namespace base;
using kernels::Output;
namespace {
constexpr int64_t kCopies = 3;

int64_t megabytes(int64_t bytes) { return bytes / 1'000'000; }
constexpr int64_t kPieces = 2;  // rows that are looked into, as they came and in one piece

bool is_looked_into(const Output& o) { return o.recipe && data::traits(o.recipe->kernel).is_looked_into; }
// Whether it lies in memory as it is until all of its readers are done.
bool stays(const Output& o) { return o.batches || is_gathering(o) || is_looked_into(o); }
std::string too_small() { return concat("the memory budget of ", megabytes(budget().limit()), " MB is too small"); }
}  // namespace

bool is_gathering(const Output& o) {
  if (!o.recipe) return false;
  const auto& of = data::traits(o.recipe->kernel);
  return of.positional && !of.ranged;
}

int64_t copies_of(const Output& o) { return !is_gathering(o) ? 0 : o.recipe->args["n"].integer() == std::numeric_limits<int64_t>::max() ? kCopies : 1; }

void RangeMemory::add(const std::vector<Output>& outputs) {
  made += !outputs.empty();  // those that failed left nothing
  for (const auto& o : outputs) {
    if (stays(o)) kept += o.bytes, rows += o.bytes;
    copies = std::max(copies, is_looked_into(o) ? kPieces : copies_of(o));
  }
}

void RangeMemory::drop(const std::vector<Output>& outputs) {
  for (const auto& o : outputs)
    if (stays(o)) kept -= o.bytes;  // what was spilled is not kept
}

std::exception_ptr too_many_groups(RangeMemory& memory, const graph::Range& range, const std::vector<Output>& outputs) {
  memory.groups.resize(outputs.size());
  for (size_t i = 0; i < outputs.size(); ++i) {
    const auto* seen = outputs[i].fold ? kernels::groups_seen(*outputs[i].fold) : nullptr;
    if (!seen) continue;
    memory.groups[i].merge(*seen);
    const int64_t groups = memory.groups[i].estimate(), bytes = 2 * groups * kernels::group_bytes(outputs[i].recipe->args);
    if (bytes / 16 * 15 <= budget().limit()) continue;  // it may be a little wrong
    return std::make_exception_ptr(
        Error(ErrorKind::memory, concat(too_small(), " for the groups of ", range.label, ": about ", megabytes(bytes / memory.made * range.count),
                                        " MB if they become more as until now (", megabytes(bytes), " MB for ", groups, " groups after ", memory.made, " of ",
                                        range.count, " tasks); ", kWaysOut)));
  }
  return nullptr;
}

std::exception_ptr too_much(const RangeMemory& memory, const graph::Range& range, int64_t gathering) {
  const int64_t kept = std::max(memory.kept, gathering);
  return std::make_exception_ptr(
      Error(ErrorKind::memory, concat(too_small(), " for ", range.wanted ? "the result of " : "the rows that are needed at once behind ", range.label,
                                      ": about ", megabytes(std::max(kept, memory.estimate(range))), " MB (", megabytes(kept), " MB after ", memory.made,
                                      " of ", range.count, " tasks); ", kWaysOut)));
}

Error too_little(const RangeMemory& memory, const graph::Range& range, int64_t need, int64_t kept, int64_t gathering) {
  std::string all;
  if (memory.made && (memory.gathered || gathering)) all = concat(", about ", megabytes(std::max(gathering, memory.estimate(range))), " MB for all of them");
  return Error(ErrorKind::memory,
               concat(too_small(), ": a partition needs ", megabytes(need), " MB or more beside ", megabytes(kept), " MB that are kept", all, "; ", kWaysOut));
}

}  // namespace muster::worker
