// What corr and cov are made of, as one column.
#include "kernels/comoments.hpp"
#include "ops/frame/columns.hpp"

namespace muster::ops::frame {

Ops comoments_ops() {
  return {{.name = "comoments",
           .on = {{internal, ""}},
           .schema = [](const Call& c) {
             for (const auto& f : c.input().columns)
               if (!f.type.is_numeric()) throw unsupported("corr of ", f.type.name());
             return Schema{Kind::series, {{Value(), {Storage::float64}}}, {}, false};
           },
           .lower = [](Lowering& l, const Call& c) {
             const Rows rows = l.input();
             List types;
             for (const auto& f : c.input().columns) types.push_back(code(f.type));
             Rows out = l.fold(rows.stage, "comoments", Dict{{"types", types}}, rows.columns, {{}});
             out.index = {l.one(out.stage, "row_numbers", Dict{}, {out.columns[0]})};
             return out;
           },
           .folds = true,
           .kernels = {kernels::comoments_kernel()}}};
}

}  // namespace muster::ops::frame
