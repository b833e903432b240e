// Values are counted as long as few differ, as in most columns; then all are kept, and the ranks wanted selected.
#include "kernels/quantiles.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.hpp"
#include "data/dispatch.hpp"
#include "kernels/key_table.hpp"
#include "muster/error.hpp"

namespace muster::kernels {
using namespace base;
using namespace data;
namespace {
constexpr size_t kCounted = 32 << 10;  // different values that are counted

// Values of given ranks: how many share their first 16 bits, in an order in which integers compare as the values do, says where to look.
template <class T>
class RankedValues {
 public:
  explicit RankedValues(const std::vector<std::vector<T>>& parts) : parts_(parts) {
    if (parts.empty()) return;
    std::vector<int64_t> sizes(kBins + 1, 0);
    for (const auto& part : parts)
      for (T x : part) ++sizes[bin(x) + 1];
    for (size_t b = 0; b < kBins; ++b) sizes[b + 1] += sizes[b];
    begins_ = std::move(sizes);
  }
  int64_t count() const { return begins_.empty() ? 0 : begins_.back(); }
  T at(int64_t rank) const {
    const auto b = static_cast<size_t>(std::upper_bound(begins_.begin(), begins_.end(), rank) - begins_.begin()) - 1;
    auto [found, fresh] = bins_.try_emplace(b);
    auto& values = found->second;
    if (fresh) {
      values.reserve(static_cast<size_t>(begins_[b + 1] - begins_[b]));
      for (const auto& part : parts_)
        for (T x : part)
          if (bin(x) == b) values.push_back(x);
    }
    const auto nth = values.begin() + (rank - begins_[b]);
    std::nth_element(values.begin(), nth, values.end());
    return *nth;
  }

 private:
  static constexpr size_t kBins = 1 << 16;
  static size_t bin(T x) {
    constexpr int kBits = 8 * sizeof(T);
    using Word = std::conditional_t<sizeof(T) == 8, uint64_t, std::conditional_t<sizeof(T) == 4, uint32_t, std::conditional_t<sizeof(T) == 2, uint16_t, uint8_t>>>;
    constexpr auto kSign = static_cast<Word>(Word{1} << (kBits - 1));
    Word word;
    std::memcpy(&word, &x, sizeof x);
    if constexpr (std::is_floating_point_v<T>) word = word & kSign ? static_cast<Word>(~word) : static_cast<Word>(word | kSign);
    else if constexpr (std::is_signed_v<T>) word = static_cast<Word>(word ^ kSign);
    return static_cast<size_t>(kBits > 16 ? word >> (kBits - 16) : word);
  }
  const std::vector<std::vector<T>>& parts_;
  std::vector<int64_t> begins_;  // of each bin, and their end
  mutable std::map<size_t, std::vector<T>> bins_;
};

template <class T>
class Quantiles : public Fold {
  using Ranks = RankedValues<T>;

 public:
  Quantiles(DType type, const Args& a) : type_(type), middle_(a["middle"].is_bool() && a["middle"].boolean()) {
    for (const auto& q : a["q"].list()) q_.push_back(q.number());
  }

  void add(Task& task, Columns in, int64_t rows) override {
    const Column& c = in[0];
    const int64_t step = c.constant ? 0 : 1;
    const T* v = c.as<T>();
    const auto before = static_cast<int64_t>(values_.capacity());
    int64_t i = 0;
    for (; i < rows && counting_; ++i) {
      const T x = v[i * step];
      if constexpr (std::is_floating_point_v<T>) { if (std::isnan(x)) continue; }
      else { if (c.valid && !c.valid[i * step]) continue; }
      put(x, 1);
    }
    if (i < rows) keep(c, i, rows);
    task.hold((static_cast<int64_t>(values_.capacity()) - before) * static_cast<int64_t>(sizeof(T)));
  }

  void merge(Task&, Fold& fold) override {
    auto& later = static_cast<Quantiles&>(fold);
    for (size_t i = 1; i < later.counts_.size(); ++i) put(later.distinct_[i], later.counts_[i]);
    if (!later.values_.empty()) merged_.push_back(std::move(later.values_));
    for (auto& values : later.merged_) merged_.push_back(std::move(values));
    later.values_ = {}, later.merged_ = {};
  }

  Batches finish(Task&) override {
    if (!values_.empty() || !merged_.empty()) spread_counts();
    if (!values_.empty()) merged_.push_back(std::move(values_));
    values_ = {};
    std::vector<std::pair<T, int64_t>> counted;
    const Ranks ranks(merged_);
    int64_t n = ranks.count();
    for (size_t i = 1; i < counts_.size(); ++i) counted.emplace_back(distinct_[i], counts_[i]), n += counts_[i];
    std::sort(counted.begin(), counted.end());
    Batch out{1, {}};
    auto value_at = [&](int64_t rank) -> T {
      int64_t at = 0;
      for (const auto& [value, count] : counted)
        if ((at += count) > rank) return value;
      return ranks.at(rank);
    };
    for (double q : q_) {
      const DType result = type_.is_time() ? type_ : type_.storage == Storage::float32 ? DType{Storage::float32} : DType{Storage::float64};
      if (n == 0) {
        Column none = constant_of(Value(), result);
        none.constant = false;
        out.columns.push_back(none);
        continue;
      }
      // NumPy's linear method.
      const double position = q * static_cast<double>(n - 1);
      const auto low = std::min(static_cast<int64_t>(position), n - 1);
      const double part = position - static_cast<double>(low);
      const T a = value_at(low), b = middle_ && part == 0 ? a : value_at(std::min(low + 1, n - 1));
      Writable w(result.storage, 1);
      if (type_.is_time()) {
        const double gap = static_cast<double>(b) - static_cast<double>(a);
        w.as<int64_t>()[0] = static_cast<int64_t>(a) + static_cast<int64_t>(part < 0.5 ? gap * part : gap - gap * (1 - part));
      } else {
        const auto x = static_cast<double>(a), y = static_cast<double>(b);
        // Also where the rank is whole: an infinite neighbour makes NumPy's quantile NaN, its median not.
        const double value = middle_ ? (part == 0 ? x : (x + y) / 2) : part < 0.5 ? x + (y - x) * part : y - (y - x) * (1 - part);
        if (result.storage == Storage::float32) w.as<float>()[0] = static_cast<float>(value);
        else w.as<double>()[0] = value;
      }
      out.columns.push_back(std::move(w).finish());
    }
    return {std::move(out)};
  }

  int64_t bytes() const override {
    size_t kept = values_.capacity();
    for (const auto& values : merged_) kept += values.capacity();
    return static_cast<int64_t>(kept * sizeof(T) + counts_.capacity() * 16) + table_.bytes();
  }
  void encode(Encoder& out) const override {
    std::string values;
    for (const auto& part : merged_) values.append(reinterpret_cast<const char*>(part.data()), part.size() * sizeof(T));
    values.append(reinterpret_cast<const char*>(values_.data()), values_.size() * sizeof(T));
    out << values << std::string_view(reinterpret_cast<const char*>(distinct_.data()), distinct_.size() * sizeof(T)) << counts_;
  }
  void decode(base::Decoder& in) override {
    auto list = [&](std::vector<T>& to) {
      const auto bytes = in.get<std::string_view>();
      if (bytes.size() % sizeof(T)) throw Error(ErrorKind::io, "the values of a quantile do not fit");
      to.resize(bytes.size() / sizeof(T));
      std::memcpy(static_cast<void*>(to.data()), bytes.data(), bytes.size());
    };
    std::vector<T> distinct;
    list(values_), list(distinct);
    const auto counts = in.list<int64_t>();
    if (counts.size() != distinct.size()) throw Error(ErrorKind::io, "the values of a quantile do not fit");
    for (size_t i = 1; i < counts.size(); ++i) put(distinct[i], counts[i]);
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
      if (counts_.size() > kCounted) counting_ = false, spread_counts();
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
  void spread_counts() {
    for (size_t i = 1; i < counts_.size(); ++i) values_.insert(values_.end(), static_cast<size_t>(counts_[i]), distinct_[i]);
    counts_.assign(1, 0), distinct_.assign(1, T{}), counting_ = false;
  }

  DType type_;
  bool middle_;
  std::vector<double> q_;
  bool counting_ = true;
  WordTable table_;
  std::vector<T> distinct_ = std::vector<T>(1), values_;
  std::vector<std::vector<T>> merged_;  // values of states merged into this one
  std::vector<int64_t> counts_ = {0};
  T last_{};
  uint32_t last_number_ = 0;
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
