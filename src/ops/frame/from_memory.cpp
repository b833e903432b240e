// from_memory: partitions that are already in memory (from_pandas, persist). The index is explicit: its columns stand before the others.
#include "kernels/memory.hpp"
#include "ops/frame/columns.hpp"

namespace muster::ops::frame {
namespace {
std::vector<Field> fields(const Value& list) {
  std::vector<Field> out;
  for (const auto& f : list.list()) out.push_back({f.list().at(0), dtype_of(f.list().at(1).integer())});
  return out;
}
}  // namespace

Schema schema_of_fields(const Call& c) {
  Schema s;
  s.kind = static_cast<Kind>(c["kind"].integer());
  s.columns = fields(c["fields"]), s.index = fields(c["index"]);
  s.labels_integer = c["labels_integer"].is_bool() && c["labels_integer"].boolean();
  return s;
}

Ops from_memory_ops() {
  return {{
      .name = "from_memory",
      .on = {{internal, ""}},
      .doc = {.summary = "Partitions that are already in memory."},
      .schema = schema_of_fields,
      .lower = [](Lowering& l, const Call& c) {
        const int index = static_cast<int>(c["index"].list().size()), columns = static_cast<int>(c["fields"].list().size());
        Rows all = l.source(index + columns);
        const List fields = c["fields"].list();
        for (int i = 0; i < columns; ++i)
          if (dtype_of(fields[static_cast<size_t>(i)].list().at(1).integer()).open) l.open_column(all.stage, index + i, index + i);
        return Rows{all.stage, {all.columns.begin() + index, all.columns.end()}, {all.columns.begin(), all.columns.begin() + index}};
      },
      .partitions = [](const Call& c) { return static_cast<int64_t>(kernels::memory_table(c["rows"]).partitions.size()); },
      .source_kernel = "memory.scan",
      .source = [](const Call& c, const std::vector<int>& needed) -> Value {
        return Dict{{"rows", c["rows"]}, {"columns", List(needed.begin(), needed.end())}, {"row_ids", false}};
      },
      .show = [](const Call& c) { return concat(c["fields"].list().size(), " columns"); },
  }};
}

}  // namespace muster::ops::frame
