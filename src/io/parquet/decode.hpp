// The values of a column chunk, a run of rows after the other.
#pragma once
#include <memory>

#include "io/parquet/pages.hpp"

namespace muster::io::parquet {

class Decoder {
 public:
  virtual ~Decoder() = default;
  /// The next `rows` values; there are so many.
  virtual data::Column read(int64_t rows) = 0;
};

/// Of a column that a file does not have.
std::unique_ptr<Decoder> missing_values(data::DType type);
/// `type`: the leaf's, or float64 for integers of which some are missing.
std::unique_ptr<Decoder> make_decoder(const std::string& path, const std::string& options, const Leaf& leaf, const Chunk& chunk, data::DType type);

}  // namespace muster::io::parquet
