// Exact medians and quantiles of groups.
#pragma once
#include "kernels/aggregate.hpp"

namespace muster::kernels {

/// The aggregates "median" and "quantile": the value of rank `q`, between 0 and 1, of each group, interpolated as NumPy does. skipna false: missing where one
/// of the group's values is.
std::unique_ptr<Aggregate> ranked_aggregate(double q, data::DType type, data::DType result, bool skipna);

}  // namespace muster::kernels
