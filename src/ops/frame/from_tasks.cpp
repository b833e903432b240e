// from_tasks: partitions that tasks of a cluster have made and that lie there (persist). The index is explicit: its columns stand before the others. What the
// run that made them has found out, row numbers and missing integers, is applied to what is read.
#include "kernels/settling.hpp"
#include "ops/frame/columns.hpp"

namespace muster::ops::frame {
Schema schema_of_fields(const Call& c);  // from_memory.cpp

Ops from_tasks_ops() {
  return {{
      .name = "from_tasks",
      .on = {{internal, ""}},
      .doc = {.summary = "Partitions that lie on the workers of a cluster."},
      .schema = schema_of_fields,
      .lower = [](Lowering& l, const Call& c) {
        const Schema schema = schema_of_fields(c);
        const int index = static_cast<int>(schema.index.size()), columns = static_cast<int>(schema.columns.size());
        Rows all = l.source(index + columns);
        const auto& settlements = c["settlements"].list();
        for (int i = 0; i < index + columns; ++i) {
          int& reg = all.columns[static_cast<size_t>(i)];
          const auto& type = i < index ? schema.index[static_cast<size_t>(i)].type : schema.columns[static_cast<size_t>(i - index)].type;
          if (type.open) l.open_column(all.stage, reg, i);
          if (const auto& s = settlements[static_cast<size_t>(i)]; !s.is_none()) reg = l.one(all.stage, "settle", s, {reg});
        }
        return Rows{all.stage, {all.columns.begin() + index, all.columns.end()}, {all.columns.begin(), all.columns.begin() + index}};
      },
      .partitions = [](const Call& c) { return c["count"].integer(); },
      .source_kernel = "memory.scan",
      .source = [](const Call& c, const std::vector<int>& needed) -> Value {
        return Dict{{"rows", c["rows"]}, {"columns", List(needed.begin(), needed.end())}, {"row_ids", false}};
      },
      .show = [](const Call& c) { return concat(c["fields"].list().size(), " columns"); },
  }};
}

}  // namespace muster::ops::frame
