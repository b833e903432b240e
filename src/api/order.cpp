// Rows put in order, into other partitions, or chosen by their index: bodies of include/muster/dataframe.hpp. What the arguments may be the operators say.
#include "api/arguments.hpp"
#include "api/operators.hpp"
#include "api/session.hpp"
#include "base/error.hpp"
#include "muster/dataframe.hpp"
#include "ops/frame/columns.hpp"

namespace muster {
using namespace base;
using expr::Expr;
namespace operators = api::operators;
namespace {

Expr without_index(const Expr& rows) { return api::call(operators::reset_index, Dict{{"drop", true}}, {rows}); }

// By columns, or by the index; `divisions` of that are known of the result.
Expr ordered(const Expr& rows, const Value& by, bool of_index, const Sort& how, const Value& divisions = {}) {
  Dict arguments{{"by", by}, {"of_index", of_index}, {"ascending", api::value_of(how.ascending.literal)}, {"na_position", how.na_position}};
  arguments.emplace_back("partitions", divisions.is_list() ? Value() : api::partitions_of(how.npartitions));
  if (divisions.is_list()) arguments.emplace_back("divisions", divisions);
  const Expr out = api::call(operators::sort, std::move(arguments), {rows});
  return how.ignore_index ? without_index(out) : out;
}

Expr by_index(const Expr& rows, const Sort& how) {
  const bool stay = rows->divisions.is_list() && api::value_of(how.ascending.literal) == Value(true) && how.npartitions == 0;
  return ordered(rows, Value(), true, how, stay ? rows->divisions : Value());
}

// Whether index values lie between two, of which one may be open.
Expr between(const Expr& rows, const Literal& first, const Literal& last) {
  const Series index(api::index_of(rows));
  if (api::value_of(first).is_none()) return (index <= Operand(last)).expr;
  if (api::value_of(last).is_none()) return (index >= Operand(first)).expr;
  return ((index >= Operand(first)) & (index <= Operand(last))).expr;
}

// What may hold these index values is read, and of that they are kept. Values outside of the divisions are in the first partition, or in the last.
Expr chosen(const Expr& rows, const Literal& first, const Literal& last) {
  const auto& index = rows->schema.index;
  if (index.size() > 1) throw unsupported("loc: of an index of several levels");
  const Value low = api::value_of(first), high = api::value_of(last);
  if (low.is_none() && high.is_none()) return rows;
  Expr mask = between(rows, first, last), some = rows;  // says what is no index value
  if (rows->divisions.is_list() && index.size() == 1) {
    const auto& known = rows->divisions.list();
    const auto ends = api::divisions_of({low.is_none() ? last : first, high.is_none() ? first : last}, index[0]);
    List read;
    for (size_t p = 0; p + 1 < known.size(); ++p) {
      const bool lies_behind = p > 0 && !high.is_none() && ops::frame::is_below(ends[1], known[p]),
                 lies_before = p + 2 < known.size() && !low.is_none() && ops::frame::is_below(known[p + 1], ends[0]);
      if (!lies_behind && !lies_before) read.push_back(static_cast<int64_t>(p));
    }
    if (read.empty()) read.push_back(0);
    if (read.size() + 1 < known.size()) {
      some = api::call(operators::partitions, Dict{{"partitions", read}}, {rows});
      mask = between(some, first, last);
    }
  }
  return api::call(operators::filter, Dict{}, {some, mask});
}

Expr cut(const Expr& rows, const Literal::List& divisions, bool force) {
  const auto& index = rows->schema.index;
  return api::call(operators::repartition,
                   Dict{{"divisions", index.empty() ? api::value_of(divisions) : Value(api::divisions_of(divisions, index[0]))}, {"force", force}}, {rows});
}
}  // namespace

DataFrame DataFrame::sort_values(const Labels& by, const Sort& how) const { return DataFrame(ordered(expr, api::texts(by), false, how)); }
DataFrame DataFrame::sort_index(const Sort& how) const { return DataFrame(by_index(expr, how)); }
Series Series::sort_values(const Sort& how) const { return Series(ordered(expr, Value(), false, how)); }
Series Series::sort_index(const Sort& how) const { return Series(by_index(expr, how)); }

Series DataFrame::index() const { return Series(api::index_of(expr)); }
Series Series::index() const { return Series(api::index_of(expr)); }
DataFrame DataFrame::loc(const Literal& first, const Literal& last) const { return DataFrame(chosen(expr, first, last)); }
Series Series::loc(const Literal& first, const Literal& last) const { return Series(chosen(expr, first, last)); }

DataFrame DataFrame::set_index(const std::string& column, const SetIndex& how) const {
  const auto& index = expr->schema.columns[static_cast<size_t>(expr->schema.only(column, "set_index"))];
  const List divisions = api::divisions_of(how.divisions, index);
  Dict known;
  if (how.sorted && !divisions.empty()) {
    ops::frame::check_divisions(divisions, index);
    if (static_cast<int64_t>(divisions.size()) != npartitions() + 1)
      throw invalid("set_index: divisions of sorted rows are the borders of the partitions that are there, ", npartitions() + 1, " values, got ",
                    divisions.size());
    known.emplace_back("divisions", divisions);
  }
  const DataFrame rest = how.drop ? drop(column) : *this;
  const Expr indexed = api::call(operators::with_index, std::move(known), {rest.expr, (*this)[column].expr});
  if (how.sorted || (!how.sort && divisions.empty())) return DataFrame(indexed);
  return DataFrame(ordered(indexed, Value(), true, {.npartitions = how.npartitions}, divisions.empty() ? Value() : Value(divisions)));
}
DataFrame DataFrame::reset_index(bool drop) const { return DataFrame(api::call(operators::reset_index, Dict{{"drop", drop}}, {expr})); }

DataFrame DataFrame::shuffle(const Labels& on, const Shuffle& how) const {
  if (on.names.empty() != how.on_index)
    throw type_error("shuffle: ", how.on_index ? "the key is columns or the index, not both; leave one out" : "say which columns are the key, or on_index");
  Dict arguments{{"on", how.on_index ? Value() : api::texts(on)}, {"partitions", how.npartitions ? how.npartitions : npartitions()}};
  const Expr moved = api::call(operators::shuffle, std::move(arguments), {expr});
  return DataFrame(how.ignore_index ? without_index(moved) : moved);
}

DataFrame DataFrame::repartition(int64_t n) const { return DataFrame(api::call(operators::repartition, Dict{{"partitions", n}}, {expr})); }
DataFrame DataFrame::repartition(const Literal::List& divisions, bool force) const { return DataFrame(cut(expr, divisions, force)); }
Series Series::repartition(int64_t n) const { return Series(api::call(operators::repartition, Dict{{"partitions", n}}, {expr})); }
Series Series::repartition(const Literal::List& divisions, bool force) const { return Series(cut(expr, divisions, force)); }

}  // namespace muster
