// Tasks as plain data: the border between planning and running. A million-partition map is one range, not a million tasks.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/value.hpp"

namespace muster::graph {

/// Which tasks of another range task i needs.
struct Dependency {
  enum class Rule : uint8_t {
    map,    // task i of the range
    block,  // tasks i * k .. i * k + k - 1 of the range, as far as they exist
    all,    // every task of the range
  };
  int range;
  Rule rule = Rule::map;
  int64_t k = 1;
  int output = 0;  // which of a task's outputs; -1: none, only the order matters
};

/// What the user asked of tasks beside their result.
struct Options {
  int priority = 0;                                      // higher goes first; -127 ... 127
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
