// map_partitions: a Python function of each partition as a pandas object.
#include "kernels/python_call.hpp"
#include "ops/frame/columns.hpp"

namespace muster::ops::frame {

Schema schema_of_fields(const Call& c);  // from_memory.cpp

namespace {
Value fields_of(const std::vector<Field>& fields) {
  List out;
  for (const auto& f : fields) out.push_back(List{f.label, code(f.type)});
  return out;
}
std::vector<Field> fields(const Value& v) {
  std::vector<Field> out;
  for (const auto& f : v.list()) out.push_back({f.list().at(0), dtype_of(f.list().at(1).integer())});
  return out;
}
Value encode(const Schema& s) { return Dict{{"kind", static_cast<int>(s.kind)}, {"fields", fields_of(s.columns)}, {"index", fields_of(s.index)}}; }
Schema decode(const Value& v) { return {static_cast<Kind>(v["kind"].integer()), fields(v["fields"]), fields(v["index"]), false}; }

Whole apply(const Args& a) {
  auto function = a["func"].opaque();
  const Schema in = decode(a["in"]), out = decode(a["out"]);
  return [=](Task& t, Batches rows) { return kernels::python_apply()(t, *function, rows, in, out); };
}
}  // namespace

Ops map_partitions_ops() {
  return {{.name = "map_partitions",
           .on = {{internal, ""}},
           .schema = schema_of_fields,
           .lower = [](Lowering& l, const Call& c) {
             const Rows rows = l.input();
             std::vector<int> in = rows.index;
             in.insert(in.end(), rows.columns.begin(), rows.columns.end());
             const Schema out = schema_of_fields(c);
             const int index = static_cast<int>(out.index.size());
             Rows all = l.whole(rows.stage, "python.apply", Dict{{"func", c["func"]}, {"in", encode(c.input())}, {"out", encode(out)}}, in, index + static_cast<int>(out.columns.size()));
             return Rows{all.stage, {all.columns.begin() + index, all.columns.end()}, {all.columns.begin(), all.columns.begin() + index}};
           },
           .show = [](const Call& c) { return "python:rows " + c["label"].label(); },
           .kernels = {{.name = "python.apply", .whole = apply}},
           .python = "rows"}};
}

}  // namespace muster::ops::frame
