// mode: the most frequent values of each column.
#include "kernels/modes.hpp"

#include "ops/frame/columns.hpp"

namespace muster::ops::frame {
namespace {
std::vector<size_t> chosen(const Call& c) {
  std::vector<size_t> out;
  for (size_t i = 0; i < c.input().columns.size(); ++i)
    if (!(c["numeric_only"] == Value(true)) || c.input().columns[i].type.is_numeric()) out.push_back(i);
  return out;
}

Schema schema(const Call& c) {
  const Schema& in = c.input();
  if (!c["axis"].is_none() && !(c["axis"] == Value(0)) && !(c["axis"] == Value("index"))) throw unsupported("mode along axis=", c["axis"].repr());
  if (in.kind != Kind::frame && in.kind != Kind::series) throw unsupported("mode of a row or a scalar");
  Schema s{in.kind, {}, {{Value(), {Storage::int64}}}, in.labels_integer};
  for (auto i : chosen(c)) {
    s.columns.push_back(in.columns[i]);
    DType& type = s.columns.back().type;
    if (type.is_object()) throw unsupported("mode of objects");
    if (in.kind == Kind::frame) type.open = type.is_integer() || type.is_boolean();  // a column with fewer values than another is filled up
  }
  if (s.columns.empty()) throw unsupported("mode of no column");
  return s;
}

Rows lower(Lowering& l, const Call& c) {
  const Rows rows = l.input();
  List types;
  std::vector<int> in;
  std::vector<std::vector<int>> from;
  const auto columns = chosen(c);
  for (auto i : columns) {
    types.push_back(code(c.input().columns[i].type));
    from.push_back({static_cast<int>(in.size())});
    in.push_back(rows.columns[i]);
  }
  Rows out = l.fold(rows.stage, "modes",
                    Dict{{"types", types}, {"dropna", !(c["dropna"] == Value(false))}, {"parts", kMergedParts}, {"first", l.next_result()}}, in, from);
  for (size_t k = 0; k < columns.size(); ++k) {
    const DType type = c.input().columns[columns[k]].type;
    l.name_result(out.stage, out.columns[k], static_cast<int64_t>(k), c.input().kind == Kind::frame && (type.is_integer() || type.is_boolean()));
  }
  out.index = {l.one(out.stage, "row_numbers", Dict{}, {out.columns[0]})};
  return out;
}
}  // namespace

Ops mode_ops() {
  return {
      {.name = "mode",
       .on = {{frame, "axis=0, numeric_only=False, dropna=True"}, {series, "dropna=True"}},
       .doc =
           {.summary = "The values that are there most often, in order.",
            .returns =
                "As the input, with rows numbered from 0. Of a DataFrame each column by itself; those with fewer values are filled up with missing "
                "ones, which makes integers float64 and bools objects. One partition. Lazy.",
            .notes = "One pass; values are counted as `value_counts` counts them.",
            .example = R"(
>>> s = dd.from_pandas(pd.Series([2, 1, 2, 1, 3], name="x"), npartitions=2)
>>> s.mode().compute().tolist()
[1, 2]
)"},
       .params = {{"axis", "0 or 'index'; 1 along each row, through pandas."},
                  {"numeric_only", "Leave out columns that are not numeric or bool."},
                  {"dropna", "Missing values do not count; False: they are a value like others."}},
       .schema = schema,
       .lower = lower,
       .folds = true,
       .kernels = {kernels::modes_kernel()}}};
}

}  // namespace muster::ops::frame
