// order_rows: all rows in order.
#pragma once
#include <vector>

#include "data/kernel.hpp"

namespace muster::kernels {

/// Arguments: "by", "descending" (a list each), "missing_first", "parts"; where they are given "bounds", the values of the only key at which parts begin, and
/// their dtype, "bounds_type"; and "in_parts_only" where the order inside of a part is of no interest.
std::vector<data::Kernel> sort_kernels();

}  // namespace muster::kernels
