// The rows at the ends of partitions that windows of other partitions reach. A fold gathers them; its result is one row, of which every task opens the parts
// that lie near to its own partition. Each partition's rows are there once, so that far reaching windows need no more memory than the columns.
#pragma once
#include <cstdint>

#include "data/kernel.hpp"

namespace muster::kernels {

/// "edges" {before, after: rows} of columns: of each partition the last `before` rows and the first `after`.
///         {span, what} of times and columns: the rows that are as near to the partition's last as `span`. Throws Error{invalid} for a missing time of `what`.
data::Kernel edges_kernel();

/// How far apart two times are; any two of int64 are.
inline uint64_t distance(int64_t a, int64_t b) {
  return a > b ? static_cast<uint64_t>(a) - static_cast<uint64_t>(b) : static_cast<uint64_t>(b) - static_cast<uint64_t>(a);
}

/// The fold's result, as a partition sees it.
class Edges {
 public:
  struct Entry {
    int64_t partition, head, tail;  // where its rows begin
  };
  Edges(const data::Column& all, int64_t partition);
  /// Whether the times of all partitions descend.
  bool descend() const { return descend_; }
  /// The last `rows` rows in front of the partition, or as many as there are; no columns where there are none.
  data::Batch in_front(int64_t rows) const;
  /// Those that are as near to `time` as `span`, and one more if there is one.
  data::Batch in_front(int64_t time, uint64_t span) const;
  /// The first rows behind it.
  data::Batch behind(int64_t rows) const;

 private:
  Entry entry(int64_t i) const;
  data::Batch rows_at(int64_t begin) const;
  int64_t partition_, count_ = 0, at_ = 0;  // its own; how many have rows; the first of these that is not in front
  bool descend_ = false;
  std::string_view entries_, rows_;
};

}  // namespace muster::kernels
