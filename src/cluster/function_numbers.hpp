// Functions of tasks by number, so that each worker gets their bytes once. Those that no range names any more stay for a while: the next job often calls
// them again.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "graph/graph.hpp"

namespace muster::cluster {

class FunctionNumbers {
 public:
  /// The number of these bytes, for one range more.
  uint32_t use(const graph::Blob& bytes);
  /// One range less. Returns the numbers that mean nothing from now on.
  std::vector<uint32_t> leave(uint32_t number);
  const std::string& bytes(uint32_t number) const { return *functions_.at(number).bytes; }

 private:
  struct Function {
    graph::Blob bytes;
    std::string content;  // its hash
    int64_t ranges = 0;
    uint64_t idle = 0;    // since when no range names it
  };
  std::unordered_map<uint32_t, Function> functions_;
  std::unordered_map<std::string, uint32_t> numbers_;  // by content
  std::map<uint64_t, uint32_t> idle_;                  // oldest first
  int64_t idle_bytes_ = 0;
  uint64_t idles_ = 0;
  uint32_t next_ = 0;
};

}  // namespace muster::cluster
