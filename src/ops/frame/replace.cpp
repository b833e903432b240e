// replace: values by other values of the same dtype.
#include <unordered_map>

#include "data/dispatch.hpp"
#include "ops/frame/columns.hpp"

namespace muster::ops::frame {
namespace {

// Text is looked up by its bytes, numbers by value: 0.0 and -0.0 are equal.
template <class T>
auto key_of(const T& x) {
  if constexpr (std::is_same_v<T, Text>) return x.view();
  else return x;
}

// replace {type, keys, values}: lists of values of the dtype; a missing key means all missing ones.
Map replace(const Args& a) {
  const DType type = dtype_of(a["type"].integer());
  std::vector<Column> from, to;
  int64_t missing = -1;
  for (const auto& v : a["keys"].list()) {
    if (v.is_none() && missing < 0) missing = static_cast<int64_t>(from.size());
    from.push_back(constant_of(v, type));
  }
  for (const auto& v : a["values"].list()) to.push_back(constant_of(v, type));
  Keep kept;
  for (const auto& c : to) kept = keep_both(kept, c.text_keep());
  return [=](Task&, Columns in, int64_t rows, std::span<Column> out) {
    const Column c = spread(in[0], rows);
    Writable w(c.storage, rows);
    visit(c.storage, [&](auto tag) {
      using T = typename decltype(tag)::type;
      const T* x = c.as<T>();
      T* y = w.as<T>();
      std::unordered_map<decltype(key_of(x[0])), T> table;
      for (size_t k = 0; k < from.size(); ++k)
        if (static_cast<int64_t>(k) != missing) table.try_emplace(key_of(from[k].as<T>()[0]), to[k].as<T>()[0]);
      for (int64_t i = 0; i < rows; ++i) {
        y[i] = x[i];
        if (c.is_missing(i)) {
          if (missing >= 0) y[i] = to[static_cast<size_t>(missing)].as<T>()[0];
        } else if (auto found = table.find(key_of(x[i])); found != table.end()) {
          y[i] = found->second;
        }
      }
    });
    if (c.valid && missing < 0) std::memcpy(w.valid(), c.valid, static_cast<size_t>(rows));
    out[0] = std::move(w).finish(c.storage == Storage::text ? keep_both(c.text_keep(), kept) : nullptr);
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
    if (keys[i].is_list() || keys[i].is_dict() || values[i].is_list() || values[i].is_dict() || is_missing(values[i])) throw unsupported("replace: these arguments");
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
  Op op = of_each_column("replace", {{frame, "to_replace=None, value=no_default, inplace=False, regex=False"}, {series, "to_replace=None, value=no_default, inplace=False, regex=False"}},
                         [](const Call& c, DType t) { pairs_of(c, t); }, "replace",
                         [](const Call& c, DType t) {
                           Pairs p = pairs_of(c, t);
                           return p.from.empty() ? Dict{} : Dict{{"type", code(t)}, {"keys", p.from}, {"values", p.to}};
                         });
  op.doc = {.summary = "The values, some replaced by others.", .returns = "As the input. Lazy.", .notes = "Values that the column's dtype does not hold, patterns and nested dicts run through pandas.",
            .example = R"(
>>> s = dd.from_pandas(pd.Series(["a", "b"], name="x"), npartitions=2)
>>> s.replace({"a": "c"}).compute()
0    c
1    b
Name: x, dtype: str
)"};
  op.params = {{"to_replace", "Scalar, list, or dict of old to new value."}, {"value", "Scalar, or list as long as `to_replace`."}, {"inplace", "Must be False."}, {"regex", "Patterns; runs through pandas."}};
  op.kernels = {{.name = "replace", .map = replace}};
  op.show = [](const Call& c) { return c["to_replace"].repr().substr(0, 60); };
  return {op};
}

}  // namespace muster::ops::frame
