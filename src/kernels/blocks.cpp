// Each loop has one version per instruction set; the loader picks. No fused multiply-add: all versions give the same bits (CMake: -ffp-contract=off).
#include "kernels/blocks.hpp"

#include <limits>

namespace muster::kernels {
namespace {
constexpr int kLanes = 16;
}

#ifdef __SANITIZE_THREAD__  // what picks would call the sanitizer before the library is bound to it
#define MUSTER_CLONES __attribute__((optimize("O3", "fp-contract=off")))
#else
#define MUSTER_CLONES __attribute__((target_clones("avx512f", "avx2", "default"), optimize("O3", "fp-contract=off")))
#endif

MUSTER_CLONES BlockSum sum_of(const double* v, int64_t rows) {
  double sum[kLanes] = {}, error[kLanes] = {};
  int64_t count[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= rows; i += kLanes)
    for (int k = 0; k < kLanes; ++k) {
      const double given = v[i + k];
      const bool there = given == given;
      const double x = there ? given : 0.0, s = sum[k] + x, b = s - sum[k];
      error[k] += (sum[k] - (s - b)) + (x - b);
      sum[k] = s, count[k] += there;
    }
  BlockSum out;
  auto add = [&out](double x, double e) {
    const double s = out.sum + x, b = s - out.sum;
    out.error += (out.sum - (s - b)) + (x - b) + e;
    out.sum = s;
  };
  for (int k = 0; k < kLanes; ++k) add(sum[k], error[k]), out.count += count[k];
  for (; i < rows; ++i)
    if (v[i] == v[i]) add(v[i], 0), ++out.count;
  return out;
}

MUSTER_CLONES BlockMoments moments_of(const double* v, int64_t rows) {
  const BlockSum all = sum_of(v, rows);
  BlockMoments out;
  out.count = all.count;
  if (!all.count) return out;
  out.about = (all.sum + all.error) / static_cast<double>(all.count);
  double squares[kLanes] = {}, rest[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= rows; i += kLanes)
    for (int k = 0; k < kLanes; ++k) {
      const double given = v[i + k], d = given == given ? given - out.about : 0.0;
      squares[k] += d * d, rest[k] += d;
    }
  for (int k = 0; k < kLanes; ++k) out.squares += squares[k], out.sum += rest[k];
  for (; i < rows; ++i)
    if (v[i] == v[i]) out.squares += (v[i] - out.about) * (v[i] - out.about), out.sum += v[i] - out.about;
  return out;
}

MUSTER_CLONES BlockExtremes extremes_of(const double* v, int64_t rows) {
  double low[kLanes], high[kLanes];
  int64_t count[kLanes] = {};
  for (int k = 0; k < kLanes; ++k) low[k] = std::numeric_limits<double>::infinity(), high[k] = -low[k];
  int64_t i = 0;
  for (; i + kLanes <= rows; i += kLanes)
    for (int k = 0; k < kLanes; ++k) {
      const double x = v[i + k];
      low[k] = x < low[k] ? x : low[k], high[k] = x > high[k] ? x : high[k], count[k] += x == x;
    }
  BlockExtremes out{low[0], high[0], 0};
  auto offer = [&out](double a, double b) { out.min = a < out.min ? a : out.min, out.max = b > out.max ? b : out.max; };
  for (int k = 0; k < kLanes; ++k) offer(low[k], high[k]), out.count += count[k];
  for (; i < rows; ++i)
    if (v[i] == v[i]) offer(v[i], v[i]), ++out.count;
  return out;
}

MUSTER_CLONES int64_t count_of(const double* v, int64_t rows) {
  int64_t count = 0;
  for (int64_t i = 0; i < rows; ++i) count += v[i] == v[i];
  return count;
}

MUSTER_CLONES __int128 sum_of(const int64_t* v, int64_t rows) {
  int64_t high = 0;
  uint64_t low = 0;
  for (int64_t i = 0; i < rows; ++i) low += static_cast<uint32_t>(v[i]), high += v[i] >> 32;
  return (static_cast<__int128>(high) << 32) + low;
}

}  // namespace muster::kernels
