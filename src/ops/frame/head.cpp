// head and tail: the first rows of the first partitions, the last of the last. The source stops as soon as there are enough.
#include "ops/frame/columns.hpp"

namespace muster::ops::frame {
namespace {
Rows ends(Lowering& l, const Call& c, const char* kernel, const std::vector<int64_t>& partitions) {
  const Rows rows = l.input_partitions(partitions);
  std::vector<int> in = rows.index;
  in.insert(in.end(), rows.columns.begin(), rows.columns.end());
  std::vector<std::vector<int>> from;
  for (size_t i = 0; i < in.size(); ++i) from.push_back({static_cast<int>(i)});
  Rows all = l.fold(rows.stage, kernel, Dict{{"n", c["n"]}}, in, from);
  const auto split = all.columns.begin() + static_cast<std::ptrdiff_t>(rows.index.size());
  return {all.stage, {split, all.columns.end()}, {all.columns.begin(), split}};
}
Schema same(const Call& c) {
  if (!c["n"].is_integer()) throw type_error(c.op.name, ": n must be an integer, not ", c["n"].repr());
  if (c["n"].integer() < 0) throw unsupported(c.op.name, ": a negative n");
  return c.input();
}
}  // namespace

Ops head_ops() {
  return {{.name = "head",
           .on = {{internal, ""}},
           .schema = same,
           .lower =
               [](Lowering& l, const Call& c) {
                 const int64_t asked = c["npartitions"].integer(), all = c.inputs[0]->npartitions;
                 std::vector<int64_t> first;
                 for (int64_t p = 0; p < (asked < 0 ? all : std::min(asked, all)); ++p) first.push_back(p);
                 return ends(l, c, "first_rows", first);
               },
           .folds = true,
           .picks_partitions = true,
           .show = [](const Call& c) { return c["n"].repr(); }},
          {.name = "tail",
           .on = {{internal, ""}},
           .schema = same,
           .lower = [](Lowering& l, const Call& c) { return ends(l, c, "last_rows", {c.inputs[0]->npartitions - 1}); },
           .folds = true,
           .picks_partitions = true,
           .show = [](const Call& c) { return c["n"].repr(); }},
          {.name = "partitions",
           .on = {{internal, ""}},
           .schema = [](const Call& c) { return c.input(); },
           .lower =
               [](Lowering& l, const Call& c) {
                 std::vector<int64_t> chosen;
                 for (const auto& p : c["partitions"].list()) chosen.push_back(p.integer());
                 return l.input_partitions(chosen);
               },
           .partitions = [](const Call& c) { return static_cast<int64_t>(c["partitions"].list().size()); },
           .picks_partitions = true,
           .show = [](const Call& c) { return c["partitions"].repr().substr(0, 40); }}};
}

}  // namespace muster::ops::frame
