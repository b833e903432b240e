// Every copy is checked against both ends before it is made; only far from the ends may a step write more than it needs, into what comes next.
#include "io/parquet/snappy.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/copy.hpp"

namespace muster::io::parquet {
namespace {

inline void copy8(char* to, const char* from) {
  uint64_t word;
  std::memcpy(&word, from, 8);
  std::memcpy(to, &word, 8);
}
inline void copy16(char* to, const char* from) {
  struct Block {
    uint64_t low, high;
  } block;
  std::memcpy(&block, from, 16);
  std::memcpy(to, &block, 16);
}

// `length` bytes (at most 64) from `offset` bytes back, which may overlap what is written; up to 16 bytes more are written.
inline void repeat(char* to, int64_t offset, int64_t length) {
  const char* from = to - offset;
  if (offset >= 16) {
    copy16(to, from);
    if (length > 16) {
      copy16(to + 16, from + 16);
      for (int64_t at = 32; at < length; at += 16) copy16(to + at, from + at);
    }
    return;
  }
  if (offset == 8) {
    uint64_t word;
    std::memcpy(&word, from, 8);
    for (int64_t at = 0; at < length; at += 8) std::memcpy(to + at, &word, 8);
    return;
  }
  if (offset > 8) {
    for (int64_t at = 0; at < length; at += 8) copy8(to + at, from + at);
    return;
  }
  // A pattern shorter than a word: repeated until it fills one, which is written in steps of a multiple of the offset.
  uint64_t word;
  std::memcpy(&word, from, 8);
  word &= (uint64_t{1} << (8 * offset)) - 1;
  word |= word << (8 * offset);
  if (offset < 4) word |= word << (16 * offset);
  if (offset < 2) word |= word << (32 * offset);
  constexpr int8_t kSteps[] = {0, 8, 8, 6, 8, 5, 6, 7};
  for (int64_t at = 0; at < length; at += kSteps[offset]) std::memcpy(to + at, &word, 8);
}

// What a tag says, in a word: the length, the bytes behind it that belong to a copy's offset (from bit 8), whether it is a long literal or a copy with an
// offset of four bytes (bit 15), and the offset's high bits (from bit 16).
constexpr uint32_t kSpecial = 1 << 15;
constexpr std::array<uint32_t, 256> make_tags() {
  std::array<uint32_t, 256> tags{};
  for (uint32_t t = 0; t < 256; ++t) {
    const uint32_t kind = t & 3, length = (t >> 2) + 1;
    if (kind == 1) tags[t] = (4 + ((t >> 2) & 7)) | 1 << 8 | (t >> 5) << 24;
    else tags[t] = length | (kind == 2 ? 2 << 8 : 0) | (kind == 3 || (kind == 0 && length > 60) ? kSpecial : 0);
  }
  return tags;
}
constexpr auto kTags = make_tags();
constexpr int64_t kRoom = 96;  // in front of both ends, where a step may read and write more than it needs

// The steps that are far from both ends. Where the next tag is, which each step waits for, is computed from the tag: looking it up takes longer.
// Stops in front of what needs more care, or is wrong.
inline void far_from_the_ends(const char*& from, const char* end, char*& to, const char* begin, const char* to_end) {
  const char* at = from;
  char* out = to;
  while (end - at >= kRoom && to_end - out >= kRoom) {
    const auto byte = static_cast<uint8_t>(*at);
    const uint32_t tag = kTags[byte];
    if (tag & kSpecial) break;
    const bool literal = (byte & 3) == 0;
    const int64_t length = tag & 0xFF, extra = tag >> 8 & 3;
    uint16_t next;
    std::memcpy(&next, at + 1, 2);
    const auto offset = static_cast<int64_t>((tag >> 16) + (next & ((1u << (8 * extra)) - 1)));
    const char* source = literal ? at + 1 : out - offset;
    if (!literal && (offset < 8 || offset > out - begin)) {
      if (offset == 0 || offset > out - begin) break;
      repeat(out, offset, length);
    } else {
      copy8(out, source), copy8(out + 8, source + 8);  // right for copies from 8 bytes back, too
      if (length > 16)
        for (int64_t k = 16; k < length; k += 16) copy8(out + k, source + k), copy8(out + k + 8, source + k + 8);
    }
    out += length;
    at += literal ? (byte >> 2) + 2 : (byte & 3) + 1;
  }
  from = at, to = out;
}

}  // namespace

bool unsnappy(const char* from, int64_t size, char* to, int64_t wanted) {
  const char *at = from, *const end = from + size;
  char *out = to, *const out_end = to + wanted;
  uint64_t says = 0;
  for (int shift = 0;; shift += 7) {
    if (at == end || shift > 28) return false;
    const auto byte = static_cast<uint8_t>(*at++);
    says |= static_cast<uint64_t>(byte & 127) << shift;
    if (!(byte & 128)) break;
  }
  if (says != static_cast<uint64_t>(wanted)) return false;
  while (at < end) {
    far_from_the_ends(at, end, out, to, out_end);
    const auto tag = static_cast<uint8_t>(*at++);
    int64_t length = (tag >> 2) + 1, offset;
    switch (tag & 3) {
      case 0: {
        if (length <= 16 && end - at >= 16) {
          if (length > out_end - out) return false;
          copy16(out, at);
          at += length, out += length;
          continue;
        }
        if (length > 60) {
          const int64_t bytes = length - 60;
          if (end - at < bytes) return false;
          uint32_t more = 0;
          std::memcpy(&more, at, static_cast<size_t>(bytes));
          at += bytes, length = static_cast<int64_t>(more) + 1;
        }
        if (length > end - at || length > out_end - out) return false;
        base::copy_bytes(out, at, length);
        at += length, out += length;
        continue;
      }
      case 1:
        if (end - at < 1) return false;
        length = 4 + ((tag >> 2) & 7), offset = (tag >> 5) << 8 | static_cast<uint8_t>(*at++);
        break;
      case 2: {
        if (end - at < 2) return false;
        uint16_t back;
        std::memcpy(&back, at, 2);
        at += 2, offset = back;
        break;
      }
      default: {
        if (end - at < 4) return false;
        uint32_t back;
        std::memcpy(&back, at, 4);
        at += 4, offset = back;
      }
    }
    if (offset == 0 || offset > out - to || length > out_end - out) return false;
    repeat(out, offset, length);
    out += length;
  }
  return out == out_end;
}

}  // namespace muster::io::parquet
