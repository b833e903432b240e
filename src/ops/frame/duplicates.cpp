// drop_duplicates: rows grouped by what is compared, in order of first appearance; what else is in a row comes from the group's first. Rows that have no equal
// are groups of one.
#include "ops/frame/columns.hpp"

namespace muster::ops::frame {
namespace {
Rows lower(Lowering& l, const Call& c) {
  const Rows rows = l.input();
  std::vector<int64_t> at;
  if (c.has("subset")) at = positions(c, c["subset"], "drop_duplicates");
  else for (size_t i = 0; i < rows.columns.size(); ++i) at.push_back(static_cast<int64_t>(i));
  std::vector<int> in;
  std::vector<std::vector<int>> from;
  List keys, aggregates;
  // The columns of the result: the keys, then the others and the index.
  constexpr size_t kNone = static_cast<size_t>(-1);
  std::vector<size_t> place(rows.columns.size(), kNone);
  for (auto i : at) {
    if (place[static_cast<size_t>(i)] == kNone) place[static_cast<size_t>(i)] = in.size();
    from.push_back({static_cast<int>(in.size())});
    in.push_back(rows.columns[static_cast<size_t>(i)]);
    keys.push_back(code(c.input().columns[static_cast<size_t>(i)].type));
  }
  const size_t key_count = at.size();
  auto first_of = [&](int reg, DType type) {
    const size_t number = aggregates.size();
    aggregates.push_back(Dict{{"function", "first_row"}, {"input", number}, {"type", code(type)}, {"options", Dict{}}});
    from.push_back({static_cast<int>(in.size())});
    in.push_back(reg);
    return key_count + number;
  };
  for (size_t i = 0; i < rows.columns.size(); ++i)
    if (place[i] == kNone) place[i] = first_of(rows.columns[i], c.input().columns[i].type);
  std::vector<size_t> index;
  for (size_t i = 0; i < rows.index.size(); ++i)
    index.push_back(first_of(rows.index[i], c.input().index.empty() ? DType{Storage::row_id} : c.input().index[i].type));
  const bool alone = c["keep"] == Value(false);
  if (alone) {
    aggregates.push_back(Dict{{"function", "size"}, {"input", -1}, {"type", code(DType{Storage::int64})}, {"options", Dict{}}});
    from.push_back({});
  }
  const Rows all =
      l.fold(rows.stage, "group_by", Dict{{"keys", keys}, {"aggregates", aggregates}, {"dropna", false}, {"sort", false}, {"parts", kMergedParts}}, in, from);
  Rows out{all.stage, {}, {}};
  for (size_t p : place) out.columns.push_back(all.columns[p]);
  for (size_t p : index) out.index.push_back(all.columns[p]);
  if (!alone) return out;
  const DType number{Storage::int64};
  return select(l, out, l.one(all.stage, "binary", Dict{{"op", "eq"}, {"type", code(number)}}, {all.columns.back(), constant(l, all.stage, 1, number)}));
}
}  // namespace

Ops duplicates_ops() {
  const std::string kept = "const Literal& keep = \"first\"";
  const std::string common = "keep='first', ignore_index: bool = False, split_every=None, split_out=None, shuffle_method=None";
  return {{.name = "drop_duplicates",
           .on = {{frame, "subset: Labels = None, " + common, "", "const Labels& subset = {}, " + kept}, {series, common, "", kept}},
           .doc = {.summary = "The rows without those equal to another.",
                   .returns = "As the input, in one partition. Lazy.",
                   .raises = {{"KeyError", "at the call: a label in subset is not a column"}, {"ValueError", "at the call: keep is none of its values"}},
                   .notes = "The first of equal rows, and rows that have no equal, are found in one pass, by groups; the last, and numbered rows, by "
                            "pandas from all rows at once.",
                   .example = R"(
>>> df = dd.from_pandas(pd.DataFrame({"x": [1, 1, 2], "y": [3, 4, 5]}), npartitions=2)
>>> df.drop_duplicates("x").compute()
   x  y
0  1  3
2  2  5
)"},
           .params = {{"subset", "Label or labels of the columns to compare; None: all."},
                      {"keep", "Which of equal rows: 'first', 'last', or False for none."},
                      {"ignore_index", "Number the rows from 0."},
                      {"split_every", "Accepted; the engine chooses."},
                      {"split_out", "Accepted; the engine chooses."},
                      {"shuffle_method", "Accepted; the engine chooses."}},
           .schema =
               [](const Call& c) {
                 if (const Value& keep = c["keep"]; c.has("keep") && keep != Value("first")) {
                   if (keep == Value("last")) throw unsupported("drop_duplicates: keep=", keep.repr());
                   if (keep != Value(false)) throw invalid("keep must be either \"first\", \"last\" or False, got ", keep.repr());
                 }
                 if (c["ignore_index"] == Value(true)) throw unsupported("drop_duplicates: ignore_index=True");
                 if (c.has("subset")) positions(c, c["subset"], "drop_duplicates");
                 for (const auto* fields : {&c.input().columns, &c.input().index})
                   for (const auto& f : *fields)
                     if (f.type.is_object()) throw unsupported("drop_duplicates with an object column");
                 if (c.input().columns.empty()) throw unsupported("drop_duplicates without columns");
                 return c.input();
               },
           .lower = lower,
           .folds = true,
           .show = [](const Call& c) { return c["subset"].repr().substr(0, 60); }}};
}

}  // namespace muster::ops::frame
