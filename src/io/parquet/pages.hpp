// The pages of a column chunk, decompressed one after the other.
#pragma once
#include <memory>
#include <string>

#include "data/column.hpp"
#include "io/parquet/metadata.hpp"

namespace muster::io::parquet {

enum class Encoding : int8_t { plain = 0, plain_dictionary = 2, rle = 3, bit_packed = 4, delta_binary_packed = 5, delta_length_byte_array = 6, delta_byte_array = 7, rle_dictionary = 8, byte_stream_split = 9 };

struct Page {
  bool dictionary = false;
  Encoding encoding = Encoding::plain;
  int64_t values = 0;          // missing ones included
  std::string_view levels;     // definition levels, RLE; empty for a required column
  std::string_view data;       // the values; readable 64 bytes beyond
  data::Keep keep;             // what both lie in
};

class PageReader {
 public:
  /// Reads the chunk's bytes at once.
  PageReader(const std::string& path, const std::string& options, const Chunk& chunk, bool optional);
  /// False at the end of the chunk. Throws Error{io} on bytes that are no page.
  bool next(Page& page);

 private:
  Codec codec_;
  bool optional_;
  int64_t values_left_;
  std::shared_ptr<char> bytes_;
  int64_t at_ = 0, size_;
};

}  // namespace muster::io::parquet
