// sort_values, sort_index: all rows in order, in ranges that are partitions.
#include "ops/frame/columns.hpp"

namespace muster::ops::frame {
namespace {

// Among index columns and columns behind them, those to sort by.
std::vector<size_t> key_columns(const Call& c) {
  const auto index = index_fields(c.input());
  std::vector<size_t> out;
  if (c["by"].is_none()) {
    if (c["of_index"].boolean())
      for (size_t i = 0; i < index.size(); ++i) out.push_back(i);
    else out.push_back(index.size());
    return out;
  }
  for (const auto& label : labels(c["by"])) out.push_back(index.size() + static_cast<size_t>(c.only(label, "sort_values")));
  return out;
}

const Field& field_of(const Schema& s, const std::vector<Field>& index, size_t column) {
  return column < index.size() ? index[column] : s.columns[column - index.size()];
}

Schema sort_schema(const Call& c) {
  const auto index = index_fields(c.input());
  const auto& place = c["na_position"].string();
  if (place != "first" && place != "last") throw invalid("na_position must be either 'first' or 'last', got ", c["na_position"].repr());
  const auto keys = key_columns(c);
  if (keys.empty()) throw invalid("sort_values: no columns to sort by");
  for (size_t k : keys)
    if (const Field& f = field_of(c.input(), index, k); f.type.is_object())
      throw unsupported(c.op.name, ": ", f.label.repr(), " has dtype ", f.type.name(), ", whose order only pandas knows");
  if (c["divisions"].is_list()) check_divisions(c["divisions"].list(), index.at(0));
  if (c["ascending"].is_list() && c["ascending"].list().size() != keys.size())
    throw invalid("Length of ascending (", c["ascending"].list().size(), ") != length of by (", keys.size(), ")");
  return c.input();
}

int64_t partitions_of(const Call& c) {
  if (c["divisions"].is_list()) return static_cast<int64_t>(c["divisions"].list().size()) - 1;
  return c["partitions"].is_none() ? c.inputs[0]->npartitions : partition_count(c, c["of_index"].boolean() ? "sort_index" : "sort_values");
}

Rows sort_lower(Lowering& l, const Call& c) {
  const Rows rows = c["of_index"].boolean() ? labelled(l, c.input(), l.input()) : l.input();
  const auto width = index_fields(c.input()).size();  // row ids are one column too
  std::vector<int> in = l.input().index;
  in.insert(in.end(), rows.columns.begin(), rows.columns.end());
  List by, descending;
  for (size_t k : key_columns(c)) {
    const auto& ascending = c["ascending"];
    descending.push_back(!(ascending.is_list() ? ascending.list()[by.size()] : ascending).boolean());
    if (k < width && rows.index[k] != l.input().index[k]) {  // numbers that only this looks at
      by.push_back(in.size());
      in.push_back(rows.index[k]);
    } else {
      by.push_back(k);
    }
  }
  Dict args{{"by", by}, {"descending", descending}, {"missing_first", c["na_position"].string() == "first"}, {"parts", partitions_of(c)}};
  if (c["divisions"].is_list()) {
    const auto& borders = c["divisions"].list();
    args.emplace_back("bounds", List(borders.begin() + 1, borders.end() - 1)), args.emplace_back("bounds_type", code(index_fields(c.input()).at(0).type));
  }
  const Rows all = l.ranges(rows.stage, "order_rows", args, in);
  const auto at = all.columns.begin();
  const auto index = static_cast<std::ptrdiff_t>(width), end = index + static_cast<std::ptrdiff_t>(rows.columns.size());
  return {all.stage, {at + index, at + end}, {at, at + index}};
}
}  // namespace

Ops sort_ops() {
  // {by: labels or none, of_index, ascending: bool or one for each, na_position, partitions, or by index: divisions}
  return {{.name = "sort",
           .on = {{internal, ""}},
           .schema = sort_schema,
           .lower = sort_lower,
           .folds = true,
           .sets_divisions = true,
           .partitions = partitions_of,
           .show = [](const Call& c) { return c["of_index"].boolean() ? std::string("by index") : concat("by ", c["by"].repr()); }}};
}

}  // namespace muster::ops::frame
