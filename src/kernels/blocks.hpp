// Sums and the like of a run of doubles without groups, in independent lanes so that the processor's vectors are filled. NaN is left out.
#pragma once
#include <cstdint>

namespace muster::kernels {

struct BlockSum {
  double sum = 0, error = 0;  // as FloatSum: the error is what rounding left out
  int64_t count = 0;
};
BlockSum sum_of(const double* values, int64_t rows);

struct BlockMoments {
  int64_t count = 0;
  double about = 0, sum = 0, squares = 0;  // sum and squares: of the differences to `about`, which is the mean but for rounding
};
BlockMoments moments_of(const double* values, int64_t rows);

struct BlockExtremes {
  double min, max;   // of values that are there
  int64_t count = 0;
};
BlockExtremes extremes_of(const double* values, int64_t rows);

int64_t count_of(const double* values, int64_t rows);

/// The sum of integers, exactly.
__int128 sum_of(const int64_t* values, int64_t rows);

}  // namespace muster::kernels
