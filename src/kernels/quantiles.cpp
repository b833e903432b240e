// Values are counted as long as few differ, as in most columns; then all are kept, and the ranks wanted selected.
#include "kernels/quantiles.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "data/dispatch.hpp"
#include "kernels/key_table.hpp"
#include "muster/error.hpp"

namespace muster::kernels {
using namespace base;
using namespace data;
namespace {
constexpr size_t kCounted = 32 << 10;  // different values that are counted

template <class T>
class Quantiles : public Fold {
 public:
  explicit Quantiles(const Args& a) : type_(dtype_of(a["type"].integer())), middle_(a["middle"].is_bool() && a["middle"].boolean()) {
    for (const auto& q : a["q"].list()) q_.push_back(q.number());
  }

  void add(Task& task, Columns in, int64_t rows) override {
    const Column& c = in[0];
    const int64_t step = c.constant ? 0 : 1;
    const T* v = c.as<T>();
    const auto before = static_cast<int64_t>(values_.capacity());
    for (int64_t i = 0; i < rows; ++i) {
      const T x = v[i * step];
      if constexpr (std::is_floating_point_v<T>) { if (std::isnan(x)) continue; }
      else { if (c.valid && !c.valid[i * step]) continue; }
      put(x, 1);
    }
    task.hold((static_cast<int64_t>(values_.capacity()) - before) * static_cast<int64_t>(sizeof(T)));
  }

  void merge(Task&, Fold& fold) override {
    auto& later = static_cast<Quantiles&>(fold);
    for (size_t i = 1; i < later.counts_.size(); ++i) put(later.distinct_[i], later.counts_[i]);
    values_.insert(values_.end(), later.values_.begin(), later.values_.end());
    later.values_ = {};
  }

  Batches finish(Task&) override {
    if (!values_.empty()) spread_counts();
    std::vector<std::pair<T, int64_t>> counted;
    int64_t n = static_cast<int64_t>(values_.size());
    for (size_t i = 1; i < counts_.size(); ++i) counted.emplace_back(distinct_[i], counts_[i]), n += counts_[i];
    std::sort(counted.begin(), counted.end());
    Batch out{1, {}};
    int64_t sorted_to = 0;
    auto value_at = [&](int64_t rank) -> T {
      if (values_.empty()) {
        int64_t at = 0;
        for (const auto& [value, count] : counted)
          if ((at += count) > rank) return value;
      }
      if (rank > sorted_to || rank == 0) std::nth_element(values_.begin() + sorted_to, values_.begin() + rank, values_.end()), sorted_to = rank;
      else if (rank < sorted_to) std::nth_element(values_.begin(), values_.begin() + rank, values_.begin() + sorted_to);
      return values_[static_cast<size_t>(rank)];
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

  int64_t bytes() const override { return static_cast<int64_t>(values_.capacity() * sizeof(T) + counts_.capacity() * 16) + table_.bytes(); }
  void encode(Encoder& out) const override {
    out << std::string_view(reinterpret_cast<const char*>(values_.data()), values_.size() * sizeof(T)) << std::string_view(reinterpret_cast<const char*>(distinct_.data()), distinct_.size() * sizeof(T)) << counts_;
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
  std::vector<int64_t> counts_ = {0};
  T last_{};
  uint32_t last_number_ = 0;
};
}  // namespace

Kernel quantiles_kernel() {
  return {.name = "quantiles", .fold = [](const Args& a) {
            return visit_fixed(dtype_of(a["type"].integer()).storage, [&](auto tag) -> std::unique_ptr<Fold> { return std::make_unique<Quantiles<typename decltype(tag)::type>>(a); });
          }};
}

}  // namespace muster::kernels
