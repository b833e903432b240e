// Column: a run of values in Arrow's memory order, as kernels see it. Values never change once a column is handed on.
// Inside the engine a bool and a validity flag take a byte a row and text is a span per row; bitmaps and offsets are made at the Arrow border.
#pragma once
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/value.hpp"
#include "data/dtype.hpp"
#include "data/memory.hpp"

namespace muster::data {

using base::Value;
using Keep = std::shared_ptr<const void>;  // keeps memory alive

/// A text value: bytes of somebody else's buffer. Missing has data == nullptr.
struct Text {
  const char* data = nullptr;
  int64_t size = 0;
  std::string_view view() const { return {data, static_cast<size_t>(size)}; }
};

/// What the positions of an object column point into: bits 40 and up say which source, the others the place in it. A missing value is -1, or -2 - p
/// where the object at position p says that it is missing (NaN, None, NA).
struct Foreign {
  std::vector<std::shared_ptr<const base::Opaque>> sources;
  std::string column;  // the label they were made under, for messages
};
constexpr int kForeignBits = 40;

/// The distinct texts of a column, as its file has them; the code behind the last stands for a missing value.
struct Dictionary {
  std::vector<Text> texts;
  Keep keep;
};

struct Column {
  Storage storage = Storage::float64;
  int64_t length = 0;
  const void* values = nullptr;
  const uint8_t* valid = nullptr;  // a byte a row, 1 = present; nullptr = all present; never set for float and text
  Keep keep;                       // values, valid and the bytes text points into
  Keep texts;                      // of text: these bytes alone, where they are kept apart
  int64_t kept_bytes = 0;          // that `keep` (of text: text_keep()) holds, where these are not the column's alone: an object in shared memory
  std::shared_ptr<const Foreign> foreign;  // of an object column
  bool constant = false;           // length 1, stands for every row
  bool text_kept = false;          // of text: `keep` owns the bytes, nobody writes over them
  const uint32_t* codes = nullptr; // of text, beside `values`: its place in the dictionary, where the file had one
  std::shared_ptr<const Dictionary> dictionary;

  template <class T> const T* as() const { return static_cast<const T*>(values); }
  bool is_missing(int64_t row) const;
  const Keep& text_keep() const { return texts ? texts : keep; }
};

/// Some rows of a column that is not constant.
struct ColumnRows {
  const Column* column;
  int64_t begin, rows;
};

/// A column being written: memory for `rows` values, and for flags once asked for.
class Writable {
 public:
  Writable(Storage storage, int64_t rows);
  template <class T> T* as() { return reinterpret_cast<T*>(values_.get()); }
  uint8_t* valid();  // made on first use, all 1
  bool has_valid() const { return valid_ != nullptr; }
  void forget_valid() { valid_.reset(); }  // all turned out to be present
  /// Hands the column on; `also` is kept alive with it.
  Column finish(Keep also = nullptr) &&;

 private:
  Storage storage_;
  int64_t rows_;
  std::shared_ptr<char> values_, valid_;
};

Keep keep_both(Keep a, Keep b);

/// A run of rows; columns have `rows` values or are constant.
struct Batch {
  int64_t rows = 0;
  std::vector<Column> columns;
};
using Batches = std::vector<Batch>;

/// One value of a column as plain data: bool, int, float, text, moment (timestamps; durations as integers) or none.
Value value_at(const Column& column, int64_t row, DType type);
/// A constant column of `type` holding `value` (none = missing).
Column constant_of(const Value& value, DType type);
/// The same values, one for each of `rows` rows.
Column spread(const Column& column, int64_t rows);
/// The rows one after the other; text is not copied.
Column concatenate(std::span<const ColumnRows> parts);
Column concatenate(std::span<const Column> parts);
Batch concatenate(const Batches& parts);
/// The rows at `rows`; -1 gives a missing value.
Column take(const Column& column, std::span<const int64_t> rows);
/// Rows [begin, begin + count) without copying.
Column slice(const Column& column, int64_t begin, int64_t count);
/// The same text in memory of its own; other columns as they are.
Column own_text(const Column& column);
/// Bytes of the values, flags and text a batch holds.
int64_t size_of(const Batch& batch);

}  // namespace muster::data
