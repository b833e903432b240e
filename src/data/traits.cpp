// Filled while one thread starts the engine, read without a lock from then on.
#include "data/traits.hpp"

#include <unordered_map>

namespace muster::data {
namespace {
std::unordered_map<std::string, Traits>& table() {
  static std::unordered_map<std::string, Traits> all;
  return all;
}
}  // namespace

void declare_traits(const std::string& kernel, Traits traits) { table().insert_or_assign(kernel, std::move(traits)); }

const Traits& traits(const std::string& kernel) {
  static const Traits none;
  const auto known = table().find(kernel);
  return known == table().end() ? none : known->second;
}

}  // namespace muster::data
