// Each kernel gives pandas' values, missing ones and errors of a dtype: integers wrap around, floats follow IEEE, times that do not fit are errors. Inputs
// are constants or as long as the rows.
#include "kernels/elementwise.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "base/error.hpp"
#include "data/dispatch.hpp"
#include "kernels/calendar.hpp"
#include "kernels/missing.hpp"
#include "kernels/text_numbers.hpp"
#include "kernels/texts.hpp"

namespace muster::kernels {
using namespace base;
using namespace data;
namespace {

// One loop for each of column-column, column-constant, constant-column, so that the compiler can vectorize.
template <class In, class Out, class F>
void each(const Column& a, const Column& b, int64_t rows, Out* out, F f) {
  const In *x = a.as<In>(), *y = b.as<In>();
  if (a.constant && b.constant) for (int64_t i = 0; i < rows; ++i) out[i] = f(x[0], y[0]);
  else if (a.constant) { const In v = x[0]; for (int64_t i = 0; i < rows; ++i) out[i] = f(v, y[i]); }
  else if (b.constant) { const In v = y[0]; for (int64_t i = 0; i < rows; ++i) out[i] = f(x[i], v); }
  else for (int64_t i = 0; i < rows; ++i) out[i] = f(x[i], y[i]);
}

template <class T>
T floor_divide(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (b == 0) return a / b;
    T r = std::fmod(a, b), q = (a - r) / b;
    if (r != 0 && (b < 0) != (r < 0)) q -= 1;
    return q != 0 ? (q - std::floor(q) > T(0.5) ? std::floor(q) + 1 : std::floor(q)) : std::copysign(T(0), a / b);
  } else {
    if (b == 0) return 0;
    if constexpr (std::is_signed_v<T>) {
      if (b == -1) return static_cast<T>(-static_cast<std::make_unsigned_t<T>>(a));
      T q = static_cast<T>(a / b);
      return static_cast<T>(q - ((a % b != 0) && ((a < 0) != (b < 0))));
    } else {
      return static_cast<T>(a / b);
    }
  }
}

template <class T>
T modulo(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    T r = std::fmod(a, b);
    if (r != 0) return (b < 0) != (r < 0) ? r + b : r;
    return std::copysign(T(0), b);
  } else {
    if (b == 0) return 0;
    if constexpr (std::is_signed_v<T>) {
      if (b == -1) return 0;
      T r = static_cast<T>(a % b);
      return r != 0 && ((r < 0) != (b < 0)) ? static_cast<T>(r + b) : r;
    } else {
      return static_cast<T>(a % b);
    }
  }
}

template <class T>
T power(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    return std::pow(a, b);
  } else {
    uint64_t result = 1, base = static_cast<uint64_t>(a);
    for (auto n = static_cast<uint64_t>(b); n; n >>= 1, base *= base)
      if (n & 1) result *= base;
    return static_cast<T>(result);
  }
}

// Whether a number that is there is divided by zero.
template <class T>
bool divides_by_zero(const Column& a, const Column& b, int64_t rows) {
  const T* divisors = b.as<T>();
  for (int64_t i = 0; i < rows; ++i)
    if (divisors[b.constant ? 0 : i] == 0 && !b.is_missing(i) && !a.is_missing(i)) return true;
  return false;
}

// One number is divided by zero: pandas computes in the dtype, and makes the result float64 with inf and NaN.
template <class T>
void divide_by_zero(bool floor, const Column& a, const Column& b, int64_t rows, double* out) {
  const T *x = a.as<T>(), *y = b.as<T>();
  for (int64_t i = 0; i < rows; ++i) {
    const T n = x[a.constant ? 0 : i], d = y[b.constant ? 0 : i];
    if (d != 0 || std::is_floating_point_v<T>) out[i] = static_cast<double>(floor ? floor_divide<T>(n, d) : modulo<T>(n, d));
    else out[i] = !floor || n == 0 ? std::numeric_limits<double>::quiet_NaN() : std::copysign(std::numeric_limits<double>::infinity(), n < 0 ? -1.0 : 1.0);
  }
}

template <class T>
void refuse_negative(const Column& b, int64_t rows) {
  const T* powers = b.as<T>();
  for (int64_t i = 0; i < (b.constant ? 1 : rows); ++i)
    if (powers[i] < 0 && (!b.valid || b.valid[i])) throw invalid("Integers to negative integer powers are not allowed.");
}

constexpr int64_t kNoTime = std::numeric_limits<int64_t>::min();  // pandas' NaT: no time has this number

// Numbers wrap around; of times pandas says that it does not fit.
void refuse_overflow(const std::string& op, const Column& a, const Column& b, int64_t rows, const uint8_t* present) {
  const int64_t *x = a.as<int64_t>(), *y = b.as<int64_t>();
  for (int64_t i = 0; i < rows; ++i) {
    if (present && !present[i]) continue;
    const int64_t v = x[a.constant ? 0 : i], w = y[b.constant ? 0 : i];
    int64_t sum = 0;
    if ((op == "add" ? __builtin_add_overflow(v, w, &sum) : __builtin_sub_overflow(v, w, &sum)) || sum == kNoTime)
      throw Error(ErrorKind::invalid, concat(op, ": Overflow in int64 addition of times"), "builtins.OverflowError");
  }
}

enum class Group { arithmetic, comparison, logic };
Group group_of(const std::string& op) {
  if (op == "and" || op == "or" || op == "xor") return Group::logic;
  if (op == "eq" || op == "ne" || op == "lt" || op == "le" || op == "gt" || op == "ge") return Group::comparison;
  return Group::arithmetic;
}

template <class T>
void arithmetic(const std::string& op, const Column& a, const Column& b, int64_t rows, T* out) {
  using Wide = std::conditional_t<std::is_floating_point_v<T>, T, uint64_t>;  // integers wrap around, as NumPy's do
  if (op == "add") each<T>(a, b, rows, out, [](T x, T y) { return static_cast<T>(static_cast<Wide>(x) + static_cast<Wide>(y)); });
  else if (op == "sub") each<T>(a, b, rows, out, [](T x, T y) { return static_cast<T>(static_cast<Wide>(x) - static_cast<Wide>(y)); });
  else if (op == "mul") each<T>(a, b, rows, out, [](T x, T y) { return static_cast<T>(static_cast<Wide>(x) * static_cast<Wide>(y)); });
  else if (op == "truediv")
    each<T>(a, b, rows, out, [](T x, T y) {
      if constexpr (std::is_floating_point_v<T>)
        return x / y;
      else
        return y ? static_cast<T>(x / y) : T{};
    });
  else if (op == "floordiv") each<T>(a, b, rows, out, floor_divide<T>);
  else if (op == "mod") each<T>(a, b, rows, out, modulo<T>);
  else if (op == "pow") each<T>(a, b, rows, out, power<T>);
  else throw internal("binary: unknown operation ", op);
}

template <class T>
void comparison(const std::string& op, const Column& a, const Column& b, int64_t rows, uint8_t* out) {
  if (op == "eq") each<T>(a, b, rows, out, [](T x, T y) { return uint8_t(x == y); });
  else if (op == "ne") each<T>(a, b, rows, out, [](T x, T y) { return uint8_t(x != y); });
  else if (op == "lt") each<T>(a, b, rows, out, [](T x, T y) { return uint8_t(x < y); });
  else if (op == "le") each<T>(a, b, rows, out, [](T x, T y) { return uint8_t(x <= y); });
  else if (op == "gt") each<T>(a, b, rows, out, [](T x, T y) { return uint8_t(x > y); });
  else each<T>(a, b, rows, out, [](T x, T y) { return uint8_t(x >= y); });
}

template <class F>
Map compared(F f, bool missing) {
  return [of_text = OfText<uint8_t, F>(missing, std::move(f))](Task&, Columns in, int64_t rows, std::span<Column> out) {
    Writable to(Storage::boolean, rows);
    of_text(in[0], rows, to.as<uint8_t>());
    out[0] = std::move(to).finish();
    return rows;
  };
}

Map compare_with(const std::string& op, const std::string& text) {
  if (op == "eq") return compared(SameText(text), false);
  if (op == "ne") return compared([same = SameText(text)](Text t) { return uint8_t(!same(t)); }, true);
  if (op == "lt") return compared([=](Text t) { return uint8_t(t.view() < text); }, false);
  if (op == "le") return compared([=](Text t) { return uint8_t(t.view() <= text); }, false);
  if (op == "gt") return compared([=](Text t) { return uint8_t(t.view() > text); }, false);
  return compared([=](Text t) { return uint8_t(t.view() >= text); }, false);
}

void compare_text(const std::string& op, const Column& a, const Column& b, int64_t rows, uint8_t* out) {
  const bool otherwise = op == "ne";
  each<Text>(a, b, rows, out, [&](Text x, Text y) -> uint8_t {
    if (!x.data || !y.data) return otherwise;
    if (op == "eq") return x.view() == y.view();
    if (op == "ne") return x.view() != y.view();
    int c = x.view().compare(y.view());
    return op == "lt" ? c < 0 : op == "le" ? c <= 0 : op == "gt" ? c > 0 : c >= 0;
  });
}

Column join_text(const Column& a, const Column& b, int64_t rows) {
  int64_t bytes = 0;
  auto at = [](const Column& c, int64_t i) { return c.as<Text>()[c.constant ? 0 : i]; };
  for (int64_t i = 0; i < rows; ++i) bytes += at(a, i).size + at(b, i).size;
  auto memory = allocate(bytes);
  Writable out(Storage::text, rows);
  char* to = memory.get();
  for (int64_t i = 0; i < rows; ++i) {
    Text x = at(a, i), y = at(b, i), &slot = out.as<Text>()[i] = {};
    if (!x.data || !y.data) continue;
    slot = {to, x.size + y.size};
    std::memcpy(to, x.data, static_cast<size_t>(x.size)), std::memcpy(to + x.size, y.data, static_cast<size_t>(y.size));
    to += slot.size;
  }
  return std::move(out).finish(memory);
}

Map binary(const Args& args) {
  const std::string op = args["op"].string();
  const DType type = dtype_of(args["type"].integer());
  const Group group = group_of(op);
  if (args.has("text")) return compare_with(op, args["text"].string());
  const bool wide = args.has("wide");                                    // a number is divided by zero
  const int64_t first = args.has("first") ? args["first"].integer() : -1;  // the number under which that is reported
  return [=](Task& t, Columns in, int64_t rows, std::span<Column> out) {
    const Column &a = in[0], &b = in[1];
    if (type.is_text() && group == Group::arithmetic) {
      out[0] = join_text(a, b, rows);
      return rows;
    }
    Writable to(wide ? Storage::float64 : group == Group::arithmetic ? type.storage : Storage::boolean, rows);
    Keep keep;
    const uint8_t* present = both_present(a, b, rows, keep);
    if (type.is_text()) {
      compare_text(op, a, b, rows, to.as<uint8_t>());
    } else if (group == Group::logic) {
      if (op == "and") each<uint8_t>(a, b, rows, to.as<uint8_t>(), [](uint8_t x, uint8_t y) { return uint8_t(x & y); });
      else if (op == "or") each<uint8_t>(a, b, rows, to.as<uint8_t>(), [](uint8_t x, uint8_t y) { return uint8_t(x | y); });
      else each<uint8_t>(a, b, rows, to.as<uint8_t>(), [](uint8_t x, uint8_t y) { return uint8_t(x ^ y); });
    } else {
      visit_fixed(type.storage, [&](auto tag) {
        using T = typename decltype(tag)::type;
        if (group == Group::comparison) comparison<T>(op, a, b, rows, to.as<uint8_t>());
        else {
          if (wide) return divide_by_zero<T>(op == "floordiv", a, b, rows, to.as<double>());
          if (first >= 0 && divides_by_zero<T>(a, b, rows)) t.report.wider.emplace_back(first, DType{Storage::float64});
          if constexpr (std::is_integral_v<T> && std::is_signed_v<T>)
            if (op == "pow") refuse_negative<T>(b, rows);
          if (type.is_time() && (op == "add" || op == "sub")) refuse_overflow(op, a, b, rows, present);
          arithmetic<T>(op, a, b, rows, to.as<T>());
        }
      });
    }
    if (present && group != Group::arithmetic) {  // a comparison with a missing value is False, != is True
      for (int64_t i = 0; i < rows; ++i)
        if (!present[i]) to.as<uint8_t>()[i] = op == "ne";
    } else if (present && wide) {
      for (int64_t i = 0; i < rows; ++i)
        if (!present[i]) to.as<double>()[i] = std::numeric_limits<double>::quiet_NaN();
    } else if (present) {
      std::memcpy(to.valid(), present, static_cast<size_t>(rows));
    }
    out[0] = std::move(to).finish();
    return rows;
  };
}

// The smallest integer stays as it is, as in NumPy.
template <class T>
T negated(T x) {
  if constexpr (std::is_integral_v<T>) return static_cast<T>(uint64_t{0} - static_cast<uint64_t>(x));
  else return -x;
}

Map unary(const Args& args) {
  const std::string op = args["op"].string();
  const DType type = dtype_of(args["type"].integer());
  return [=](Task&, Columns in, int64_t rows, std::span<Column> out) {
    const Column a = spread(in[0], rows);
    if (op == "isna" || op == "notna") {
      Writable to(Storage::boolean, rows);
      const bool wanted = op == "isna";
      uint8_t* y = to.as<uint8_t>();
      visit(a.storage, [&](auto tag) {
        with_missing<typename decltype(tag)::type>(a, [&](auto missing) {
          for (int64_t i = 0; i < rows; ++i) y[i] = missing(i) == wanted;
        });
      });
      out[0] = std::move(to).finish();
      return rows;
    }
    Writable to(type.storage, rows);
    visit_fixed(type.storage, [&](auto tag) {
      using T = typename decltype(tag)::type;
      const T* x = a.as<T>();
      T* y = to.as<T>();
      if (type.is_boolean() && op == "invert") for (int64_t i = 0; i < rows; ++i) y[i] = static_cast<T>(x[i] == 0);
      else if (op == "neg") for (int64_t i = 0; i < rows; ++i) y[i] = negated(x[i]);
      else if (op == "abs") for (int64_t i = 0; i < rows; ++i) y[i] = x[i] < T{} ? negated(x[i]) : x[i] == T{} ? T{} : x[i];
      else if constexpr (std::is_integral_v<T>) for (int64_t i = 0; i < rows; ++i) y[i] = static_cast<T>(~x[i]);
      else throw internal("unary: ", op, " of a float");
    });
    if (a.valid) std::memcpy(to.valid(), a.valid, static_cast<size_t>(rows));
    out[0] = std::move(to).finish();
    return rows;
  };
}

Column text_of(const Column& a, DType from, int64_t rows) {
  auto made = std::make_shared<std::vector<std::string>>(static_cast<size_t>(rows));
  Writable to(Storage::text, rows);
  for (int64_t i = 0; i < rows; ++i) {
    Value v = value_at(a, i, from);
    auto& s = (*made)[static_cast<size_t>(i)];
    if (v.is_none()) { to.as<Text>()[i] = {}; continue; }
    s = v.label();
    to.as<Text>()[i] = {s.data(), static_cast<int64_t>(s.size())};
  }
  return std::move(to).finish(made);
}

Error not_finite(const std::string& what) {
  return Error(ErrorKind::invalid, concat(what, ": Cannot convert non-finite values (NA or inf) to integer; fill them, or take a nullable dtype like 'Int64'"),
               "pandas.errors.IntCastingNaNError");
}

// As NumPy on x86: by way of 64 bits, the smallest integer for what is beyond them.
template <class T, class F>
T truncated(F x) {
  if constexpr (std::is_same_v<T, uint64_t>)
    if (x >= F(0x1p63)) return x < F(0x1p64) ? static_cast<uint64_t>(x) : 0;
  return static_cast<T>(x >= F(-0x1p63) && x < F(0x1p63) ? static_cast<int64_t>(x) : std::numeric_limits<int64_t>::min());
}

Map cast(const Args& args) {
  const DType from = dtype_of(args["from"].integer()), to = dtype_of(args["to"].integer());
  const std::string what = args["what"].is_string() ? args["what"].string() : "astype";
  return [=](Task&, Columns in, int64_t rows, std::span<Column> out) {
    const Column a = in[0].constant ? spread(in[0], rows) : in[0];
    if (from.storage == to.storage && (!from.is_time() || from.unit == to.unit)) {
      if (from.open && !to.open && a.valid && std::find(a.valid, a.valid + rows, uint8_t{0}) != a.valid + rows) throw not_finite(what);
      out[0] = a;
      return rows;
    }
    if (to.is_text()) {
      out[0] = text_of(a, from, rows);
      return rows;
    }
    if (from.is_text()) {
      out[0] = numbers_of(a, rows, to, what);
      return rows;
    }
    Writable w(to.storage, rows);
    const int64_t scale_from = from.is_time() ? per_second(from.unit) : 1, scale_to = to.is_time() ? per_second(to.unit) : 1;
    visit_fixed(from.storage, [&](auto from_tag) {
      visit_fixed(to.storage, [&](auto to_tag) {
        using F = typename decltype(from_tag)::type;
        using T = typename decltype(to_tag)::type;
        const F* x = a.as<F>();
        T* y = w.as<T>();
        if (from.is_time() && to.is_time()) {
          for (int64_t i = 0; i < rows; ++i) {
            const auto v = static_cast<int64_t>(x[i]);
            int64_t moved = 0;
            if (scale_to < scale_from) moved = floor_divide<int64_t>(v, scale_from / scale_to);
            else if (__builtin_mul_overflow(v, scale_to / scale_from, &moved) && (!a.valid || a.valid[i]))
              throw Error(ErrorKind::invalid, concat(what, ": Cannot convert ", v, " of ", from.name(), " to ", to.name(), ": out of its bounds"),
                          to.storage == Storage::timestamp ? "pandas.errors.OutOfBoundsDatetime" : "pandas.errors.OutOfBoundsTimedelta");
            y[i] = static_cast<T>(moved);
          }
        } else if (to.is_boolean()) {
          for (int64_t i = 0; i < rows; ++i) y[i] = static_cast<T>(x[i] != F{});
        } else if constexpr (std::is_floating_point_v<F> && std::is_integral_v<T>) {
          for (int64_t i = 0; i < rows; ++i) {
            if (!std::isfinite(x[i])) throw not_finite(what);
            if (std::is_unsigned_v<T> && !to.is_boolean() && x[i] < 0) throw invalid(what, ": Cannot losslessly cast from ", from.name(), " to ", to.name());
            y[i] = truncated<T>(x[i]);
          }
        } else {
          for (int64_t i = 0; i < rows; ++i) y[i] = static_cast<T>(x[i]);
        }
        if (a.valid) {
          if constexpr (std::is_floating_point_v<T>) {
            for (int64_t i = 0; i < rows; ++i)
              if (!a.valid[i]) y[i] = std::numeric_limits<T>::quiet_NaN();
          } else if (to.is_boolean()) {
            for (int64_t i = 0; i < rows; ++i)
              if (!a.valid[i]) y[i] = 1;  // bool(nan) is True
          } else if (!to.open && !to.is_time()) {
            for (int64_t i = 0; i < rows; ++i)
              if (!a.valid[i]) throw not_finite(what);
          } else {
            std::memcpy(w.valid(), a.valid, static_cast<size_t>(rows));
          }
        }
      });
    });
    out[0] = std::move(w).finish();
    return rows;
  };
}

// The first input, or the second (a constant) where the first is missing.
Map fill(const Args&) {
  return [](Task&, Columns in, int64_t rows, std::span<Column> out) {
    const Column a = spread(in[0], rows);
    bool any = a.storage == Storage::text || a.storage == Storage::float64 || a.storage == Storage::float32 || a.valid;
    if (!any) {
      out[0] = a;
      return rows;
    }
    Writable to(a.storage, rows);
    visit(a.storage, [&](auto tag) {
      using T = typename decltype(tag)::type;
      const T value = in[1].as<T>()[0];
      const T* x = a.as<T>();
      T* y = to.as<T>();
      with_missing<T>(a, [&](auto missing) {
        for (int64_t i = 0; i < rows; ++i) y[i] = missing(i) ? value : x[i];
      });
    });
    if (in[1].valid && !in[1].valid[0] && a.valid) std::memcpy(to.valid(), a.valid, static_cast<size_t>(rows));
    out[0] = std::move(to).finish(a.storage == Storage::text ? keep_both(a.text_keep(), in[1].text_keep()) : nullptr);
    return rows;
  };
}

}  // namespace

const uint8_t* both_present(const Column& a, const Column& b, int64_t rows, Keep& keep) {
  if (!a.valid && !b.valid) return nullptr;
  auto memory = allocate(rows);
  auto* flags = reinterpret_cast<uint8_t*>(memory.get());
  for (int64_t i = 0; i < rows; ++i)
    flags[i] = (!a.valid || a.valid[a.constant ? 0 : i]) && (!b.valid || b.valid[b.constant ? 0 : i]);
  keep = memory;
  return flags;
}

std::vector<Kernel> elementwise_kernels() {
  const auto compares = [](const Args& a) -> std::string {
    static const std::map<std::string, std::string> kSymbols = {{"eq", "=="}, {"lt", "<"}, {"le", "<="}, {"gt", ">"}, {"ge", ">="}, {"and", "and"}};
    const auto known = kSymbols.find(a["op"].string());
    return known == kSymbols.end() ? "" : known->second;
  };
  const auto same_values = [](const Args& a) { return !dtype_of(a["from"].integer()).is_text() && !dtype_of(a["to"].integer()).is_text(); };
  const auto always = [](const Args&) { return true; };
  const auto is_no_text = [](const Args& a) { return !dtype_of(a["to"].integer()).is_text(); };
  const auto computes_in_floats = [](const Args& a) {
    static const std::set<std::string> kLooks = {"eq", "ne", "lt", "le", "gt", "ge", "and", "or", "xor", "isna", "notna", "invert"};
    return kLooks.contains(a["op"].string()) || dtype_of(a["type"].integer()).is_float();
  };
  const Traits by_row{.by_row = true};
  return {{.name = "binary", .map = binary, .traits = {.by_row = true, .compares = compares, .same_of_floats = computes_in_floats}},
          {.name = "unary", .map = unary, .traits = {.by_row = true, .same_of_floats = computes_in_floats}},
          {.name = "cast", .map = cast, .traits = {.by_row = true, .same_of_floats = is_no_text, .same_values = same_values}},
          {.name = "fill", .map = fill, .traits = {.by_row = true, .same_of_floats = always}},
          {.name = "is_in", .map = is_in, .traits = {.by_row = true, .same_of_floats = always}},
          // A constant as a column as long as the second input.
          {.name = "spread",
           .map = [](const Args&) -> Map { return [](Task&, Columns in, int64_t rows, std::span<Column> out) { return out[0] = spread(in[0], rows), rows; }; },
           .traits = {.same_of_floats = always}},
          {.name = "constant",
           .map = [](const Args& a) -> Map {
             Column c = constant_of(a["value"], dtype_of(a["type"].integer()));
             return [c](Task&, Columns, int64_t rows, std::span<Column> out) { return out[0] = c, rows; };
           },
           .traits = {.is_constant = true}}};
}

}  // namespace muster::kernels
