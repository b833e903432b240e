// A number is a hash of the token; two dtypes of one number are refused when the second becomes known, never mixed up.
#include "data/foreign_dtypes.hpp"

#include <mutex>
#include <unordered_map>

#include "base/error.hpp"

namespace muster::data {
using namespace base;
namespace {
struct Known {
  std::mutex mutex;
  std::unordered_map<uint64_t, ForeignDType> dtypes;
};
Known& known() {
  static Known all;
  return all;
}

uint64_t number_of(const std::string& token) {
  constexpr uint64_t most = (uint64_t{1} << kForeignDTypeBits) - 1;
  return hash_bytes(token).low % most + 1;  // 0 is any object
}
}  // namespace

DType know(ForeignDType dtype) {
  const uint64_t number = number_of(dtype.token);
  std::lock_guard lock(known().mutex);
  const auto [at, fresh] = known().dtypes.try_emplace(number, dtype);
  if (!fresh && at->second.token != dtype.token)
    throw unsupported("the dtypes ", at->second.name, " and ", dtype.name,
                      " have the same number; change one of them, for instance the order of its categories");
  return {Storage::object, Unit::us, false, number};
}

std::optional<ForeignDType> foreign_dtype(DType type) {
  if (!type.is_object() || !type.foreign) return {};
  std::lock_guard lock(known().mutex);
  const auto at = known().dtypes.find(type.foreign);
  return at == known().dtypes.end() ? std::nullopt : std::optional(at->second);
}

Value definition_of(DType type) {
  const auto known = foreign_dtype(type);
  return known ? Value(List{known->name, known->token, known->definition}) : Value();
}

void know(const Value& definition) {
  if (definition.is_list()) know(ForeignDType{definition.list().at(0).string(), definition.list().at(1).string(), definition.list().at(2).opaque()});
}

}  // namespace muster::data
