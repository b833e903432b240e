// Calls of the guest language in the graph of a plan.
#pragma once
#include "api/run.hpp"

namespace muster::api {

/// Puts the calls in front of a plan's tasks: sources that take values from them need them.
void put_in_front(Calls& calls, const plan::Plan& plan, plan::Expanded& expanded);

}  // namespace muster::api
