// Field texts to typed columns. Each parser reports missing values in open columns and values the promised type cannot hold.
#pragma once
#include "data/kernel.hpp"
#include "io/csv/dialect.hpp"

namespace muster::io::csv {

/// The kernels "csv.parse" (one column of text → a typed column), "csv.check" (the same reports, no column) and "csv.date_parts".
std::vector<data::Kernel> parse_kernels();

/// The narrowest type pandas would give a column with these texts; `missing` tells whether one stands for missing.
data::DType infer_type(std::span<const data::Text> texts, const MissingTexts& missing_texts, const Dialect& dialect, const base::Value& words, bool& missing);

}  // namespace muster::io::csv
