// Tasks as plain data: the border between planning and running. A million-partition map is one range, not a million tasks.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

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
  int output = 0;  // which of a task's outputs
};

struct Range {
  int64_t count = 0;
  std::string function;           // "pipeline" or "combine"
  base::Value args;               // the same for every task
  std::vector<int64_t> partition; // task i works on partition[i]; empty = i
  std::vector<Dependency> inputs;
  bool wanted = false;            // results are kept for the caller
  std::string label;              // what explain, progress and errors call it
};

/// Ranges in topological order: a range needs only ranges before it.
struct Graph {
  std::vector<Range> ranges;
  int64_t tasks() const {
    int64_t n = 0;
    for (const auto& r : ranges) n += r.count;
    return n;
  }
};

}  // namespace muster::graph
