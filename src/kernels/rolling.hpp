// Moving windows: a row's window is some rows in front of it and behind, by number or by time. Rows of other partitions come from a fold (kernels/edges.hpp).
#pragma once
#include <vector>

#include "data/kernel.hpp"

namespace muster::kernels {

/// "rolling" {function: sum, mean, count, min, max, var or std; min_periods, left, right: whether a window has its ends; ddof} of columns of numbers and, last,
/// the edges: with {window: rows}, or with {span, what} and times between columns and edges, which ascend or descend. Throws Error{invalid} where they do not.
/// "rolling_centred" {offset} besides: windows reach `offset` rows behind their row.
std::vector<data::Kernel> rolling_kernels();

}  // namespace muster::kernels
