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
  return {.name = std::move(name),
          .on = {{internal, ""}},
          .schema = std::move(schema),
          .lower = [at](Lowering& l, const Call& c) { return pick(l.input(), at(c)); },
          .same_rows = true,
          .show = [](const Call& c) { return python_value(c["key"]); }};
}

Schema narrowed(const Schema& from, const std::vector<int64_t>& at, Kind kind) {
  Schema s{kind, {}, from.index, false};
  for (auto i : at) s.columns.push_back(from.columns[static_cast<size_t>(i)]);
  return s;
}

// What a key means: one column, or all that have this label or begin with it.
std::vector<int64_t> of_key(const Call& c, const Label& key) {
  auto at = c.positions().meant(key);
  if (at.empty()) c.input().position(key, "getitem");
  return at;
}

List several(const Call& c) {
  List out;
  for (const auto& key : labels(c["key"]))
    for (auto i : of_key(c, key)) out.push_back(i);
  return out;
}

// One column as a series. Several stay a frame: of labels in levels without those that the key names, and a single one whose other levels are all "" is a
// series again.
Schema of_one_key(const Call& c) {
  const Schema& in = c.input();
  const Label& key = c["key"];
  const auto at = of_key(c, key);
  const Kind one = in.kind == Kind::row ? Kind::scalar : Kind::series;
  const size_t levels = c.positions().levels();
  const auto& first = in.columns[static_cast<size_t>(at[0])].label;
  if (at.size() == 1 && first == key) return narrowed(in, at, one);
  Schema s = narrowed(in, at, in.kind);
  if (levels == 1) return s;
  size_t named = key.is_list() ? std::min(key.list().size(), levels - 1) : 1;
  if (at.size() == 1 && in.kind == Kind::frame)
    while (named < levels && first.list()[named] == Value("")) ++named;
  if (named == levels) {
    s.kind = Kind::series, s.columns[0].label = key;
    return s;
  }
  for (auto& f : s.columns) {
    const List all = f.label.list();
    f.label = named == levels - 1 ? all.back() : Label(List(all.begin() + static_cast<std::ptrdiff_t>(named), all.end()));
  }
  return s;
}
}  // namespace

Ops project_ops() {
  Op column = op("getitem", of_one_key, [](const Call& c) {
    const auto at = of_key(c, c["key"]);
    return List(at.begin(), at.end());
  });
  Op columns = op("getitems", [](const Call& c) {
    std::vector<int64_t> at;
    for (const auto& i : several(c)) at.push_back(i.integer());
    return narrowed(c.input(), at, c.input().kind);
  }, several);
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
  indexed.same_rows = true, indexed.sets_divisions = true;
  return {column, columns, to_frame, positioned, indexed};
}

}  // namespace muster::ops::frame
