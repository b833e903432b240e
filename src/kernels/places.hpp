// Rows picked from several batches.
#pragma once
#include <span>
#include <vector>

#include "data/column.hpp"

namespace muster::kernels {

struct Place {
  uint32_t batch, row;
};
using BatchPointers = std::span<const data::Batch* const>;  // batches whose columns have the same storage, and none is constant

/// Room for `rows` rows of column `c`.
data::Writable to_gather(BatchPointers batches, size_t c, int64_t rows);
/// Puts column `c` of these rows there, from row `at` on. Not of objects, which are not numbered alike in all batches.
void gather(BatchPointers batches, size_t c, std::span<const Place> places, data::Writable& out, int64_t at);
/// The column, once all is there.
data::Column gathered(BatchPointers batches, size_t c, data::Writable made);
/// The same at once; of any column.
data::Column gather(BatchPointers batches, size_t c, std::span<const Place> places);

}  // namespace muster::kernels
