// nlargest, nsmallest: the n rows with the largest or smallest values.
#include "ops/frame/columns.hpp"

namespace muster::ops::frame {
namespace {
std::vector<int64_t> keys(const Call& c) {
  if (c.input().kind == Kind::series) return {0};
  std::vector<int64_t> out;
  for (const auto& label : labels(c["columns"])) out.push_back(c.only(label, c.op.name));
  return out;
}

Op extreme(const char* name, bool ascending, const char* word) {
  Op op{.name = name,
        .on = {{frame, "n, columns: Labels, keep='first'", "", "int64_t n, const Labels& columns, const std::string& keep = \"first\""},
               {series, "n=5, keep='first'", "", "int64_t n = 5, const std::string& keep = \"first\""}}};
  op.doc = {
      .summary = concat("The n rows with the ", word, " values, ", word, " first."),
      .returns = "As the input: at most n rows (keep='all': also every row equal to the last); columns, dtypes and index values kept. One partition. Lazy.",
      .raises = {{"KeyError", "at the call: a name in columns is not a column"},
                 {"TypeError", "at the call: a column is not numeric, bool, datetime or timedelta"},
                 {"ValueError", "at the call: keep is not 'first', 'last' or 'all'"}},
      .notes = "Missing values come last, in row order. One pass; a task holds about n + 1 rows besides its input.",
      .example = concat("\n>>> df = dd.from_pandas(pd.DataFrame({\"x\": [2, 3, 1]}), npartitions=2)\n>>> df.", name, "(1, \"x\").compute()\n   x\n",
                        ascending ? "2  1\n" : "1  3\n")};
  op.params = {{"n", "Rows to keep; 0 or less gives none."},
               {"columns", "Label or labels to order by, most significant first."},
               {"keep", "Which of equal rows to keep: 'first', 'last' or 'all'."}};
  op.schema = [name](const Call& c) {
    if (!c["n"].is_integer()) throw type_error(name, ": n must be an integer, not ", c["n"].repr());
    const auto& keep = c["keep"].string();
    if (keep != "first" && keep != "last" && keep != "all") throw invalid("keep must be either \"first\", \"last\" or \"all\"");
    for (auto k : keys(c)) {
      const auto& f = c.input().columns[static_cast<size_t>(k)];
      if (!f.type.is_numeric() && !f.type.is_time())
        throw type_error("Column ", f.label.repr(), " has dtype ", f.type.name(), ", cannot use method '", name, "' with this dtype");
    }
    return c.input();
  };
  op.lower = [ascending](Lowering& l, const Call& c) {
    const Rows rows = l.input();
    std::vector<int> in = rows.index;
    in.insert(in.end(), rows.columns.begin(), rows.columns.end());
    List by, order;
    for (auto k : keys(c)) by.push_back(static_cast<int64_t>(rows.index.size()) + k), order.push_back(ascending);
    std::vector<std::vector<int>> from;
    for (size_t i = 0; i < in.size(); ++i) from.push_back({static_cast<int>(i)});
    Rows all = l.fold(rows.stage, "top_rows", Dict{{"n", c["n"]}, {"keep", c["keep"]}, {"by", by}, {"ascending", order}}, in, from);
    const auto split = all.columns.begin() + static_cast<std::ptrdiff_t>(rows.index.size());
    return Rows{all.stage, {split, all.columns.end()}, {all.columns.begin(), split}};
  };
  op.folds = true;
  op.show = [](const Call& c) { return concat(c["n"].repr(), c.has("columns") ? ", " + c["columns"].repr() : ""); };
  return op;
}
}  // namespace

Ops nlargest_ops() { return {extreme("nlargest", false, "largest"), extreme("nsmallest", true, "smallest")}; }

}  // namespace muster::ops::frame
