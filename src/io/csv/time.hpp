// Times from text.
#pragma once
#include <span>
#include <string>

#include "data/column.hpp"
#include "io/csv/dialect.hpp"

namespace muster::io::csv {

/// A point in time without zone: seconds since 1970 and nanoseconds behind them.
struct Instant {
  int64_t seconds = 0, ns = 0;
  int64_t in(data::Unit unit) const {
    const int64_t per = data::per_second(unit);
    return seconds * per + ns / (1'000'000'000 / per);
  }
  /// Whether the unit is fine enough.
  bool fits(data::Unit unit) const { return ns % (1'000'000'000 / data::per_second(unit)) == 0; }
};

/// Reads a time written in `format` as strftime has it, "" = ISO 8601. False if the text is none.
bool parse_time(data::Text text, const std::string& format, Instant& at);
/// The format that all of these texts have; false if there is none. `day_first`: 01/02/2020 is in February.
bool guess_time_format(std::span<const data::Text> texts, const MissingTexts& missing_texts, bool day_first, std::string& format);
/// A time in ISO form with a zone behind it.
bool has_zone(data::Text text);
/// "NaT": missing in a column of times.
bool is_not_a_time(data::Text text);

}  // namespace muster::io::csv
