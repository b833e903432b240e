// Exact quantiles of a Series, as one row: median, quantile and describe are made of it.
#include "kernels/quantiles.hpp"
#include "ops/frame/columns.hpp"

namespace muster::ops::frame {

Ops quantiles_ops() {
  return {{.name = "quantiles",  // {q: list of floats, middle: it is the median}
           .on = {{internal, ""}},
           .schema = [](const Call& c) {
             const DType type = c.input().columns.at(0).type;
             if (!type.is_number() && !type.is_time()) throw unsupported("quantile of ", type.name());
             Schema s{Kind::row, {}, {}, false};
             for (const auto& q : c["q"].list()) s.columns.push_back({q, type.is_time() ? type : type.storage == Storage::float32 ? DType{Storage::float32} : DType{Storage::float64}});
             return s;
           },
           .lower = [](Lowering& l, const Call& c) {
             const Rows rows = l.input();
             std::vector<std::vector<int>> from(c["q"].list().size());
             Rows out = l.fold(rows.stage, "quantiles", Dict{{"type", code(c.input().columns[0].type)}, {"q", c["q"]}, {"middle", c["middle"]}}, {rows.columns[0]}, from);
             out.index.clear();
             return out;
           },
           .folds = true,
           .show = [](const Call& c) { return c["q"].repr(); },
           .kernels = {kernels::quantiles_kernel()}}};
}

}  // namespace muster::ops::frame
