// What the tasks of a range need and leave of memory, and why a limit is too small for it. The job's lock guards all but `need`.
#pragma once
#include <atomic>
#include <vector>

#include "graph/graph.hpp"
#include "kernels/distinct_sketch.hpp"
#include "kernels/pipeline.hpp"

namespace muster::worker {

/// The state of a fold that collects rows, of which all may be wanted.
bool is_gathering(const kernels::Output& o);
/// How often such rows must fit: pandas' functions of all rows have a copy of them, and make as much again. 0 of other outputs.
int64_t copies_of(const kernels::Output& o);

struct RangeMemory {
  std::atomic<int64_t> need{0};  // the most that one task needed, or was refused
  bool gathered = false;         // its results are needed all at once
  int64_t made = 0, kept = 0;    // tasks, and bytes of their rows that are there
  int64_t rows = 0;              // bytes of the rows of all that are made, also of those that are merged by now
  int64_t copies = 1;            // how often these must fit
  std::vector<kernels::DistinctSketch> groups = {};  // of each output that is a group-by's state

  void learn(int64_t bytes) {
    for (int64_t known = need; known < bytes && !need.compare_exchange_weak(known, bytes);) {}
  }
  void add(const std::vector<kernels::Output>& outputs);
  void drop(const std::vector<kernels::Output>& outputs);
  /// Bytes of the rows of all tasks, as those that are made have it.
  int64_t estimate(const graph::Range& range) const { return made ? rows / made * range.count * copies : 0; }
};

/// Null, or why the groups seen so far are too many: their rows must fit twice, as parts and as the result. `outputs` are of the last task made.
std::exception_ptr too_many_groups(RangeMemory& memory, const graph::Range& range, const std::vector<kernels::Output>& outputs);
/// Rows that are needed all at once are more than the limit; `gathering` bytes are collected by folds.
std::exception_ptr too_much(const RangeMemory& memory, const graph::Range& range, int64_t gathering);
/// A task was refused memory, alone, with `kept` bytes of rows beside it.
Error too_little(const RangeMemory& memory, const graph::Range& range, int64_t need, int64_t kept, int64_t gathering);

}  // namespace muster::worker
