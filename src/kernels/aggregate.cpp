// Aggregates by name: the dtype of their results, and which class keeps their states.
#include "kernels/aggregate.hpp"

#include "base/error.hpp"
#include "kernels/aggregate_states.hpp"
#include "kernels/ranked_groups.hpp"
#include "muster/error.hpp"

namespace muster::kernels {
using namespace base;
using namespace data;

bool keeps_values(const std::string& function) { return function == "median" || function == "quantile"; }

DType aggregate_type(const std::string& f, DType t) {
  auto refuse = [&]() -> DType { throw type_error("dtype '", t.name(), "' does not support operation '", f, "'"); };
  if (f == "nunique" && t.is_object()) throw unsupported("nunique of objects");
  if (f == "count" || f == "size" || f == "nunique") return {Storage::int64};
  if (f == "first_row") return t;
  if (f == "min" || f == "max" || f == "first" || f == "last") return t.is_object() ? refuse() : t;
  if (f == "any" || f == "all") return t.is_time() || t.is_object() ? refuse() : DType{Storage::boolean};
  if (f == "sum" || f == "prod") {
    if (t.storage == Storage::duration && f == "sum") return t;
    if (!t.is_numeric()) return refuse();
    if (t.is_float()) return {t.storage};
    return {t.is_signed() || t.is_boolean() ? Storage::int64 : Storage::uint64, Unit::us, t.open};
  }
  if (f == "mean" || f == "var" || f == "std" || f == "median" || f == "quantile") {
    if ((f == "median" || f == "quantile") && (t.is_boolean() || t.is_time())) throw unsupported(f, " of ", t.name());
    if (f == "mean" && t.is_time()) return t;
    if (!t.is_numeric()) return refuse();
    return {t.storage == Storage::float32 ? Storage::float32 : Storage::float64};
  }
  throw Error(ErrorKind::invalid, concat("unknown aggregate ", f), "builtins.AttributeError");  // as pandas
}

std::unique_ptr<Aggregate> make_aggregate(const std::string& f, DType type, const Value& options) {
  const DType result = aggregate_type(f, type);
  const AggregateOptions o(options);
  if (f == "count" || f == "size") return count_aggregate(type, f == "size");
  if (f == "nunique") return distinct_aggregate(type, options.has("dropna") && !options["dropna"].boolean());
  if (f == "first_row") return first_row_aggregate(type);
  if (f == "min") return picked_aggregate(Pick::min, type, o);
  if (f == "max") return picked_aggregate(Pick::max, type, o);
  if (f == "first") return picked_aggregate(Pick::first, type, o);
  if (f == "last") return picked_aggregate(Pick::last, type, o);
  if (f == "any" || f == "all") return truth_aggregate(f == "any", type, o);
  if (f == "sum" || f == "mean") return sum_aggregate(f == "mean", type, result, o);
  if (f == "median" || f == "quantile") return ranked_aggregate(f == "median" ? 0.5 : options["q"].number(), type, result, o.skipna);
  if (f == "prod") return product_aggregate(type, result, o);
  return variance_aggregate(f == "std", type, result, o);
}

}  // namespace muster::kernels
