// The most frequent values of columns.
#pragma once
#include "data/kernel.hpp"

namespace muster::kernels {

/// The fold "modes" {types, dropna, parts, first}: of each input column the values that are there most often, in order; shorter columns are filled up with
/// missing values, which is reported of column i under the number first + i. Values are counted as a group-by counts, so that more than fit into memory go to
/// disk.
data::Kernel modes_kernel();

}  // namespace muster::kernels
