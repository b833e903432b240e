// Snappy's raw format (format_description.txt of google/snappy), decompressed with copies of 16 bytes at a time. The distributions' library is built for
// processors of 2006 and calls memmove for every copy: half as fast on pages of numbers.
#pragma once
#include <cstdint>

namespace muster::io::parquet {

/// Bytes that must be writable behind the output's end.
constexpr int64_t kSnappySlack = 64;

/// Decompresses `size` bytes to exactly `wanted`; false if they are no such thing. `to` has kSnappySlack more bytes.
bool unsnappy(const char* from, int64_t size, char* to, int64_t wanted);

}  // namespace muster::io::parquet
