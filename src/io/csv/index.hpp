// The flat separator index of a block of CSV bytes: where every separator and row end stands, found 64 bytes at a time.
#pragma once
#include <cstdint>

namespace muster::io::csv {

struct Index {
  int64_t count = 0;       // positions written
  int64_t newlines = 0;    // of them row ends
  bool quotes = false;     // some quote in the block
  bool returns = false;    // some \r\n
  bool irregular = false;  // a quote in the middle of a field, or a \r without \n: only the row by row tokenizer knows
  bool open_quote = false; // the block ends inside quotes
  bool beyond_ascii = false;
};

/// Writes the positions of unquoted `separator` and '\n' bytes of data[0, size) to `positions`, which has room for size + 64.
/// Reads up to 63 bytes beyond `size`. `quote` 0 = none. The block begins outside quotes.
Index index_block(const char* data, int64_t size, char separator, char quote, uint32_t* positions);

}  // namespace muster::io::csv
