// Rows in order of some of their columns: ascending, missing values last, equal rows as they stand.
#pragma once
#include <vector>

#include "data/column.hpp"

namespace muster::kernels {

/// The places of columns in a batch to sort by, the first foremost.
using SortColumns = std::vector<size_t>;

/// The rows of a batch in order.
data::Batch sorted(const data::Batch& batch, const SortColumns& by);

/// Runs that are each in order as one batch in order, of their first `columns` columns. Equal rows stand in order of their runs.
/// On several threads, in ranges of rows that fit into a cache: beside the runs and the result it needs little memory.
data::Batch merge_sorted(const std::vector<const data::Batch*>& runs, const SortColumns& by, size_t columns);

}  // namespace muster::kernels
