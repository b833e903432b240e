// How a CSV file is written: separators, quotes, what counts as missing. Plain data, carried as a Value.
#pragma once
#include <string>
#include <unordered_set>
#include <vector>

#include "base/value.hpp"
#include "data/column.hpp"

namespace muster::io::csv {

struct Dialect {
  char separator = ',', quote = '"', escape = 0, comment = 0, decimal = '.', thousands = 0;  // 0 = none
  bool double_quote = true, skip_initial_space = false, skip_blank_lines = true, whitespace = false;  // whitespace: sep="\s+"
  std::string encoding;              // "" = UTF-8
  std::string bad_lines = "error";   // rows with too many fields: error, warn, skip
  bool ragged = false;               // rows may be longer than the header: a selection of columns was asked for (as pandas)

  /// Nothing the block index cannot see: one-byte separator and quote, doubled quotes, no comments.
  bool plain() const {
    return !escape && !comment && double_quote && !skip_initial_space && !whitespace && skip_blank_lines && static_cast<unsigned char>(separator) < 128;
  }

  base::Value encode() const;
  static Dialect decode(const base::Value& value);
};

/// The texts that stand for a missing value.
class MissingTexts {
 public:
  explicit MissingTexts(const std::vector<std::string>& texts);
  bool contains(data::Text t) const { return t.size == 0 ? empty_ : first_[static_cast<unsigned char>(t.data[0])] && look_up(t); }
  bool has_numbers() const { return has_numbers_; }  // a number stands for missing: look here before parsing
  static const std::vector<std::string>& pandas_default();

 private:
  bool look_up(data::Text t) const;
  bool first_[256] = {};  // some text begins with this byte
  uint64_t short_[128] = {};  // texts of up to 8 bytes, open addressing on their bytes; 0 = free
  bool empty_ = false, has_numbers_ = false;
  std::unordered_set<std::string> long_;
};

}  // namespace muster::io::csv
