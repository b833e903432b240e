// Content hashes (XXH3, 128 bit) that name expressions and programs.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace muster::base {

struct Hash128 {
  uint64_t high = 0, low = 0;
  bool operator==(const Hash128&) const = default;
  auto operator<=>(const Hash128&) const = default;
  std::string hex() const;
};

Hash128 hash_bytes(std::string_view bytes);

}  // namespace muster::base
