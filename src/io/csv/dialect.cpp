// A text of up to eight bytes is compared as one word: a field that is not missing costs one look.
#include "io/csv/dialect.hpp"

#include <cstring>

namespace muster::io::csv {
using namespace base;
namespace {
Value one(char c) { return std::string(c ? 1 : 0, c); }
char one(const Value& v) { return v.string().empty() ? '\0' : v.string()[0]; }
uint64_t word(data::Text t) {
  uint64_t w = 0;
  std::memcpy(&w, t.data, static_cast<size_t>(t.size));
  return w;
}
uint64_t slot(uint64_t w, int64_t size) { return ((w + static_cast<uint64_t>(size)) * 0x9E3779B97F4A7C15u) >> 57; }
}  // namespace

Value Dialect::encode() const {
  return List{one(separator),     one(quote),       one(escape), one(comment), one(decimal), one(thousands), double_quote,
              skip_initial_space, skip_blank_lines, whitespace,  encoding,     bad_lines,    ragged};
}

Dialect Dialect::decode(const Value& value) {
  const auto& v = value.list();
  Dialect d;
  d.separator = one(v.at(0)), d.quote = one(v.at(1)), d.escape = one(v.at(2)), d.comment = one(v.at(3)), d.decimal = one(v.at(4)), d.thousands = one(v.at(5));
  d.double_quote = v.at(6).boolean(), d.skip_initial_space = v.at(7).boolean(), d.skip_blank_lines = v.at(8).boolean(), d.whitespace = v.at(9).boolean();
  d.encoding = v.at(10).string(), d.bad_lines = v.at(11).string(), d.ragged = v.at(12).boolean();
  return d;
}

MissingTexts::MissingTexts(const std::vector<std::string>& texts) {
  for (const auto& t : texts) {
    if (!t.empty()) first_[static_cast<unsigned char>(t[0])] = true;
    if (t.empty()) empty_ = true;
    else if (t.size() <= 8 && t.find('\0') == std::string::npos && long_.size() + 1 < 100) {
      uint64_t w = word({t.data(), static_cast<int64_t>(t.size())});
      int free = 0;
      for (auto s : short_) free += s == 0;
      if (free < 40) { long_.insert(t); continue; }  // keep probes short
      auto at = slot(w, static_cast<int64_t>(t.size()));
      while (short_[at] && short_[at] != w) at = (at + 1) & 127;
      short_[at] = w;
    } else long_.insert(t);
    if (t.find_first_of("0123456789") != std::string::npos && t.find_first_not_of("0123456789+-.eE") == std::string::npos) has_numbers_ = true;
  }
}

bool MissingTexts::look_up(data::Text t) const {
  if (t.size <= 8) {
    uint64_t w = word(t);
    for (auto at = slot(w, t.size); short_[at]; at = (at + 1) & 127)
      if (short_[at] == w) return true;
  }
  return !long_.empty() && long_.contains(std::string(t.view()));
}

const std::vector<std::string>& MissingTexts::pandas_default() {
  static const std::vector<std::string> texts = {"", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
                                                 "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"};
  return texts;
}

}  // namespace muster::io::csv
