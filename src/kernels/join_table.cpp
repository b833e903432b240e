// The rows lie sorted by bucket, those of one bucket in their order, behind an array of where each bucket ends (as in the unchained tables of Birler, Schmidt,
// Fent and Neumann, DaMoN 2024): no chain is followed, and all rows of a key lie side by side. Keys that are integers close together are their own buckets.
#include "kernels/join_table.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "base/side_by_side.hpp"
#include "data/dispatch.hpp"
#include "kernels/key_table.hpp"
#include "kernels/missing.hpp"
#include "kernels/row_parts.hpp"

namespace muster::kernels {
using namespace base;
using namespace data;
namespace {
constexpr int64_t kMostRows = (int64_t{1} << 32) - 2;
constexpr uint64_t kSparse = 4;  // buckets a row, up to which integers are their own
constexpr int64_t kAhead = 64;   // rows whose places are fetched together
constexpr size_t kSideBySide = 1 << 20;  // rows
constexpr int64_t kThreads = 4;          // at most: each reads all rows

template <class T>
uint64_t word_of(T value) {
  uint64_t word = 0;
  if constexpr (std::is_floating_point_v<T>) {
    const double d = value == 0 ? 0.0 : static_cast<double>(value);  // -0.0
    std::memcpy(&word, &d, sizeof d);
  } else {
    word = static_cast<uint64_t>(static_cast<int64_t>(value));
  }
  return word;
}

bool same_text(const Text& a, const Text& b) {
  if (!a.data || !b.data) return a.data == b.data;
  return a.size == b.size && std::memcmp(a.data, b.data, static_cast<size_t>(a.size)) == 0;
}

// Whether two present or missing values are the same key.
bool equal(const Column& a, int64_t i, const Column& b, int64_t k) {
  if (a.constant) i = 0;
  return visit(a.storage, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T &left = a.as<T>()[i], &right = b.as<T>()[k];
    if constexpr (std::is_same_v<T, Text>) {
      return same_text(left, right);
    } else {
      const bool gone = a.is_missing(i), also = b.is_missing(k);
      return gone || also ? gone && also : left == right;
    }
  });
}
}  // namespace

// Of each row: the bits of its only key, or a hash of all keys.
struct JoinTable::Words {
  std::vector<uint64_t> words;
  std::vector<uint8_t> missing;  // of exact ones
  bool any_missing = false;

  Words(std::span<const Column> keys, int64_t rows, bool exact) {
    if (!exact) {
      RowHasher(keys.size()).hash(keys, rows, words, missing);
      return;
    }
    words.resize(static_cast<size_t>(rows)), missing.assign(static_cast<size_t>(rows), 0);
    const Column& c = keys[0];
    visit_fixed(c.storage, [&](auto tag) {
      using T = typename decltype(tag)::type;
      const T* value = c.as<T>();
      const int64_t step = c.constant ? 0 : 1;
      with_missing<T>(c, [&](auto is_missing) {
        for (int64_t i = 0; i < rows; ++i) {
          words[static_cast<size_t>(i)] = word_of(value[i * step]);
          if (is_missing(i * step)) missing[static_cast<size_t>(i)] = 1, any_missing = true;
        }
      });
    });
  }
  bool gone(int64_t i) const { return any_missing && missing[static_cast<size_t>(i)]; }
};

JoinTable::JoinTable(std::vector<Column> keys, int64_t rows) : keys_(std::move(keys)), count_(rows) {
  if (rows > kMostRows) throw Error(ErrorKind::memory, concat("a join with ", rows, " rows on the side that is looked into; make that side smaller"));
  exact_ = keys_.size() == 1 && keys_[0].storage != Storage::text;
  lay(Words(keys_, rows, exact_));
}

uint64_t JoinTable::bucket(uint64_t word) const { return dense_ ? word - lowest_ : mix(word) >> shift_; }

void JoinTable::lay(const Words& w) {
  const auto rows = static_cast<size_t>(count_);
  uint64_t buckets = 1;
  for (shift_ = 64; buckets < rows && shift_ > 33;) --shift_, buckets *= 2;
  if (shift_ == 64) shift_ = 63, buckets = 2;
  if (exact_ && keys_[0].storage != Storage::float32 && keys_[0].storage != Storage::float64) {
    bool any = false;
    int64_t low = 0, high = 0;
    for (size_t i = 0; i < rows; ++i) {
      if (w.gone(static_cast<int64_t>(i))) continue;
      const auto v = static_cast<int64_t>(w.words[i]);
      low = any ? std::min(low, v) : v, high = any ? std::max(high, v) : v, any = true;
    }
    const uint64_t range = static_cast<uint64_t>(high) - static_cast<uint64_t>(low);
    if (any && range < kSparse * rows + 1024 && range < UINT32_MAX) dense_ = true, lowest_ = static_cast<uint64_t>(low), buckets = range + 1;
  }
  ends_.assign(buckets + 1, 0);
  if (w.any_missing)
    for (size_t i = 0; i < rows; ++i)
      if (w.gone(static_cast<int64_t>(i))) missing_.push_back(static_cast<uint32_t>(i));
  rows_.resize(rows - missing_.size());
  if (!dense_) words_.resize(rows_.size());
  // Each thread has a range of buckets, and looks at all rows: what it writes to stays near.
  const auto in_buckets = [&](auto f) {
    side_by_side(static_cast<int64_t>(buckets), rows < kSideBySide ? static_cast<int64_t>(buckets) : static_cast<int64_t>(buckets) / kThreads,
                 [&](int64_t from, int64_t to) {
                   for (size_t i = 0; i < rows; ++i) {
                     if (w.gone(static_cast<int64_t>(i))) continue;
                     const uint64_t b = bucket(w.words[i]);
                     if (b - static_cast<uint64_t>(from) < static_cast<uint64_t>(to - from)) f(i, b);
                   }
                 });
  };
  in_buckets([&](size_t, uint64_t b) { ++ends_[b + 1]; });
  for (uint64_t b = 0; b < buckets; ++b) ends_[b + 1] += ends_[b];
  std::vector<uint32_t> next(ends_.begin(), ends_.end() - 1);
  in_buckets([&](size_t i, uint64_t b) {
    const uint32_t at = next[b]++;
    rows_[at] = static_cast<uint32_t>(i);
    if (!dense_) words_[at] = w.words[i];
  });
}

// Calls each(row, begin, end, place) for the places a row's equals are among; place(p) is the row at p, or -1 where it is not equal.
template <class Each>
void JoinTable::look(std::span<const Column> keys, int64_t rows, Each each) const {
  const Words w(keys, rows, exact_);
  const uint64_t buckets = ends_.size() - 1;
  const bool one_text = keys.size() == 1 && keys[0].storage == Storage::text;
  const auto same = [&](int64_t i, uint32_t row) {
    if (one_text) return same_text(keys[0].as<Text>()[keys[0].constant ? 0 : i], keys_[0].as<Text>()[row]);
    for (size_t k = 0; k < keys.size(); ++k)
      if (!equal(keys[k], i, keys_[k], row)) return false;
    return true;
  };
  uint64_t at[kAhead];
  for (int64_t first = 0; first < rows; first += kAhead) {
    const int64_t last = std::min(rows, first + kAhead);
    for (int64_t i = first; i < last; ++i) {
      at[i - first] = std::min(bucket(w.words[static_cast<size_t>(i)]), buckets);  // dense: outside of all
      __builtin_prefetch(ends_.data() + at[i - first]);
    }
    for (int64_t i = first; i < last; ++i)
      if (const uint64_t b = at[i - first]; b < buckets)
        __builtin_prefetch(dense_ ? static_cast<const void*>(rows_.data() + ends_[b]) : words_.data() + ends_[b]);
    for (int64_t i = first; i < last; ++i) {
      const uint64_t b = at[i - first];
      if (w.gone(i)) each(i, 0u, static_cast<uint32_t>(missing_.size()), [&](uint32_t p) { return static_cast<int64_t>(missing_[p]); });
      else if (b >= buckets) each(i, 0u, 0u, [](uint32_t) { return int64_t{-1}; });
      else if (dense_) each(i, ends_[b], ends_[b + 1], [&](uint32_t p) { return static_cast<int64_t>(rows_[p]); });
      else
        each(i, ends_[b], ends_[b + 1], [&](uint32_t p) {
          return words_[p] == w.words[static_cast<size_t>(i)] && (exact_ || same(i, rows_[p])) ? static_cast<int64_t>(rows_[p]) : int64_t{-1};
        });
    }
  }
}

void JoinTable::find(std::span<const data::Column> keys, int64_t rows, bool found, bool not_found, Pairs& out) const {
  out.looked_for.reserve(out.looked_for.size() + static_cast<size_t>(rows)), out.found.reserve(out.found.size() + static_cast<size_t>(rows));
  look(keys, rows, [&](int64_t i, uint32_t begin, uint32_t end, auto place) {
    bool any = false;
    for (uint32_t p = begin; p < end && (found || !any); ++p)
      if (const int64_t row = place(p); row >= 0) {
        any = true;
        if (found) out.looked_for.push_back(i), out.found.push_back(row);
      }
    if (!any && not_found) out.looked_for.push_back(i), out.found.push_back(-1);
  });
}

int64_t JoinTable::first_repeated() const {
  int64_t first = -1;
  look(keys_, count_, [&](int64_t i, uint32_t begin, uint32_t end, auto place) {
    int64_t equal = 0;
    for (uint32_t p = begin; p < end && equal < 2; ++p) equal += place(p) >= 0;
    if (equal > 1 && first < 0) first = i;
  });
  return first;
}

void JoinTable::contains(std::span<const Column> keys, int64_t rows, uint8_t* out) const {
  look(keys, rows, [&](int64_t i, uint32_t begin, uint32_t end, auto place) {
    out[i] = 0;
    for (uint32_t p = begin; p < end && !out[i]; ++p) out[i] = place(p) >= 0;
  });
}

int64_t JoinTable::bytes() const { return static_cast<int64_t>((ends_.size() + rows_.size() + missing_.size()) * 4 + words_.size() * 8); }

}  // namespace muster::kernels
