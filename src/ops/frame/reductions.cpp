// Reductions of frames and series to one row: one table of functions over the group-by fold without keys.
#include <algorithm>

#include "kernels/aggregate.hpp"
#include "kernels/distinct_counts.hpp"
#include "ops/frame/columns.hpp"

namespace muster::ops::frame {
namespace {

struct Reduction {
  const char *name, *frame_signature, *series_signature, *summary, *synonym = nullptr;
};
const Reduction kReductions[] = {
    {"sum", "axis=0, skipna=True, numeric_only=False, min_count=0", "axis=0, skipna=True, numeric_only=False, min_count=0", "The sum of the values."},
    {"prod", "axis=0, skipna=True, numeric_only=False, min_count=0", "axis=0, skipna=True, numeric_only=False, min_count=0", "The product of the values.",
     "product"},
    {"mean", "axis=0, skipna=True, numeric_only=False", "axis=0, skipna=True, numeric_only=False", "The mean of the values."},
    {"std", "axis=0, skipna=True, ddof=1, numeric_only=False", "axis=0, skipna=True, ddof=1, numeric_only=False", "The standard deviation of the values."},
    {"var", "axis=0, skipna=True, ddof=1, numeric_only=False", "axis=0, skipna=True, ddof=1, numeric_only=False", "The variance of the values."},
    {"min", "axis=0, skipna=True, numeric_only=False", "axis=0, skipna=True, numeric_only=False", "The smallest value."},
    {"max", "axis=0, skipna=True, numeric_only=False", "axis=0, skipna=True, numeric_only=False", "The largest value."},
    {"count", "axis=0, numeric_only=False", "", "The number of values that are not missing."},
    {"nunique", "axis=0, dropna=True", "dropna=True", "The number of distinct values."},
    {"any", "axis=0, skipna=True", "axis=0, skipna=True", "Whether any value is true."},
    {"all", "axis=0, skipna=True", "axis=0, skipna=True", "Whether all values are true."},
};

std::vector<size_t> chosen(const Call& c) {
  std::vector<size_t> out;
  const bool numeric = c["numeric_only"].is_bool() && c["numeric_only"].boolean();
  for (size_t i = 0; i < c.input().columns.size(); ++i)
    if (!numeric || c.input().columns[i].type.is_numeric()) out.push_back(i);
  return out;
}

Value aggregate(const std::string& function, int64_t input, DType type, const Value& options) {
  return Dict{{"function", function}, {"input", input}, {"type", code(type)}, {"options", options}};
}

Op reduction(const Reduction& r) {
  const std::string name = r.name;
  const std::string of_columns = std::string(r.frame_signature).find("numeric_only") == std::string::npos ? "" : "bool numeric_only = false",
                    of_one = name == "std" || name == "var" ? "int ddof = 1" : "";
  Op op{.name = name, .on = {{frame, r.frame_signature, "", of_columns}, {series, r.series_signature, "", of_one}}};
  if (r.synonym) op.on.insert(op.on.end(), {{frame, r.frame_signature, r.synonym, of_columns}, {series, r.series_signature, r.synonym, of_one}});
  op.doc = {
      .summary = r.summary,
      .returns = "Of a Series a lazy scalar; of a DataFrame a lazy Series with a value per column.",
      .raises = {{"TypeError", "at the call: a column's dtype does not support it; numeric_only=True leaves such columns out"},
                 {"NotImplementedError", "at the call: axis=1"}},
      .notes =
          name == "std" || name == "var"
              ? "Shifted sums, partitions merged as in Chan, Golub & LeVeque (1983), The American Statistician 37(3): right also far from zero. "
                "ddof=1. One pass."
          : name == "sum" || name == "mean" ? "Float sums keep the rounding errors (TwoSum, Knuth); integer sums are exact and wrap to int64. One pass."
                                            : "One pass.",
      .example = name == "mean" ? R"(
>>> s = dd.from_pandas(pd.Series([1, 2, 6], name="x"), npartitions=2)
>>> float(s.mean().compute())
3.0
)"
                                : ""};
  op.params = {{"axis", "0 or 'index'; 1 of each row, None of all columns together: through pandas."},
               {"skipna", "Leave missing values out (default); False: one makes the result missing."},
               {"numeric_only", "Leave out columns that are not numeric or bool."},
               {"min_count", "Fewer values than that give a missing result."},
               {"ddof", "Degrees of freedom taken off the number of values."},
               {"dropna", "Missing values do not count as a value."}};
  const auto all_together = [](const Call& c) {  // axis=None was said, of columns
    return c.input().kind == Kind::frame && c["axis"].is_none() && c.args.is_dict() &&
           std::ranges::any_of(c.args.dict(), [](const auto& arg) { return arg.first == Value("axis"); });
  };
  op.reduces = true;
  op.schema = [name, all_together](const Call& c) {
    if (c["axis"].is_integer() && c["axis"].integer() == 1) throw unsupported(name, " along axis=1; use map_partitions");
    if (all_together(c)) throw unsupported(name, " of all columns together");
    const Schema& in = c.input();
    Schema s{in.kind == Kind::series || in.kind == Kind::row ? Kind::scalar : Kind::row, {}, {}, in.labels_integer};
    for (auto i : chosen(c)) {
      try {
        s.columns.push_back({in.columns[i].label, kernels::aggregate_type(name, in.columns[i].type)});
      } catch (const Error& e) {
        if (e.kind != ErrorKind::type) throw;
        throw type_error(name, ": column ", in.columns[i].label.repr(), ": ", e.message,
                         in.kind == Kind::frame ? "; numeric_only=True leaves such columns out" : "");
      }
    }
    return s;
  };
  op.lower = [name](Lowering& l, const Call& c) {
    const Rows rows = l.input();
    List aggregates;
    std::vector<int> in;
    std::vector<std::vector<int>> from;
    List types;
    for (auto i : chosen(c)) {
      types.push_back(code(c.input().columns[i].type));
      aggregates.push_back(aggregate(name, static_cast<int64_t>(in.size()), c.input().columns[i].type, c.args));
      from.push_back({static_cast<int>(in.size())});
      in.push_back(rows.columns[i]);
    }
    Rows out =
        name == "nunique"
            ? l.fold(rows.stage, "distinct_counts", Dict{{"types", types}, {"dropna", !(c["dropna"] == Value(false))}, {"parts", kMergedParts}}, in, from)
            : l.fold(rows.stage, "group_by", Dict{{"keys", List{}}, {"aggregates", aggregates}, {"dropna", true}, {"sort", false}}, in, from);
    out.index.clear();
    return out;
  };
  op.folds = true;
  if (name == "nunique") op.kernels = {kernels::distinct_counts_kernel()};
  return op;
}
}  // namespace

Ops reductions_ops() {
  Ops ops;
  for (const auto& r : kReductions) ops.push_back(reduction(r));
  // The number of rows, whatever is in them: len(), size.
  ops.push_back({.name = "row_count",
                 .on = {{internal, ""}},
                 .schema = [](const Call&) { return Schema{Kind::scalar, {{Value(), {Storage::int64}}}, {}, false}; },
                 .lower = [](Lowering& l, const Call&) {
                   const Rows rows = l.input();
                   return l.fold(
                       rows.stage, "group_by",
                       Dict{{"keys", List{}}, {"aggregates", List{aggregate("size", -1, {Storage::int64}, Dict{})}}, {"dropna", true}, {"sort", false}},
                       {any_register(rows)}, {{}});
                 },
                 .folds = true});
  return ops;
}

}  // namespace muster::ops::frame
