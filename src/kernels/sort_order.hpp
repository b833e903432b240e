// The order of rows by some of their columns, each ascending or descending, missing values at either end. Stable: equal rows stay as they stand.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "data/column.hpp"

namespace muster::kernels {

/// How a column is ordered.
struct SortKey {
  size_t column;  // of a batch
  bool descending = false, missing_first = false;
};
using SortKeys = std::vector<SortKey>;

/// The rows of batches that stand behind each other, counted through all of them, in order. Throws Error{memory} for more than can be numbered.
std::vector<uint32_t> sort_order(std::span<const data::Batch> rows, const SortKeys& keys);
/// Negative where row `i` of `a` stands before row `k` of `b`, 0 where they are equal. Their columns have the same storage.
int compare_rows(const data::Batch& a, int64_t i, const data::Batch& b, int64_t k, const SortKeys& keys);

}  // namespace muster::kernels
