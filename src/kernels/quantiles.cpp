// Values are counted as long as few differ, as in most columns; then all are kept, spilled where memory is short, and the ranks wanted selected.
#include "kernels/quantiles.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.hpp"
#include "data/dispatch.hpp"
#include "kernels/key_table.hpp"
#include "kernels/ranked_values.hpp"
#include "muster/error.hpp"

namespace muster::kernels {
using namespace base;
using namespace data;
namespace {
constexpr size_t kCounted = 32 << 10;      // different values that are counted
constexpr int64_t kWorthCounting = 4;      // rows for each of these, or all are kept
constexpr int64_t kHeldBytes = 256 << 10;  // of values that stay in memory in any case while rows are added
constexpr int64_t kLeftBytes = 16 << 10;   // and when all are
constexpr double kEndOfIntegers = 0x1p63;

template <class T>
class Quantiles : public Fold {
 public:
  Quantiles(DType type, const Args& a) : type_(type), middle_(a["middle"].is_bool() && a["middle"].boolean()) {
    for (const auto& q : a["q"].list()) q_.push_back(q.number());
  }

  void add(Task& task, Columns in, int64_t rows) override {
    const Column& c = in[0];
    const int64_t step = c.constant ? 0 : 1;
    const T* v = c.as<T>();
    int64_t i = 0;
    for (; i < rows && counting_; ++i) {
      const T x = v[i * step];
      if constexpr (std::is_floating_point_v<T>) { if (std::isnan(x)) continue; }
      else { if (c.valid && !c.valid[i * step]) continue; }
      put(x, 1);
    }
    if (i < rows) keep(c, i, rows);
    shed_beyond(task, kHeldBytes);
    task.hold(bytes() - std::exchange(held_, bytes()));
  }

  void merge(Task& task, Fold& fold) override {
    const auto& later = static_cast<Quantiles&>(fold);
    if (!later.counting_) stop_counting();
    size_t counted = 1;
    while (counted < later.counts_.size() && counting_) put(later.distinct_[counted], later.counts_[counted]), ++counted;
    const auto left = static_cast<std::ptrdiff_t>(counted);
    ranked_.add({later.distinct_.begin() + left, later.distinct_.end()}, {later.counts_.begin() + left, later.counts_.end()});
    ranked_.add(std::exchange(values_, {}));
    ranked_.add(later.values_);
    ranked_.append(later.ranked_);
    shed_beyond(task, kHeldBytes);
  }
  void seal(Task& task) override {
    if (!worth_counting()) stop_counting();
    ranked_.add(std::exchange(values_, {}));  // whoever merges it shares them
    shed_beyond(task, kLeftBytes);
  }

  Batches finish(Task&) override {
    stop_counting();
    ranked_.add(std::exchange(values_, {}));
    const int64_t n = ranked_.count();
    // NumPy's linear method.
    const auto place_of = [&](double q) {
      const double position = q * static_cast<double>(n - 1);
      const auto low = std::min(static_cast<int64_t>(position), n - 1);
      return std::pair(low, position - static_cast<double>(low));
    };
    std::vector<int64_t> ranks;
    if (n > 0)
      for (double q : q_) ranks.push_back(place_of(q).first), ranks.push_back(std::min(place_of(q).first + 1, n - 1));
    std::sort(ranks.begin(), ranks.end());
    ranks.erase(std::unique(ranks.begin(), ranks.end()), ranks.end());
    const std::vector<T> values = ranked_.at(ranks);
    const auto value_at = [&](int64_t rank) { return values[static_cast<size_t>(std::lower_bound(ranks.begin(), ranks.end(), rank) - ranks.begin())]; };
    Batch out{1, {}};
    for (double q : q_) {
      const DType result = type_.is_time() ? type_ : type_.storage == Storage::float32 ? DType{Storage::float32} : DType{Storage::float64};
      if (n == 0) {
        Column none = constant_of(Value(), result);
        none.constant = false;
        out.columns.push_back(none);
        continue;
      }
      const auto [low, part] = place_of(q);
      const T a = value_at(low), b = middle_ && part == 0 ? a : value_at(std::min(low + 1, n - 1));
      Writable w(result.storage, 1);
      const auto x = static_cast<double>(a), y = static_cast<double>(b);
      const double gap = std::is_integral_v<T> ? static_cast<double>(static_cast<uint64_t>(b) - static_cast<uint64_t>(a)) : y - x;  // b is not the smaller one
      // Also where the rank is whole: an infinite neighbour makes NumPy's quantile NaN, its median not. Times are computed as floats, too, and cut.
      const double value = middle_ ? (part == 0 ? x : (x + y) / 2) : part < 0.5 ? x + gap * part : y - gap * (1 - part);
      if (type_.is_time()) w.as<int64_t>()[0] = value < kEndOfIntegers ? static_cast<int64_t>(value) : std::numeric_limits<int64_t>::max();
      else if (result.storage == Storage::float32) w.as<float>()[0] = static_cast<float>(value);
      else w.as<double>()[0] = value;
      out.columns.push_back(std::move(w).finish());
    }
    return {std::move(out)};
  }

  int64_t bytes() const override {
    return static_cast<int64_t>((values_.capacity() + distinct_.capacity()) * sizeof(T) + counts_.capacity() * sizeof(int64_t)) + table_.bytes() +
           ranked_.bytes();
  }
  void encode(Encoder& out) const override {
    out << distinct_ << counts_ << values_;
    ranked_.encode(out);
  }
  void decode(base::Decoder& in) override {
    const auto distinct = in.list<T>();
    const auto counts = in.list<int64_t>();
    if (counts.size() != distinct.size()) throw Error(ErrorKind::io, "the values of a quantile do not fit");
    for (size_t i = 1; i < counts.size(); ++i) put(distinct[i], counts[i]);  // no more than there were
    ranked_.add(in.list<T>());
    ranked_.decode(in);
  }

 private:
  void put(T x, int64_t times) {
    if (counting_) {
      if (x == T{}) x = T{};  // -0.0
      if (x != last_ || !last_number_) {
        uint64_t word = 0;
        std::memcpy(&word, &x, sizeof(T));
        last_ = x, last_number_ = table_.find_or_add(word, static_cast<uint32_t>(counts_.size()));
        if (last_number_ == counts_.size()) counts_.push_back(0), distinct_.push_back(x);
      }
      counts_[last_number_] += times;
      if (counts_.size() > kCounted) stop_counting();
      return;
    }
    values_.insert(values_.end(), static_cast<size_t>(times), x);
  }
  // Rows from `begin` on, those that are there.
  void keep(const Column& c, int64_t begin, int64_t rows) {
    const int64_t step = c.constant ? 0 : 1;
    const T* v = c.as<T>();
    size_t n = values_.size();
    values_.resize(n + static_cast<size_t>(rows - begin));
    T* to = values_.data();
    if constexpr (std::is_floating_point_v<T>) {
      for (int64_t i = begin; i < rows; ++i) to[n] = v[i * step], n += v[i * step] == v[i * step];
    } else {
      for (int64_t i = begin; i < rows; ++i) to[n] = v[i * step], n += !c.valid || c.valid[i * step] != 0;
    }
    values_.resize(n);
  }
  // Counts of values that hardly repeat are larger than the values.
  bool worth_counting() const {
    return std::accumulate(counts_.begin(), counts_.end(), int64_t{0}) >= kWorthCounting * static_cast<int64_t>(counts_.size() - 1);
  }
  void stop_counting() {
    if (!std::exchange(counting_, false)) return;
    if (worth_counting()) ranked_.add({distinct_.begin() + 1, distinct_.end()}, {counts_.begin() + 1, counts_.end()});
    else
      for (size_t i = 1; i < counts_.size(); ++i) values_.insert(values_.end(), static_cast<size_t>(counts_[i]), distinct_[i]);
    counts_ = {0}, distinct_ = std::vector<T>(1), table_ = {};
  }
  void shed_beyond(Task& task, int64_t least) {
    if (bytes() <= least || bytes() <= task.headroom() / 32) return;
    stop_counting();
    ranked_.add(std::exchange(values_, {}));
    ranked_.shed();
  }

  DType type_;
  bool middle_;
  std::vector<double> q_;
  bool counting_ = true;
  WordTable table_;
  std::vector<T> distinct_ = std::vector<T>(1), values_;
  RankedValues<T> ranked_;  // and what was kept earlier
  std::vector<int64_t> counts_ = {0};
  T last_{};
  uint32_t last_number_ = 0;
  int64_t held_ = 0;  // bytes that the task knows of
};

// quantiles {types, q, middle}: of columns of these dtypes, one behind the other.
class OfEach : public Fold {
 public:
  explicit OfEach(const Args& a) {
    for (const auto& t : a["types"].list()) {
      const DType type = dtype_of(t.integer());
      visit_fixed(type.storage, [&](auto tag) { each_.push_back(std::make_unique<Quantiles<typename decltype(tag)::type>>(type, a)); });
    }
  }
  void add(Task& task, Columns in, int64_t rows) override {
    for (size_t i = 0; i < each_.size(); ++i) each_[i]->add(task, in.subspan(i, 1), rows);
  }
  void merge(Task& task, Fold& later) override {
    for (size_t i = 0; i < each_.size(); ++i) each_[i]->merge(task, *static_cast<OfEach&>(later).each_[i]);
  }
  void seal(Task& task) override {
    for (auto& one : each_) one->seal(task);
  }
  Batches finish(Task& task) override {
    Batch out{1, {}};
    for (auto& one : each_) {
      auto columns = std::move(one->finish(task).at(0).columns);
      out.columns.insert(out.columns.end(), std::make_move_iterator(columns.begin()), std::make_move_iterator(columns.end()));
    }
    return {std::move(out)};
  }
  int64_t bytes() const override {
    int64_t total = 0;
    for (const auto& one : each_) total += one->bytes();
    return total;
  }
  void encode(Encoder& out) const override {
    for (const auto& one : each_) one->encode(out);
  }
  void decode(base::Decoder& in) override {
    for (auto& one : each_) one->decode(in);
  }

 private:
  std::vector<std::unique_ptr<Fold>> each_;
};
}  // namespace

Kernel quantiles_kernel() {
  return {.name = "quantiles", .fold = [](const Args& a) { return std::make_unique<OfEach>(a); }};
}

}  // namespace muster::kernels
