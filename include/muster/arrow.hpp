// Results to Arrow and Arrow to frames, through Arrow's C data interface (https://arrow.apache.org/docs/format/CDataInterface.html): no library is needed.
#pragma once
#include <cstdint>

#include "muster/dataframe.hpp"

#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE
#define ARROW_FLAG_DICTIONARY_ORDERED 1
#define ARROW_FLAG_NULLABLE 2
#define ARROW_FLAG_MAP_KEYS_SORTED 4
extern "C" {
struct ArrowSchema {
  const char* format;
  const char* name;
  const char* metadata;
  int64_t flags;
  int64_t n_children;
  struct ArrowSchema** children;
  struct ArrowSchema* dictionary;
  void (*release)(struct ArrowSchema*);
  void* private_data;
};
struct ArrowArray {
  int64_t length;
  int64_t null_count;
  int64_t offset;
  int64_t n_buffers;
  int64_t n_children;
  const void** buffers;
  struct ArrowArray** children;
  struct ArrowArray* dictionary;
  void (*release)(struct ArrowArray*);
  void* private_data;
};
}
#endif

namespace muster {

/// A computed table as a struct array, its index columns with a name first. Numbers are not copied. The caller releases both.
/// Throws Error{unsupported} for columns of Python objects.
MUSTER_API void to_arrow(const Table& table, ArrowSchema* schema, ArrowArray* array);

/// The rows of a struct array: bool, integers, floats, timestamps without zone, durations, utf8 and large_utf8 columns. Takes both over, whatever happens:
/// they are released when nothing needs their memory. Throws Error{unsupported} naming a column of another type, Error{value} for what is no struct array.
MUSTER_API DataFrame from_arrow(ArrowSchema* schema, ArrowArray* array, int64_t npartitions = 1);

}  // namespace muster
