// How many different hashes were seen, within about 2 %, in 4 KiB: HyperLogLog (Flajolet, Fusy, Gandouet, Meunier 2007).
#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>

#include "kernels/key_table.hpp"

namespace muster::kernels {

class DistinctSketch {
 public:
  void add(uint64_t hash) {
    const uint64_t h = mix(hash);  // those of neighbouring integers lie too evenly
    auto& longest = registers_[h >> (64 - kBits)];
    longest = std::max(longest, static_cast<uint8_t>(std::countl_zero(h << kBits | uint64_t{1} << (kBits - 1)) + 1));
  }
  void merge(const DistinctSketch& other) {
    for (size_t r = 0; r < kRegisters; ++r) registers_[r] = std::max(registers_[r], other.registers_[r]);
  }
  int64_t estimate() const {
    constexpr auto n = static_cast<double>(kRegisters);
    double sum = 0;
    for (uint8_t longest : registers_) sum += std::ldexp(1.0, -longest);
    const double raw = 0.7213 / (1 + 1.079 / n) * n * n / sum;
    const auto empty = static_cast<double>(std::count(registers_.begin(), registers_.end(), 0));
    return static_cast<int64_t>(raw <= 2.5 * n && empty > 0 ? n * std::log(n / empty) : raw);
  }

 private:
  static constexpr int kBits = 12;
  static constexpr size_t kRegisters = size_t{1} << kBits;
  std::array<uint8_t, kRegisters> registers_{};
};

}  // namespace muster::kernels
