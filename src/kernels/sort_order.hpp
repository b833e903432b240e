// The order of rows by some of their columns, each ascending or descending, missing values at either end. Stable: equal rows stay as they stand.
#pragma once
#include <bit>
#include <cstdint>
#include <span>
#include <type_traits>
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

/// A number whose order as an unsigned one is that of values of a fixed width.
template <class T>
uint64_t ordered_word(T v) {
  if constexpr (std::is_floating_point_v<T>) {
    const auto bits = std::bit_cast<uint64_t>(v == 0 ? 0.0 : static_cast<double>(v));  // -0.0 equals 0.0
    return bits >> 63 ? ~bits : bits | (uint64_t{1} << 63);
  } else if constexpr (std::is_signed_v<T>) {
    return static_cast<uint64_t>(static_cast<int64_t>(v)) ^ (uint64_t{1} << 63);
  } else {
    return v;
  }
}

/// A row by a number that it is sorted by.
struct WordRow {
  uint64_t word;
  uint32_t row;
};
/// Puts rows in the order of their words; rows of equal words, whose numbers ascend, stay as they stand. `scratch` is room that is used again.
void sort_words(std::span<WordRow> rows, std::vector<WordRow>& scratch);

}  // namespace muster::kernels
