// replace: values by other values of the same dtype.
#include "data/dispatch.hpp"
#include "kernels/lookup.hpp"
#include "kernels/texts.hpp"
#include "ops/frame/columns.hpp"

namespace muster::ops::frame {
namespace {

// replace {type, keys, values}: lists of values of the dtype; a missing key means all missing ones.
Map replace(const Args& a) {
  const DType type = dtype_of(a["type"].integer());
  List keys, values, of_missing;
  for (size_t i = 0; i < a["keys"].list().size(); ++i) {
    const Value &key = a["keys"].list()[i], &value = a["values"].list()[i];
    if (!key.is_none()) keys.push_back(key), values.push_back(value);
    else if (of_missing.empty()) of_missing.push_back(value);
  }
  values.insert(values.end(), of_missing.begin(), of_missing.end());
  const bool fills = !of_missing.empty();
  return [table = kernels::by_place(values, type), fills, places_of = kernels::places_among(keys, type, fills ? static_cast<uint32_t>(values.size()) : 0)](
             Task&, Columns in, int64_t rows, std::span<Column> out) {
    const Column c = spread(in[0], rows);
    auto memory = allocate(rows * 4);
    auto* places = reinterpret_cast<uint32_t*>(memory.get());
    places_of(c, rows, places);
    Writable w(c.storage, rows);
    visit(c.storage, [&](auto tag) {
      using T = typename decltype(tag)::type;
      const T *x = c.as<T>(), *by = table.as<T>();
      T* y = w.as<T>();
      for (int64_t i = 0; i < rows; ++i) y[i] = places[i] ? by[places[i]] : x[i];
    });
    if (c.valid && !fills) std::memcpy(w.valid(), c.valid, static_cast<size_t>(rows));
    out[0] = std::move(w).finish(c.storage == Storage::text ? keep_both(c.text_keep(), table.text_keep()) : nullptr);
    out[0].text_kept = c.text_kept;
    if (c.storage == Storage::text) out[0].kept_bytes = c.kept_bytes;
    return rows;
  };
}

struct Pairs {
  List from, to;
};

// What is replaced in a column of this dtype; throws where pandas would change the dtype.
Pairs pairs_of(const Call& c, DType t) {
  const Value &from = c["to_replace"], &to = c["value"];
  if (t.is_object() || t.is_boolean() || t.is_time() || c["regex"] == Value(true) || c["inplace"] == Value(true)) throw unsupported("replace: of ", t.name());
  List keys, values;
  if (from.is_dict() && to.is_none())
    for (const auto& [k, v] : from.dict()) keys.push_back(k), values.push_back(v);
  else if (from.is_list() && to.is_list() && from.list().size() == to.list().size()) keys = from.list(), values = to.list();
  else if (from.is_list() && !to.is_none()) keys = from.list(), values = List(keys.size(), to);
  else if (!from.is_none() && !from.is_dict() && !to.is_none()) keys = {from}, values = {to};
  else throw unsupported("replace: these arguments");
  Pairs out;
  for (size_t i = 0; i < keys.size(); ++i) {
    const bool gone = is_missing(keys[i]);
    if (keys[i].is_list() || keys[i].is_dict() || values[i].is_list() || values[i].is_dict() || is_missing(values[i]))
      throw unsupported("replace: these arguments");
    if (gone ? !t.is_float() && !t.is_text() : !holds(t, keys[i])) {
      if (!gone && (keys[i].is_string() != t.is_text())) continue;  // cannot be there
      throw unsupported("replace: ", keys[i].repr(), " in a column of ", t.name());
    }
    if (!holds(t, values[i])) throw unsupported("replace: by ", values[i].repr(), " in a column of ", t.name());
    out.from.push_back(gone ? Value() : keys[i]), out.to.push_back(values[i]);
  }
  return out;
}
}  // namespace

Ops replace_ops() {
  const std::string signature = "to_replace: Any = None, value=no_default, inplace=False, regex: Any = False",
                    typed = "const Literal::List& to_replace, const Literal::List& value";
  Op op = of_each_column("replace", {{frame, signature, "", typed}, {series, signature, "", typed}},
                         [](const Call& c, DType t) { pairs_of(c, t); }, "replace",
                         [](const Call& c, DType t) {
                           Pairs p = pairs_of(c, t);
                           return p.from.empty() ? Dict{} : Dict{{"type", code(t)}, {"keys", p.from}, {"values", p.to}};
                         });
  op.doc = {.summary = "The values, some replaced by others.",
            .returns = "As the input. Lazy.",
            .notes = "Values that the column's dtype does not hold, patterns and nested dicts run through pandas.",
            .example = R"(
>>> s = dd.from_pandas(pd.Series(["a", "b"], name="x"), npartitions=2)
>>> s.replace({"a": "c"}).compute()
0    c
1    b
Name: x, dtype: str
)"};
  op.params = {{"to_replace", "Scalar, list, or dict of old to new value."},
               {"value", "Scalar, or list as long as `to_replace`."},
               {"inplace", "Must be False."},
               {"regex", "Patterns; runs through pandas."}};
  op.kernels = {{.name = "replace", .map = kernels::of_distinct_texts(replace)}};
  op.show = [](const Call& c) { return c["to_replace"].repr().substr(0, 60); };
  return {op};
}

}  // namespace muster::ops::frame
