// Expressions on a cluster that have nothing to do with each other, in one run.
#pragma once
#include <exception>
#include <functional>
#include <vector>

#include "api/session.hpp"

namespace muster::api {

/// Called with the number of an expression and what persist() of it alone returns, or what it failed of.
using Told = std::function<void(size_t expression, const Expr& there, const std::exception_ptr& error)>;

/// persist() of each, on `options.cluster`: told as soon as its own partitions are there, whatever becomes of the others. What they share is made once.
/// Throws what planning throws, and Error{cancelled} when the tick stops it: those that were told by then stay.
MUSTER_API void persist_each(const std::vector<Expr>& expressions, const RunOptions& options, const Told& told);

}  // namespace muster::api
