// Parquet's hybrid of runs and bit-packed numbers (Encodings.md, RLE), and bit-packed numbers alone. Buffers have 8 readable bytes behind their end.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>

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
      if (packed_) unpack(packed_, bit_, bits_, n, out), bit_ += n * bits_;
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
  int64_t packed(int64_t count) const { return std::min(count, left_); }

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
