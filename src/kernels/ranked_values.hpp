// Values of which those of some ranks are wanted: in pieces, in memory or spilled, each value alone or with how often it is there. Pieces do not change:
// states share them.
#pragma once
#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <memory>
#include <span>
#include <type_traits>
#include <vector>

#include "base/wire.hpp"
#include "kernels/spill.hpp"

namespace muster::kernels {

template <class T>
class RankedValues {
 public:
  /// Without `counts` each value is there once.
  void add(std::vector<T> values, std::vector<int64_t> counts = {}) {
    if (values.empty()) return;
    for (T x : values) low_ = std::min(low_, word_of(x)), high_ = std::max(high_, word_of(x));
    if (counts.empty()) count_ += static_cast<int64_t>(values.size());
    for (int64_t n : counts) count_ += n;
    pieces_.push_back({std::make_shared<const Values>(Values{std::move(values), std::move(counts)}), nullptr});
  }
  void append(const RankedValues& later) {
    low_ = std::min(low_, later.low_), high_ = std::max(high_, later.high_), count_ += later.count_;
    pieces_.insert(pieces_.end(), later.pieces_.begin(), later.pieces_.end());
  }
  int64_t count() const { return count_; }
  /// Bytes in memory.
  int64_t bytes() const {
    size_t total = 0;
    for (const auto& p : pieces_)
      if (p.here) total += p.here->values.capacity() * sizeof(T) + p.here->counts.capacity() * sizeof(int64_t);
    return static_cast<int64_t>(total);
  }
  /// Moves what is in memory to the spill file.
  void shed() {
    for (auto& p : pieces_) {
      if (p.spilled) continue;
      base::Encoder out;
      out << p.here->values << p.here->counts;
      p = {nullptr, spill(out.take())};
    }
  }
  /// The values of `ranks`, which ascend, by counting how many lie in each of some ranges, and again in finer ones where these are too many.
  std::vector<T> at(std::span<const int64_t> ranks) const {
    std::vector<T> out(ranks.size());
    if (!ranks.empty()) find(low_, std::max(0, static_cast<int>(std::bit_width(static_cast<Word>(high_ - low_))) - kBits), 0, ranks, out.data());
    return out;
  }
  void encode(base::Encoder& out) const {
    out << static_cast<uint64_t>(pieces_.size());
    each([&](const std::vector<T>& values, const std::vector<int64_t>& counts) { out << values << counts; });
  }
  void decode(base::Decoder& in) {
    for (auto n = in.count(); n > 0; --n) {
      auto values = in.list<T>();
      auto counts = in.list<int64_t>();
      if (!counts.empty() && counts.size() != values.size()) throw Error(ErrorKind::io, "the counts of values do not fit");
      add(std::move(values), std::move(counts));
    }
  }

 private:
  struct Values {
    std::vector<T> values;
    std::vector<int64_t> counts;
  };
  struct Piece {  // in one place or the other
    std::shared_ptr<const Values> here;
    std::shared_ptr<const Spilled> spilled;
  };
  // Integers that compare as the values do.
  using Word =
      std::conditional_t<sizeof(T) == 8, uint64_t, std::conditional_t<sizeof(T) == 4, uint32_t, std::conditional_t<sizeof(T) == 2, uint16_t, uint8_t>>>;
  static constexpr auto kSign = static_cast<Word>(Word{1} << (8 * sizeof(T) - 1));
  static constexpr int kBits = 16;
  static constexpr size_t kRanges = size_t{1} << kBits;
  static constexpr int64_t kSelected = 256 << 10;  // values that are sorted at a time

  static Word word_of(T x) {
    const auto word = std::bit_cast<Word>(x);
    if constexpr (std::is_floating_point_v<T>) return word & kSign ? static_cast<Word>(~word) : static_cast<Word>(word | kSign);
    else if constexpr (std::is_signed_v<T>) return static_cast<Word>(word ^ kSign);
    else return word;
  }
  static T value_of(Word word) {
    if constexpr (std::is_floating_point_v<T>) return std::bit_cast<T>(word & kSign ? static_cast<Word>(word ^ kSign) : static_cast<Word>(~word));
    else if constexpr (std::is_signed_v<T>) return std::bit_cast<T>(static_cast<Word>(word ^ kSign));
    else return word;
  }
  template <class F>
  void each(F call) const {
    for (const auto& p : pieces_) {
      if (!p.spilled) {
        call(p.here->values, p.here->counts);
        continue;
      }
      const std::string bytes = p.spilled->read();
      base::Decoder in(bytes);
      const auto values = in.list<T>();
      call(values, in.list<int64_t>());
    }
  }
  // Calls with the range that a value lies in, the value and how often it is there. The ranges are of 2^shift words each, from `low` on.
  template <class F>
  void each_in_ranges(Word low, int shift, F call) const {
    each([&](const std::vector<T>& values, const std::vector<int64_t>& counts) {
      const auto range_of = [&](size_t i) { return static_cast<size_t>(static_cast<Word>(word_of(values[i]) - low) >> shift); };
      if (counts.empty()) {
        for (size_t i = 0; i < values.size(); ++i)
          if (const auto r = range_of(i); r < kRanges) call(r, values[i], 1);
      } else {
        for (size_t i = 0; i < values.size(); ++i)
          if (const auto r = range_of(i); r < kRanges) call(r, values[i], counts[i]);
      }
    });
  }

  struct Few {
    std::vector<T> values;
    std::span<const int64_t> ranks;
    int64_t before;  // values in front of its first
    T* out;
  };
  // Of 2^16 ranges of 2^shift words each, from `low` on; `before` values lie in front. What is behind the last range that is asked for does not matter.
  void find(Word low, int shift, int64_t before, std::span<const int64_t> ranks, T* out) const {
    std::vector<int64_t> begins(kRanges + 1, 0);
    each_in_ranges(low, shift, [&](size_t range, T, int64_t n) { begins[range + 1] += n; });
    begins[0] = before;
    for (size_t r = 0; r < kRanges; ++r) begins[r + 1] += begins[r];
    std::vector<Few> few;
    std::vector<uint32_t> few_of(kRanges, 0);  // number from 1 on
    int64_t gathered = 0;
    const auto select = [&] {
      if (few.empty()) return;
      each_in_ranges(low, shift, [&](size_t range, T x, int64_t n) {
        if (const auto f = few_of[range]) few[f - 1].values.insert(few[f - 1].values.end(), static_cast<size_t>(n), x);
      });
      for (auto& f : few) {
        std::sort(f.values.begin(), f.values.end());
        for (size_t i = 0; i < f.ranks.size(); ++i) f.out[i] = f.values[static_cast<size_t>(f.ranks[i] - f.before)];
      }
      few.clear(), few_of.assign(kRanges, 0), gathered = 0;
    };
    for (size_t i = 0, end = 0; i < ranks.size(); i = end) {
      const auto range = static_cast<size_t>(std::upper_bound(begins.begin(), begins.end(), ranks[i]) - begins.begin()) - 1;
      while (end < ranks.size() && ranks[end] < begins[range + 1]) ++end;
      const auto mine = ranks.subspan(i, end - i);
      const auto first = static_cast<Word>(low + (static_cast<Word>(range) << shift));
      const int64_t values = begins[range + 1] - begins[range];
      if (shift == 0) {
        std::fill_n(out + i, mine.size(), value_of(first));
      } else if (values > kSelected) {
        find(first, std::max(0, shift - kBits), begins[range], mine, out + i);
      } else {
        if (gathered + values > kSelected) select();
        gathered += values;
        few.push_back({{}, mine, begins[range], out + i});
        few_of[range] = static_cast<uint32_t>(few.size());
      }
    }
    select();
  }

  std::vector<Piece> pieces_;
  Word low_ = std::numeric_limits<Word>::max(), high_ = 0;
  int64_t count_ = 0;
};

}  // namespace muster::kernels
