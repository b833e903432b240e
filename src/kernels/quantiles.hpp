// Exact quantiles of a column.
#pragma once
#include "data/kernel.hpp"

namespace muster::kernels {

/// The fold "quantiles" {type, q, middle}: one row, a column for each q in the list, interpolated linearly between the two nearest values; middle: the
/// median, their mean. Missing values are left out.
data::Kernel quantiles_kernel();

}  // namespace muster::kernels
