// Sums, means, variances and products of groups: what adds values up. A sum keeps its rounding errors, so that it is the same however rows are cut, to the
// last digits that count.
#include <cmath>

#include "data/dispatch.hpp"
#include "kernels/aggregate_states.hpp"
#include "kernels/blocks.hpp"

namespace muster::kernels {
using namespace base;
using namespace data;
namespace {

// Sum with the rounding errors kept: TwoSum of Knuth (1997), The Art of Computer Programming 2, 4.2.2, theorem B; cascaded as Neumaier (1974).
struct FloatSum {
  double sum = 0, error = 0;
  int64_t count = 0, missing = 0;
  void add(double x) {
    const double s = sum + x, b = s - sum;
    error += (sum - (s - b)) + (x - b);
    sum = s, ++count;
  }
  void skip() { ++missing; }
  void merge(const FloatSum& o) {
    const double s = sum + o.sum, b = s - sum;
    error += (sum - (s - b)) + (o.sum - b) + o.error;
    sum = s, count += o.count, missing += o.missing;
  }
  double total() const { return std::isfinite(sum) && std::isfinite(error) ? sum + error : sum; }
};
struct IntegerSum {
  __int128 sum = 0;
  int64_t count = 0, missing = 0;
  template <class T> void add(T x) { sum += x, ++count; }
  void skip() { ++missing; }
  void merge(const IntegerSum& o) { sum += o.sum, count += o.count, missing += o.missing; }
  double total() const { return static_cast<double>(sum); }
};

// Of integers none of which can be missing: the sum wraps around, as the result does.
struct WrappingSum {
  uint64_t sum = 0;
  static constexpr int64_t count = 0, missing = 0;
  template <class T> void add(T x) { sum += static_cast<uint64_t>(x); }
  void skip() {}
  void merge(const WrappingSum& o) { sum += o.sum; }
  double total() const { return static_cast<double>(static_cast<int64_t>(sum)); }
};

enum class Wanted { sum, mean };

template <class T, class State = std::conditional_t<std::is_floating_point_v<T>, FloatSum, IntegerSum>>
class Sum : public States<State> {
 public:
  Sum(Wanted wanted, DType type, DType result, AggregateOptions o) : wanted_(wanted), type_(type), result_(result), o_(o) {}
  void add(const uint32_t* groups, const Column& c, int64_t rows) override {
    auto& states = this->states_;
    if constexpr (std::is_same_v<T, double>)
      if (!groups && !c.constant) return add_block(sum_of(c.as<double>(), rows), rows);
    if constexpr (std::is_same_v<T, float>)
      if (!groups && !c.constant) {
        constexpr int64_t kPiece = 1024;
        for (int64_t begin = 0; begin < rows; begin += kPiece) {
          double wide[kPiece];
          const int64_t n = std::min(kPiece, rows - begin);
          std::copy_n(c.as<float>() + begin, n, wide);
          add_block(sum_of(wide, n), n);
        }
        return;
      }
    if constexpr (std::is_same_v<T, int64_t> && std::is_same_v<State, IntegerSum>)
      if (!groups && !c.constant && !c.valid) {
        states[1].sum += sum_of(c.as<int64_t>(), rows), states[1].count += rows;
        return;
      }
    if (!groups) {
      auto state = states[1];  // in registers
      each_row<T>(nullptr, c, rows, [&](uint32_t, T v) { state.add(v); }, [&](uint32_t) { state.skip(); });
      states[1] = state;
      return;
    }
    auto* s = states.data();
    if constexpr (std::is_same_v<T, double>)
      if (!c.constant && states.size() <= kFew && rows >= 1024) return add_in_lanes(groups, c.as<double>(), rows);
    each_row<T>(groups, c, rows, [s](uint32_t g, T v) { s[g].add(v); }, [s](uint32_t g) { s[g].skip(); });
  }
  Column finish(const std::vector<uint32_t>& groups) override {
    Writable out(result_.storage, static_cast<int64_t>(groups.size()));
    for (size_t i = 0; i < groups.size(); ++i) {
      const auto& s = this->states_[groups[i]];
      const bool gone = (!o_.skipna && s.missing) || s.count < o_.min_count || (wanted_ == Wanted::mean && s.count == 0);
      const double n = wanted_ == Wanted::mean ? static_cast<double>(s.count) : 1;
      visit_fixed(result_.storage, [&](auto tag) {
        using R = typename decltype(tag)::type;
        if constexpr (std::is_floating_point_v<R>) out.as<R>()[i] = gone ? std::numeric_limits<R>::quiet_NaN() : static_cast<R>(s.total() / n);
        else if constexpr (std::is_floating_point_v<T>) throw internal("sum: float into integer");
        else {
          if (gone) out.valid()[i] = 0, out.as<R>()[i] = 0;
          else if (wanted_ == Wanted::sum && result_.is_time() && static_cast<int64_t>(s.sum) != s.sum)
            throw Error(ErrorKind::invalid, "sum: overflow in timedelta operation", "pandas.errors.OutOfBoundsTimedelta");
          else if (wanted_ == Wanted::mean) out.as<R>()[i] = static_cast<R>(s.sum / std::max<std::remove_const_t<decltype(s.sum)>>(1, s.count));
          else out.as<R>()[i] = static_cast<R>(static_cast<uint64_t>(s.sum));
        }
      });
    }
    return std::move(out).finish();
  }

 private:
  void add_block(const BlockSum& block, int64_t rows) {
    if constexpr (std::is_same_v<State, FloatSum>) {
      FloatSum more;
      more.sum = block.sum, more.error = block.error, more.count = block.count, more.missing = rows - block.count;
      this->states_[1].merge(more);
    }
  }
  static constexpr size_t kFew = 128, kLanes = 4;
  // Of few groups the same comes again before its last sum is done: neighbouring rows go to states of their own.
  void add_in_lanes(const uint32_t* groups, const double* v, int64_t rows) {
    if constexpr (std::is_same_v<State, FloatSum>) {
      FloatSum lanes[kFew][kLanes];
      for (int64_t i = 0; i < rows; ++i) {
        FloatSum& s = lanes[groups[i]][static_cast<size_t>(i) % kLanes];
        if (v[i] == v[i]) s.add(v[i]);
        else s.skip();
      }
      for (size_t g = 1; g < this->states_.size(); ++g)
        for (const auto& lane : lanes[g]) this->states_[g].merge(lane);
    }
  }

  Wanted wanted_;
  DType type_, result_;
  AggregateOptions o_;
};

// Sums of differences to a value near the mean, so that nothing cancels far from zero: Chan, Golub & LeVeque (1983), The American Statistician 37(3), section
// 3 (shifted data), and equation 2.1 for the merge. The shift moves to the mean at every power of two, so that a first value far away does no harm.
struct Moments {
  int64_t count = 0, missing = 0;
  double shift = 0, sum = 0, squares = 0;  // of x - shift
  void add(double x) {
    if (!count) shift = x;
    const double d = x - shift;
    sum += d, squares += d * d;
    ++count;
    if ((count & (count - 1)) == 0) recenter();
  }
  void skip() { ++missing; }
  double deviations() const { return count ? std::max(squares - sum * sum / static_cast<double>(count), 0.0) : 0; }
  void recenter() {
    const double n = static_cast<double>(count), about = shift + sum / n, moved = about - shift;
    squares = deviations();
    sum -= moved * n;  // what rounding `about` left over
    squares += sum * sum / n;
    shift = about;
  }
  void merge(const Moments& o) {
    missing += o.missing;
    if (!o.count) return;
    if (!count) {
      const int64_t gone = missing;
      *this = o, missing = gone;
      return;
    }
    const double n = static_cast<double>(count), m = static_cast<double>(o.count), all = n + m;
    const double apart = (o.shift - shift) + (o.sum / m - sum / n);
    const double total = deviations() + o.deviations() + apart * apart * n * m / all;
    sum = (sum / n + apart * m / all) * all;
    squares = total + sum * sum / all;
    count += o.count;
    recenter();
  }
};

template <class T>
class Variance : public States<Moments> {
 public:
  Variance(bool root, DType result, AggregateOptions o) : root_(root), result_(result), o_(o) {}
  void add(const uint32_t* groups, const Column& c, int64_t rows) override {
    auto* s = states_.data();
    if (!groups && !c.constant && !c.valid) {  // in pieces that stay in the cache
      constexpr int64_t kPiece = 2048;
      double converted[kPiece];
      for (int64_t begin = 0; begin < rows; begin += kPiece) {
        const int64_t n = std::min(kPiece, rows - begin);
        const double* values = converted;
        if constexpr (std::is_same_v<T, double>) values = c.as<double>() + begin;
        else std::transform(c.as<T>() + begin, c.as<T>() + begin + n, converted, [](T v) { return static_cast<double>(v); });
        const BlockMoments block = moments_of(values, n);
        Moments more;
        more.count = block.count, more.missing = n - block.count, more.shift = block.about, more.sum = block.sum, more.squares = block.squares;
        s[1].merge(more);
      }
      return;
    }
    each_row<T>(groups, c, rows, [s](uint32_t g, T v) { s[g].add(static_cast<double>(v)); }, [s](uint32_t g) { s[g].skip(); });
  }
  Column finish(const std::vector<uint32_t>& groups) override {
    Writable out(result_.storage, static_cast<int64_t>(groups.size()));
    for (size_t i = 0; i < groups.size(); ++i) {
      const auto& s = states_[groups[i]];
      double v = s.count <= o_.ddof || (!o_.skipna && s.missing) ? NAN : s.deviations() / static_cast<double>(s.count - o_.ddof);
      if (root_) v = std::sqrt(v);
      if (result_.storage == Storage::float32) out.as<float>()[i] = static_cast<float>(v);
      else out.as<double>()[i] = v;
    }
    return std::move(out).finish();
  }

 private:
  bool root_;
  DType result_;
  AggregateOptions o_;
};

struct Product {
  double real = 1;
  uint64_t whole = 1;
  int64_t count = 0, missing = 0;
  void merge(const Product& o) { real *= o.real, whole *= o.whole, count += o.count, missing += o.missing; }
};
template <class T>
class Prod : public States<Product> {
 public:
  Prod(DType result, AggregateOptions o) : result_(result), o_(o) {}
  void add(const uint32_t* groups, const Column& c, int64_t rows) override {
    auto* s = states_.data();
    each_row<T>(
        groups, c, rows, [s](uint32_t g, T v) { s[g].real *= static_cast<double>(v), s[g].whole *= static_cast<uint64_t>(v), ++s[g].count; },
        [s](uint32_t g) { ++s[g].missing; });
  }
  Column finish(const std::vector<uint32_t>& groups) override {
    Writable out(result_.storage, static_cast<int64_t>(groups.size()));
    for (size_t i = 0; i < groups.size(); ++i) {
      const auto& s = states_[groups[i]];
      const bool gone = (!o_.skipna && s.missing) || s.count < o_.min_count;
      if (result_.storage == Storage::float64) out.as<double>()[i] = gone ? NAN : s.real;
      else if (result_.storage == Storage::float32) out.as<float>()[i] = gone ? NAN : static_cast<float>(s.real);
      else {
        out.as<uint64_t>()[i] = s.whole;
        if (gone) out.valid()[i] = 0;
      }
    }
    return std::move(out).finish();
  }

 private:
  DType result_;
  AggregateOptions o_;
};

// Calls f with a value of the numbers' type.
template <class F>
std::unique_ptr<Aggregate> of_numbers(DType type, F f) {
  return visit(type.storage, [&](auto tag) -> std::unique_ptr<Aggregate> {
    using T = typename decltype(tag)::type;
    if constexpr (std::is_same_v<T, Text>) throw internal("a sum of text");
    else return f(T{});
  });
}
}  // namespace

std::unique_ptr<Aggregate> sum_aggregate(bool mean, DType type, DType result, const AggregateOptions& o) {
  return of_numbers(type, [&](auto value) -> std::unique_ptr<Aggregate> {
    using T = decltype(value);
    if constexpr (std::is_integral_v<T>)
      if (!mean && (type.is_integer() || type.is_boolean()) && !type.open && o.min_count == 0)
        return std::make_unique<Sum<T, WrappingSum>>(Wanted::sum, type, result, o);
    return std::make_unique<Sum<T>>(mean ? Wanted::mean : Wanted::sum, type, result, o);
  });
}

std::unique_ptr<Aggregate> variance_aggregate(bool root, DType type, DType result, const AggregateOptions& o) {
  return of_numbers(type, [&](auto value) -> std::unique_ptr<Aggregate> { return std::make_unique<Variance<decltype(value)>>(root, result, o); });
}

std::unique_ptr<Aggregate> product_aggregate(DType type, DType result, const AggregateOptions& o) {
  return of_numbers(type, [&](auto value) -> std::unique_ptr<Aggregate> { return std::make_unique<Prod<decltype(value)>>(result, o); });
}

}  // namespace muster::kernels
