// Expressions over partitions on a cluster, there or to come.
#pragma once
#include "api/session.hpp"

namespace muster::api {

base::List fields_of(const std::vector<data::Field>& fields);
Expr from_tasks(base::Dict tasks, int64_t count, const data::Schema& schema, base::List settlements, const base::Value& divisions);
/// The expressions with what was pending in its place; waits for it. Throws Error{cancelled} when the tick stops it.
std::vector<Expr> all_settled(const std::vector<Expr>& expressions, const RunOptions& options);

}  // namespace muster::api
