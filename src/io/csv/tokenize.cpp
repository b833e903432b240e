// The contract is the tokenizer of pandas' C parser (documented behaviour: a quote opens only at a field's start, text after a closing quote is appended).
#include "io/csv/tokenize.hpp"

#include <algorithm>
#include <cstring>

#include "base/error.hpp"

namespace muster::io::csv {
using namespace base;
using data::Text;
namespace {
// Number parsers load up to 16 bytes that end with the field: texts made here have as many in front, as a block has.
constexpr size_t kFront = 16;
Text behind_front(const std::string& text) { return {text.data() + kFront, static_cast<int64_t>(text.size() - kFront)}; }
}  // namespace

Tokenizer::Tokenizer(Dialect dialect, int64_t width, std::vector<int64_t> wanted) : dialect_(std::move(dialect)), width_(width), wanted_(std::move(wanted)) {}

void Tokenizer::run(char* data, int64_t size, bool last, Rows& out) {
  out.count = out.consumed = 0;
  out.fields.resize(wanted_.size());
  out.begins.clear(), out.bad.clear();
  if (!made_->empty()) made_ = std::make_shared<std::deque<std::string>>();
  if (last && size && data[size - 1] != '\n') data[size++] = '\n';
  if (dialect_.plain()) {
    if (positions_.size() < static_cast<size_t>(size) + 64) positions_.resize(static_cast<size_t>(size) + 64);
    Index index = index_block(data, size, dialect_.separator, dialect_.quote, positions_.data());
    out.beyond_ascii = index.beyond_ascii;
    // Rows after the last row end belong to the next block.
    while (index.count && data[positions_[static_cast<size_t>(index.count) - 1]] != '\n') --index.count;
    bool regular = !index.irregular && !(last && index.open_quote) && index.count == index.newlines * width_;
    for (int64_t r = 1; regular && r <= index.newlines; ++r) regular = data[positions_[static_cast<size_t>(r * width_ - 1)]] == '\n';
    if (regular && width_ == 1)
      for (int64_t r = 0; regular && r < index.newlines; ++r)
        regular = !is_blank(data, r ? positions_[static_cast<size_t>(r - 1)] + 1 : 0, positions_[static_cast<size_t>(r)]);
    if (regular) return by_index(data, index, out);
  } else {
    out.beyond_ascii = true;
  }
  row_by_row(data, size, last, out);
}

bool Tokenizer::is_blank(const char* data, uint32_t begin, uint32_t end) const {
  for (uint32_t i = begin; i < end; ++i)
    if (data[i] != ' ' && data[i] != '\t' && data[i] != '\r') return false;
  return true;
}

void Tokenizer::by_index(char* data, const Index& index, Rows& out) {
  const int64_t rows = index.newlines, n = width_;
  const uint32_t* at = positions_.data();
  out.count = rows;
  out.consumed = index.count ? at[index.count - 1] + 1 : 0;
  out.begins.resize(static_cast<size_t>(rows));
  if (rows) out.begins[0] = 0;
  for (int64_t r = 1; r < rows; ++r) out.begins[static_cast<size_t>(r)] = at[r * n - 1] + 1;
  for (size_t w = 0; w < wanted_.size(); ++w) {
    auto& to = out.fields[w];
    to.resize(static_cast<size_t>(rows));
    const int64_t c = wanted_[w];
    if (rows) to[0] = {data + (c ? at[c - 1] + 1 : 0), 0};
    if (rows) to[0].size = data + at[c] - to[0].data;
    for (int64_t r = 1; r < rows; ++r) {
      const uint32_t* row = at + r * n + c;
      to[static_cast<size_t>(r)] = {data + row[-1] + 1, static_cast<int64_t>(row[0] - row[-1] - 1)};
    }
    if (index.returns && c == n - 1)
      for (auto& t : to) t.size -= t.size && t.data[t.size - 1] == '\r';
    if (index.quotes)
      for (auto& t : to)
        if (t.size && t.data[0] == dialect_.quote) t = unquote(t.data + 1, t.data + t.size - 1);
  }
}

// begin and end lie inside the quotes; doubled quotes become one.
Text Tokenizer::unquote(const char* begin, const char* end) {
  if (!std::memchr(begin, dialect_.quote, static_cast<size_t>(end - begin))) return {begin, end - begin};
  auto& text = made_->emplace_back(kFront, ' ');
  for (const char* p = begin; p < end; ++p) {
    text += *p;
    p += *p == dialect_.quote;
  }
  return behind_front(text);
}

bool Tokenizer::row(const char* data, int64_t size, bool last, int64_t& at, std::vector<Text>& fields) {
  const Dialect& d = dialect_;
  fields.clear();
  const char *p = data + at, *end = data + size;
  auto is_end = [&](const char* q) { return *q == '\n' || *q == '\r'; };
  auto is_separator = [&](const char* q) { return d.whitespace ? *q == ' ' || *q == '\t' : *q == d.separator; };
  // Moves behind the row end at `p`; \r\n counts as one. A \r as the block's last byte may be half of one.
  auto close = [&]() {
    if (p >= end) return at = end - data, last;
    if (*p == '\r') {
      if (p + 1 == end && !last) return false;
      p += p + 1 < end && p[1] == '\n';
    }
    at = p + 1 - data;
    return true;
  };
  const char* start = p;
  if (d.whitespace || d.skip_blank_lines)
    while (start < end && (*start == ' ' || (*start == '\t' && (d.whitespace || d.separator != '\t')))) ++start;
  if (start >= end && !last) return false;
  if (d.skip_blank_lines && (start >= end || is_end(start))) return p = start, close();
  if (d.comment && p < end && *p == d.comment) {
    while (p < end && !is_end(p)) ++p;
    return close();
  }
  if (d.whitespace) p = start;
  for (;;) {
    if (d.skip_initial_space)
      while (p < end && *p == ' ') ++p;
    const char* begin = p;
    std::string* text = nullptr;  // the field as built, once it is not a span of the block
    auto build = [&]() -> std::string& {
      if (!text) text = &made_->emplace_back(kFront, ' ').append(begin, static_cast<size_t>(p - begin));
      return *text;
    };
    bool quoted = d.quote && p < end && *p == d.quote, done = false;
    if (quoted) {
      begin = ++p;
      const char* close_at = nullptr;
      for (;;) {
        if (p >= end) {
          if (!last) return false;
          throw invalid("EOF inside string");  // the caller knows file and row
        }
        if (d.escape && *p == d.escape) {
          auto& s = build();
          if (p + 1 >= end && !last) return false;
          if (++p < end) s += *p++;
        } else if (*p == d.quote) {
          if (p + 1 >= end && !last) return false;
          if (d.double_quote && p + 1 < end && p[1] == d.quote) {
            auto& s = build();
            s += d.quote, p += 2;
          } else {
            close_at = p++;
            break;
          }
        } else {
          if (text) *text += *p;
          ++p;
        }
      }
      if (p >= end || is_separator(p) || is_end(p)) {
        fields.push_back(text ? behind_front(*text) : Text{begin, close_at - begin});
        done = true;
      } else if (!text) {
        text = &made_->emplace_back(kFront, ' ').append(begin, static_cast<size_t>(close_at - begin));
      }
    }
    if (!done) {
      while (p < end && !is_separator(p) && !is_end(p) && !(d.comment && *p == d.comment)) {
        if (d.escape && *p == d.escape) {
          auto& s = build();
          if (p + 1 >= end && !last) return false;
          if (++p < end) s += *p++;
        } else {
          if (text) *text += *p;
          ++p;
        }
      }
      fields.push_back(text ? behind_front(*text) : Text{begin, p - begin});
    }
    if (p >= end && !last) return false;
    if (d.comment && p < end && *p == d.comment) {
      while (p < end && !is_end(p)) ++p;
      if (p >= end && !last) return false;
    }
    if (p >= end || is_end(p)) return close();
    if (d.whitespace) {
      while (p < end && is_separator(p)) ++p;
      if (p >= end && !last) return false;
      if (p >= end || is_end(p)) return close();
    } else {
      ++p;
    }
  }
}

void Tokenizer::row_by_row(const char* data, int64_t size, bool last, Rows& out) {
  for (auto& f : out.fields) f.clear();
  std::vector<Text> fields;
  int64_t at = 0, n = width_;
  while (at < size) {
    int64_t begin = at;
    bool complete;
    try {
      complete = row(data, size, last, at, fields);
    } catch (const Error&) {
      out.bad.push_back({begin, -1});
      at = size;
      break;
    }
    if (!complete) break;
    if (fields.empty()) continue;
    // A trailing separator is not a further field when it only adds an empty one (pandas accepts it).
    if (static_cast<int64_t>(fields.size()) > n && !dialect_.ragged) {
      out.bad.push_back({begin, static_cast<int64_t>(fields.size())});
      continue;
    }
    out.begins.push_back(static_cast<uint32_t>(begin));
    for (size_t w = 0; w < wanted_.size(); ++w) {
      auto c = static_cast<size_t>(wanted_[w]);
      out.fields[w].push_back(c < fields.size() ? fields[c] : Text{});
    }
    ++out.count;
  }
  out.consumed = at;
}

}  // namespace muster::io::csv
