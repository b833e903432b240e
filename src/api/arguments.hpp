// Arguments of the public methods as the engine has them.
#pragma once
#include <string>
#include <vector>

#include "data/schema.hpp"
#include "expr/node.hpp"
#include "muster/literal.hpp"

namespace muster::api {

base::Value value_of(const Literal& literal);
base::Value texts(const std::vector<std::string>& texts);
/// The same labels of a frame; an operator says which of them it lacks.
inline base::Value texts(const Labels& labels) { return texts(labels.names); }
/// A number of partitions, none where it is 0: the operator's default.
inline base::Value partitions_of(int64_t count) { return count == 0 ? base::Value() : base::Value(count); }
/// Divisions of an index: texts are times where it has times. Throws Error{type} for a text that is none.
base::List divisions_of(const Literal::List& divisions, const data::Field& index);
/// The rows with divisions that are known of their only index column.
expr::Expr with_divisions(const expr::Expr& rows, const base::Value& divisions);
/// The values of the only index column, as a series.
expr::Expr index_of(const expr::Expr& rows);

}  // namespace muster::api
