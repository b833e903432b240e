// Rows in order of some of their columns, equal rows as they stand.
#pragma once
#include <vector>

#include "kernels/sort_order.hpp"

namespace muster::kernels {

/// The rows of a batch in order; the batch itself where they are.
data::Batch sorted(const data::Batch& batch, const SortKeys& keys);

/// Runs that are each in order as one batch in order, of their first `columns` columns. Equal rows stand in order of their runs.
/// In ranges of rows that fit into a cache, on several threads where that is asked for: beside the runs and the result it needs little memory.
data::Batch merge_sorted(const std::vector<const data::Batch*>& runs, const SortKeys& keys, size_t columns, bool on_threads = true);

}  // namespace muster::kernels
