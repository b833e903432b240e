// getitem: one column as a series, several as a frame; the mask is filter.cpp's.
#include "ops/frame/columns.hpp"

namespace muster::ops::frame {
namespace {
// {columns: positions, series: bool}
Rows pick(const Rows& rows, const Value& at) {
  Rows out{rows.stage, {}, rows.index};
  for (const auto& i : at.list()) out.columns.push_back(rows.columns.at(static_cast<size_t>(i.integer())));
  return out;
}

Op op(std::string name, std::function<Schema(const Call&)> schema, std::function<Value(const Call&)> at) {
  return {.name = std::move(name), .on = {{internal, ""}}, .schema = std::move(schema), .lower = [at](Lowering& l, const Call& c) { return pick(l.input(), at(c)); }, .same_rows = true, .show = [](const Call& c) { return python_value(c["key"]); }};
}

Schema narrowed(const Schema& from, const std::vector<int64_t>& at, Kind kind) {
  Schema s{kind, {}, from.index, false};
  for (auto i : at) s.columns.push_back(from.columns[static_cast<size_t>(i)]);
  return s;
}
}  // namespace

Ops project_ops() {
  auto one = [](const Call& c) { return List{c.input().position(c["key"], "getitem")}; };
  auto several = [](const Call& c) {
    auto at = positions(c.input(), c["key"], "getitem");
    return List(at.begin(), at.end());
  };
  Op column = op("getitem", [](const Call& c) { return narrowed(c.input(), {c.input().position(c["key"], "getitem")}, c.input().kind == Kind::row ? Kind::scalar : Kind::series); }, one);
  Op columns = op("getitems", [](const Call& c) { return narrowed(c.input(), positions(c.input(), c["key"], "getitem"), c.input().kind); }, several);
  Op to_frame = op("to_frame", [](const Call& c) {
    Schema s = c.input();
    s.kind = Kind::frame;
    if (c.args.is_dict())
      for (const auto& [k, v] : c.args.dict())
        if (k.string() == "name") s.columns[0].label = v;
    if (s.columns[0].label.is_none()) s.columns[0].label = 0;
    return s;
  }, [](const Call&) { return List{0}; });
  to_frame.show = [](const Call&) { return std::string(); };
  // Columns by position: labels may repeat. {at, series}
  Op positioned = op("take_columns", [](const Call& c) {
    std::vector<int64_t> at;
    for (const auto& i : c["at"].list()) at.push_back(i.integer());
    return narrowed(c.input(), at, c["series"].boolean() ? Kind::series : c.input().kind);
  }, [](const Call& c) { return c["at"].list(); });
  positioned.show = [](const Call& c) { return c["at"].repr(); };
  // The first input's rows with the second's values as index.
  Op indexed{.name = "with_index", .on = {{internal, ""}}};
  indexed.schema = [](const Call& c) {
    if (c.inputs[0]->rows != c.inputs[1]->rows) throw unsupported("set_index: the index has other rows than the frame; make it from the frame itself");
    Schema s = c.input();
    s.index = c.input(1).columns;
    return s;
  };
  indexed.lower = [](Lowering& l, const Call&) {
    Rows rows = l.input();
    rows.index = l.input(1).columns;
    return rows;
  };
  indexed.same_rows = true;
  return {column, columns, to_frame, positioned, indexed};
}

}  // namespace muster::ops::frame
