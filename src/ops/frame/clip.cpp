// clip: values kept between two bounds.
#include "data/dispatch.hpp"
#include "ops/frame/columns.hpp"

namespace muster::ops::frame {
namespace {

// clip {type, lower, upper}: constants of the column's dtype; none = no bound. Missing values stay.
Map clip(const Args& a) {
  const DType type = dtype_of(a["type"].integer());
  const bool below = a.has("lower"), above = a.has("upper");
  const Column lower = constant_of(a["lower"], type), upper = constant_of(a["upper"], type);
  return [=](Task&, Columns in, int64_t rows, std::span<Column> out) {
    const Column c = spread(in[0], rows);
    Writable w(c.storage, rows);
    visit_fixed(c.storage, [&](auto tag) {
      using T = typename decltype(tag)::type;
      const T *x = c.as<T>(), low = below ? lower.as<T>()[0] : T{}, high = above ? upper.as<T>()[0] : T{};
      T* y = w.as<T>();
      for (int64_t i = 0; i < rows; ++i) {
        T v = x[i];
        if (below) v = v < low ? low : v;
        if (above) v = v > high ? high : v;
        y[i] = v;
      }
    });
    if (c.valid) std::memcpy(w.valid(), c.valid, static_cast<size_t>(rows));
    out[0] = std::move(w).finish();
    return rows;
  };
}

// The bounds in order, as pandas takes them.
std::pair<Value, Value> bounds(const Call& c) {
  Value low = is_missing(c["lower"]) ? Value() : c["lower"], high = is_missing(c["upper"]) ? Value() : c["upper"];
  if (low.is_number() && high.is_number() && low.number() > high.number()) std::swap(low, high);
  return {low, high};
}
}  // namespace

Ops clip_ops() {
  const std::string typed = "const Literal& lower, const Literal& upper = {}";
  Op op = of_each_column(
      "clip", {{frame, "lower: Any = None, upper: Any = None, axis=None", "", typed}, {series, "lower: Any = None, upper: Any = None, axis=None", "", typed}},
      [](const Call& c, DType t) {
        if (c.has("axis") || !t.is_number()) throw unsupported("clip: of ", t.name());
        for (const Value& v : {bounds(c).first, bounds(c).second})
          if (!v.is_none() && !holds(t, v)) throw unsupported("clip: ", v.repr(), " in a column of ", t.name());
      },
      "clip", [](const Call& c, DType t) { return Dict{{"type", code(t)}, {"lower", bounds(c).first}, {"upper", bounds(c).second}}; });
  op.doc = {.summary = "The values, those below `lower` or above `upper` replaced by these.",
            .returns = "As the input. Lazy.",
            .notes = "Missing values stay missing. Bounds that the dtype does not hold, and lazy ones, run through pandas.",
            .example = R"(
>>> s = dd.from_pandas(pd.Series([1.0, 5.0, 9.0], name="x"), npartitions=2)
>>> s.clip(2, 8).compute()
0    2.0
1    5.0
2    8.0
Name: x, dtype: float64
)"};
  op.params = {{"lower", "Scalar or None: no bound."}, {"upper", "Scalar or None: no bound."}, {"axis", "pandas', of bounds that are collections."}};
  op.kernels = {{.name = "clip", .map = clip}};
  op.show = [](const Call& c) { return concat(c["lower"].repr(), ", ", c["upper"].repr()); };
  return {op};
}

}  // namespace muster::ops::frame
