// round: to a number of decimals, half to even, as NumPy rounds.
#include <cmath>

#include "ops/frame/columns.hpp"

namespace muster::ops::frame {
namespace {

template <class T>
void rounded(const T* x, T* y, int64_t rows, int64_t decimals) {
  const T scale = static_cast<T>(std::pow(10.0, static_cast<double>(std::abs(decimals))));
  if (decimals == 0) for (int64_t i = 0; i < rows; ++i) y[i] = std::nearbyint(x[i]);
  else if (decimals > 0) for (int64_t i = 0; i < rows; ++i) y[i] = std::nearbyint(x[i] * scale) / scale;
  else for (int64_t i = 0; i < rows; ++i) y[i] = std::nearbyint(x[i] / scale) * scale;
}

// round {decimals}
Map round(const Args& a) {
  const int64_t decimals = a["decimals"].integer();
  return [=](Task&, Columns in, int64_t rows, std::span<Column> out) {
    const Column c = spread(in[0], rows);
    Writable w(c.storage, rows);
    if (c.storage == Storage::float32) rounded(c.as<float>(), w.as<float>(), rows, decimals);
    else rounded(c.as<double>(), w.as<double>(), rows, decimals);
    out[0] = std::move(w).finish();
    return rows;
  };
}
}  // namespace

Ops round_ops() {
  Op op = of_each_column(
      "round", {{frame, "decimals: int | Mapping[Any, int] | Series = 0", "", "int decimals = 0"}, {series, "decimals: int = 0", "", "int decimals = 0"}},
      [](const Call& c, DType t) {
        if (!c["decimals"].is_integer() || std::abs(c["decimals"].integer()) > 300) throw unsupported("round: decimals=", c["decimals"].repr());
        if (!t.is_float() && !(t.is_integer() && c["decimals"].integer() >= 0) && !(t.is_text() && c.input().kind == Kind::frame))
          throw unsupported("round: of ", t.name());
      },
      "round", [](const Call& c, DType t) { return t.is_float() ? Dict{{"decimals", c["decimals"]}} : Dict{}; });
  op.doc = {.summary = "The values rounded to `decimals` places, halves to the even digit.", .returns = "As the input. Lazy.",
            .example = R"(
>>> s = dd.from_pandas(pd.Series([0.125, 2.5], name="x"), npartitions=1)
>>> s.round(2).compute()
0    0.12
1    2.50
Name: x, dtype: float64
)"};
  op.params = {{"decimals", "Number of places; negative: in front of the point. Of a DataFrame also a dict by column."}};
  op.kernels = {{.name = "round", .map = round}};
  op.show = [](const Call& c) { return c["decimals"].repr(); };
  return {op};
}

}  // namespace muster::ops::frame
