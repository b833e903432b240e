// A code says all of a dtype in one integer, the same in every process: storage, unit, whether it is open, and the number of a foreign one.
#include "data/dtype.hpp"

#include <algorithm>
#include <map>

#include "base/error.hpp"
#include "data/foreign_dtypes.hpp"

namespace muster::data {
using namespace base;
namespace {
const char* const kNames[] = {"bool",   "int8",    "int16",   "int32",      "int64",       "uint8", "uint16", "uint32",
                              "uint64", "float32", "float64", "datetime64", "timedelta64", "str",   "object", "int64"};
const char* const kUnits[] = {"s", "ms", "us", "ns"};
constexpr int kForeignAt = 24;  // the first bit of a foreign dtype's number in a code
}  // namespace

std::string DType::name() const {
  if (is_object() && foreign) {
    const auto known = foreign_dtype(*this);
    return known ? known->name : "object";
  }
  std::string base = kNames[static_cast<int>(storage)];
  return is_time() ? concat(base, "[", kUnits[static_cast<int>(unit)], "]") : base;
}

int64_t code(DType t) {
  return static_cast<int64_t>(t.storage) | static_cast<int64_t>(t.unit) << 8 | int64_t{t.open} << 16 | static_cast<int64_t>(t.foreign) << kForeignAt;
}

DType dtype_of(int64_t c) {
  if (c < 0 || (c & 255) > static_cast<int64_t>(Storage::row_id) || (c >> 8 & 255) > 3) throw invalid("wire form: unknown dtype ", c);
  return {static_cast<Storage>(c & 255), static_cast<Unit>(c >> 8 & 255), (c >> 16 & 1) != 0, static_cast<uint64_t>(c >> kForeignAt)};
}

int width(Storage s) {
  switch (s) {
    case Storage::boolean: case Storage::int8: case Storage::uint8: return 1;
    case Storage::int16: case Storage::uint16: return 2;
    case Storage::int32: case Storage::uint32: case Storage::float32: return 4;
    case Storage::text: return 16;
    default: return 8;
  }
}

int64_t per_second(Unit unit) {
  static const int64_t scale[] = {1, 1'000, 1'000'000, 1'000'000'000};
  return scale[static_cast<int>(unit)];
}

DType dtype_named(const std::string& name) {
  static const std::map<std::string, Storage> names = {
      {"bool", Storage::boolean}, {"?", Storage::boolean}, {"int", Storage::int64}, {"i8", Storage::int64}, {"int8", Storage::int8},
      {"int16", Storage::int16}, {"int32", Storage::int32}, {"int64", Storage::int64}, {"i1", Storage::int8}, {"i2", Storage::int16},
      {"i4", Storage::int32}, {"uint8", Storage::uint8}, {"uint16", Storage::uint16}, {"uint32", Storage::uint32}, {"uint64", Storage::uint64},
      {"u1", Storage::uint8}, {"u2", Storage::uint16}, {"u4", Storage::uint32}, {"u8", Storage::uint64}, {"float", Storage::float64},
      {"f8", Storage::float64}, {"float64", Storage::float64}, {"f4", Storage::float32}, {"float32", Storage::float32}, {"str", Storage::text},
      {"double", Storage::float64}, {"string", Storage::text}, {"object", Storage::text}};
  if (auto found = names.find(name); found != names.end()) return {found->second};
  for (auto [prefix, storage] : {std::pair{"datetime64", Storage::timestamp}, {"timedelta64", Storage::duration}})
    for (int u = 0; u < 4; ++u)
      if (name == concat(prefix, "[", kUnits[u], "]")) return {storage, static_cast<Unit>(u)};
  throw type_error("dtype '", name, "' is not known; use a NumPy number, bool, str, datetime64[us] or timedelta64[us]");
}

DType promote(DType a, DType b) {
  if (a.storage == b.storage) return {a.storage, std::max(a.unit, b.unit), a.open || b.open};
  bool open = a.open || b.open;
  if (a.is_boolean()) return {b.storage, b.unit, b.is_integer() && open};
  if (b.is_boolean()) return {a.storage, a.unit, a.is_integer() && open};
  int wa = width(a.storage), wb = width(b.storage);
  if (a.is_float() || b.is_float()) {
    auto wide = [](DType t, int w) { return t.is_float() ? w : (w <= 2 ? 4 : 8); };  // NumPy: int16 fits float32, int32 does not
    return {std::max(wide(a, wa), wide(b, wb)) == 4 ? Storage::float32 : Storage::float64};
  }
  if (a.is_signed() == b.is_signed()) return {wa > wb ? a.storage : b.storage, Unit::us, open};
  DType s = a.is_signed() ? a : b, u = a.is_signed() ? b : a;
  int need = std::max(width(s.storage), 2 * width(u.storage));
  if (need > 8) return {Storage::float64};
  return {need == 2 ? Storage::int16 : need == 4 ? Storage::int32 : Storage::int64, Unit::us, open};
}

}  // namespace muster::data
