// The same bytes give the same hash in every process and on every machine: names, tokens and dtypes rest on it.
#include "base/hash.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace muster::base {

Hash128 hash_bytes(std::string_view bytes) {
  auto h = XXH3_128bits(bytes.data(), bytes.size());
  return {h.high64, h.low64};
}

std::string Hash128::hex() const {
  static const char* digits = "0123456789abcdef";
  std::string out;
  for (uint64_t word : {high, low})
    for (int shift = 60; shift >= 0; shift -= 4) out += digits[(word >> shift) & 15];
  return out;
}

}  // namespace muster::base
