// Copies of large runs of bytes.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>

namespace muster::base {

/// As memcpy. Of large pieces the C library's copies with `rep movsb`, which takes several times as long on some processors (Zen 3) where an end is not
/// aligned: in pieces that are too small for that, all processors are at the speed of their caches.
inline void copy_bytes(void* to, const void* from, int64_t size) {
  constexpr int64_t kPiece = 2048;
  for (int64_t at = 0; at < size; at += kPiece)
    std::memcpy(static_cast<char*>(to) + at, static_cast<const char*>(from) + at, static_cast<size_t>(std::min(kPiece, size - at)));
}

}  // namespace muster::base
