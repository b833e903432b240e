// Stable orders of rows by a column, missing values last.
#pragma once
#include <vector>

#include "data/column.hpp"

namespace muster::kernels {

/// Puts the rows in `order` into the order of the column's values; equal ones stay as they stand.
void stable_order(const data::Column& column, std::vector<uint32_t>& order);

}  // namespace muster::kernels
