// Turns a block of CSV bytes into the wanted fields of its rows: by the block index where the rows are regular, else row by row as pandas does.
#pragma once
#include <deque>
#include <string>
#include <vector>

#include "data/column.hpp"
#include "io/csv/dialect.hpp"
#include "io/csv/index.hpp"

namespace muster::io::csv {

/// A row that does not fit the header, found by byte offset in the block.
struct BadRow {
  int64_t offset = 0;
  int64_t fields = 0;  // -1: the file ends inside quotes
};

struct Rows {
  int64_t count = 0;
  int64_t consumed = 0;                          // bytes up to the end of the last complete row
  std::vector<std::vector<data::Text>> fields;   // per wanted column, `count` texts; a field that a short row lacks is missing
  std::vector<uint32_t> begins;                  // offset of each row's first byte
  bool beyond_ascii = false;
  std::vector<BadRow> bad;                       // rows left out
};

class Tokenizer {
 public:
  /// `width`: fields of a regular row; `wanted`: ascending field positions to hand out.
  Tokenizer(Dialect dialect, int64_t width, std::vector<int64_t> wanted);

  /// data[0, size) begins at a row; `last`: nothing follows. Needs 64 writable bytes after `size`. Texts point into the block,
  /// or into made(); both must outlive the rows.
  void run(char* data, int64_t size, bool last, Rows& out);

  /// One row from `at`; false if it is incomplete and not `last`. `at` moves behind it. A blank or comment row gives no fields.
  bool row(const char* data, int64_t size, bool last, int64_t& at, std::vector<data::Text>& fields);


  data::Keep made() const { return made_; }

 private:
  void by_index(char* data, const Index& index, Rows& out);
  void row_by_row(const char* data, int64_t size, bool last, Rows& out);
  data::Text unquote(const char* begin, const char* end);
  bool is_blank(const char* data, uint32_t begin, uint32_t end) const;

  Dialect dialect_;
  int64_t width_;
  std::vector<int64_t> wanted_;
  std::vector<uint32_t> positions_;
  std::shared_ptr<std::deque<std::string>> made_ = std::make_shared<std::deque<std::string>>();  // fields that are not a span of the block
};

}  // namespace muster::io::csv
