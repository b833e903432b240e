// df[mask], dropna: the rows where a condition holds.
#include "ops/frame/columns.hpp"

namespace muster::ops::frame {
namespace {
Schema filtered(const Call& c) {
  const Schema& mask = c.input(1);
  if (mask.kind != Kind::series || !mask.columns.at(0).type.is_boolean())
    throw type_error("getitem: a mask must be a boolean Series, got ", mask.kind == Kind::series ? mask.columns.at(0).type.name() : "a frame");
  if (c.inputs[0]->rows != c.inputs[1]->rows) throw unsupported("getitem: the mask comes from other rows than the frame; make it from the frame itself");
  return c.input();
}

Rows dropna(Lowering& l, const Call& c) {
  Rows rows = l.input();
  std::vector<int64_t> at;
  if (c.has("subset")) at = positions(c, c["subset"], "dropna");
  else for (size_t i = 0; i < rows.columns.size(); ++i) at.push_back(static_cast<int64_t>(i));
  if (at.empty()) return rows;
  std::vector<int> present;
  for (auto i : at)
    present.push_back(l.one(rows.stage, "unary", Dict{{"op", "notna"}, {"type", code(c.input().columns[static_cast<size_t>(i)].type)}},
                            {rows.columns[static_cast<size_t>(i)]}));
  if (!c.has("thresh")) return select(l, rows, combine(l, rows.stage, c["how"].is_string() && c["how"].string() == "all" ? "or" : "and", present));
  // At least `thresh` present values: their sum as integers.
  const DType integer{Storage::int64};
  int sum = cast(l, rows.stage, present[0], {Storage::boolean}, integer, "dropna");
  for (size_t i = 1; i < present.size(); ++i)
    sum = l.one(rows.stage, "binary", Dict{{"op", "add"}, {"type", code(integer)}},
                {sum, cast(l, rows.stage, present[i], {Storage::boolean}, integer, "dropna")});
  return select(l, rows, l.one(rows.stage, "binary", Dict{{"op", "ge"}, {"type", code(integer)}}, {sum, constant(l, rows.stage, c["thresh"], integer)}));
}
}  // namespace

Ops filter_ops() {
  return {{.name = "filter",
           .on = {{internal, ""}},
           .schema = filtered,
           .lower =
               [](Lowering& l, const Call&) {
                 Rows rows = l.input();
                 return select(l, rows, l.input(1).columns[0]);
               },
           .fewer_rows = true},
          {.name = "dropna",
           .on = {{frame, "how: Literal['any', 'all'] = no_default, subset: Labels = None, thresh: int = no_default", "",
                   "const Labels& subset = {}, const std::string& how = \"any\""},
                  {series, ""}},
           .doc = {.summary = "The rows without missing values.",
                   .returns = "As the input, with fewer rows; index values are kept. Lazy.",
                   .raises = {{"KeyError", "at the call: a label in subset is not a column"},
                              {"ValueError", "at the call: how is neither 'any' nor 'all'"},
                              {"TypeError", "at the call: both how and thresh are given"}},
                   .notes = "A filter: one pass, no shuffle. Columns stay of the dtype promised.",
                   .example = R"(
>>> df = dd.from_pandas(pd.DataFrame({"x": [1.0, None], "y": ["a", "b"]}), npartitions=1)
>>> df.dropna().compute()
     x  y
0  1.0  a
)"},
           .params = {{"how", "'any' (default): drop a row if one value is missing; 'all': only if all are."},
                      {"subset", "Label or labels of the columns looked at; None = all."},
                      {"thresh", "Keep rows with at least that many present values; not with how."}},
           .schema =
               [](const Call& c) {
                 if (c.has("how") && c.has("thresh")) throw type_error("You cannot set both the how and thresh arguments at the same time.");
                 if (c.has("how") && c["how"].string() != "any" && c["how"].string() != "all") throw invalid("dropna: invalid how option: ", c["how"].string());
                 if (c.has("subset")) positions(c, c["subset"], "dropna");
                 return c.input();
               },
           .lower = dropna,
           .fewer_rows = true}};
}

}  // namespace muster::ops::frame
