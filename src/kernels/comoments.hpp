// Sums that correlations and covariances are made of.
#pragma once
#include "data/kernel.hpp"

namespace muster::kernels {

/// The fold "comoments" {types}: of each pair of columns (i, j <= i), over the rows where both are finite, how many these are, and the sums of squares and
/// products about their means: one column: count, xx, yy, xy of each pair, then missing and infinite values of each column.
data::Kernel comoments_kernel();

}  // namespace muster::kernels
