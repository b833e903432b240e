// Rows that stay: small batches are packed into ranges of some MiB, each one piece of memory with all columns of its rows, so that what is kept is dense, and
// whole pages of it are free as soon as its rows are used up. The batches' own memory stays in the caches and is written over.
#pragma once
#include "data/column.hpp"

namespace muster::kernels {

/// The same texts in memory of their own, without the dictionary they came with.
data::Column leave_dictionary(data::Column column);

class Packing {
 public:
  /// Keeps these rows; returns their bytes. Texts of the columns may be written over afterwards.
  int64_t add(std::span<const data::Column> columns, int64_t rows);
  /// All rows, in their order. Where they are fewer than the texts of their dictionary, as behind a filter, they have left it; so have columns that are
  /// little of the object they lay in.
  data::Batches take();
  /// Bytes beside those that add() told of, once all rows were taken: dictionaries that stay, and texts that were copied to leave others.
  int64_t behind() const { return behind_; }

 private:
  struct Range;
  void keep(std::span<const data::Column> columns, int64_t rows);
  void open(std::span<const data::Column> columns, int64_t rows, int64_t text);
  void close();
  void leave_dictionaries();
  void leave_objects();

  data::Batches rows_;
  size_t loose_ = 0;  // of these the last, which wait for a range
  std::shared_ptr<Range> range_;
  int64_t behind_ = 0;
  int64_t seen_rows_ = 0, seen_bytes_ = 0, seen_text_ = 0;  // of what was packed or waits
};

}  // namespace muster::kernels
