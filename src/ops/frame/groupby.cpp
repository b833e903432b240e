// Group-by: one operator that takes keys and a list of aggregates; value_counts is one with a sort behind it.
#include <map>
#include <optional>

#include "kernels/aggregate.hpp"
#include "kernels/distinct_counts.hpp"
#include "ops/frame/columns.hpp"

namespace muster::ops::frame {
namespace {

// args: by = list of labels or inputs; aggregates = list of {label, column (position), function, options}; sort, dropna; kind.
struct Key {
  Field field;
  int64_t column = -1;  // of the frame, or
  size_t input = 0;     // of another input
};

std::vector<Key> keys_of(const Call& c) {
  std::vector<Key> out;
  for (const auto& by : c["by"].list()) {
    if (by.is_input()) {
      const auto& in = c.inputs.at(static_cast<size_t>(by.input()));
      if (in->schema.kind != Kind::series) throw type_error("groupby: a key must be a column label or a Series");
      if (in->rows != c.inputs[0]->rows) throw unsupported("groupby: the key comes from other rows than the frame; make it from the frame itself");
      out.push_back({in->schema.columns.at(0), -1, static_cast<size_t>(by.input())});
    } else {
      const auto at = c.position(by, "groupby");
      if (c.positions().all(by).size() > 1) throw invalid("Grouper for ", by.repr(), " not 1-dimensional");
      out.push_back({c.input().columns[static_cast<size_t>(at)], at, 0});
    }
    if (out.back().field.type.is_object()) throw unsupported("groupby: the key ", out.back().field.label.repr(), " is an object column");
  }
  if (out.empty()) throw invalid("No group keys passed!");
  return out;
}

struct Wanted {
  Label label;
  int64_t column;  // -1: of no column (size)
  std::string function;
  Value options;
};

int64_t position_in(const Schema& schema, const Value& at) {
  if (at.integer() < 0 || at.integer() >= static_cast<int64_t>(schema.columns.size())) throw invalid("groupby: there is no column number ", at.integer());
  return at.integer();
}

// "groupby" lists its aggregates; a named one ("groupby.mean") is one function of each column at the positions `values`, with the method's own arguments in
// `options`.
std::vector<Wanted> wanted_of(const Call& c) {
  std::vector<Wanted> out;
  if (const auto dot = c.op.name.find('.'); dot != std::string::npos) {
    const std::string function = c.op.name.substr(dot + 1);
    if (function == "size") return {{c["label"], -1, function, Value()}};
    const Value& options = c["options"];
    if ((function == "first" || function == "last") && options["skipna"] == Value(false)) throw unsupported("groupby.", function, " with skipna=False");
    const bool numeric = options["numeric_only"].is_bool() && options["numeric_only"].boolean();
    for (const auto& at : c["values"].list()) {
      const auto& column = c.input().columns[static_cast<size_t>(position_in(c.input(), at))];
      if (!numeric || column.type.is_numeric()) out.push_back({column.label, at.integer(), function, options});
    }
    return out;
  }
  for (const auto& a : c["aggregates"].list())
    out.push_back({a["label"], a["whole_rows"].is_bool() ? -1 : position_in(c.input(), a["column"]), a["function"].string(), a["options"]});
  return out;
}

Schema schema(const Call& c) {
  Schema s;
  s.kind = static_cast<Kind>(c["kind"].integer());
  for (const auto& k : keys_of(c)) s.index.push_back(k.field);
  for (const auto& w : wanted_of(c)) {
    const DType type = w.column < 0 ? DType{Storage::int64} : c.input().columns[static_cast<size_t>(w.column)].type;
    try {
      s.columns.push_back({w.label, kernels::aggregate_type(w.function, type)});
    } catch (const Error& e) {
      if (e.kind != ErrorKind::type) throw;
      throw type_error("groupby: column ", w.label.repr(), ": ", e.message, "; leave it out by selecting columns or numeric_only=True");
    }
  }
  return s;
}

// Whether nothing but distinct values is counted, in the same way everywhere: without missing ones, or with them.
std::optional<bool> only_distinct(const std::vector<Wanted>& wanted) {
  std::optional<bool> all;
  for (const auto& w : wanted) {
    const bool skips_missing = !(w.options["dropna"] == Value(false));
    if (w.function != "nunique" || (all && *all != skips_missing)) return std::nullopt;
    all = skips_missing;
  }
  return all;
}

Rows lower(Lowering& l, const Call& c) {
  const Rows rows = l.input();
  std::vector<int> in;
  List keys, aggregates;
  std::vector<std::vector<int>> from;
  for (const auto& k : keys_of(c)) {
    from.push_back({static_cast<int>(in.size())});
    in.push_back(k.column >= 0 ? rows.columns[static_cast<size_t>(k.column)] : l.input(k.input).columns[0]);
    keys.push_back(code(k.field.type));
  }
  const size_t key_count = in.size();
  std::map<int, int> placed;  // registers among `in`
  for (const auto& w : wanted_of(c)) {
    if (w.column < 0) {
      aggregates.push_back(Dict{{"function", w.function}, {"input", -1}, {"type", code(DType{Storage::int64})}, {"options", w.options}});
      from.push_back({});
      continue;
    }
    const int reg = rows.columns[static_cast<size_t>(w.column)];
    const auto [known, fresh] = placed.try_emplace(reg, static_cast<int>(in.size()));
    if (fresh) in.push_back(reg);
    aggregates.push_back(Dict{{"function", w.function},
                              {"input", known->second - static_cast<int>(key_count)},
                              {"type", code(c.input().columns[static_cast<size_t>(w.column)].type)},
                              {"options", w.options}});
    from.push_back({known->second});
  }
  const auto split_at = [key_count](Rows all) {
    const auto split = all.columns.begin() + static_cast<std::ptrdiff_t>(key_count);
    return Rows{all.stage, {split, all.columns.end()}, {all.columns.begin(), split}};
  };
  if (const auto skips_missing = only_distinct(wanted_of(c)); skips_missing && in.size() == key_count + aggregates.size()) {
    List values;
    for (const auto& a : aggregates) values.push_back(a["type"]);
    return split_at(l.fold(
        rows.stage, "distinct_in_groups",
        Dict{{"keys", keys}, {"values", values}, {"skips_missing", *skips_missing}, {"dropna", c["dropna"]}, {"sort", c["sort"]}, {"parts", kMergedParts}}, in,
        from));
  }
  return split_at(l.fold(rows.stage, "group_by",
                         Dict{{"keys", keys}, {"aggregates", aggregates}, {"dropna", c["dropna"]}, {"sort", c["sort"]}, {"parts", kMergedParts}}, in, from));
}

// Rows of a one-partition result by its first column; stable.
Op sort_result() {
  return {.name = "sort_result",
          .on = {{internal, ""}},
          .schema = [](const Call& c) {
            if (c.inputs[0]->npartitions != 1) throw unsupported("sort_result over several partitions");
            return c.input();
          },
          .lower = [](Lowering& l, const Call& c) {
            const Rows rows = l.input();
            std::vector<int> in = rows.index;
            in.insert(in.end(), rows.columns.begin(), rows.columns.end());
            Rows all =
                l.whole(rows.stage, "sort_rows", Dict{{"by", List{rows.index.size()}}, {"ascending", List{c["ascending"]}}}, in, static_cast<int>(in.size()));
            const auto split = all.columns.begin() + static_cast<std::ptrdiff_t>(rows.index.size());
            return Rows{all.stage, {split, all.columns.end()}, {all.columns.begin(), split}};
          }};
}

std::string shown(const Call& c) {
  std::vector<std::string> names;
  for (const auto& k : keys_of(c)) names.push_back(k.field.label.label());
  std::string out = "by " + join(names, ", ") + ":";
  for (const auto& w : wanted_of(c))
    out += concat(" ", w.function, w.column < 0 ? "" : "(" + c.input().columns[static_cast<size_t>(w.column)].label.label() + ")");
  return out;
}

struct Named {
  const char *name, *signature, *summary;
};
const Named kNamed[] = {
    {"sum", "numeric_only=False, min_count=0", "The sum of each group's values."},
    {"prod", "numeric_only=False, min_count=0", "The product of each group's values."},
    {"mean", "numeric_only=False", "The mean of each group's values."},
    {"min", "numeric_only=False, min_count=-1", "The smallest value of each group."},
    {"max", "numeric_only=False, min_count=-1", "The largest value of each group."},
    {"std", "ddof=1, numeric_only=False", "The standard deviation of each group's values."},
    {"var", "ddof=1, numeric_only=False", "The variance of each group's values."},
    {"first", "numeric_only=False, min_count=-1, skipna=True", "The first value of each group that is not missing."},
    {"last", "numeric_only=False, min_count=-1, skipna=True", "The last value of each group that is not missing."},
    {"median", "numeric_only=False", "The median of each group's values."},
    {"any", "skipna=True", "Whether any value of each group is true."},
    {"all", "skipna=True", "Whether all values of each group are true."},
    {"count", "", "The number of values of each group that are not missing."},
    {"nunique", "dropna=True", "The number of distinct values of each group."},
    {"size", "", "The number of rows of each group, a Series."},
};

Op named(const Named& n) {
  const std::string peer = concat(n.signature, *n.signature ? ", " : "", "*, split_every=None, split_out=None, shuffle_method=None");
  Op op{.name = concat("groupby.", n.name), .on = {{Owner::groupby, peer, n.name}}};
  op.doc = {.summary = n.summary,
            .returns = "Of one column a Series, else a DataFrame, indexed by key. One partition. Lazy.",
            .raises = {{"TypeError", "at the call: a column's dtype does not support it; select columns, or numeric_only=True"},
                       {"KeyError", "at the call: a key or column is not there"}},
            .notes = "Missing values are left out. One pass; a task holds a state per group. Integer sums are 64 bit.",
            .example = std::string(n.name) == "mean" ? R"(
>>> df = dd.from_dict({"k": ["a", "b", "a"], "x": [1, 2, 4]}, npartitions=2)
>>> df.groupby("k").x.mean().compute()
k
a    2.5
b    2.0
Name: x, dtype: float64
)"
                                                     : ""};
  op.params = {{"numeric_only", "Leave out columns that are not numeric or bool."},
               {"min_count", "Fewer values than that give a missing result."},
               {"ddof", "Degrees of freedom taken off the number of values."},
               {"skipna", "Leave missing values out."},
               {"dropna", "Missing values do not count as a value."},
               {"split_every", "Accepted; the engine chooses."},
               {"split_out", "Accepted; the engine chooses."},
               {"shuffle_method", "Accepted; the engine chooses."}};
  op.schema = schema, op.lower = lower, op.folds = true, op.show = shown;
  return op;
}
}  // namespace

Ops groupby_ops() {
  Ops ops{{.name = "groupby",
           .on = {{internal, ""}},
           .schema = schema,
           .lower = lower,
           .folds = true,
           .show = shown,
           .kernels = {kernels::distinct_in_groups_kernel()}},
          sort_result()};
  for (const auto& n : kNamed) ops.push_back(named(n));
  return ops;
}

}  // namespace muster::ops::frame
