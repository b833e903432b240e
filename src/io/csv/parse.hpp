// Field texts to typed columns. Each parser reports missing values in open columns and values the promised type cannot hold.
#pragma once
#include "data/kernel.hpp"
#include "io/csv/dialect.hpp"

namespace muster::io::csv {

/// The kernels "csv.parse" (one column of text → a typed column), "csv.check" (the same reports, no column) and "csv.date_parts".
std::vector<data::Kernel> parse_kernels();

/// The narrowest type pandas would give a column with these texts; `missing` tells whether one stands for missing.
data::DType infer_type(std::span<const data::Text> texts, const MissingTexts& missing_texts, const Dialect& dialect, const base::Value& words, bool& missing);

/// A time text as nanoseconds since 1970; `format` as strftime writes it, "" = ISO 8601. False if it is none.
bool parse_time(data::Text text, const std::string& format, int64_t& ns);
/// The format that all of these texts have: "" ISO, else one of the common ones; false if there is none.
bool guess_time_format(std::span<const data::Text> texts, const MissingTexts& missing_texts, std::string& format);

}  // namespace muster::io::csv
