// Parquet's hybrid of runs and bit-packed numbers (Encodings.md, RLE), and bit-packed numbers alone. Buffers have 8 readable bytes behind their end.
#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <utility>

#include "io/parquet/thrift.hpp"

namespace muster::io::parquet {

/// `count` numbers of `bits` bits each, from bit `first` on.
template <class T>
inline void unpack(const char* from, int64_t first, int bits, int64_t count, T* out) {
  const uint64_t mask = bits == 64 ? ~uint64_t{0} : (uint64_t{1} << bits) - 1;
  for (int64_t i = 0, bit = first; i < count; ++i, bit += bits) {
    uint64_t word;
    std::memcpy(&word, from + (bit >> 3), 8);
    word >>= bit & 7;
    if (bits > 57 && (bit & 7) + bits > 64) word |= static_cast<uint64_t>(static_cast<uint8_t>(from[(bit >> 3) + 8])) << (64 - (bit & 7));
    out[i] = static_cast<T>(word & mask);
  }
}

/// `groups` times 8 numbers of `B` bits each, from a byte's first bit on.
template <int B>
inline void unpack_groups(const char* from, int64_t groups, uint32_t* out) {
  constexpr uint64_t kMask = (uint64_t{1} << B) - 1;
  for (int64_t g = 0; g < groups; ++g, from += B, out += 8)
    [&]<int... I>(std::integer_sequence<int, I...>) {
      const auto number = [&](int bit) {
        uint64_t word;
        std::memcpy(&word, from + (bit >> 3), 8);
        return static_cast<uint32_t>(word >> (bit & 7) & kMask);
      };
      ((out[I] = number(I * B)), ...);
    }(std::make_integer_sequence<int, 8>());
}

/// As unpack, of at most 32 bits; bit `first` is where one of the numbers begins that begin at the first bit.
inline void unpack_codes(const char* from, int64_t first, int bits, int64_t count, uint32_t* out) {
  using Groups = void (*)(const char*, int64_t, uint32_t*);
  static constexpr auto kGroups = []<int... B>(std::integer_sequence<int, B...>) {
    return std::array<Groups, sizeof...(B)>{unpack_groups<B>...};
  }(std::make_integer_sequence<int, 33>());
  const int64_t head = std::min(count, bits ? -(first / bits) & 7 : 0);  // numbers that are left of a group of 8
  unpack(from, first, bits, head, out);
  const int64_t groups = (count - head) / 8, done = head + 8 * groups;
  kGroups[static_cast<size_t>(bits)](from + (first + head * bits) / 8, groups, out + head);
  unpack(from, first + done * bits, bits, count - done, out + done);
}

/// The flags that `count` bits say, from bit `first` on; returns how many are set.
inline int64_t unpack_flags(const char* from, int64_t first, int64_t count, uint8_t* out) {
  constexpr uint64_t kEach = 0x0101010101010101, kBits = 0x8040201008040201;  // in every byte 1; in byte k bit k
  int64_t set = 0, done = 0;
  for (; done + 8 <= count; done += 8) {
    uint16_t word;
    std::memcpy(&word, from + ((first + done) >> 3), 2);
    const uint64_t byte = static_cast<uint64_t>(word) >> (first & 7) & 0xFF;
    const uint64_t flags = ((byte * kEach & kBits) + 0x7F * kEach) >> 7 & kEach;
    std::memcpy(out + done, &flags, 8);
    set += std::popcount(byte);
  }
  for (; done < count; ++done) out[done] = from[(first + done) >> 3] >> ((first + done) & 7) & 1, set += out[done];
  return set;
}

class RleReader {
 public:
  RleReader() = default;
  RleReader(const char* from, const char* end, int bits) : at_(from), end_(end), bits_(bits) {
    if (bits < 0 || bits > 32) corrupt("numbers of " + std::to_string(bits) + " bits");
  }
  /// The next `count` numbers.
  void read(uint32_t* out, int64_t count) {
    while (count > 0) {
      if (left_ == 0) next_run();
      const int64_t n = std::min(count, left_);
      if (packed_) unpack_codes(packed_, bit_, bits_, n, out), bit_ += n * bits_;
      else std::fill_n(out, n, value_);
      out += n, count -= n, left_ -= n;
    }
  }
  /// The length of the run of equal numbers that comes next, at most `count`, and its number; 0: the next are bit-packed.
  int64_t run(int64_t count, uint32_t& value) {
    if (left_ == 0) next_run();
    if (packed_) return 0;
    value = value_;
    const int64_t n = std::min(count, left_);
    left_ -= n;
    return n;
  }
  /// Passes over `count` numbers if a run says that all are `value`.
  bool passes(int64_t count, uint32_t value) {
    if (left_ == 0) next_run();
    if (packed_ || value_ != value || left_ < count) return false;
    left_ -= count;
    return true;
  }
  int64_t packed(int64_t count) const { return std::min(count, left_); }
  /// `count` bit-packed numbers of one bit, as flags; returns how many are set.
  int64_t flags(uint8_t* out, int64_t count) {
    const int64_t set = unpack_flags(packed_, bit_, count, out);
    bit_ += count, left_ -= count;
    return set;
  }

 private:
  void next_run() {
    uint64_t head = 0;
    for (int shift = 0;; shift += 7) {
      if (at_ >= end_ || shift > 35) corrupt("a page's runs end early");
      const auto b = static_cast<uint8_t>(*at_++);
      head |= static_cast<uint64_t>(b & 127) << shift;
      if (!(b & 128)) break;
    }
    if (head & 1) {
      const auto groups = static_cast<int64_t>(head >> 1);
      const int64_t bytes = groups * bits_;
      packed_ = at_, bit_ = 0, left_ = groups * 8;
      if (bytes > end_ - at_) {  // writers may leave out the padding of the last group
        left_ = bits_ ? (end_ - at_) * 8 / bits_ : left_;
        at_ = end_;
      } else {
        at_ += bytes;
      }
    } else {
      packed_ = nullptr, left_ = static_cast<int64_t>(head >> 1), value_ = 0;
      const int bytes = (bits_ + 7) / 8;
      if (bytes > end_ - at_) corrupt("a page's runs end early");
      std::memcpy(&value_, at_, static_cast<size_t>(bytes));
      at_ += bytes;
    }
    if (left_ <= 0) corrupt("an empty run");
  }
  const char *at_ = nullptr, *end_ = nullptr, *packed_ = nullptr;
  int bits_ = 0;
  int64_t left_ = 0, bit_ = 0;
  uint32_t value_ = 0;
};

}  // namespace muster::io::parquet
