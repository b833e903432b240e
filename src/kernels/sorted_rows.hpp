// order_rows: all rows in order.
#pragma once
#include <vector>

#include "data/kernel.hpp"

namespace muster::kernels {

/// Arguments: "by", "descending" (a list each), "missing_first", "parts"; and "bounds", the rows at which parts begin, where these are given.
std::vector<data::Kernel> sort_kernels();

}  // namespace muster::kernels
