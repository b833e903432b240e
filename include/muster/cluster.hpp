// Clusters: workers and schedulers as programs.
#pragma once
#include <string>
#include <vector>

#include "muster/export.hpp"

namespace muster {

/// What the program muster-node does, for programs that want to be started as workers themselves: {"worker", address, ...} or {"scheduler", ...}.
/// Returns the exit status; throws Error{invalid} on arguments it does not know.
MUSTER_API int node_main(const std::vector<std::string>& arguments);

}  // namespace muster
