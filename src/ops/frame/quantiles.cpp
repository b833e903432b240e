// Exact quantiles of columns, as one row: median, quantile and describe are made of it.
#include "kernels/quantiles.hpp"
#include "ops/frame/columns.hpp"

namespace muster::ops::frame {
namespace {
DType result_of(DType type) {
  if (!type.is_number() && !type.is_time()) throw unsupported("quantile of ", type.name());
  return type.is_time() ? type : type.storage == Storage::float32 ? DType{Storage::float32} : DType{Storage::float64};
}

std::vector<size_t> chosen(const Call& c) {
  std::vector<size_t> out;
  if (c["at"].is_list())
    for (const auto& at : c["at"].list()) out.push_back(static_cast<size_t>(at.integer()));
  else
    for (size_t i = 0; i < c.input().columns.size(); ++i) out.push_back(i);
  return out;
}

// {at: positions of columns, default all; q: list of floats; middle: it is the median}: of each column all quantiles. Of a Series they are labelled by q, else
// by column.
Op quantiles() {
  return {.name = "quantiles",
          .on = {{internal, ""}},
          .schema = [](const Call& c) {
            const Schema& in = c.input();
            Schema s{Kind::row, {}, {}, false};
            for (auto i : chosen(c)) {
              const Field& f = in.columns.at(i);
              for (const auto& q : c["q"].list()) s.columns.push_back({in.kind == Kind::series ? q : f.label, result_of(f.type)});
            }
            return s;
          },
          .lower = [](Lowering& l, const Call& c) {
            const Rows& rows = l.input();
            List types;
            std::vector<int> in;
            for (auto i : chosen(c)) {
              types.push_back(code(c.input().columns[i].type));
              in.push_back(rows.columns[i]);
            }
            std::vector<std::vector<int>> from(types.size() * c["q"].list().size());
            Rows out = l.fold(rows.stage, "quantiles", Dict{{"types", types}, {"q", c["q"]}, {"middle", c["middle"]}}, in, from);
            out.index.clear();
            return out;
          },
          .folds = true,
          .show = [](const Call& c) { return c["q"].repr(); },
          .kernels = {kernels::quantiles_kernel()}};
}

// One-row results as one row. {labels: of its values, default their own}
Op joined_rows() {
  return {.name = "joined_rows",
          .on = {{internal, ""}},
          .schema = [](const Call& c) {
            Schema s{Kind::row, {}, {}, false};
            for (const auto& in : c.inputs) s.columns.insert(s.columns.end(), in->schema.columns.begin(), in->schema.columns.end());
            if (c["labels"].is_list())
              for (size_t i = 0; i < s.columns.size(); ++i) s.columns[i].label = c["labels"].list().at(i);
            return s;
          },
          .lower = [](Lowering& l, const Call& c) {
            Rows out = l.input();
            out.index.clear();
            for (size_t i = 1; i < c.inputs.size(); ++i) {
              const auto& more = l.input(i).columns;
              out.columns.insert(out.columns.end(), more.begin(), more.end());
            }
            return out;
          }};
}
}  // namespace

Ops quantiles_ops() { return {quantiles(), joined_rows()}; }

}  // namespace muster::ops::frame
