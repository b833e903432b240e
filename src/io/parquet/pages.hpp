// The pages of a column chunk, decompressed one after the other.
#pragma once
#include <memory>
#include <string>

#include "data/column.hpp"
#include "io/parquet/metadata.hpp"

namespace muster::io::parquet {

enum class Encoding : int8_t {
  plain = 0,
  plain_dictionary = 2,
  rle = 3,
  bit_packed = 4,
  delta_binary_packed = 5,
  delta_length_byte_array = 6,
  delta_byte_array = 7,
  rle_dictionary = 8,
  byte_stream_split = 9
};

struct Page {
  bool dictionary = false;
  Encoding encoding = Encoding::plain;
  int64_t values = 0;          // missing ones included
  std::string_view levels;     // definition levels, RLE; empty for a required column
  std::string_view data;       // the values; readable 64 bytes beyond
  data::Keep keep;             // what both lie in
};

/// Reads a chunk of a local file page by page, into memory that is still in the cache when the page is decompressed; any other at once.
class PageReader {
 public:
  PageReader(const std::string& path, const std::string& options, const Chunk& chunk, bool optional);
  /// False at the end of the chunk. Throws Error{io} on bytes that are no page.
  bool next(Page& page);

 private:
  /// The chunk's bytes from `at_` on: at least `size` of them, or all there are.
  std::string_view ahead(int64_t size);

  std::string path_, options_;
  Codec codec_;
  bool optional_;
  int64_t values_left_;
  int64_t offset_, at_ = 0, size_;  // of the chunk in its file; in the chunk
  std::shared_ptr<char> window_;
  int64_t begin_ = 0, end_ = 0;     // what is in the window
};

}  // namespace muster::io::parquet
