// What a Parquet file's footer says: schema, row groups, where each column's bytes are, and statistics (parquet.thrift of apache/parquet-format).
#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "data/dtype.hpp"

namespace muster::io::parquet {

enum class Physical : int8_t { boolean, int32, int64, int96, float32, float64, bytes, fixed };
enum class Codec : int8_t { none, snappy, gzip, lzo, brotli, lz4_hadoop, zstd, lz4 };

struct Leaf {
  std::string name;
  Physical physical = Physical::int32;
  bool optional = false;
  /// The engine's dtype, or none where it has no kernel for the column: nested, decimal, date, time, binary, zoned times.
  std::optional<data::DType> type;
  std::string about;  // what the column is, for messages: "decimal", "nested", ...
};

struct Statistics {
  int64_t nulls = -1;            // -1 = not said
  std::optional<std::string> min, max;  // as PLAIN encodes a value
};

struct Chunk {
  Codec codec = Codec::none;
  int64_t values = 0, offset = 0, bytes = 0, uncompressed = 0;
  Statistics statistics;
};

struct RowGroup {
  int64_t rows = 0, bytes = 0;   // bytes: uncompressed, of all columns
  std::vector<Chunk> chunks;     // per leaf
};

struct Metadata {
  std::vector<Leaf> leaves;      // top-level columns; a nested one stands for all its leaves
  std::vector<RowGroup> row_groups;
  int64_t rows = 0;
  std::vector<std::pair<std::string, std::string>> key_values;
};

/// Reads a file's footer. Throws Error{io} naming the file and what is wrong.
Metadata read_metadata(const std::string& path, const std::string& options);

}  // namespace muster::io::parquet
