// Lazy collections: DataFrame, Series, Scalar. The same operators as in Python; nothing is computed before compute().
//
// Examples run as tests. In them `trips` and `cities` are read from CSV files of these rows:
//
//     city,fare        city,name
//     b,3              a,Aba
//     a,1              b,Bo
//     b,2
//     c,4
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
#include "muster/options.hpp"
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
template <class Rows> class [[nodiscard]] Rolling;

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
  /// The index values at which partitions begin, and the last one, times as text; none where they are not known.
  [[nodiscard]] Literal::List divisions() const;
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
  /// The values of the only index column, beside the rows.
  Series index() const;
  /// The rows whose index value is from `first` to `last`, both included; {} is an open end, times are texts. Of known divisions only the partitions are read
  /// that may have them.
  Series loc(const Literal& first, const Literal& last) const;
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
  /// The same rows in `npartitions` partitions. Throws Error{invalid} for less than one.
  Series repartition(int64_t npartitions) const;
  /// The same rows in partitions that begin at these index values, and end at the last; see DataFrame::repartition.
  Series repartition(const Literal::List& divisions, bool force = false) const;
  /// The values in order, rows of equal ones in theirs. Throws as DataFrame::sort_values.
  Series sort_values(const Sort& how = {}) const;
  /// The rows in the order of the index.
  Series sort_index(const Sort& how = {}) const;
  /// Windows of `rows` rows, or of all rows less than `span` before a row by the times of the index; see DataFrame::rolling.
  Rolling<Series> rolling(int64_t rows, const Window& how = {}) const;
  Rolling<Series> rolling(std::chrono::nanoseconds span, const Window& how = {}) const;
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
  DataFrame drop(const Labels& columns) const;
  /// A column as index, rows in its order. Divisions are known of the result where they are given; else partitions are of about equal size, and equal values
  /// may lie on both sides of a border. Throws Error{missing} for an unknown column, Error{invalid} for divisions that do not ascend, Error{type} for those of
  /// another dtype.
  ///
  ///     std::cout << trips.set_index("fare", {.divisions = {1, 3, 4}}).get_partition(1).compute();
  ///     // fare  city
  ///     // 3        b
  ///     // 4        c
  DataFrame set_index(const std::string& column, const SetIndex& how = {}) const;
  /// The index as columns, or without it, and rows numbered from 0.
  DataFrame reset_index(bool drop = false) const;
  /// The rows of two frames whose keys are equal, columns beside each other, in the order of this frame (right: of the other). Missing keys equal each
  /// other. The other side is put together in memory, and these rows look into it as they are read; where there is no room for it, or without `broadcast`,
  /// rows of both are exchanged and come in another order.
  ///
  /// Throws Error{missing} naming a key that is no column of its side, with near matches; Error{invalid} where keys, how or suffixes make no sense;
  /// Error{unsupported} for keys that only Python compares.
  ///
  ///     std::cout << trips.merge(cities, {.how = "left", .on = "city"}).compute();
  ///     //    city  fare  name
  ///     // 0     b     3    Bo
  ///     // 1     a     1   Aba
  ///     // 2     b     2    Bo
  ///     // 3     c     4   NaN
  ///
  ///     std::cout << trips.merge(cities.rename({{"city", "id"}}), {.left_on = "city", .right_on = "id"})["name"].nunique().number();
  ///     // 2
  DataFrame merge(const DataFrame& right, const Merge& how = {}) const;
  /// The frame with the columns of another, by its index. Throws as merge, and Error{invalid} where both have columns of one name and no suffix.
  ///
  ///     std::cout << trips.join(cities.set_index("city"), {.on = "city", .how = "inner"})["name"].compute().texts("name").at(1);
  ///     // Aba
  DataFrame join(const DataFrame& right, const Join& how = {}) const;
  /// The rows in the order of columns, in ranges of about equal size, which are the partitions; rows of equal keys stay in their order. Throws
  /// Error{missing} for an unknown column, Error{invalid} where there are not as many directions as columns.
  ///
  ///     std::cout << trips.sort_values({"city", "fare"}, {.ascending = {true, false}}).compute();
  ///     //    city  fare
  ///     // 1     a     1
  ///     // 0     b     3
  ///     // 2     b     2
  ///     // 3     c     4
  DataFrame sort_values(const Labels& by, const Sort& how = {}) const;
  /// The rows in the order of the index. Divisions that are known stay, where the order is ascending.
  DataFrame sort_index(const Sort& how = {}) const;
  /// The rows in other partitions, chosen by a hash of columns or of the index: rows of equal keys are in one. Throws Error{missing} for an unknown column,
  /// Error{type} where there is no key, or two.
  ///
  ///     std::cout << trips.shuffle("city", {.npartitions = 3}).npartitions();
  ///     // 3
  DataFrame shuffle(const Labels& on = {}, const Shuffle& how = {}) const;
  /// Windows of `rows` rows that end at each row, or of all rows less than `span` before it by the times of the index or a column; aggregate them:
  ///
  ///     std::cout << trips["fare"].rolling(2).sum().compute().numbers("fare").at(3);
  ///     // 6
  ///
  /// Throws Error{invalid} for a window that makes no sense; its aggregates Error{unsupported} for columns that are no numbers.
  Rolling<DataFrame> rolling(int64_t rows, const Window& how = {}) const;
  Rolling<DataFrame> rolling(std::chrono::nanoseconds span, const Window& how = {}) const;
  /// The values of the only index column, beside the rows.
  Series index() const;
  /// The rows whose index value is from `first` to `last`, both included; {} is an open end, times are texts. Of known divisions only the partitions are read
  /// that may have them.
  ///
  ///     std::cout << trips.set_index("fare").loc(2, 3).compute();
  ///     // fare  city
  ///     // 2        b
  ///     // 3        b
  DataFrame loc(const Literal& first, const Literal& last) const;
  DataFrame get_partition(int64_t n) const;
  Table head(int64_t n = 5) const;
  Table tail(int64_t n = 5) const;
  DataFrameGroupBy groupby(const Labels& keys, GroupBy how = {}) const;
  /// The same rows in `npartitions` partitions. Throws Error{invalid} for less than one.
  DataFrame repartition(int64_t npartitions) const;
  /// The same rows in partitions that begin at these index values (times as text) and end at the last; the index must ascend. Where divisions are known,
  /// new ones lie around them unless `force` is set; what lies outside is in the first partition, or the last. Throws Error{invalid} for rows without an index
  /// or divisions that do not ascend, Error{type} for those of another dtype.
  ///
  ///     const auto parts = trips.set_index("fare").repartition({1, 3, 4});
  ///     std::cout << parts.npartitions() << " " << parts.get_partition(0).len();
  ///     // 2 2
  DataFrame repartition(const Literal::List& divisions, bool force = false) const;
  [[nodiscard]] int64_t len() const;
  /// Writes part.0.parquet, part.1.parquet, ... into a folder, all or none, and returns the number of rows. Index columns with a name are written in
  /// front. `compression`: snappy, zstd or none. Throws Error{invalid} for a name that is there twice,
  /// Error{unsupported} for a dtype that Parquet lacks, Error{io} naming the file.
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
  /// An aggregate of each group beside its rows, of every column that is no key; of rows without a group it is missing.
  /// `function`: sum, mean, min, max, count, size, std, var, first, last, nunique or median.
  DataFrame transform(const std::string& function) const;
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
  /// An aggregate of each group beside its rows; see DataFrameGroupBy::transform.
  ///
  ///     std::cout << trips[trips["fare"] == trips.groupby("city")["fare"].transform("max")].compute();
  ///     //    city  fare
  ///     // 0     b     3
  ///     // 1     a     1
  ///     // 3     c     4
  Series transform(const std::string& function) const;

 private:
  Series one(const std::string& function) const;
  DataFrame frame_;
  std::vector<std::string> keys_;
  std::string column_;
  GroupBy how_;
};

/// Moving windows over the rows of a DataFrame or a Series; results stay beside the rows, as float64. Missing values are left out.
template <class Rows> class MUSTER_API Rolling {
 public:
  Rolling(Rows rows, Arguments window);
  Rolling(const Rolling&) = default;
  Rolling& operator=(const Rolling&) & = default;
  template <class T> void operator=(T&&) && = delete;  // windows are no place to assign to
  Rows sum() const;
  Rows mean() const;
  /// The number of values that are not missing, of columns of any dtype.
  Rows count() const;
  Rows min() const;
  Rows max() const;
  /// `ddof` is taken off the number of values that sums of squares are divided by.
  Rows var(int64_t ddof = 1) const;
  Rows std(int64_t ddof = 1) const;

 private:
  Rows aggregate(const char* function, int64_t ddof = 1) const;
  Rows rows_;
  Arguments window_;
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

/// The rows of several frames, one after the other; columns that are not in every frame are filled with missing values (outer) or left out (inner). Throws
/// Error{invalid} for no frames, Error{unsupported} where a column's dtypes have none in common.
///
///     std::cout << concat({trips, cities}, "inner").len();
///     // 6
MUSTER_API DataFrame concat(const std::vector<DataFrame>& frames, const std::string& join = "outer");
MUSTER_API Series concat(const std::vector<Series>& series);

/// Computes several collections in one run; what they share is computed once.
[[nodiscard]] MUSTER_API std::vector<Table> compute(const std::vector<Collection>& collections, const ComputeOptions& options = {});

}  // namespace muster
