// How many different values each of some columns has.
#pragma once
#include "data/kernel.hpp"

namespace muster::kernels {

/// The fold "distinct_counts" {types, dropna, parts}: one row, a count for each input column. Values are collected as a group-by collects groups, so that more than fit into memory go to disk.
data::Kernel distinct_counts_kernel();

}  // namespace muster::kernels
