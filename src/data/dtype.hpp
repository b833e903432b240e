// DType: how a column is stored and what pandas calls it.
#pragma once
#include <cstdint>
#include <string>

namespace muster::data {

enum class Storage : uint8_t {
  boolean,  // one byte a row, 0 or 1
  int8, int16, int32, int64, uint8, uint16, uint32, uint64,
  float32, float64,  // missing is NaN
  timestamp,         // int64 since 1970 in the dtype's unit, without zone
  duration,          // int64 in the dtype's unit
  text,              // UTF-8 spans, missing is a null pointer
  object,            // int64 positions in a foreign column that the engine never opens, negative is missing
  row_id,            // partition << 32 | row in the partition: a row number before the rows in front are counted
};

enum class Unit : uint8_t { s, ms, us, ns };

struct DType {
  Storage storage = Storage::float64;
  Unit unit = Unit::us;  // of timestamp and duration
  bool open = false;     // int or bool that becomes float64 or object if a missing value turns up (ARCHITECTURE.md, "Open dtypes")
  uint64_t foreign = 0;  // of object: its dtype's number (foreign_dtypes.hpp); 0 = any object

  bool operator==(const DType&) const = default;
  bool is_integer() const { return storage >= Storage::int8 && storage <= Storage::uint64; }
  bool is_signed() const { return storage >= Storage::int8 && storage <= Storage::int64; }
  bool is_float() const { return storage == Storage::float32 || storage == Storage::float64; }
  bool is_boolean() const { return storage == Storage::boolean; }
  bool is_number() const { return is_integer() || is_float(); }
  bool is_numeric() const { return is_number() || is_boolean(); }  // what pandas' numeric_only keeps
  bool is_time() const { return storage == Storage::timestamp || storage == Storage::duration; }
  bool is_text() const { return storage == Storage::text; }
  bool is_object() const { return storage == Storage::object; }

  /// pandas' name: "int64", "datetime64[us]", "str".
  std::string name() const;
};

constexpr int kForeignDTypeBits = 39;  // of DType::foreign

/// A dtype as one number, the same in every process, and back: its wire form.
int64_t code(DType type);
DType dtype_of(int64_t code);

/// Bytes a value takes in a column's buffer.
int width(Storage storage);
int64_t per_second(Unit unit);
/// The dtype a pandas or NumPy name stands for: "int32", "f8", "float", "str", "datetime64[ns]", "bool". Throws Error{type} naming it.
DType dtype_named(const std::string& name);
/// The dtype of an operation on two numbers (NumPy's promotion).
DType promote(DType a, DType b);

}  // namespace muster::data
