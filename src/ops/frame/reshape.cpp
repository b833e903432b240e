// Columns come, go and change their names or dtypes; rows stay: astype, assign, rename, add_prefix, add_suffix, drop, reset_index, the index as a series.
#include <set>
#include <unordered_map>

#include "ops/frame/columns.hpp"

namespace muster::ops::frame {
namespace {
DType cast_type(DType from, const Value& to) {
  DType t = dtype_named(to.string());
  if (from.is_object()) throw unsupported("astype of an object column; use map_partitions");
  if (to == Value("object") && !from.is_text()) throw unsupported("astype: a column of objects");
  // how many digits all values have depends on all of them
  if (t.is_text() && (from.is_time() || from.storage == Storage::float32)) throw unsupported("astype: ", from.name(), " as text");
  if (t.storage == from.storage && (!t.is_time() || t.unit == from.unit)) return from.is_integer() || from.is_boolean() ? t : from;
  if (from.is_time() != t.is_time() && !t.is_text() && !(from.is_time() && t.storage == Storage::int64))
    throw type_error("Cannot cast ", from.name(), " to ", t.name());
  if (from.is_text() && t.is_time()) throw type_error("Cannot cast str to ", t.name(), "; use parse_dates when reading");
  return t;
}

Op astype() {
  return {.name = "astype",
          .on = {{frame, "dtype", "", "const std::map<std::string, std::string>& dtype"}, {series, "dtype", "", "const std::string& dtype"}},
          .doc = {.summary = "The input with columns cast to other dtypes.",
                  .returns = "As the input. Lazy.",
                  .raises = {{"TypeError", "at the call: the cast is not defined"},
                             {"ValueError", "at compute: a value cannot be cast, such as text that is no number or NaN to integer"},
                             {"KeyError", "at the call: a label in dtype is not a column"}},
                  .example = R"(
>>> s = dd.from_pandas(pd.Series([1, 2], name="x"), npartitions=1)
>>> s.astype("float64").compute()
0    1.0
1    2.0
Name: x, dtype: float64
)"},
          .params = {{"dtype", "NumPy dtype or its name; for a DataFrame also a dict of column to dtype."}},
          .schema =
              [](const Call& c) {
                if (c["dtype"].is_dict())
                  for (const auto& [k, v] : c["dtype"].dict()) {
                    if (c.positions().first(k) < 0)
                      throw Error(ErrorKind::missing,
                                  concat("Only a column name can be used for the key in a dtype mappings argument. ", k.repr(), " not found in columns."));
                  }
                Schema s = c.input();
                const auto dtypes = by_column(c, c["dtype"]);
                for (size_t i = 0; i < s.columns.size(); ++i)
                  if (const Value* d = dtypes[i]) s.columns[i].type = cast_type(s.columns[i].type, *d);
                return s;
              },
          .lower =
              [](Lowering& l, const Call& c) {
                Rows rows = l.input();
                const auto dtypes = by_column(c, c["dtype"]);
                for (size_t i = 0; i < rows.columns.size(); ++i)
                  if (const Value* d = dtypes[i]) {
                    const DType from = c.input().columns[i].type;
                    const DType to = cast_type(from, *d);
                    const std::string what = concat("astype: column ", c.input().columns[i].label.repr());
                    const bool closes = from.is_integer() && from.open && to.storage == from.storage;  // a value that is missing after all is an error
                    if (from.is_boolean() && from.open && to.is_boolean())  // as of NaN among objects
                      rows.columns[i] = l.one(rows.stage, "fill", Dict{{"type", code(to)}}, {rows.columns[i], constant(l, rows.stage, true, to)});
                    else if (closes)
                      rows.columns[i] = l.one(rows.stage, "cast", Dict{{"from", code(from)}, {"to", code(to)}, {"what", what}}, {rows.columns[i]});
                    else
                      rows.columns[i] = cast(l, rows.stage, rows.columns[i], from, to, what);
                  }
                return rows;
              },
          .same_rows = true,
          .show = [](const Call& c) { return c["dtype"].repr().substr(0, 60); }};
}

// Where an assigned column goes: to all that its label means, else behind the others.
class Places {
 public:
  struct Found {
    std::vector<size_t> columns;
    Label label;  // of the column behind the others
  };
  explicit Places(const Call& c) : positions_(c.positions()), columns_(c.input().columns.size()) {}
  Found of(const Label& label) {
    const auto at = positions_.meant(label);
    if (!at.empty()) return {{at.begin(), at.end()}, label};
    const Label full = in_levels(label, positions_.levels());
    return {{columns_ + added_.try_emplace(full, added_.size()).first->second}, full};
  }

 private:
  const Positions& positions_;
  size_t columns_;
  std::unordered_map<Label, size_t, LabelHash> added_;
};

Op assign() {
  return {.name = "assign",
          .on = {{internal, ""}},
          .schema = [](const Call& c) {
            Schema s = c.input();
            Places places(c);
            for (const auto& [label, v] : c["columns"].dict()) {
              if (v.is_list() || v.is_dict())
                throw type_error("assign: column ", label.repr(), ": a ", v.is_list() ? "list" : "dict",
                                 " cannot be assigned; use a scalar, or a Series of the same rows");
              DType type = type_of(v);
              if (v.is_input()) {
                const auto& in = c.inputs.at(static_cast<size_t>(v.input()));
                if (in->schema.kind == Kind::frame) throw invalid("assign: column ", label.repr(), " must be a Series or a scalar, got a DataFrame");
                if (!in->is_one_row() && in->rows != c.inputs[0]->rows)
                  throw unsupported("assign: column ", label.repr(), " has other rows than the frame; make it from the frame itself");
                type = in->schema.columns.at(0).type;
              }
              const auto at = places.of(label);
              for (size_t i : at.columns)
                if (i < s.columns.size()) s.columns[i].type = type;
                else s.columns.push_back({at.label, type});
            }
            return s;
          },
          .lower = [](Lowering& l, const Call& c) {
            Rows rows = l.input();
            Places places(c);
            for (const auto& [label, v] : c["columns"].dict()) {
              int reg = v.is_input() ? l.input(static_cast<size_t>(v.input())).columns.at(0) : constant(l, rows.stage, v, type_of(v));
              if (!v.is_input() || c.inputs[static_cast<size_t>(v.input())]->is_one_row()) reg = l.one(rows.stage, "spread", Dict{}, {reg, any_register(rows)});
              for (size_t i : places.of(label).columns)
                if (i < rows.columns.size()) rows.columns[i] = reg;
                else rows.columns.push_back(reg);
            }
            return rows;
          },
          .same_rows = true,
          .show = [](const Call& c) {
            std::vector<std::string> names;
            for (const auto& [k, v] : c["columns"].dict()) names.push_back(k.label());
            return join(names, ", ");
          }};
}

// Columns by other labels: {columns: dict} or, of a series, {name}.
Op rename() {
  return {.name = "rename",
          .on = {{internal, ""}},
          .schema = [](const Call& c) {
            Schema s = c.input();
            if (c["columns"].is_dict()) {
              for (const auto& [from, to] : c["columns"].dict())
                for (auto at : c.positions().all(from)) s.columns[static_cast<size_t>(at)].label = to;
            } else if (c["labels"].is_list()) {
              const auto& all = c["labels"].list();
              if (all.size() != s.columns.size())
                throw invalid("Length mismatch: Expected axis has ", s.columns.size(), " elements, new values have ", all.size(), " elements");
              for (size_t i = 0; i < all.size(); ++i) s.columns[i].label = all[i];
              s.labels_integer = false;
            } else {
              s.columns[0].label = c["name"];
            }
            return s;
          },
          .lower = [](Lowering& l, const Call&) { return l.input(); },
          .same_rows = true,
          .show = [](const Call& c) { return c["columns"].is_dict() ? c["columns"].repr().substr(0, 60) : c["name"].repr(); }};
}

// A label with a text in front or behind; of a tuple each of its parts.
Label affixed(const Call& c, const std::string& before, const Label& label, const std::string& behind) {
  if (label.is_string()) return concat(before, label.string(), behind);
  if (label.is_integer()) return concat(before, label.integer(), behind);
  if (!label.is_list()) throw unsupported(c.op.name, ": of the label ", label.repr());
  List parts;
  for (const auto& part : label.list()) parts.push_back(affixed(c, before, part, behind));
  return parts;
}

Op affix(const std::string& name, const std::string& parameter, const std::string& where) {
  return {.name = name,
          .on = {{frame, parameter + ": str", "", "const std::string& " + parameter}},
          .doc = {.summary = "The frame with a text " + where + " each label.", .returns = "The same rows and values. Lazy.", .example = R"(
>>> df = dd.from_pandas(pd.DataFrame({"x": [1]}), npartitions=1)
>>> list(df.)" + name + R"(("_").columns)
[')" + (parameter == "prefix" ? "_x" : "x_") + R"(']
)"},
          .params = {{parameter, "The text; of columns of several levels it is put to the label of each."}},
          .schema = [parameter](const Call& c) {
            const Value& text = c[parameter.c_str()];
            if (!text.is_string()) throw type_error(c.op.name, ": ", parameter, " must be a text, not ", text.repr());
            Schema s = c.input();
            for (auto& f : s.columns) f.label = affixed(c, parameter == "prefix" ? text.string() : "", f.label, parameter == "prefix" ? "" : text.string());
            s.labels_integer = false;
            return s;
          },
          .lower = [](Lowering& l, const Call&) { return l.input(); },
          .same_rows = true,
          .show = [parameter](const Call& c) { return c[parameter.c_str()].repr(); }};
}

std::vector<size_t> kept(const Call& c) {
  std::set<size_t> gone;
  for (const auto& label : labels(c["columns"])) {
    const auto at = c.positions().meant(label);
    gone.insert(at.begin(), at.end());
    if (at.empty() && !(c["errors"].is_string() && c["errors"].string() == "ignore")) c.input().position(label, "drop");
  }
  std::vector<size_t> out;
  for (size_t i = 0; i < c.input().columns.size(); ++i)
    if (!gone.contains(i)) out.push_back(i);
  return out;
}

Op drop() {
  return {.name = "drop",
          .on = {{internal, ""}},
          .schema = [](const Call& c) {
            Schema s = c.input();
            s.columns.clear();
            for (auto i : kept(c)) s.columns.push_back(c.input().columns[i]);
            return s;
          },
          .lower = [](Lowering& l, const Call& c) {
            const Rows rows = l.input();
            Rows out{rows.stage, {}, rows.index};
            for (auto i : kept(c)) out.columns.push_back(rows.columns[i]);
            return out;
          },
          .same_rows = true,
          .show = [](const Call& c) { return c["columns"].repr().substr(0, 60); }};
}

// What pandas calls the columns that index columns become. Throws Error{invalid} where one is there already.
std::vector<Label> labels_of_index(const Call& c) {
  const Schema& s = c.input();
  const auto index = index_fields(s);
  std::vector<Label> out;
  for (size_t i = 0; i < index.size(); ++i) {
    Label label = index[i].label;
    if (label.is_none() && index.size() > 1) label = concat("level_", i);
    else if (label.is_none()) label = std::string(s.kind == Kind::frame && !c.positions().meant(Label("index")).empty() ? "level_0" : "index");
    label = in_levels(label, c.positions().levels());
    if (c.positions().first(label) >= 0 && (s.kind == Kind::frame || !s.columns[0].label.is_none()))
      throw invalid("cannot insert ", label.label(), ", already exists");
    out.push_back(label);
  }
  return out;
}

// The index as the first columns, and the rows numbered from 0. {drop}
Op reset_index() {
  return {.name = "reset_index",
          .on = {{internal, ""}},
          .schema =
              [](const Call& c) {
                Schema s = c.input();
                if (!c["drop"].boolean()) {
                  const auto labels = labels_of_index(c);
                  if (s.kind == Kind::series && s.columns[0].label.is_none()) s.columns[0].label = 0;
                  const auto index = index_fields(s);
                  for (size_t i = 0; i < index.size(); ++i) s.columns.insert(s.columns.begin() + static_cast<std::ptrdiff_t>(i), {labels[i], index[i].type});
                  s.kind = Kind::frame, s.labels_integer = false;
                }
                s.index = {{Value(), {Storage::int64}}};
                return s;
              },
          .beside = [](const Call&,
                       const Expr& input) { return input->npartitions > 1 ? std::vector{make(expr::op("row_counts"), Dict{}, {input})} : std::vector<Expr>{}; },
          .lower =
              [](Lowering& l, const Call& c) {
                const Rows rows = labelled(l, c.input(), l.input());
                std::vector<int> in{any_register(rows)};
                if (c.inputs.size() > 1) in.push_back(l.input(1).columns.at(0));
                Rows out{rows.stage, {}, {l.one(rows.stage, "row_numbers", Dict{}, in)}};
                if (!c["drop"].boolean()) out.columns = rows.index;
                out.columns.insert(out.columns.end(), rows.columns.begin(), rows.columns.end());
                return out;
              }};
}

// The number of each partition's first row, all in one.
Op row_counts() {
  return {.name = "row_counts",
          .on = {{internal, ""}},
          .schema = [](const Call&) { return Schema{Kind::scalar, {{Value(), {Storage::text}}}, {}, false}; },
          .lower = [](Lowering& l, const Call&) {
            const Rows rows = l.input();
            return l.fold(rows.stage, "row_counts", Dict{{"files", List{}}}, {any_register(rows)}, {{}});
          },
          .folds = true};
}

// The values of a frame's or series' only index column, beside the rows. {name}
Op index_values() {
  return {.name = "index_values",
          .on = {{internal, ""}},
          .schema = [](const Call& c) {
            const auto index = index_fields(c.input());
            if (index.size() > 1) throw unsupported("index: a Series of an index of several levels");
            return Schema{Kind::series, {{c["name"], index[0].type}}, c.input().index, false};
          },
          .lower = [](Lowering& l, const Call& c) {
            const Rows rows = l.input();
            return Rows{rows.stage, labelled(l, c.input(), rows).index, rows.index};
          },
          .same_rows = true,
          .show = [](const Call&) { return std::string(); }};
}
}  // namespace

Ops reshape_ops() {
  return {astype(),      assign(),     rename(),      affix("add_prefix", "prefix", "in front of"), affix("add_suffix", "suffix", "behind"), drop(),
          reset_index(), row_counts(), index_values()};
}

}  // namespace muster::ops::frame
