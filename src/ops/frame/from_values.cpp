// from_values: the values of tasks of a guest language, a row a partition: from_delayed. The plan names the tasks, "rows"; where it runs they become inputs.
#include "ops/frame/columns.hpp"

namespace muster::ops::frame {
Schema schema_of_fields(const Call& c);  // from_memory.cpp

Ops from_values_ops() {
  return {{
      .name = "from_values",
      .on = {{internal, ""}},
      .doc = {.summary = "A row with the value of each of some tasks."},
      .schema = schema_of_fields,
      .lower = [](Lowering& l, const Call&) {
        const Rows all = l.source(2);
        return Rows{all.stage, {all.columns[1]}, {all.columns[0]}};
      },
      .partitions = [](const Call& c) { return c["count"].integer(); },
      .source_kernel = "task.values",
      .source = [](const Call& c, const std::vector<int>& needed) -> Value {
        return Dict{{"rows", c["rows"]}, {"columns", List(needed.begin(), needed.end())}};
      },
      .show = [](const Call& c) { return concat(c["count"].integer(), " tasks"); },
  }};
}

}  // namespace muster::ops::frame
