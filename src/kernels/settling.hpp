// What a run teaches of a column that it has made: which numbers its row ids stand for, and whether missing integers turn it into floats.
#pragma once
#include <cstdint>
#include <map>

#include "data/kernel.hpp"

namespace muster::kernels {

struct Settlement {
  std::map<int64_t, int64_t> first_numbers;  // by partition: of its first row, where the column is row ids
  bool to_float = false;                     // integers with missing values

  bool is_nothing() const { return first_numbers.empty() && !to_float; }
  base::Value encode() const;
  static Settlement decode(const base::Value& value);
};

/// The column as a result shows it.
data::Column settle(const data::Column& part, int64_t rows, const Settlement& s);

/// "settle" {a Settlement}: of one column.
data::Kernel settle_kernel();

}  // namespace muster::kernels
