// Numbers from text: fast paths for up to 8 bytes in one word, everything else slowly and exactly.
#pragma once
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "data/column.hpp"

namespace muster::io::csv {
using data::Text;

// The last 8 bytes up to `end`, the bytes before the field replaced by '0'. Reads before the field: blocks are padded.
inline uint64_t right_aligned(const char* end, int64_t size) {
  uint64_t word;
  std::memcpy(&word, end - 8, 8);
  const uint64_t keep = size >= 8 ? ~0ull : ~(~0ull >> (8 * size));
  return (word & keep) | (0x3030303030303030u & ~keep);
}
inline bool all_digits(uint64_t word) {
  return (((word & 0xF0F0F0F0F0F0F0F0u) | (((word + 0x0606060606060606u) & 0xF0F0F0F0F0F0F0F0u) >> 4)) == 0x3333333333333333u);
}
// Eight digits, the first in the lowest byte: pairs, then fours, then eight (Lemire 2018, "Quickly parsing eight digits").
inline uint64_t eight_digits(uint64_t word) {
  word = (word & 0x0F0F0F0F0F0F0F0Fu) * 2561 >> 8;
  word = (word & 0x00FF00FF00FF00FFu) * 6553601 >> 16;
  return (word & 0x0000FFFF0000FFFFu) * 42949672960001u >> 32;
}

/// Digits with an optional minus, at most 16 digits; false: look closer.
inline bool fast_integer(const char* begin, int64_t size, int64_t& value) {
  const bool minus = size && *begin == '-';
  const int64_t n = size - minus;
  const uint64_t word = right_aligned(begin + size, n < 8 ? n : 8);
  if (static_cast<uint64_t>(n - 1) >= 16 || !all_digits(word)) return false;
  auto v = static_cast<int64_t>(eight_digits(word));
  if (n > 8) {
    const uint64_t high = right_aligned(begin + size - 8, n - 8);
    if (!all_digits(high)) return false;
    v += static_cast<int64_t>(eight_digits(high)) * 100'000'000;
  }
  value = minus ? -v : v;
  return true;
}

/// Digits with one '.', at most 8 bytes besides the sign. Exact: mantissa < 10^8 over a power of ten is one rounding.
inline bool fast_decimal(const char* begin, int64_t size, double& value) {
  static constexpr double scale[] = {1, 10, 100, 1000, 1e4, 1e5, 1e6, 1e7, 1e8};
  const bool minus = size && *begin == '-';
  const int64_t n = size - minus;
  if (static_cast<uint64_t>(n - 1) >= 8) return false;
  uint64_t word = right_aligned(begin + size, n);
  const uint64_t x = word ^ 0x2E2E2E2E2E2E2E2Eu;
  uint64_t point = (x - 0x0101010101010101u) & ~x & 0x8080808080808080u;
  int places = 0;
  if (point) {
    const int at = __builtin_ctzll(point) >> 3;  // exact for the lowest match
    places = 7 - at;
    const uint64_t below = (1ull << (8 * at)) - 1, above = at == 7 ? 0 : ~0ull << (8 * (at + 1));
    word = (word & above) | ((word & below) << 8) | 0x30;
    if (n == 1) return false;
  }
  if (!all_digits(word)) return false;
  const double v = static_cast<double>(eight_digits(word)) / scale[places];
  value = minus ? -v : v;
  return true;
}

inline Text trimmed(Text t) {
  while (t.size && (t.data[0] == ' ' || t.data[0] == '\t')) ++t.data, --t.size;
  while (t.size && (t.data[t.size - 1] == ' ' || t.data[t.size - 1] == '\t')) --t.size;
  return t;
}

enum class IntegerText { fits, beyond_signed, beyond, none };  // int64; uint64; an integer larger than either; no integer

inline IntegerText slow_integer(Text t, char thousands, int64_t& value) {
  t = trimmed(t);
  if (!t.size) return IntegerText::none;
  const bool minus = t.data[0] == '-';
  if (minus || t.data[0] == '+') ++t.data, --t.size;
  if (!t.size) return IntegerText::none;
  unsigned __int128 sum = 0;
  bool huge = false, digit = false;
  for (int64_t i = 0; i < t.size; ++i) {
    if (thousands && t.data[i] == thousands && digit) continue;
    if (t.data[i] < '0' || t.data[i] > '9') return IntegerText::none;
    digit = true;
    if (!huge) sum = sum * 10 + static_cast<unsigned>(t.data[i] - '0');
    huge |= sum >> 64 != 0;
  }
  const auto low = static_cast<uint64_t>(sum);
  if (huge) return IntegerText::beyond;
  if (minus) {
    if (low > 1ull << 63) return IntegerText::beyond;
    value = static_cast<int64_t>(-low);
    return IntegerText::fits;
  }
  value = static_cast<int64_t>(low);
  return low >> 63 ? IntegerText::beyond_signed : IntegerText::fits;
}

inline bool equal_folded(std::string_view a, std::string_view lower) {
  if (a.size() != lower.size()) return false;
  for (size_t i = 0; i < a.size(); ++i)
    if ((a[i] | 0x20) != lower[i]) return false;
  return true;
}

inline bool slow_decimal(Text t, char decimal, char thousands, double& value) {
  t = trimmed(t);
  if (!t.size) return false;
  char copy[128];
  const bool minus = t.data[0] == '-';
  if (minus || t.data[0] == '+') ++t.data, --t.size;
  if (!t.size || t.data[0] == '+' || t.data[0] == '-') return false;
  auto letters = t.view();
  if (equal_folded(letters, "inf") || equal_folded(letters, "infinity")) return value = minus ? -INFINITY : INFINITY, true;
  if ((t.data[0] | 0x20) > '9' && (t.data[0] | 0x20) != decimal) return false;  // from_chars would take nan(...)
  if (decimal != '.' || thousands) {
    if (t.size > 120) return false;
    int64_t n = 0;
    for (int64_t i = 0; i < t.size; ++i) {
      if (thousands && t.data[i] == thousands) continue;
      if (decimal != '.' && t.data[i] == '.') return false;
      copy[n++] = t.data[i] == decimal ? '.' : t.data[i];
    }
    t = {copy, n};
  }
  auto [end, error] = std::from_chars(t.data, t.data + t.size, value);
  if (end != t.data + t.size) return false;
  if (error == std::errc::result_out_of_range) {
    // Too large is inf, too small 0, as strtod says; from_chars leaves the value alone.
    const char* e = static_cast<const char*>(std::memchr(t.data, 'e', static_cast<size_t>(t.size)));
    if (!e) e = static_cast<const char*>(std::memchr(t.data, 'E', static_cast<size_t>(t.size)));
    value = e && e[1] == '-' ? 0.0 : INFINITY;
  } else if (error != std::errc{}) {
    return false;
  }
  if (minus) value = -value;
  return true;
}

}  // namespace muster::io::csv
