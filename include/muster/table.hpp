// Table: a computed result, columns of values in this process' memory.
#pragma once
#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

#include "muster/export.hpp"
#include "muster/literal.hpp"

namespace muster {

class [[nodiscard]] Table;

/// A computed DataFrame or Series: index columns and columns of equal length. Cheap to copy; immutable.
class MUSTER_API Table {
 public:
  /// Number of rows.
  [[nodiscard]] int64_t rows() const;
  /// Labels of the columns, without the index.
  [[nodiscard]] std::vector<std::string> columns() const;
  /// Labels of the index columns; an unnamed one is "".
  [[nodiscard]] std::vector<std::string> index() const;
  /// The dtype of a column, named as pandas names it. Throws Error{missing} for an unknown label; index columns are found too.
  [[nodiscard]] std::string dtype(const std::string& column) const;
  /// One value: nothing (missing), bool, integer, float or text; times are text in ISO form. Throws Error{missing} for an unknown label or row.
  Literal at(const std::string& column, int64_t row) const;
  /// A column as numbers; missing is NaN. Throws Error{type} for text.
  [[nodiscard]] std::vector<double> numbers(const std::string& column) const;
  /// A column as text; missing is "".
  [[nodiscard]] std::vector<std::string> texts(const std::string& column) const;

  struct Contents;  // the library's own
  explicit Table(std::shared_ptr<const Contents> contents);
  Table(const Table&) = default;
  Table& operator=(const Table&) & = default;
  template <class T> void operator=(T&&) && = delete;  // a result is no place to assign to
  [[nodiscard]] const Contents& contents() const { return *contents_; }

 private:
  std::shared_ptr<const Contents> contents_;
  friend MUSTER_API std::ostream& operator<<(std::ostream& out, const Table& table);
};

/// The table in aligned columns, as pandas prints it; the middle of more than 60 rows is left out.
MUSTER_API std::ostream& operator<<(std::ostream& out, const Table& table);

}  // namespace muster
