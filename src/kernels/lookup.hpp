// Places of values among some: 1, 2, ... in the order given, the first of equal ones; 0 for others. Texts are looked up by hash, numbers in an array where
// they lie close together, else by hash.
#pragma once
#include <algorithm>
#include <type_traits>

#include "data/kernel.hpp"
#include "kernels/key_table.hpp"

namespace muster::kernels {

inline size_t slots_for(size_t values) {
  size_t n = 16;
  while (n < values * 4) n *= 2;
  return n;
}

class TextPlaces {
 public:
  explicit TextPlaces(std::vector<std::string> texts) : texts_(std::move(texts)), slots_(slots_for(texts_.size()), 0) {
    for (size_t i = 0; i < texts_.size(); ++i) {
      const data::Text t{texts_[i].data(), static_cast<int64_t>(texts_[i].size())};
      sizes_ |= uint64_t{1} << (t.size & 63);
      if (of(t)) continue;
      size_t at = TextTable::hash(t) & (slots_.size() - 1);
      while (slots_[at]) at = (at + 1) & (slots_.size() - 1);
      slots_[at] = static_cast<uint32_t>(i + 1);
    }
  }
  uint32_t of(data::Text t) const {
    if (!(sizes_ >> (t.size & 63) & 1)) return 0;
    for (size_t at = TextTable::hash(t) & (slots_.size() - 1); slots_[at]; at = (at + 1) & (slots_.size() - 1))
      if (texts_[slots_[at] - 1] == t.view()) return slots_[at];
    return 0;
  }

 private:
  std::vector<std::string> texts_;
  std::vector<uint32_t> slots_;  // 0 = free
  uint64_t sizes_ = 0;           // a bit for each size modulo 64
};

/// `Place`: bool as uint8_t where only whether a value is there is asked for, else uint32_t. A missing value has no place, whatever stands in its row.
template <class T, class Place>
class NumberPlaces {
 public:
  explicit NumberPlaces(std::vector<T> values) : values_(std::move(values)) {
    if (values_.size() <= kFew) return;
    if constexpr (std::is_integral_v<T>) {
      const auto [low, high] = std::minmax_element(values_.begin(), values_.end());
      low_ = *low;
      const uint64_t range = static_cast<uint64_t>(*high) - static_cast<uint64_t>(*low);
      if (range < std::max<uint64_t>(kRange, values_.size() * 4)) {
        places_.resize(range + 1);
        for (size_t i = values_.size(); i-- > 0;) places_[offset(values_[i])] = place(i);
        return;
      }
    }
    slots_.resize(slots_for(values_.size()));
    for (size_t i = 0; i < values_.size(); ++i) {
      const uint64_t word = word_of(values_[i]);
      size_t at = mix(word) & (slots_.size() - 1);
      while (slots_[at].place && slots_[at].word != word) at = (at + 1) & (slots_.size() - 1);
      if (!slots_[at].place) slots_[at] = {word, place(i)};
    }
  }

  void look_up(const T* x, int64_t rows, Place* out) const {
    if (values_.size() <= kFew) {  // a pass each, which the compiler vectorizes
      std::fill_n(out, rows, Place{0});
      for (size_t k = values_.size(); k-- > 0;) {
        const T v = values_[k];
        const Place p = place(k);
        for (int64_t i = 0; i < rows; ++i) out[i] = x[i] == v ? p : out[i];
      }
    } else if (!places_.empty()) {
      for (int64_t i = 0; i < rows; ++i) {
        const uint64_t at = offset(x[i]);
        out[i] = at < places_.size() ? places_[at] : 0;
      }
    } else {
      for (int64_t i = 0; i < rows; ++i) out[i] = of(word_of(x[i]));
    }
  }

 private:
  static constexpr size_t kFew = 4;
  static constexpr uint64_t kRange = 1 << 16;
  struct Slot {
    uint64_t word = 0;
    Place place = 0;  // 0 = free
  };
  static Place place(size_t i) { return sizeof(Place) == 1 ? Place{1} : static_cast<Place>(i + 1); }
  // The bits under which equal numbers are the same.
  static uint64_t word_of(T x) {
    if constexpr (std::is_floating_point_v<T>) x += T{0};  // -0.0
    uint64_t word = 0;
    std::memcpy(&word, &x, sizeof x);
    return word;
  }
  uint64_t offset(T v) const { return static_cast<uint64_t>(v) - static_cast<uint64_t>(low_); }
  Place of(uint64_t word) const {
    for (size_t at = mix(word) & (slots_.size() - 1); slots_[at].place; at = (at + 1) & (slots_.size() - 1))
      if (slots_[at].word == word) return slots_[at].place;
    return 0;
  }
  std::vector<T> values_;
  T low_{};
  std::vector<Place> places_;  // of integers that lie close together: from the smallest to the largest
  std::vector<Slot> slots_;    // of others
};

/// Values of `type` by place: a missing one, then these.
data::Column by_place(const base::List& values, data::DType type);

/// places(column, rows, out) of values of `type`; `missing` is the place of a missing one. Copies share what they know.
std::function<void(const data::Column&, int64_t, uint32_t*)> places_among(const base::List& values, data::DType type, uint32_t missing);

}  // namespace muster::kernels
