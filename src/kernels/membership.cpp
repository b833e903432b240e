// is_in: whether values are among some. Texts are looked up by hash, once for each text of a dictionary; numbers in a bitmap or by hash.
#include <algorithm>
#include <cmath>

#include "data/dispatch.hpp"
#include "kernels/elementwise.hpp"
#include "kernels/key_table.hpp"
#include "kernels/texts.hpp"

namespace muster::kernels {
using namespace base;
using namespace data;
namespace {

size_t slots_for(size_t values) {
  size_t n = 16;
  while (n < values * 4) n *= 2;
  return n;
}

class TextSet {
 public:
  explicit TextSet(std::vector<std::string> texts) : texts_(std::move(texts)), slots_(slots_for(texts_.size()), 0) {
    for (size_t i = 0; i < texts_.size(); ++i) {
      const Text t{texts_[i].data(), static_cast<int64_t>(texts_[i].size())};
      sizes_ |= uint64_t{1} << (t.size & 63);
      size_t at = TextTable::hash(t) & (slots_.size() - 1);
      while (slots_[at]) at = (at + 1) & (slots_.size() - 1);
      slots_[at] = static_cast<uint32_t>(i + 1);
    }
  }
  bool has(Text t) const {
    if (!(sizes_ >> (t.size & 63) & 1)) return false;
    for (size_t at = TextTable::hash(t) & (slots_.size() - 1); slots_[at]; at = (at + 1) & (slots_.size() - 1))
      if (texts_[slots_[at] - 1] == t.view()) return true;
    return false;
  }

 private:
  std::vector<std::string> texts_;
  std::vector<uint32_t> slots_;  // number of a text + 1; 0 = free
  uint64_t sizes_ = 0;           // a bit for each size modulo 64
};

// The bits under which equal numbers are the same.
template <class T>
uint64_t word_of(T x) {
  if constexpr (std::is_floating_point_v<T>) x += T{0};  // -0.0
  uint64_t word = 0;
  std::memcpy(&word, &x, sizeof x);
  return word;
}

template <class T>
class NumberSet {
 public:
  explicit NumberSet(std::vector<T> values) : values_(std::move(values)) {
    if (values_.size() <= kFew) return;
    if constexpr (std::is_integral_v<T>) {
      const auto [low, high] = std::minmax_element(values_.begin(), values_.end());
      low_ = *low;
      const uint64_t range = static_cast<uint64_t>(*high) - static_cast<uint64_t>(*low);
      if (range < kRange) {
        flags_.resize(range + 1);
        for (T v : values_) flags_[place(v)] = 1;
        return;
      }
    }
    slots_.resize(slots_for(values_.size())), used_.resize(slots_.size());
    for (T v : values_) {
      const uint64_t word = word_of(v);
      size_t at = mix(word) & (slots_.size() - 1);
      while (used_[at] && slots_[at] != word) at = (at + 1) & (slots_.size() - 1);
      slots_[at] = word, used_[at] = 1;
    }
  }
  void look_up(const T* x, int64_t rows, uint8_t* out) const {
    if (values_.size() <= kFew) {  // a pass each, which the compiler vectorizes
      std::memset(out, 0, static_cast<size_t>(rows));
      for (T v : values_)
        for (int64_t i = 0; i < rows; ++i) out[i] |= x[i] == v;
    } else if (!flags_.empty()) {
      for (int64_t i = 0; i < rows; ++i) {
        const uint64_t at = place(x[i]);
        out[i] = at < flags_.size() ? flags_[at] : 0;
      }
    } else {
      for (int64_t i = 0; i < rows; ++i) out[i] = has(word_of(x[i]));
    }
  }

 private:
  static constexpr size_t kFew = 4;
  static constexpr uint64_t kRange = 1 << 16;
  uint64_t place(T v) const { return static_cast<uint64_t>(v) - static_cast<uint64_t>(low_); }
  bool has(uint64_t word) const {
    for (size_t at = mix(word) & (slots_.size() - 1); used_[at]; at = (at + 1) & (slots_.size() - 1))
      if (slots_[at] == word) return true;
    return false;
  }
  std::vector<T> values_;
  T low_{};
  std::vector<uint8_t> flags_;   // of integers that lie close together: from the smallest to the largest
  std::vector<uint64_t> slots_;  // of others
  std::vector<uint8_t> used_;
};

}  // namespace

Map is_in(const Args& args) {
  const DType type = dtype_of(args["type"].integer());
  List wanted;
  bool missing = false;
  for (const auto& v : args["values"].list())
    if (v.is_none() || (v.is_float() && std::isnan(v.number()))) missing = true;
    else wanted.push_back(v);
  if (type.is_text()) {
    std::vector<std::string> texts;
    for (const auto& v : wanted) texts.push_back(v.string());
    auto found = [set = std::make_shared<const TextSet>(std::move(texts))](Text t) { return static_cast<uint8_t>(set->has(t)); };
    return [of_text = OfText<uint8_t, decltype(found)>(missing, found)](Task&, Columns in, int64_t rows, std::span<Column> out) {
      Writable to(Storage::boolean, rows);
      of_text(in[0], rows, to.as<uint8_t>());
      out[0] = std::move(to).finish();
      return rows;
    };
  }
  return visit_fixed(type.storage, [&](auto tag) -> Map {
    using T = typename decltype(tag)::type;
    std::vector<T> values;
    for (const auto& v : wanted) values.push_back(constant_of(v, type).template as<T>()[0]);
    return [missing, set = std::make_shared<const NumberSet<T>>(std::move(values))](Task&, Columns in, int64_t rows, std::span<Column> out) {
      const Column a = spread(in[0], rows);
      Writable to(Storage::boolean, rows);
      auto* found = to.as<uint8_t>();
      set->look_up(a.as<T>(), rows, found);
      if (std::is_floating_point_v<T> || a.valid)
        for (int64_t i = 0; i < rows; ++i)
          if (a.is_missing(i)) found[i] = missing;
      out[0] = std::move(to).finish();
      return rows;
    };
  });
}

}  // namespace muster::kernels
