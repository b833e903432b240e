// What aggregates share: a state of fixed size for each group, in an array by the group's number. States are plain bytes on their way to another process or
// to the spill file.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <vector>

#include "base/error.hpp"
#include "kernels/aggregate.hpp"
#include "muster/error.hpp"

namespace muster::kernels {

/// What a caller says of an aggregate.
struct AggregateOptions {
  explicit AggregateOptions(const base::Value& v)
      : ddof(v.has("ddof") ? v["ddof"].integer() : 1),
        min_count(v.has("min_count") ? std::max<int64_t>(0, v["min_count"].integer()) : 0),
        skipna(!v.has("skipna") || v["skipna"].boolean()) {}
  int64_t ddof, min_count;
  bool skipna;
};

/// Calls f(group, value) for each row that is present, and g(group) for each that is not.
template <class T, class F, class G>
void each_row(const uint32_t* groups, const data::Column& c, int64_t rows, F f, G g) {
  const T* v = c.as<T>();
  const int64_t step = c.constant ? 0 : 1;
  auto present = [&](int64_t i) {
    if constexpr (std::is_floating_point_v<T>) return !std::isnan(v[i * step]);
    else if constexpr (std::is_same_v<T, data::Text>) return v[i * step].data != nullptr;
    else return !c.valid || c.valid[i * step] != 0;
  };
  if (groups) {
    for (int64_t i = 0; i < rows; ++i)
      if (present(i)) f(groups[i], v[i * step]);
      else g(groups[i]);
  } else {
    for (int64_t i = 0; i < rows; ++i)
      if (present(i)) f(1u, v[i * step]);
      else g(1u);
  }
}

/// States as they lie in memory: both ends are the same build.
template <class S>
void encode_states(base::Encoder& out, const std::vector<S>& states, size_t groups) {
  static_assert(std::is_trivially_copyable_v<S>);
  out << std::string_view(reinterpret_cast<const char*>(states.data() + 1), groups * sizeof(S));
}
template <class S>
void decode_states(base::Decoder& in, std::vector<S>& states, size_t groups) {
  const auto bytes = in.get<std::string_view>();
  if (bytes.size() != groups * sizeof(S) || states.size() <= groups) throw Error(ErrorKind::io, "the states of an aggregate do not fit");
  std::memcpy(static_cast<void*>(states.data() + 1), bytes.data(), bytes.size());
}

/// A state S per group: S::add(T), S::skip(), S::merge(S&); `finish` is the derived class's.
template <class S>
class States : public Aggregate {
 public:
  void grow(uint32_t groups) override {
    if (states_.size() <= groups) states_.resize(groups + 1);
  }
  void merge(Aggregate& later, Groups from, Groups to) override {
    auto& other = static_cast<States&>(later).states_;
    for (size_t i = 0; i < from.size(); ++i) states_[to[i]].merge(other[from[i]]);
  }
  int64_t bytes() const override { return static_cast<int64_t>(states_.capacity() * sizeof(S)); }
  void encode(base::Encoder& out, size_t groups) const override { encode_states(out, states_, groups); }
  void decode(base::Decoder& in, size_t groups) override { decode_states(in, states_, groups); }

 protected:
  std::vector<S> states_ = std::vector<S>(2);
};

/// sum, or mean: rounding errors are kept; integers in 128 bits, or wrapping around where none can be missing.
std::unique_ptr<Aggregate> sum_aggregate(bool mean, data::DType type, data::DType result, const AggregateOptions& options);
/// var, or its root std.
std::unique_ptr<Aggregate> variance_aggregate(bool root, data::DType type, data::DType result, const AggregateOptions& options);
std::unique_ptr<Aggregate> product_aggregate(data::DType type, data::DType result, const AggregateOptions& options);

/// One of the group's values that are there.
enum class Pick { min, max, first, last };
std::unique_ptr<Aggregate> picked_aggregate(Pick pick, data::DType type, const AggregateOptions& options);
/// The value of a group's first row, there or missing.
std::unique_ptr<Aggregate> first_row_aggregate(data::DType type);

/// Rows whose value is there, or all.
std::unique_ptr<Aggregate> count_aggregate(data::DType type, bool all_rows);
/// Whether any value, or all, are true; missing ones count as True unless skipped, as NumPy's nan.
std::unique_ptr<Aggregate> truth_aggregate(bool any, data::DType type, const AggregateOptions& options);
/// How many different values.
std::unique_ptr<Aggregate> distinct_aggregate(data::DType type, bool keep_missing);

}  // namespace muster::kernels
