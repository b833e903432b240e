// Kernels that keep some of the rows: by a mask, the first or last, the largest; and the sort of a result.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.hpp"
#include "data/dispatch.hpp"
#include "kernels/elementwise.hpp"
#include "kernels/missing.hpp"
#include "kernels/packing.hpp"
#include "kernels/wire.hpp"

namespace muster::kernels {
using namespace base;
using namespace data;
namespace {

// Appends the rows that are flagged, and valid where that is said: eight at a time are looked at, so that where few are little is done.
void rows_where(const uint8_t* flags, const uint8_t* valid, int64_t rows, std::vector<int64_t>& out) {
  constexpr int64_t kAtOnce = 8;
  int64_t set = 0;
  for (int64_t i = 0; i < rows; ++i) set += flags[i];
  out.resize(static_cast<size_t>(set + kAtOnce));
  size_t n = 0;
  for (int64_t i = 0; i < rows; i += kAtOnce) {
    uint64_t any = 0;
    const int64_t end = std::min(rows, i + kAtOnce);
    std::memcpy(&any, flags + i, static_cast<size_t>(end - i));
    if (!any) continue;
    for (int64_t k = i; k < end; ++k) out[n] = k, n += flags[k] & (!valid || valid[k]);
  }
  out.resize(n);
}

Map select(const Args&) {
  return [](Task&, Columns in, int64_t rows, std::span<Column> out) {
    const Column& mask = in[0];
    std::vector<int64_t> kept;
    if (mask.constant) {
      if (mask.as<uint8_t>()[0]) {
        for (size_t c = 1; c < in.size(); ++c) out[c - 1] = in[c];
        return rows;
      }
    } else {
      rows_where(mask.as<uint8_t>(), mask.valid, rows, kept);
    }
    for (size_t c = 1; c < in.size(); ++c) out[c - 1] = in[c].constant ? in[c] : take(in[c], kept);
    return static_cast<int64_t>(kept.size());
  };
}

// Few rows do not keep the dictionary they came with.
Column own(const Column& c) { return c.codes && c.length < static_cast<int64_t>(c.dictionary->texts.size()) ? leave_dictionary(c) : own_text(c); }
Batch own(Columns in, int64_t rows) {
  Batch b{rows, {}};
  for (const auto& c : in) b.columns.push_back(own(spread(c, rows)));
  return b;
}

int64_t bytes_of(const Batches& rows) {
  int64_t total = 0;
  for (const auto& b : rows) total += size_of(b);
  return total;
}

Batch rows_of(const Batch& b, std::span<const int64_t> rows) {
  Batch out{static_cast<int64_t>(rows.size()), {}};
  for (const auto& c : b.columns) out.columns.push_back(take(c, rows));
  return out;
}

// Folds that collect rows reserve them as they are added: what is merged was reserved, and a merge must not be refused half way.
class FirstRows : public Fold {
 public:
  explicit FirstRows(const Args& a) : wanted_(a["n"].integer()) {}
  void add(Task& task, Columns in, int64_t rows) override {
    if (const int64_t bytes = keep(in, rows)) task.reserve(bytes);
  }
  void merge(Task&, Fold& later) override {
    for (const auto& b : static_cast<FirstRows&>(later).rows_) {
      if (b.rows > wanted_ - have_) keep(b.columns, b.rows);
      else have_ += b.rows, rows_.push_back(b);
    }
  }
  Batches finish(Task&) override { return rows_; }
  int64_t bytes() const override { return bytes_of(rows_); }
  void encode(Encoder& out) const override { kernels::encode(out, rows_); }
  void decode(base::Decoder& in) override {
    rows_ = decode_batches(in), have_ = 0;
    for (const auto& b : rows_) have_ += b.rows;
  }
  bool full() const override { return have_ >= wanted_ && !rows_.empty(); }

 private:
  // Returns the bytes that are held more.
  int64_t keep(Columns in, int64_t rows) {
    const int64_t more = std::min(rows, wanted_ - have_);
    if (more <= 0 && !rows_.empty()) return 0;
    Batch part{std::max<int64_t>(more, 0), {}};
    for (const auto& c : in) part.columns.push_back(own_text(spread(slice(c, 0, part.rows), part.rows)));
    have_ += part.rows, rows_.push_back(std::move(part));
    return size_of(rows_.back());
  }

  int64_t wanted_, have_ = 0;
  Batches rows_;
};

class LastRows : public Fold {
 public:
  explicit LastRows(const Args& a) : wanted_(a["n"].integer()) {}
  void add(Task& task, Columns in, int64_t rows) override { task.reserve(keep(in, rows)); }
  void merge(Task&, Fold& later) override {
    for (auto& b : static_cast<LastRows&>(later).rows_) keep(b.columns, b.rows);
  }
  Batches finish(Task&) override {
    Batch all = concatenate(rows_);
    if (all.rows <= wanted_) return {all};
    for (auto& c : all.columns) c = slice(c, all.rows - wanted_, wanted_);
    all.rows = wanted_;
    return {all};
  }
  int64_t bytes() const override { return bytes_of(rows_); }
  void encode(Encoder& out) const override { kernels::encode(out, rows_); }
  void decode(base::Decoder& in) override {
    rows_ = decode_batches(in), have_ = 0;
    for (const auto& b : rows_) have_ += b.rows;
  }

 private:
  // Returns the bytes that are held more, or less.
  int64_t keep(Columns in, int64_t rows) {
    const int64_t more = std::min(rows, wanted_);
    Batch part{more, {}};
    for (const auto& c : in) part.columns.push_back(own_text(spread(c.constant ? c : slice(c, rows - more, more), more)));
    have_ += more, rows_.push_back(std::move(part));
    int64_t bytes = size_of(rows_.back());
    while (rows_.size() > 1 && have_ - rows_.front().rows >= wanted_) have_ -= rows_.front().rows, bytes -= size_of(rows_.front()), rows_.erase(rows_.begin());
    return bytes;
  }

  int64_t wanted_, have_ = 0;
  Batches rows_;
};

// -1, 0, 1 as a < b, a == b, a > b; missing values are greater than all others.
template <class T>
int order(const T& a, const T& b) {
  if constexpr (std::is_same_v<T, Text>) {
    if (!a.data || !b.data) return a.data ? -1 : b.data ? 1 : 0;
    int c = a.view().compare(b.view());
    return (c > 0) - (c < 0);
  } else if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(a) || std::isnan(b)) return std::isnan(b) ? (std::isnan(a) ? 0 : -1) : 1;
    return (a > b) - (a < b);
  } else {
    return (a > b) - (a < b);
  }
}

struct SortKey {
  Column column;
  bool ascending;
};

// Stable order of rows by the keys; missing values last either way.
std::vector<int64_t> order_of(const std::vector<SortKey>& keys, int64_t rows) {
  std::vector<int64_t> at(static_cast<size_t>(rows));
  std::iota(at.begin(), at.end(), 0);
  for (auto key = keys.rbegin(); key != keys.rend(); ++key)
    visit(key->column.storage, [&](auto tag) {
      using T = typename decltype(tag)::type;
      const T* v = key->column.as<T>();
      with_missing<T>(key->column, [&](auto missing) {
        std::stable_sort(at.begin(), at.end(), [=, ascending = key->ascending](int64_t a, int64_t b) {
          const bool missing_a = missing(a), missing_b = missing(b);
          if (missing_a || missing_b) return !missing_a && missing_b;
          return ascending ? order(v[a], v[b]) < 0 : order(v[b], v[a]) < 0;
        });
      });
    });
  return at;
}

std::vector<SortKey> sort_keys(const Args& a, const Batch& b) {
  std::vector<SortKey> keys;
  const auto& by = a["by"].list();
  for (size_t i = 0; i < by.size(); ++i) keys.push_back({b.columns[static_cast<size_t>(by[i].integer())], a["ascending"].list()[i].boolean()});
  return keys;
}

// The n largest (or smallest) rows; one more is kept, which tells `finish` that rows were dropped: with n >= rows pandas ignores `keep`.
class TopRows : public Fold {
 public:
  explicit TopRows(const Args& a)
      : args_(a),
        wanted_(a["n"].integer()),
        last_(a["keep"].string() == "last"),
        all_(a["keep"].string() == "all"),
        first_(a["by"].list().at(0).integer()),
        ascending_(a["ascending"].list().at(0).boolean()),
        strict_(!last_ && !all_ && a["by"].list().size() == 1) {}
  void add(Task& task, Columns in, int64_t rows) override {
    keep(in, rows);
    task.reserve(bytes_ - std::exchange(told_, bytes_));
  }
  void merge(Task& task, Fold& later) override {
    for (auto& b : static_cast<TopRows&>(later).rows_) keep(b.columns, b.rows);
    dropped_ |= static_cast<TopRows&>(later).dropped_;
    task.hold(bytes_ - std::exchange(told_, bytes_));  // a refused task is tried again, and what is merged cannot be merged twice
  }
  Batches finish(Task&) override { return shrink(wanted_, true), rows_; }
  int64_t bytes() const override { return bytes_; }
  void encode(Encoder& out) const override {
    out << static_cast<uint8_t>(dropped_);
    kernels::encode(out, rows_);
  }
  void decode(base::Decoder& in) override {
    dropped_ = in.get<uint8_t>(), rows_ = decode_batches(in), waiting_ = 0, bytes_ = bytes_of(rows_);
    for (const auto& b : rows_) waiting_ += b.rows;
  }

 private:
  void keep(Columns in, int64_t rows) {
    const auto at = candidates(in[static_cast<size_t>(first_)], rows);
    dropped_ |= static_cast<int64_t>(at.size()) < rows;
    if (at.empty() && !rows_.empty()) return;
    if (static_cast<int64_t>(at.size()) == rows) {
      rows_.push_back(own(in, rows));
    } else {
      Batch some{static_cast<int64_t>(at.size()), {}};
      for (const auto& c : in) some.columns.push_back(own(take(spread(c, rows), at)));
      rows_.push_back(std::move(some));
    }
    waiting_ += rows_.back().rows, bytes_ += size_of(rows_.back());
    if (waiting_ > (worst_.length == 0 ? wanted_ : std::max<int64_t>(2 * wanted_, 256))) shrink(wanted_ + 1, false);
  }
  // Keeps the best n, in row order, or by value when it is the end.
  void shrink(int64_t n, bool by_value) {
    if (rows_.empty()) return;
    Batch all = concatenate(rows_);
    auto keys = sort_keys(args_, all);
    const bool cut = all.rows > n || dropped_;
    std::vector<int64_t> at(static_cast<size_t>(all.rows));
    if (last_ && cut) {  // ties: the last row first
      std::vector<int64_t> backwards(at.size());
      for (size_t i = 0; i < at.size(); ++i) backwards[i] = all.rows - 1 - static_cast<int64_t>(i);
      for (auto& k : keys) k.column = take(k.column, backwards);
      at = order_of(keys, all.rows);
      for (auto& i : at) i = all.rows - 1 - i;
    } else {
      at = order_of(keys, all.rows);
    }
    auto kept = static_cast<size_t>(std::clamp<int64_t>(n, 0, all.rows));
    if (all_ && kept && kept < at.size()) {
      auto same = [&](int64_t a, int64_t b) {
        for (const auto& k : keys) {
          bool equal = visit(k.column.storage, [&](auto tag) {
            using T = typename decltype(tag)::type;
            return order(k.column.as<T>()[a], k.column.as<T>()[b]) == 0 && k.column.is_missing(a) == k.column.is_missing(b);
          });
          if (!equal) return false;
        }
        return true;
      };
      while (kept < at.size() && same(at[kept - 1], at[kept])) ++kept;
    }
    if (kept < at.size()) dropped_ = true;
    at.resize(kept);
    if (static_cast<int64_t>(kept) >= n && kept && !by_value) {
      const int64_t last[] = {at.back()};
      worst_ = own_text(take(all.columns[static_cast<size_t>(first_)], last));
    }
    if (!by_value) std::sort(at.begin(), at.end());
    Batch best = rows_of(all, at);
    waiting_ = best.rows;
    rows_ = {own(best.columns, best.rows)};
    bytes_ = bytes_of(rows_);
  }
  // The rows that may be among the best, of which there are wanted_ + 1: no others are.
  std::vector<int64_t> candidates(const Column& key, int64_t rows) const {
    std::vector<int64_t> at;
    const auto all = [&] { at.resize(static_cast<size_t>(rows)), std::iota(at.begin(), at.end(), 0); };
    visit(key.storage, [&](auto tag) {
      using T = typename decltype(tag)::type;
      const bool bounded = worst_.length && !worst_.is_missing(0);
      if constexpr (std::is_same_v<T, Text>) {
        const Text* v = key.as<Text>();
        if (!bounded || key.constant) return all();
        for (int64_t i = 0; i < rows; ++i)
          if (v[i].data && (ascending_ ? order(v[i], *worst_.as<T>()) <= 0 : order(v[i], *worst_.as<T>()) >= 0)) at.push_back(i);
      } else {
        if (key.constant) return all();
        const T* v = key.as<T>();
        with_missing<T>(key, [&](auto missing) {
          // Of equal keys the first rows are kept: a later one only comes in by a better key.
          if (!bounded) all();
          else if (strict_)
            ascending_ ? passing(v, rows, at, missing, [w = *worst_.as<T>()](T x) { return x < w; })
                       : passing(v, rows, at, missing, [w = *worst_.as<T>()](T x) { return x > w; });
          else
            ascending_ ? passing(v, rows, at, missing, [w = *worst_.as<T>()](T x) { return x <= w; })
                       : passing(v, rows, at, missing, [w = *worst_.as<T>()](T x) { return x >= w; });
          if (static_cast<int64_t>(at.size()) > 2 * wanted_ + 64) best_of(v, at, missing);
        });
      }
    });
    return at;
  }
  // Appends the rows whose values pass; a block of which none does is passed over.
  template <class T, class Missing, class Passes>
  static void passing(const T* v, int64_t rows, std::vector<int64_t>& at, Missing missing, Passes passes) {
    // as wide as the values: the loop over them is vectorized
    using Mask = std::conditional_t<sizeof(T) == 8, int64_t, std::conditional_t<sizeof(T) == 4, int32_t, std::conditional_t<sizeof(T) == 2, int16_t, int8_t>>>;
    constexpr int64_t kBlock = 1024;
    for (int64_t begin = 0; begin < rows; begin += kBlock) {
      const int64_t end = std::min(rows, begin + kBlock);
      Mask any = 0;
      for (int64_t i = begin; i < end; ++i) any |= static_cast<Mask>(-static_cast<Mask>(passes(v[i])));
      if (!any) continue;
      for (int64_t i = begin; i < end; ++i)
        if (passes(v[i]) && !missing(i)) at.push_back(i);
    }
  }
  // Leaves of these rows those whose value is not worse than that of the best wanted_ + 1.
  template <class T, class Missing>
  void best_of(const T* v, std::vector<int64_t>& at, Missing missing) const {
    std::vector<T> values;
    values.reserve(at.size());
    for (int64_t i : at)
      if (!missing(i)) values.push_back(v[i]);
    const auto n = static_cast<size_t>(wanted_);
    if (values.size() <= n) return;
    const auto last = values.begin() + static_cast<std::ptrdiff_t>(n);
    ascending_ ? std::nth_element(values.begin(), last, values.end()) : std::nth_element(values.begin(), last, values.end(), std::greater<T>());
    const T bound = *last;
    std::erase_if(at, [&](int64_t i) { return missing(i) || (ascending_ ? bound < v[i] : v[i] < bound); });
  }

  Args args_;
  int64_t wanted_, waiting_ = 0;
  int64_t bytes_ = 0, told_ = 0;  // of the rows kept, and those the task knows of
  bool last_, all_, dropped_ = false;
  int64_t first_;       // the most significant key
  bool ascending_, strict_;
  Column worst_;        // its value in the last of wanted_ + 1 rows that are better than all dropped; empty before there are so many
  Batches rows_;
};

Whole sort_rows(const Args& args) {
  return [args](Task&, Batches rows) -> Batches {
    if (rows.empty()) return rows;
    Batch all = concatenate(rows);
    return {rows_of(all, order_of(sort_keys(args, all), all.rows))};
  };
}
}  // namespace

std::vector<Kernel> selection_kernels() {
  return {{.name = "select", .map = select, .traits = {.selects = true, .by_row = true}},
          {.name = "first_rows", .fold = [](const Args& a) -> std::unique_ptr<Fold> { return std::make_unique<FirstRows>(a); }, .traits = {.positional = true}},
          {.name = "last_rows", .fold = [](const Args& a) -> std::unique_ptr<Fold> { return std::make_unique<LastRows>(a); }, .traits = {.positional = true}},
          {.name = "top_rows", .fold = [](const Args& a) -> std::unique_ptr<Fold> { return std::make_unique<TopRows>(a); }, .traits = {.positional = true}},
          {.name = "sort_rows", .whole = sort_rows, .traits = {.positional = true}}};
}

}  // namespace muster::kernels
