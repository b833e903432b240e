// Operators that read all of an input apart, and found no room for it.
#pragma once
#include "api/run.hpp"

namespace muster::api {

/// Of the failures among these ranges: the nodes that can be had with an exchange instead, as what they look into, or a task beside it, was refused memory.
std::vector<Expr> short_of_room(const Run& run, const std::vector<std::vector<worker::TaskResult>>& told, const std::vector<int>& ranges);

}  // namespace muster::api
