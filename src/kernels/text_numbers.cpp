// A text that is short is read exactly without the library's function; all others are left to it, so that both give the nearest float. What pandas does not
// take for a number is an error that names the text.
#include "kernels/text_numbers.hpp"

#include <charconv>
#include <cmath>
#include <cstdlib>

#include "base/error.hpp"
#include "data/dispatch.hpp"
#include "muster/error.hpp"

namespace muster::kernels {
using namespace base;
using namespace data;
namespace {

bool is_digit(char c) { return static_cast<uint8_t>(c - '0') < 10; }

// Without spaces around, a plus in front, and single underscores between digits; empty where an underscore stands elsewhere.
std::string tidied(std::string_view text) {
  auto space = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r') || (c >= '\x1c' && c <= '\x1f'); };
  while (!text.empty() && space(text.front())) text.remove_prefix(1);
  while (!text.empty() && space(text.back())) text.remove_suffix(1);
  if (text.size() > 1 && text[0] == '+' && text[1] != '-' && text[1] != '+') text.remove_prefix(1);
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') plain += text[i];
    else if (i == 0 || i + 1 == text.size() || !is_digit(text[i - 1]) || !is_digit(text[i + 1])) return {};
  }
  return plain;
}

// Digits with a point among them, of at most 15 digits: both the digits and the power of ten are exact, so that one division rounds right
// (Clinger 1990, How to read floating point numbers accurately).
bool read_short(Text t, double& value) {
  static constexpr double kPowers[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
  const char *p = t.data, *end = t.data + t.size;
  const bool negative = p < end && *p == '-';
  p += negative;
  if (end - p > 16 || p == end) return false;
  uint64_t digits = 0;
  const char* begin = p;
  while (p < end && is_digit(*p)) digits = digits * 10 + static_cast<uint64_t>(*p++ - '0');
  int64_t count = p - begin, behind = 0;
  if (p < end && *p == '.') {
    const char* point = ++p;
    while (p < end && is_digit(*p)) digits = digits * 10 + static_cast<uint64_t>(*p++ - '0');
    behind = p - point, count += behind;
  }
  if (p != end || count == 0 || count > 15) return false;
  value = static_cast<double>(digits) / kPowers[behind];
  if (negative) value = -value;
  return true;
}

bool read_short(Text t, int64_t& value) {
  const char *p = t.data, *end = t.data + t.size;
  const bool negative = p < end && *p == '-';
  p += negative;
  if (p == end || end - p > 18) return false;
  int64_t digits = 0;
  for (; p < end; ++p) {
    if (!is_digit(*p)) return false;
    digits = digits * 10 + (*p - '0');
  }
  value = negative ? -digits : digits;
  return true;
}

[[noreturn]] void refuse(const std::string& what, DType type, Text t) {
  throw invalid(what, ": could not convert string to ", type.name(), ": '", t.view(), "'");
}

double float_of(Text t, DType type, const std::string& what) {
  double value;
  if (read_short(t, value)) return value;
  const std::string plain = tidied(t.view());
  const auto [end, error] = std::from_chars(plain.data(), plain.data() + plain.size(), value);
  if (end != plain.data() + plain.size() || error == std::errc::invalid_argument || plain.find('(') != std::string::npos) refuse(what, type, t);
  return error == std::errc::result_out_of_range ? std::strtod(plain.c_str(), nullptr) : value;  // infinity or zero
}

template <class T>
T integer_of(Text t, DType type, const std::string& what) {
  auto beyond = [&] {
    return Error(ErrorKind::invalid, concat(what, ": the integer ", t.view(), " is out of bounds for ", type.name()), "builtins.OverflowError");
  };
  if (int64_t value; read_short(t, value)) {
    if (!std::in_range<T>(value)) throw beyond();
    return static_cast<T>(value);
  }
  const std::string plain = tidied(t.view());
  const bool negative = std::is_unsigned_v<T> && plain.size() > 1 && plain[0] == '-' && is_digit(plain[1]);
  T value{};
  const auto [end, error] = std::from_chars(plain.data() + negative, plain.data() + plain.size(), value);
  if (end != plain.data() + plain.size() || error == std::errc::invalid_argument) refuse(what, type, t);
  if (error == std::errc::result_out_of_range || (negative && value)) throw beyond();
  return value;
}
}  // namespace

Column numbers_of(const Column& texts, int64_t rows, DType type, const std::string& what) {
  Writable made(type.storage, rows);
  const Text* x = texts.as<Text>();
  visit_fixed(type.storage, [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* to = made.as<T>();
    if (type.is_boolean()) {
      for (int64_t i = 0; i < rows; ++i) to[i] = static_cast<T>(!x[i].data || x[i].size > 0);
    } else if constexpr (std::is_floating_point_v<T>) {
      for (int64_t i = 0; i < rows; ++i) to[i] = x[i].data ? static_cast<T>(float_of(x[i], type, what)) : std::numeric_limits<T>::quiet_NaN();
    } else {
      for (int64_t i = 0; i < rows; ++i) {
        if (!x[i].data) throw invalid(what, ": cannot convert float NaN to integer");
        to[i] = integer_of<T>(x[i], type, what);
      }
    }
  });
  return std::move(made).finish();
}

}  // namespace muster::kernels
