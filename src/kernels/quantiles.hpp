// Exact quantiles of a column.
#pragma once
#include "data/kernel.hpp"

namespace muster::kernels {

/// The fold "quantiles" {type, q}: one row, a column for each q in the list, interpolated linearly between the two nearest values. Missing values are left out.
data::Kernel quantiles_kernel();

}  // namespace muster::kernels
