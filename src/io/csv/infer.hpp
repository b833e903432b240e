// What read_csv finds out before any data is computed: the files, the header, and each column's type from a sample.
#pragma once
#include "data/schema.hpp"
#include "io/csv/scan.hpp"

namespace muster::io::csv {

/// A column of the result and the fields it comes from.
struct ColumnSource {
  data::Label label;
  data::DType type;
  bool forced = false;            // the user named the dtype: a value it cannot hold is an error, no reason to widen it
  std::vector<int64_t> fields;    // one, or the parts of a date
  bool is_path = false;           // the file's path
  bool is_index = false;          // the first field of rows one longer than the header, as pandas has it
  std::string format;             // of a timestamp, "" = ISO 8601
  std::vector<std::string> missing;

  base::Value encode() const;
  static ColumnSource decode(const base::Value& value);
};

struct Inferred {
  Scan scan;
  std::vector<ColumnSource> columns;
};

/// Resolves read_csv's arguments (by their Python names; "urlpath" is a list of paths and globs). Reads at most a sample of three files.
/// Throws Error for unknown or contradictory arguments, missing files and unknown columns.
Inferred infer(const base::Value& arguments);

}  // namespace muster::io::csv
