#include "kernels/aggregate.hpp"

#include <algorithm>
#include <cmath>
#include <deque>

#include "base/error.hpp"
#include "data/dispatch.hpp"
#include "kernels/blocks.hpp"
#include "kernels/key_table.hpp"
#include "kernels/ranked_groups.hpp"
#include "kernels/wire.hpp"
#include "muster/error.hpp"

namespace muster::kernels {
using namespace base;
using namespace data;
namespace {

struct Options {
  explicit Options(const Value& v) : ddof(v.has("ddof") ? v["ddof"].integer() : 1), min_count(v.has("min_count") ? std::max<int64_t>(0, v["min_count"].integer()) : 0), skipna(!v.has("skipna") || v["skipna"].boolean()) {}
  int64_t ddof, min_count;
  bool skipna;
};

// Calls f(group, value) for each row that is present, and g(group) for each that is not.
template <class T, class F, class G>
void each_row(const uint32_t* groups, const Column& c, int64_t rows, F f, G g) {
  const T* v = c.as<T>();
  const int64_t step = c.constant ? 0 : 1;
  auto present = [&](int64_t i) {
    if constexpr (std::is_floating_point_v<T>) return !std::isnan(v[i * step]);
    else if constexpr (std::is_same_v<T, Text>) return v[i * step].data != nullptr;
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

// States as they lie in memory: both ends are the same build.
template <class S>
void encode_states(Encoder& out, const std::vector<S>& states, size_t groups) {
  static_assert(std::is_trivially_copyable_v<S>);
  out << std::string_view(reinterpret_cast<const char*>(states.data() + 1), groups * sizeof(S));
}
template <class S>
void decode_states(base::Decoder& in, std::vector<S>& states, size_t groups) {
  const auto bytes = in.get<std::string_view>();
  if (bytes.size() != groups * sizeof(S) || states.size() <= groups) throw Error(ErrorKind::io, "the states of an aggregate do not fit");
  std::memcpy(static_cast<void*>(states.data() + 1), bytes.data(), bytes.size());
}

// A state S per group: S::add(T), S::skip(), S::merge(S&); `finish` is the derived class's.
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
  void encode(Encoder& out, size_t groups) const override { encode_states(out, states_, groups); }
  void decode(base::Decoder& in, size_t groups) override { decode_states(in, states_, groups); }

 protected:
  std::vector<S> states_ = std::vector<S>(2);
};

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
  Sum(Wanted wanted, DType type, DType result, Options o) : wanted_(wanted), type_(type), result_(result), o_(o) {}
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
          else if (wanted_ == Wanted::sum && result_.is_time() && static_cast<int64_t>(s.sum) != s.sum) throw Error(ErrorKind::invalid, "sum: overflow in timedelta operation", "pandas.errors.OutOfBoundsTimedelta");
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
  Options o_;
};

// Sums of differences to a value near the mean, so that nothing cancels far from zero: Chan, Golub & LeVeque (1983), The American Statistician
// 37(3), section 3 (shifted data), and equation 2.1 for the merge. The shift moves to the mean at every power of two, so that a first value far away does no harm.
struct Moments {
  int64_t count = 0, missing = 0;
  double shift = 0, sum = 0, squares = 0;  // of x - shift
  void add(double x) {
    if (!count) shift = x;
    const double d = x - shift;
    sum += d, squares += d * d;
    if ((++count & (count - 1)) == 0) recenter();
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
  Variance(bool root, DType result, Options o) : root_(root), result_(result), o_(o) {}
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
  Options o_;
};

template <class T>
struct Extreme {
  T value{};
  int64_t count = 0, missing = 0;
};
enum class Pick { min, max, first, last };

template <class T>
struct FirstValue {
  T value{};
  int64_t count = 0, missing = 0;  // each 0 or 1: whether a row was seen, and whether its value is missing
  void merge(const FirstValue& o) {
    if (!count) *this = o;
  }
};

// The value of a group's first row, there or missing.
template <class T>
class FirstRow : public States<FirstValue<T>> {
 public:
  FirstRow(DType type) : type_(type) {}
  void add(const uint32_t* groups, const Column& c, int64_t rows) override {
    each_row<T>(groups, c, rows, [this](uint32_t g, T v) { offer(g, v, 0); }, [this](uint32_t g) { offer(g, T{}, 1); });
    if constexpr (std::is_same_v<T, Text>)
      if (!c.text_kept) own();
      else if (keeps_.empty() || keeps_.back() != c.text_keep()) keeps_.push_back(c.text_keep());
  }
  void merge(Aggregate& later, Groups from, Groups to) override {
    auto& other = static_cast<FirstRow&>(later);
    for (size_t i = 0; i < from.size(); ++i)
      if (const auto& o = other.states_[from[i]]; o.count) offer(to[i], o.value, o.missing);
    if constexpr (std::is_same_v<T, Text>) own();
  }
  Column finish(const std::vector<uint32_t>& groups) override {
    Writable out(type_.storage, static_cast<int64_t>(groups.size()));
    for (size_t i = 0; i < groups.size(); ++i) {
      const auto& s = this->states_[groups[i]];
      out.template as<T>()[i] = s.value;
      if (!s.missing) continue;
      if constexpr (std::is_floating_point_v<T>) out.template as<T>()[i] = std::numeric_limits<T>::quiet_NaN();
      else if constexpr (!std::is_same_v<T, Text>) out.valid()[i] = 0;
    }
    return own_text(std::move(out).finish());
  }
  int64_t bytes() const override { return States<FirstValue<T>>::bytes() + text_bytes_; }
  void encode(Encoder& out, size_t groups) const override {
    if constexpr (std::is_same_v<T, Text>)
      for (size_t g = 1; g <= groups; ++g) out << this->states_[g].count << this->states_[g].missing << std::string_view(this->states_[g].value.data ? this->states_[g].value.view() : std::string_view());
    else encode_states(out, this->states_, groups);
  }
  void decode(base::Decoder& in, size_t groups) override {
    if constexpr (std::is_same_v<T, Text>) {
      for (size_t g = 1; g <= groups; ++g) {
        auto& s = this->states_.at(g);
        s.count = in.get<int64_t>(), s.missing = in.get<int64_t>();
        const auto bytes = in.get<std::string_view>();
        if (s.count && !s.missing) s.value = copy({bytes.data(), static_cast<int64_t>(bytes.size())});
      }
    } else {
      decode_states(in, this->states_, groups);
    }
  }

 private:
  void offer(uint32_t g, T v, int64_t missing) {
    auto& s = this->states_[g];
    if (s.count) return;
    s.value = v, s.missing = missing, s.count = 1;
    if constexpr (std::is_same_v<T, Text>) fresh_.push_back(g);
  }
  Text copy(Text t) {
    static const char empty = 0;
    if (!t.size) return {&empty, 0};
    auto bytes = std::make_shared<std::string>(t.view());
    keeps_.push_back(bytes), text_bytes_ += static_cast<int64_t>(sizeof(std::string)) + t.size;
    return {bytes->data(), t.size};
  }
  // New texts get memory of their own, all in one block.
  void own() {
    if constexpr (std::is_same_v<T, Text>) {
      int64_t size = 0;
      for (uint32_t g : fresh_) size += this->states_[g].value.size;
      auto block = allocate(size + 1);
      char* to = block.get();
      for (uint32_t g : fresh_) {
        Text& t = this->states_[g].value;
        if (!t.data) continue;
        if (t.size) std::memcpy(to, t.data, static_cast<size_t>(t.size));
        t.data = to, to += t.size;
      }
      if (!fresh_.empty()) keeps_.push_back(block), text_bytes_ += size;
      fresh_.clear();
    }
  }
  DType type_;
  std::vector<uint32_t> fresh_;
  std::vector<Keep> keeps_;
  int64_t text_bytes_ = 0;
};

template <class T>
class PickOne : public Aggregate {
 public:
  PickOne(Pick pick, DType type, Options o) : pick_(pick), type_(type), o_(o) {}
  void grow(uint32_t groups) override {
    if (states_.size() <= groups) states_.resize(groups + 1);
  }
  void add(const uint32_t* groups, const Column& c, int64_t rows) override {
    if constexpr (std::is_same_v<T, double>)
      if (!groups && !c.constant && (pick_ == Pick::min || pick_ == Pick::max)) {
        const BlockExtremes block = extremes_of(c.as<double>(), rows);
        states_[1].missing += rows - block.count;
        if (block.count) offer(states_[1], pick_ == Pick::min ? block.min : block.max), states_[1].count += block.count - 1;
        return;
      }
    if constexpr (std::is_integral_v<T>)
      if (!groups && !c.constant && !c.valid && rows && (pick_ == Pick::min || pick_ == Pick::max)) {
        T low = c.as<T>()[0], high = low;
        for (int64_t i = 1; i < rows; ++i) low = std::min(low, c.as<T>()[i]), high = std::max(high, c.as<T>()[i]);
        offer(states_[1], pick_ == Pick::min ? low : high), states_[1].count += rows - 1;
        return;
      }
    if constexpr (!std::is_same_v<T, Text>) {
      if (pick_ == Pick::min) return add_extreme(groups, c, rows, [](T v, T than) { return v < than; });
      if (pick_ == Pick::max) return add_extreme(groups, c, rows, [](T v, T than) { return v > than; });
    }
    each_row<T>(groups, c, rows, [this](uint32_t g, T v) { offer(states_[g], v); }, [this](uint32_t g) { ++states_[g].missing; });
  }
  void merge(Aggregate& later, Groups from, Groups to) override {
    auto& other = static_cast<PickOne&>(later).states_;
    for (size_t i = 0; i < from.size(); ++i) {
      const auto& o = other[from[i]];
      if (o.count) offer(states_[to[i]], o.value), states_[to[i]].count += o.count - 1;
      states_[to[i]].missing += o.missing;
    }
  }
  Column finish(const std::vector<uint32_t>& groups) override {
    Writable out(type_.storage, static_cast<int64_t>(groups.size()));
    for (size_t i = 0; i < groups.size(); ++i) {
      const auto& s = states_[groups[i]];
      const bool gone = !s.count || (!o_.skipna && s.missing) || s.count < o_.min_count;
      out.template as<T>()[i] = gone ? T{} : s.value;
      if constexpr (std::is_floating_point_v<T>) { if (gone) out.template as<T>()[i] = std::numeric_limits<T>::quiet_NaN(); }
      else if constexpr (!std::is_same_v<T, Text>) { if (gone) out.valid()[i] = 0; }
    }
    return own_text(std::move(out).finish());
  }
  int64_t bytes() const override { return static_cast<int64_t>(states_.capacity() * sizeof(Extreme<T>)) + text_bytes_; }
  void encode(Encoder& out, size_t groups) const override {
    if constexpr (std::is_same_v<T, Text>) {
      for (size_t g = 1; g <= groups; ++g) out << states_[g].count << states_[g].missing << std::string_view(states_[g].value.data ? states_[g].value.view() : std::string_view());
    } else {
      encode_states(out, states_, groups);
    }
  }
  void decode(base::Decoder& in, size_t groups) override {
    if constexpr (std::is_same_v<T, Text>) {
      for (size_t g = 1; g <= groups; ++g) {
        auto& s = states_.at(g);
        s.count = in.get<int64_t>(), s.missing = in.get<int64_t>();
        const auto& copy = kept(in.get<std::string_view>());
        if (s.count) s.value = {copy.data(), static_cast<int64_t>(copy.size())};
      }
    } else {
      decode_states(in, states_, groups);
    }
  }

 private:
  template <class Better>
  void add_extreme(const uint32_t* groups, const Column& c, int64_t rows, Better better) {
    auto* states = states_.data();
    const auto offered = [=](uint32_t g, T v) {
      Extreme<T>& s = states[g];
      s.value = !s.count || better(v, s.value) ? v : s.value;
      ++s.count;
    };
    each_row<T>(groups, c, rows, offered, [=](uint32_t g) { ++states[g].missing; });
  }
  void offer(Extreme<T>& s, T v) {
    bool better = !s.count || pick_ == Pick::last;
    if (!better && pick_ != Pick::first) {
      if constexpr (std::is_same_v<T, Text>) better = pick_ == Pick::min ? v.view() < s.value.view() : v.view() > s.value.view();
      else better = pick_ == Pick::min ? v < s.value : v > s.value;
    }
    ++s.count;
    if (!better) return;
    if constexpr (std::is_same_v<T, Text>) {
      v.data = kept(v.view()).data();
      if (texts_.size() > 65536 + 2 * states_.size()) compact(s, v);
    }
    s.value = v;
  }
  const std::string& kept(std::string_view text) {
    text_bytes_ += static_cast<int64_t>(sizeof(std::string) + text.size());
    return texts_.emplace_back(text);
  }
  // Drops the texts that lost.
  void compact(Extreme<T>& being_set, Text& value) {
    if constexpr (std::is_same_v<T, Text>) {
      const std::deque<std::string> all = std::move(texts_);
      texts_.clear(), text_bytes_ = 0;
      for (auto& s : states_)
        if (s.count && &s != &being_set && s.value.data) s.value.data = kept(s.value.view()).data();
      value.data = kept(value.view()).data();
    }
  }
  Pick pick_;
  DType type_;
  Options o_;
  std::vector<Extreme<T>> states_ = std::vector<Extreme<T>>(2);
  std::deque<std::string> texts_;
  int64_t text_bytes_ = 0;
};

struct Tally {
  int64_t count = 0;
  void merge(const Tally& o) { count += o.count; }
};
class Count : public States<Tally> {
 public:
  explicit Count(DType type, bool all_rows) : type_(type), all_rows_(all_rows) {}
  void add(const uint32_t* groups, const Column& c, int64_t rows) override {
    auto* s = states_.data();
    if (!groups && (all_rows_ || (!c.valid && !c.constant && !type_.is_float() && !type_.is_text() && !type_.is_object()))) {
      s[1].count += rows;
      return;
    }
    if (!groups && type_.storage == Storage::float64 && !c.constant) {
      s[1].count += count_of(c.as<double>(), rows);
      return;
    }
    for (int64_t i = 0; i < rows; ++i) s[groups ? groups[i] : 1].count += all_rows_ || !c.is_missing(i);
  }
  Column finish(const std::vector<uint32_t>& groups) override {
    Writable out(Storage::int64, static_cast<int64_t>(groups.size()));
    for (size_t i = 0; i < groups.size(); ++i) out.as<int64_t>()[i] = states_[groups[i]].count;
    return std::move(out).finish();
  }

 private:
  DType type_;
  bool all_rows_;
};

// Any or all of the truth of values; missing values count as True unless skipped, as NumPy's nan.
struct Truth {
  bool any = false, all = true;
  void merge(const Truth& o) { any |= o.any, all &= o.all; }
};
template <class T>
class AnyAll : public States<Truth> {
 public:
  AnyAll(bool any, Options o) : any_(any), o_(o) {}
  void add(const uint32_t* groups, const Column& c, int64_t rows) override {
    auto* s = states_.data();
    each_row<T>(groups, c, rows, [s](uint32_t g, T v) {
      bool truth;
      if constexpr (std::is_same_v<T, Text>) truth = v.size > 0;
      else truth = v != T{};
      s[g].any |= truth, s[g].all &= truth;
    }, [s, this](uint32_t g) { if (!o_.skipna) s[g].any = true; });
  }
  Column finish(const std::vector<uint32_t>& groups) override {
    Writable out(Storage::boolean, static_cast<int64_t>(groups.size()));
    for (size_t i = 0; i < groups.size(); ++i) out.as<uint8_t>()[i] = any_ ? states_[groups[i]].any : states_[groups[i]].all;
    return std::move(out).finish();
  }

 private:
  bool any_;
  Options o_;
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
  Prod(DType result, Options o) : result_(result), o_(o) {}
  void add(const uint32_t* groups, const Column& c, int64_t rows) override {
    auto* s = states_.data();
    each_row<T>(groups, c, rows, [s](uint32_t g, T v) { s[g].real *= static_cast<double>(v), s[g].whole *= static_cast<uint64_t>(v), ++s[g].count; }, [s](uint32_t g) { ++s[g].missing; });
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
  Options o_;
};

// Distinct (group, value) pairs.
class Distinct : public Aggregate {
 public:
  Distinct(DType type, bool keep_missing) : values_(type.storage, keep_missing) {}
  void grow(uint32_t groups) override {
    if (counts_.size() <= groups) counts_.resize(groups + 1);
  }
  void add(const uint32_t* groups, const Column& c, int64_t rows) override {
    numbers_.resize(static_cast<size_t>(rows));
    values_.encode(c, rows, numbers_.data());
    const auto n = static_cast<size_t>(rows);
    for (size_t i = 0; i < n; ++i) {
      if (i + kAhead < n) pairs_.prefetch(pair(groups ? groups[i + kAhead] : 1, numbers_[i + kAhead]));
      if (numbers_[i]) see(groups ? groups[i] : 1, numbers_[i]);
    }
  }
  void merge(Aggregate& later, Groups from, Groups to) override {
    auto& other = static_cast<Distinct&>(later);
    std::vector<uint32_t> all(other.values_.size()), mine(all.size() + 1);
    for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<uint32_t>(i + 1);
    Column values = other.values_.values(all);
    values_.encode(values, values.length, mine.data() + 1);
    std::vector<uint32_t> place(other.counts_.size());
    for (size_t i = 0; i < from.size(); ++i) place[from[i]] = to[i];
    for (size_t i = 0; i < other.seen_.size(); ++i) {
      if (i + kAhead < other.seen_.size()) pairs_.prefetch(pair(place[other.seen_[i + kAhead].first], mine[other.seen_[i + kAhead].second]));
      const auto [group, number] = other.seen_[i];
      if (place[group]) see(place[group], mine[number]);
    }
  }
  Column finish(const std::vector<uint32_t>& groups) override {
    Writable out(Storage::int64, static_cast<int64_t>(groups.size()));
    for (size_t i = 0; i < groups.size(); ++i) out.as<int64_t>()[i] = counts_[groups[i]];
    return std::move(out).finish();
  }
  void encode(Encoder& out, size_t) const override {
    std::vector<uint32_t> all(values_.size()), flat;
    for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<uint32_t>(i + 1);
    kernels::encode(out, Batches{{static_cast<int64_t>(all.size()), {values_.values(all)}}});
    for (auto [group, number] : seen_) flat.push_back(group), flat.push_back(number);
    out << flat;
  }
  void decode(base::Decoder& in, size_t groups) override {
    const Batches values = decode_batches(in);
    const auto flat = in.list<uint32_t>();
    if (values.size() != 1 || values[0].columns.size() != 1) throw Error(ErrorKind::io, "the values of a count of distinct ones do not fit");
    std::vector<uint32_t> mine(static_cast<size_t>(values[0].rows) + 1);
    values_.encode(values[0].columns[0], values[0].rows, mine.data() + 1);
    for (size_t i = 0; i + 1 < flat.size(); i += 2)
      if (flat[i] <= groups && flat[i + 1] < mine.size()) see(flat[i], mine[flat[i + 1]]);
  }
  int64_t bytes() const override { return values_.bytes() + pairs_.bytes() + static_cast<int64_t>(seen_.capacity() * 8 + counts_.capacity() * 8); }

 private:
  static constexpr size_t kAhead = 24;  // rows whose slots are fetched before they are looked at
  static uint64_t pair(uint32_t group, uint32_t number) { return static_cast<uint64_t>(group) << 32 | number; }
  void see(uint32_t group, uint32_t number) {
    const auto next = static_cast<uint32_t>(seen_.size() + 1);
    if (pairs_.find_or_add(pair(group, number), next) != next) return;
    seen_.emplace_back(group, number), ++counts_[group];
  }
  KeyColumn values_;
  WordTable pairs_;
  std::vector<std::pair<uint32_t, uint32_t>> seen_;
  std::vector<int64_t> counts_ = std::vector<int64_t>(2);
  std::vector<uint32_t> numbers_;
};

}  // namespace

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
  const Options o(options);
  if (f == "count" || f == "size") return std::make_unique<Count>(type, f == "size");
  if (f == "nunique") return std::make_unique<Distinct>(type, options.has("dropna") && !options["dropna"].boolean());
  return visit(type.storage, [&](auto tag) -> std::unique_ptr<Aggregate> {
    using T = typename decltype(tag)::type;
    if (f == "first_row") return std::make_unique<FirstRow<T>>(type);
    if (f == "min") return std::make_unique<PickOne<T>>(Pick::min, type, o);
    if (f == "max") return std::make_unique<PickOne<T>>(Pick::max, type, o);
    if (f == "first") return std::make_unique<PickOne<T>>(Pick::first, type, o);
    if (f == "last") return std::make_unique<PickOne<T>>(Pick::last, type, o);
    if (f == "any" || f == "all") return std::make_unique<AnyAll<T>>(f == "any", o);
    if constexpr (std::is_same_v<T, Text>) throw internal("aggregate ", f, " of text");
    else {
      if constexpr (std::is_integral_v<T>)
        if (f == "sum" && (type.is_integer() || type.is_boolean()) && !type.open && o.min_count == 0) return std::make_unique<Sum<T, WrappingSum>>(Wanted::sum, type, result, o);
      if (f == "sum") return std::make_unique<Sum<T>>(Wanted::sum, type, result, o);
      if (f == "mean") return std::make_unique<Sum<T>>(Wanted::mean, type, result, o);
      if (f == "median" || f == "quantile") return ranked_aggregate(f == "median" ? 0.5 : options["q"].number(), type, result, o.skipna);
      if (f == "prod") return std::make_unique<Prod<T>>(result, o);
      return std::make_unique<Variance<T>>(f == "std", result, o);
    }
  });
}

}  // namespace muster::kernels
