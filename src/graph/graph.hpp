// Tasks as plain data: the border between planning and running. A million-partition map is one range, not a million tasks.
#pragma once
#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.hpp"
#include "base/value.hpp"

namespace muster::graph {

/// Which tasks of another range task i needs.
struct Dependency {
  enum class Rule : uint8_t {
    map,    // task i - first of the range, if there is one
    block,  // tasks (i - first) * k .. + k - 1 of the range, as far as they exist
    all,    // every task of the range
    slice,  // every task of the range, and of each the output of the needing task's partition; the only one of a task that has no others
  };
  int range;
  Rule rule = Rule::map;
  int64_t k = 1;
  int output = 0;  // which of a task's outputs; -1: none, only the order matters
  int64_t first = 0;

  /// Whether a task needs every task of the range.
  bool every() const { return rule == Rule::all || rule == Rule::slice; }
  bool slices() const { return rule == Rule::slice; }
  /// The output that the task of this partition needs.
  int output_for(int64_t partition) const { return slices() ? static_cast<int>(partition) : output; }
  /// The tasks of a range of `count` that task i needs: from, and up to but not.
  std::pair<int64_t, int64_t> needs(int64_t i, int64_t count) const {
    if (every()) return {0, count};
    const int64_t each = rule == Rule::block ? k : 1, begin = (i - first) * each;
    return {std::clamp<int64_t>(begin, 0, count), std::clamp<int64_t>(begin + each, 0, count)};
  }
  /// The task that needs task `source`, where not every task does.
  int64_t reader(int64_t source) const { return source / (rule == Rule::block ? k : 1) + first; }
};

/// What the user asked of tasks beside their result.
struct Options {
  int priority = 0;                                      // higher goes first; in units of 1/256
  int retries = 0;                                       // runs after an exception
  std::vector<std::string> workers;                      // addresses, names or hosts that may run it; empty = all
  bool allow_other_workers = false;                      // `workers` is a wish
  std::vector<std::pair<std::string, double>> resources; // what it occupies of a worker's resources
  int64_t timeout_us = 0;                                // running longer is a failure; 0 = as long as it takes
  bool operator==(const Options&) const = default;
};

using Blob = std::shared_ptr<const std::string>;

struct Range {
  int64_t count = 0;
  std::string function = {};      // a kind of worker/functions.cpp: "pipeline", "combine", "guest", "python", "native"
  base::Value args = {};          // the same for every task
  std::vector<int64_t> partition = {}; // task i works on partition[i]; empty = i
  std::vector<Dependency> inputs = {}; // by rule
  bool wanted = false;            // results are kept for the caller
  std::vector<uint32_t> wanted_tasks = {};  // if not all: these of them
  bool reports = false;           // the caller reads what tasks report, wanted or not
  std::string label = {};         // what explain, progress and errors call it
  Options options = {};

  // Explicit inputs, in addition: task i needs needs[begins[i]] .. needs[begins[i + 1] - 1], tasks made before it.
  std::vector<uint32_t> begins = {};
  std::vector<base::TaskId> needs = {};
  int output = 0;  // which of these tasks' outputs
  // Of "python" and "native": functions of the range, which one task i calls (empty: the first), and its arguments as bytes nobody here opens.
  std::vector<Blob> functions = {};
  std::vector<uint32_t> function_of = {};
  std::vector<std::string> labels = {};     // of the functions; empty: `label` for all
  std::vector<Blob> arguments = {};
};

/// Ranges in topological order: a range needs only ranges before it. Tasks are numbered through all ranges of a job.
struct Graph {
  std::vector<Range> ranges;
  int64_t tasks() const {
    int64_t n = 0;
    for (const auto& r : ranges) n += r.count;
    return n;
  }
};

}  // namespace muster::graph
