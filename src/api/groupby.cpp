// Group-bys of include/muster/dataframe.hpp: each is one call of an operator, with a list of aggregates.
#include <algorithm>

#include "api/arguments.hpp"
#include "api/operators.hpp"
#include "api/session.hpp"
#include "base/error.hpp"
#include "muster/dataframe.hpp"

namespace muster {
using namespace base;
using api::texts;
using data::Kind;
using expr::Expr;
namespace operators = api::operators;
namespace {

Expr grouped(const Expr& frame, const std::vector<std::string>& keys, GroupBy how, List aggregates, Kind kind) {
  return api::call(operators::groupby,
              Dict{{"by", texts(keys)}, {"aggregates", std::move(aggregates)}, {"sort", how.sort}, {"dropna", how.dropna}, {"kind", static_cast<int>(kind)}},
              {frame});
}
Value size_of_groups(const std::string& label) { return Dict{{"label", label}, {"function", "size"}, {"whole_rows", true}}; }
Value aggregate(const Value& label, int64_t column, const std::string& function) { return Dict{{"label", label}, {"column", column}, {"function", function}}; }
Value aggregate(const Expr& frame, const std::string& label, const std::string& column, const std::string& function) {
  return function == "size" ? size_of_groups(label) : aggregate(label, frame->schema.only(column, operators::groupby), function);
}

// Functions whose result stands beside the rows of a group as pandas has it.
const std::vector<std::string> kBeside = {"sum", "mean", "min", "max", "count", "size", "std", "var", "first", "last", "nunique", "median"};

// An aggregate of columns of each group beside its rows: a group-by, whose result each row looks up by its keys. Labels are put aside meanwhile: they may be
// those of keys.
Expr beside_rows(const Expr& frame, const std::vector<std::string>& keys, const std::vector<int64_t>& columns, const std::string& function, GroupBy how,
                 Kind kind) {
  if (std::find(kBeside.begin(), kBeside.end(), function) == kBeside.end())
    throw invalid("transform: '", function, "' is none of ", join(kBeside, ", "), near_matches(function, kBeside));
  List at, names, of_keys, labels, aggregates;
  Dict narrow;  // sums of float32, which have 64 bits
  for (int64_t i : columns) {
    const auto& f = frame->schema.columns[static_cast<size_t>(i)];
    const std::string name = concat("value ", labels.size());
    if (function == "sum" && f.type.is_integer() && data::width(f.type.storage) < 8)
      throw unsupported("transform: the sum of ", f.type.name(), ", whose dtype depends on its values; astype(\"int64\") first");
    if (function == "sum" && f.type.storage == data::Storage::float32) narrow.emplace_back(name, f.type.name());
    aggregates.push_back(function == "size" ? size_of_groups(name) : aggregate(name, static_cast<int64_t>(labels.size()), function));
    at.push_back(i), names.push_back(name), labels.push_back(f.label);
  }
  for (const auto& key : keys) {
    at.push_back(frame->schema.only(key, operators::groupby));
    of_keys.push_back(concat("key ", of_keys.size())), names.push_back(of_keys.back());
  }
  const Expr picked = api::call(operators::take_columns, Dict{{"at", at}, {"series", false}}, {frame}),
             named = api::call(operators::rename, Dict{{"labels", names}}, {picked});
  std::vector<std::string> by;
  for (const auto& key : of_keys) by.push_back(key.string());
  Expr groups = api::call(operators::reset_index, Dict{{"drop", false}}, {grouped(named, by, how, aggregates, Kind::frame)});
  if (!narrow.empty()) groups = api::call(operators::astype, Dict{{"dtype", narrow}}, {groups});
  const Expr out = api::call(operators::groupby_transform, Dict{{"keys", static_cast<int64_t>(keys.size())}, {"kind", static_cast<int>(kind)}},
                             {api::call(operators::getitems, Dict{{"key", of_keys}}, {named}), groups});
  return api::call(operators::rename, kind == Kind::series ? Dict{{"name", labels[0]}} : Dict{{"labels", labels}}, {out});
}
}  // namespace

Series Series::value_counts(bool sort, bool ascending, bool dropna) const {
  const Expr counts = api::call(operators::groupby,
                          Dict{{"by", List{InputRef{0}}},
                               {"aggregates", List{size_of_groups("count")}},
                               {"sort", false},
                               {"dropna", dropna},
                               {"kind", static_cast<int>(Kind::series)}},
                          {expr});
  return Series(sort ? api::call(operators::sort_result, Dict{{"ascending", ascending}}, {counts}) : counts);
}
DataFrameGroupBy DataFrame::groupby(const Labels& keys, GroupBy how) const { return {*this, keys.names, how}; }

DataFrameGroupBy::DataFrameGroupBy(DataFrame frame, std::vector<std::string> keys, GroupBy how) : frame_(std::move(frame)), keys_(std::move(keys)), how_(how) {}
SeriesGroupBy DataFrameGroupBy::operator[](const std::string& column) const { return {frame_, keys_, column, how_}; }
Series DataFrameGroupBy::size() const { return Series(grouped(frame_.expr, keys_, how_, {size_of_groups("size")}, Kind::series)); }
DataFrame DataFrameGroupBy::agg(const std::string& function) const {
  List all;
  const auto& columns = frame_.expr->schema.columns;
  for (size_t i = 0; i < columns.size(); ++i)
    if (std::find(keys_.begin(), keys_.end(), columns[i].label.label()) == keys_.end())
      all.push_back(aggregate(columns[i].label, static_cast<int64_t>(i), function));
  return DataFrame(grouped(frame_.expr, keys_, how_, all, Kind::frame));
}
#define MUSTER_AGGREGATION(name) \
  DataFrame DataFrameGroupBy::name() const { return agg(#name); } \
  Series SeriesGroupBy::name() const { return one(#name); }
MUSTER_AGGREGATION(sum)
MUSTER_AGGREGATION(mean)
MUSTER_AGGREGATION(min)
MUSTER_AGGREGATION(max)
MUSTER_AGGREGATION(count)
MUSTER_AGGREGATION(std)
MUSTER_AGGREGATION(var)
MUSTER_AGGREGATION(median)
MUSTER_AGGREGATION(nunique)
MUSTER_AGGREGATION(first)
MUSTER_AGGREGATION(last)
MUSTER_AGGREGATION(prod)
#undef MUSTER_AGGREGATION
DataFrame DataFrameGroupBy::agg(const std::vector<std::pair<std::string, std::vector<std::string>>>& functions) const {
  List all;
  for (const auto& [column, names] : functions)
    for (const auto& f : names) all.push_back(aggregate(frame_.expr, names.size() == 1 ? column : column + " " + f, column, f));
  return DataFrame(grouped(frame_.expr, keys_, how_, all, Kind::frame));
}

SeriesGroupBy::SeriesGroupBy(DataFrame frame, std::vector<std::string> keys, std::string column, GroupBy how)
    : frame_(std::move(frame)), keys_(std::move(keys)), column_(std::move(column)), how_(how) {}
Series SeriesGroupBy::one(const std::string& f) const {
  return Series(grouped(frame_.expr, keys_, how_, {aggregate(frame_.expr, column_, column_, f)}, Kind::series));
}
Series SeriesGroupBy::size() const { return one("size"); }
DataFrame SeriesGroupBy::agg(const std::vector<std::string>& functions) const {
  List all;
  for (const auto& f : functions) all.push_back(aggregate(frame_.expr, f, column_, f));
  return DataFrame(grouped(frame_.expr, keys_, how_, all, Kind::frame));
}

DataFrame DataFrameGroupBy::transform(const std::string& function) const {
  if (function == "size") throw invalid("transform: 'size' is one column for all; ask for it of one, groupby(...)[column].transform(\"size\")");
  std::vector<int64_t> others;
  const auto& columns = frame_.expr->schema.columns;
  for (size_t i = 0; i < columns.size(); ++i)
    if (std::find(keys_.begin(), keys_.end(), columns[i].label.label()) == keys_.end()) others.push_back(static_cast<int64_t>(i));
  return DataFrame(beside_rows(frame_.expr, keys_, others, function, how_, Kind::frame));
}
Series SeriesGroupBy::transform(const std::string& function) const {
  return Series(beside_rows(frame_.expr, keys_, {frame_.expr->schema.only(column_, operators::groupby)}, function, how_, Kind::series));
}

}  // namespace muster
