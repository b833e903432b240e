// Lazy collections: DataFrame, Series, Scalar. The same operators as in Python; nothing is computed before compute().
#pragma once
#include <chrono>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "muster/error.hpp"
#include "muster/export.hpp"
#include "muster/literal.hpp"
#include "muster/table.hpp"

namespace muster {

namespace expr {
class Node;
}

// A lazy collection that is dropped is a mistake: the compiler warns.
class [[nodiscard]] Collection;
class [[nodiscard]] Scalar;
class [[nodiscard]] Series;
class [[nodiscard]] DataFrame;
class [[nodiscard]] DataFrameGroupBy;
class [[nodiscard]] SeriesGroupBy;

class Cluster;

/// How something is computed, and where.
struct ComputeOptions {
  int threads = 0;                   ///< 0 = the CPUs this process may use
  bool progress = false;             ///< a bar on standard error
  const Cluster* cluster = nullptr;  ///< there, not on threads; what is persisted stays on its workers
};

/// What all lazy collections have.
class MUSTER_API Collection {
 public:
  /// Number of partitions.
  [[nodiscard]] int64_t npartitions() const;
  /// Logical, optimized and physical plan as text.
  [[nodiscard]] std::string explain() const;
  /// The graph in Graphviz' language; `optimized`: the fused tasks.
  [[nodiscard]] std::string to_dot(bool optimized = false) const;
  std::shared_ptr<const expr::Node> expr;

 protected:
  explicit Collection(std::shared_ptr<const expr::Node> e);
};

/// A lazy value, such as the sum of a column.
class MUSTER_API Scalar : public Collection {
 public:
  explicit Scalar(std::shared_ptr<const expr::Node> e);
  Scalar(const Scalar&) = default;
  Scalar& operator=(const Scalar&) & = default;
  template <class T> void operator=(T&&) && = delete;  // a result is no place to assign to
  /// The value: nothing if missing.
  Literal compute(const ComputeOptions& options = {}) const;
  /// The value as a number; missing is NaN.
  [[nodiscard]] double number(const ComputeOptions& options = {}) const;
};

/// The right side of an operator: a literal, or a lazy collection.
class MUSTER_API Operand {
 public:
  Operand(bool b);
  Operand(int i);
  Operand(int64_t i);
  Operand(uint64_t i);
  Operand(double d);
  Operand(const char* s);
  Operand(std::string s);
  Operand(Literal l);
  Operand(const Collection& c);
  Literal literal;
  std::shared_ptr<const expr::Node> expr;  ///< null: the literal
};

/// One column of rows. Methods are those of pandas' Series; arguments not given here go through call().
class MUSTER_API Series : public Collection {
 public:
  explicit Series(std::shared_ptr<const expr::Node> e);
  Series(const Series&) = default;
  Series& operator=(const Series&) & = default;
  template <class T> void operator=(T&&) && = delete;  // a column is no place to assign to: df = df.assign("fare", ...)
  [[nodiscard]] std::string name() const;
  [[nodiscard]] std::string dtype() const;
  Table compute(const ComputeOptions& options = {}) const;
  Series persist(const ComputeOptions& options = {}) const;

  Series operator[](const Series& mask) const;
  Series rename(const std::string& name) const;
  DataFrame to_frame(const std::string& name) const;
  /// low <= value <= high.
  Series between(const Operand& low, const Operand& high) const;
  Series get_partition(int64_t n) const;
  /// Fields of times and durations, as pandas' .dt names them: year, minute, quarter, is_month_end, days, ...
  Series dt(const std::string& field) const;
  /// Times rounded to multiples of `step`.
  Series dt_floor(std::chrono::nanoseconds step) const;
  Series dt_ceil(std::chrono::nanoseconds step) const;
  Series dt_round(std::chrono::nanoseconds step) const;
  Series dt_normalize() const;
  /// English names; seconds of a duration.
  Series dt_day_name() const;
  Series dt_month_name() const;
  Series dt_total_seconds() const;
  Table head(int64_t n = 5) const;
  Table tail(int64_t n = 5) const;
  Series value_counts(bool sort = true, bool ascending = false, bool dropna = true) const;
  [[nodiscard]] int64_t len() const;
  Scalar size() const;
  /// Exact; interpolated linearly between the two nearest values. Throws Error{unsupported} for text and bool.
  Scalar median() const;
  Scalar quantile(double q) const;
  /// Text: characters; whether a plain text is in it, at its start or end. Missing text is false, of str_len missing.
  Series str_len() const;
  /// ASCII letters in the other case. Throws Error{unsupported} at compute where the text has other characters.
  Series str_lower() const;
  Series str_upper() const;
  /// Without the characters in `drop` (empty: ASCII white space) at both ends, in front, at the end.
  Series str_strip(const std::string& drop = "") const;
  Series str_lstrip(const std::string& drop = "") const;
  Series str_rstrip(const std::string& drop = "") const;
  /// Characters [start, stop); negative places are counted from the end. One character: missing where there is none.
  Series str_slice(std::optional<int64_t> start, std::optional<int64_t> stop = {}) const;
  Series str_get(int64_t place) const;
  Series str_removeprefix(const std::string& prefix) const;
  Series str_removesuffix(const std::string& suffix) const;
  /// All of a plain text replaced.
  Series str_replace(const std::string& text, const std::string& by) const;
  /// The pieces of each text cut at `mark`, at most `n` times from its front, as the n + 1 columns "0", "1", ...; missing where there are fewer. Throws
  /// Error{invalid} for an empty mark or n < 1.
  DataFrame str_split(const std::string& mark, int64_t n) const;
  Series str_contains(const std::string& text) const;
  Series str_startswith(const std::string& text) const;
  Series str_endswith(const std::string& text) const;
  /// The same rows in `npartitions` partitions.
  Series repartition(int64_t npartitions) const;
  // The operators' methods, as their forms in src/ops say them.
#include "muster/series_methods.inc"
  /// Any operator by name, with its Python arguments.
  Series call(const std::string& op, const Arguments& arguments = {}) const;
};

/// How rows are grouped.
struct GroupBy {
  bool sort = true;    ///< order groups by key; false: by first appearance
  bool dropna = true;  ///< leave out rows whose key is missing
};

/// Rows and labelled columns. Methods are those of pandas' DataFrame; arguments not given here go through call().
class MUSTER_API DataFrame : public Collection {
 public:
  explicit DataFrame(std::shared_ptr<const expr::Node> e);
  DataFrame(const DataFrame&) = default;
  DataFrame& operator=(const DataFrame&) & = default;
  template <class T> void operator=(T&&) && = delete;  // a selection is no place to assign to: df = df.assign("fare", ...)
  [[nodiscard]] std::vector<std::string> columns() const;
  [[nodiscard]] std::vector<std::string> dtypes() const;
  Table compute(const ComputeOptions& options = {}) const;
  DataFrame persist(const ComputeOptions& options = {}) const;

  Series operator[](const std::string& column) const;
  DataFrame operator[](const std::vector<std::string>& columns) const;
  DataFrame operator[](const Series& mask) const;
  DataFrame assign(const std::string& column, const Operand& value) const;
  DataFrame rename(const std::map<std::string, std::string>& columns) const;
  DataFrame drop(const std::vector<std::string>& columns) const;
  /// A column as index; rows stay where they are.
  DataFrame set_index(const std::string& column) const;
  /// The index as columns, of a frame in one partition.
  DataFrame reset_index() const;
  DataFrame get_partition(int64_t n) const;
  Table head(int64_t n = 5) const;
  Table tail(int64_t n = 5) const;
  DataFrameGroupBy groupby(const std::string& key, GroupBy how = {}) const;
  DataFrameGroupBy groupby(const std::vector<std::string>& keys, GroupBy how = {}) const;
  DataFrameGroupBy groupby(std::initializer_list<std::string> keys, GroupBy how = {}) const;
  /// The same rows in `npartitions` partitions.
  DataFrame repartition(int64_t npartitions) const;
  [[nodiscard]] int64_t len() const;
  /// Writes part.0.parquet, part.1.parquet, ... into a folder, all or none, and returns the number of rows. Index columns with a name are written in
  /// front. `compression`: snappy, zstd or none. Throws Error{unsupported} for a dtype that Parquet lacks, Error{io} naming the file.
  int64_t to_parquet(const std::string& folder, const std::string& compression = "snappy") const;
  // The operators' methods, as their forms in src/ops say them; a reduction gives one row with a value per column.
#include "muster/dataframe_methods.inc"
  DataFrame call(const std::string& op, const Arguments& arguments = {}) const;
};

/// Rows grouped by keys; results are ordered by key.
class MUSTER_API DataFrameGroupBy {
 public:
  DataFrameGroupBy(DataFrame frame, std::vector<std::string> keys, GroupBy how = {});
  DataFrameGroupBy(const DataFrameGroupBy&) = default;
  DataFrameGroupBy& operator=(const DataFrameGroupBy&) & = default;
  template <class T> void operator=(T&&) && = delete;  // groups are no place to assign to
  SeriesGroupBy operator[](const std::string& column) const;
  Series size() const;
  /// One function of every column that is no key.
  DataFrame agg(const std::string& function) const;
  DataFrame sum() const;
  DataFrame mean() const;
  DataFrame min() const;
  DataFrame max() const;
  DataFrame count() const;
  DataFrame std() const;
  DataFrame var() const;
  DataFrame median() const;
  DataFrame nunique() const;
  DataFrame first() const;
  DataFrame last() const;
  DataFrame prod() const;
  /// Functions by column; results are named "column function" where a column has several.
  DataFrame agg(const std::vector<std::pair<std::string, std::vector<std::string>>>& functions) const;

 private:
  DataFrame frame_;
  std::vector<std::string> keys_;
  GroupBy how_;
};

/// One grouped column.
class MUSTER_API SeriesGroupBy {
 public:
  SeriesGroupBy(DataFrame frame, std::vector<std::string> keys, std::string column, GroupBy how = {});
  SeriesGroupBy(const SeriesGroupBy&) = default;
  SeriesGroupBy& operator=(const SeriesGroupBy&) & = default;
  template <class T> void operator=(T&&) && = delete;  // groups are no place to assign to
  Series sum() const;
  Series mean() const;
  Series std() const;
  Series var() const;
  Series min() const;
  Series max() const;
  Series count() const;
  Series size() const;
  Series nunique() const;
  Series median() const;
  Series first() const;
  Series last() const;
  Series prod() const;
  DataFrame agg(const std::vector<std::string>& functions) const;

 private:
  Series one(const std::string& function) const;
  DataFrame frame_;
  std::vector<std::string> keys_;
  std::string column_;
  GroupBy how_;
};

#define MUSTER_OPERATOR(symbol)                                        \
  MUSTER_API Series operator symbol(const Series& a, const Operand& b); \
  MUSTER_API Scalar operator symbol(const Scalar& a, const Operand& b);
MUSTER_OPERATOR(+)
MUSTER_OPERATOR(-)
MUSTER_OPERATOR(*)
MUSTER_OPERATOR(/)
MUSTER_OPERATOR(%)
MUSTER_OPERATOR(==)
MUSTER_OPERATOR(!=)
MUSTER_OPERATOR(<)
MUSTER_OPERATOR(<=)
MUSTER_OPERATOR(>)
MUSTER_OPERATOR(>=)
MUSTER_OPERATOR(&)
MUSTER_OPERATOR(|)
#undef MUSTER_OPERATOR
/// Element by element, of a frame with a literal, a lazy value or a frame with the same columns.
#define MUSTER_OPERATOR(symbol) MUSTER_API DataFrame operator symbol(const DataFrame& a, const Operand& b);
MUSTER_OPERATOR(+)
MUSTER_OPERATOR(-)
MUSTER_OPERATOR(*)
MUSTER_OPERATOR(/)
MUSTER_OPERATOR(%)
MUSTER_OPERATOR(==)
MUSTER_OPERATOR(!=)
MUSTER_OPERATOR(<)
MUSTER_OPERATOR(<=)
MUSTER_OPERATOR(>)
MUSTER_OPERATOR(>=)
#undef MUSTER_OPERATOR
/// The literal on the left: 2 - s.
#define MUSTER_OPERATOR(symbol)                                          \
  MUSTER_API Series operator symbol(const Literal& a, const Series& b);  \
  MUSTER_API DataFrame operator symbol(const Literal& a, const DataFrame& b);
MUSTER_OPERATOR(+)
MUSTER_OPERATOR(-)
MUSTER_OPERATOR(*)
MUSTER_OPERATOR(/)
MUSTER_OPERATOR(%)
#undef MUSTER_OPERATOR
MUSTER_API Series operator^(const Series& a, const Operand& b);
MUSTER_API Series operator~(const Series& a);
MUSTER_API Series operator-(const Series& a);

/// A column by label or by position.
class MUSTER_API ColumnName {
 public:
  ColumnName(int position) : literal(position) {}
  ColumnName(const char* label) : literal(label) {}
  ColumnName(std::string label) : literal(std::move(label)) {}
  Literal literal;
};

/// Which columns of a CSV file are dates: {{"Date", {0, 1, 2}}} makes one of several, parse_dates::columns({0, 1}) takes columns as they are.
class MUSTER_API parse_dates {
 public:
  parse_dates() = default;
  parse_dates(std::initializer_list<std::pair<std::string, std::vector<ColumnName>>> combined);
  static parse_dates columns(std::vector<ColumnName> names);
  Literal literal;
};

/// Options of read_csv, as pandas.read_csv has them; what is not set is the default.
struct ReadCsv {
  muster::parse_dates parse_dates = {};
  std::map<std::string, std::string> dtype = {};  ///< dtype name by column
  std::vector<ColumnName> usecols = {};
  std::string sep = ",";
  std::vector<std::string> names = {};
  bool header = true;                             ///< false: the first row is data
  int skiprows = 0;
  std::vector<std::string> na_values = {};
  bool keep_default_na = true;
  int64_t blocksize = -1;                         ///< bytes of a partition; -1 = the default, 0 = a partition a file
  bool assume_missing = false;
  std::string compression = "infer";
  std::string on_bad_lines = "error";
  Arguments more = {};                            ///< any other argument by its Python name
};

/// The rows of CSV files: a path, glob or directory. Reads a sample only. Throws Error.
MUSTER_API DataFrame read_csv(const std::string& path, const ReadCsv& options = {});
MUSTER_API DataFrame read_csv(const std::vector<std::string>& paths, const ReadCsv& options = {});

/// Options of read_parquet.
struct ReadParquet {
  std::vector<std::string> columns = {};  ///< empty = all
  std::vector<std::string> index = {};    ///< columns that become the index
  int64_t blocksize = 32 << 20;           ///< bytes, uncompressed, of neighbouring row groups that make a partition; 0 = a partition a row group
};

/// The rows of Parquet files: a path, glob or directory. Reads the footers only. Throws Error{io} naming the file, Error{missing} for an unknown column.
/// Columns for which there is no dtype (nested, decimal, dates, times with zone) are left out.
MUSTER_API DataFrame read_parquet(const std::string& path, const ReadParquet& options = {});
MUSTER_API DataFrame read_parquet(const std::vector<std::string>& paths, const ReadParquet& options = {});

/// The rows of several frames, one after the other; columns that are not in every frame are filled with missing values.
MUSTER_API DataFrame concat(const std::vector<DataFrame>& frames);

/// Computes several collections in one run; what they share is computed once.
[[nodiscard]] MUSTER_API std::vector<Table> compute(const std::vector<Collection>& collections, const ComputeOptions& options = {});

}  // namespace muster
