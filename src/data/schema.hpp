// Schema: what is known of a collection without computing it. Columns are a list by position; labels may repeat.
#pragma once
#include <string>
#include <vector>

#include "base/value.hpp"
#include "data/dtype.hpp"

namespace muster::data {

using Label = base::Value;  // text, integer, float, bool, moment, none or a list (a tuple) of these

struct Field {
  Label label;
  DType type;
};

/// What the rows are: a frame, one column, an index, one value, or a row shown as a Series over the columns.
enum class Kind : uint8_t { frame, series, index, scalar, row };

struct Schema {
  Kind kind = Kind::frame;
  std::vector<Field> columns = {};
  std::vector<Field> index = {};  // named index columns; empty = row numbers
  bool labels_integer = false;  // the columns axis is a RangeIndex (labels 0, 1, ...)

  std::vector<std::string> names() const;
  /// Position of the first column with this label, or -1.
  int64_t find(const Label& label) const;
  /// Positions of all columns with this label.
  std::vector<int64_t> all(const Label& label) const;
  /// Levels of the labels: n where each is a tuple of n, as those of a pandas MultiIndex; else 1.
  size_t levels() const;
  /// As find; throws Error{missing} "op: column 'x' not found; columns are ..." with near matches.
  int64_t position(const Label& label, const std::string& operation) const;
  /// As position; throws Error{invalid} where several columns have the label.
  int64_t only(const Label& label, const std::string& operation) const;
};

}  // namespace muster::data
