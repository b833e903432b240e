// How many different values each of some columns has, in all or in each group.
#pragma once
#include "data/kernel.hpp"

namespace muster::kernels {

/// The fold "distinct_counts" {types, dropna, parts}: one row, a count for each input column. Values are collected as a group-by collects groups, so that
/// more than fit into memory go to disk.
data::Kernel distinct_counts_kernel();

/// The fold "distinct_in_groups" {keys, values, skips_missing, dropna, sort, parts} of key columns and values: a row for each group, its keys and a count for
/// each value. dropna and sort are of the keys, as of a group-by; skips_missing: missing values do not count.
data::Kernel distinct_in_groups_kernel();

}  // namespace muster::kernels
