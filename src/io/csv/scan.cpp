// A partition owns the rows that start in its byte range. It begins after the first newline, assuming that this is no quoted one, and reports
// the first row it saw at either border; the driver compares these and corrects a partition that was misled (ARCHITECTURE.md, "CSV ranges").
#include "io/csv/scan.hpp"

#include <algorithm>
#include <cstring>

#include "base/error.hpp"
#include "io/csv/tokenize.hpp"
#include "io/source.hpp"

namespace muster::io::csv {
using namespace base;
using namespace data;
namespace {
constexpr int64_t kEndless = INT64_MAX / 4;  // the last range of a file reads to its end, wherever that is by then

bool valid_utf8(Text t) {
  const auto* p = reinterpret_cast<const unsigned char*>(t.data);
  const auto* end = p + t.size;
  while (p < end) {
    if (*p < 0x80) { ++p; continue; }
    int more = *p >= 0xF0 && *p <= 0xF4 ? 3 : *p >= 0xE0 && *p < 0xF0 ? 2 : *p >= 0xC2 && *p < 0xE0 ? 1 : 0;
    if (!more || end - p <= more) return false;
    for (int i = 1; i <= more; ++i)
      if ((p[i] & 0xC0) != 0x80) return false;
    if ((*p == 0xE0 && p[1] < 0xA0) || (*p == 0xED && p[1] > 0x9F) || (*p == 0xF0 && p[1] < 0x90) || (*p == 0xF4 && p[1] > 0x8F)) return false;
    p += more + 1;
  }
  return true;
}

class CsvReader : public Reader {
 public:
  CsvReader(const Scan& scan, Range range, int64_t partition, int64_t known_begin)
      : scan_(scan), range_(range), partition_(partition), file_(scan.files[range.file]), tokenizer_(scan.dialect, scan.width, scan.wanted),
        piece_(256 << 10) {
    // One byte early: a newline there means that a row starts exactly at `begin`.
    at_ = known_begin >= 0 ? known_begin : range.begin ? range.begin - 1 : 0;
    find_row_ = known_begin < 0 && range.begin > 0;
    guesses_ = range.begin > 0 && scan.dialect.quote != 0;  // a begin that is known may be the end of a partition that was itself misled
    head_ = at_ == 0 && range.begin == 0;
    is_as_stored_ = scan.compression_of_file(range.file).empty() && scan.dialect.encoding.empty();
    stream_ = open_stream(file_.path, scan.options, scan.compression_of_file(range.file), scan.dialect.encoding, at_);
  }

  bool next(Task& task, Batch& out) override {
    if (done_) return false;
    task.locate = [this](const void* byte) { return where(place_of(static_cast<const char*>(byte))); };
    for (;;) {
      fill(task);
      if (head_ && !skip_head()) continue;
      if (find_row_ && !skip_to_row()) continue;
      tokenizer_.run(buffer_.get() + used_, have_ - used_, ended_, rows_);
      if (rows_.consumed == 0 && !ended_) {
        piece_ = std::min<int64_t>(piece_ * 2, 1 << 30);  // a row longer than the block
        if (have_ - used_ > (int64_t{1} << 31)) throw invalid("read_csv: ", where(at_ + used_), ": a row longer than 2 GiB; is the quote character right?");
        continue;
      }
      break;
    }
    const int64_t base = at_ + used_;
    // Rows from range_.end on are the next partition's; the first of them marks the border.
    int64_t owned = rows_.count, border = -1;
    if (base + rows_.consumed >= range_.end || ended_) {
      while (owned && base + rows_.begins[static_cast<size_t>(owned - 1)] >= range_.end) --owned;
      if (owned < rows_.count) border = base + rows_.begins[static_cast<size_t>(owned)];
    }
    // Reported before anything is refused: an error behind a wrong guess is not believed.
    if (task.report.begin < 0) {
      int64_t first = rows_.count ? int64_t{rows_.begins[0]} : -1;
      for (const auto& bad : rows_.bad) first = first < 0 ? bad.offset : std::min(first, bad.offset);
      if (first >= 0) task.report.begin = base + first, task.report.guessed = guesses_;
    }
    for (const auto& bad : rows_.bad) {
      if (base + bad.offset < range_.end) refuse(task, bad, base + bad.offset);
      else border = border < 0 ? base + bad.offset : std::min(border, base + bad.offset);
    }
    used_ += rows_.consumed;
    done_ = border >= 0 || ended_;
    if (done_) {
      task.report.end = border >= 0 ? border : at_ + have_;
      if (task.report.begin < 0) task.report.begin = task.report.end, task.report.guessed = guesses_;
    }
    make(owned, out);
    task.report.rows += owned;
    return true;
  }

 private:
  // Moves what is left to the front and reads on.
  void fill(Task& task) {
    const int64_t left = have_ - used_;
    const int64_t past = at_ + have_ - range_.end;  // beyond the range only the row at the border is wanted
    int64_t size = past >= 0 ? std::min<int64_t>(piece_, int64_t{4096} << std::min<int64_t>(extra_++, 18)) : std::min(piece_, range_.end - at_ - have_ + 4096);
    if (!buffer_ || capacity_ < left + size || buffer_.use_count() > 1) {
      capacity_ = std::max(capacity_, left + size);
      auto fresh = allocate(capacity_);
      if (left) std::memcpy(fresh.get(), buffer_.get() + used_, static_cast<size_t>(left));
      buffer_ = std::move(fresh);
    } else if (left) {
      std::memmove(buffer_.get(), buffer_.get() + used_, static_cast<size_t>(left));
    }
    at_ += used_, used_ = 0, have_ = left;
    int64_t got = 0;
    while (!ended_ && got < size) {
      auto n = stream_->read(buffer_.get() + have_, size - got);
      if (n == 0) ended_ = true;
      have_ += n, got += n;
    }
    check_unchanged(file_);
    if (ended_ && is_as_stored_ && at_ + have_ < file_.size)
      throw io_error("'", file_.path, "' ends at byte ", at_ + have_, "; it had ", file_.size, " bytes when the computation was planned");
    task.progress(got);
  }

  bool skip_head() {
    std::vector<std::string> names;
    int64_t data_begin = 0;
    if (!read_head(scan_.dialect, scan_.head, buffer_.get(), have_, ended_, names, data_begin)) {
      piece_ *= 2;
      return false;
    }
    if (names != scan_.header && !(ended_ && have_ == 0))
      throw invalid("read_csv: file '", file_.path, "' has the header ", shown(names), ", expected ", shown(scan_.header), " as in '", scan_.files[0].path,
                    "'");
    used_ = data_begin, head_ = false;
    return true;
  }

  bool skip_to_row() {
    const char* begin = buffer_.get() + used_;
    const auto* newline = static_cast<const char*>(std::memchr(begin, '\n', static_cast<size_t>(have_ - used_)));
    used_ = newline ? newline + 1 - buffer_.get() : have_;
    find_row_ = !newline && !ended_;
    return !find_row_;
  }

  static std::string shown(const std::vector<std::string>& names) {
    auto few = names;
    if (few.size() > 30) few.resize(30), few.push_back("...");
    return "[" + join(few, ", ") + "]";
  }

  // Of a byte in the buffer its place in the file, of others that of the buffer.
  int64_t place_of(const char* byte) const {
    return byte >= buffer_.get() && byte < buffer_.get() + have_ ? at_ + (byte - buffer_.get()) : at_;
  }

  // "file 'x.csv', line 7": the lines in front are counted only when there is something to say.
  std::string where(int64_t offset) const {
    int64_t line = 1;
    auto stream = open_stream(file_.path, scan_.options, scan_.compression_of_file(range_.file), scan_.dialect.encoding, 0);
    std::vector<char> bytes(1 << 18);
    for (int64_t at = 0; at < offset;) {
      auto n = stream->read(bytes.data(), std::min<int64_t>(1 << 18, offset - at));
      if (n == 0) break;
      line += std::count(bytes.begin(), bytes.begin() + n, '\n'), at += n;
    }
    return concat("file '", file_.path, "', line ", line);
  }

  void refuse(Task& task, const BadRow& bad, int64_t offset) {
    if (bad.fields < 0) {
      auto e = invalid("read_csv: ", where(offset), ": EOF inside string starting in this row; a quote is not closed");
      e.python = "pandas.errors.ParserError";
      throw e;
    }
    if (scan_.dialect.bad_lines == "skip") return;
    auto message = concat("read_csv: ", where(offset), ": Expected ", scan_.width, " fields, saw ", bad.fields);
    if (scan_.dialect.bad_lines == "warn") {
      task.report.warnings.push_back(message + "; the line is skipped");
      return;
    }
    auto e = invalid(message, "; on_bad_lines='skip' leaves such rows out");
    e.python = "pandas.errors.ParserError";
    throw e;
  }

  void make(int64_t rows, Batch& out) {
    out.rows = rows;
    out.columns.clear();
    const Keep keep = keep_both(buffer_, tokenizer_.made());
    for (const auto& texts : rows_.fields) {
      if (rows_.beyond_ascii)
        for (int64_t i = 0; i < rows; ++i)
          if (!valid_utf8(texts[static_cast<size_t>(i)])) undecodable(texts[static_cast<size_t>(i)]);
      Column c;
      c.storage = Storage::text, c.length = rows, c.values = texts.data(), c.keep = keep;
      out.columns.push_back(std::move(c));
    }
    if (scan_.row_ids) {
      Writable ids(Storage::row_id, rows);
      const int64_t first = partition_ << 32 | local_;
      for (int64_t i = 0; i < rows; ++i) ids.as<int64_t>()[i] = first + i;
      out.columns.push_back(std::move(ids).finish());
    }
    local_ += rows;
    if (scan_.paths) out.columns.push_back(spread(constant_of(file_.path, {Storage::text}), rows));
  }

  [[noreturn]] void undecodable(Text t) const {
    auto offset = t.data >= buffer_.get() && t.data < buffer_.get() + have_ ? at_ + (t.data - buffer_.get()) : at_;
    for (int64_t i = 0; i < t.size; ++i)
      if (!valid_utf8({t.data, i + 1}) && (i + 1 == t.size || !valid_utf8({t.data, std::min(t.size, i + 4)}))) { offset += i; break; }
    auto e = invalid("read_csv: ", where(offset), ", near byte ", offset, ": not UTF-8; say what it is, for example encoding='latin-1'");
    throw e;
  }

  const Scan& scan_;
  Range range_;
  int64_t partition_;
  const FileInfo& file_;
  Tokenizer tokenizer_;
  std::unique_ptr<Stream> stream_;
  std::shared_ptr<char> buffer_;
  int64_t piece_, capacity_ = 0;
  int64_t at_ = 0;              // file offset of the buffer's first byte
  int64_t used_ = 0, have_ = 0; // the buffer's bytes [used_, have_) wait to be read
  int64_t local_ = 0;           // rows handed out
  int64_t extra_ = 0;
  bool ended_ = false, done_ = false, find_row_ = false, guesses_ = false, head_ = false, is_as_stored_ = false;
  Rows rows_;
};

class CsvSource : public Source {
 public:
  explicit CsvSource(Scan scan) : scan_(std::move(scan)), first_(first_partitions(scan_)) {}
  std::unique_ptr<Reader> open(Task& task) const override {
    int64_t begin = -1;
    for (auto [partition, known] : scan_.begins)
      if (partition == task.partition()) begin = known;
    return std::make_unique<CsvReader>(scan_, range_of(scan_, first_, task.partition()), task.partition(), begin);
  }

 private:
  Scan scan_;
  std::vector<int64_t> first_;
};

Value integers(const std::vector<int64_t>& v) { return List(v.begin(), v.end()); }
std::vector<int64_t> integers(const Value& v) {
  std::vector<int64_t> out;
  for (const auto& i : v.list()) out.push_back(i.integer());
  return out;
}
}  // namespace

std::string Scan::compression_of_file(size_t file) const { return compression == "infer" ? io::compression_of(files[file].path) : compression; }

int64_t Scan::partitions_of(const FileInfo& file, size_t index) const {
  if (blocksize <= 0 || !compression_of_file(index).empty() || !dialect.encoding.empty() || dialect.escape) return 1;
  return std::max<int64_t>(1, file.size / blocksize);
}

std::vector<int64_t> first_partitions(const Scan& scan) {
  std::vector<int64_t> first{0};
  for (size_t f = 0; f < scan.files.size(); ++f) first.push_back(first.back() + scan.partitions_of(scan.files[f], f));
  return first;
}

Range range_of(const Scan& scan, const std::vector<int64_t>& first, int64_t partition) {
  auto file = static_cast<size_t>(std::upper_bound(first.begin(), first.end(), partition) - first.begin() - 1);
  const int64_t n = first[file + 1] - first[file], k = partition - first[file], size = scan.files[file].size;
  const double each = static_cast<double>(size) / static_cast<double>(n);
  auto offset = [&](int64_t i) { return size % scan.blocksize ? static_cast<int64_t>(each * static_cast<double>(i)) : i * scan.blocksize; };
  if (n == 1) return {file, 0, kEndless};
  return {file, offset(k), k + 1 == n ? kEndless : offset(k + 1)};
}

bool read_head(const Dialect& dialect, const Head& head, const char* data, int64_t size, bool last, std::vector<std::string>& names, int64_t& data_begin) {
  int64_t at = 0, line = 0;
  if (size >= 3 && std::memcmp(data, "\xEF\xBB\xBF", 3) == 0) at = 3;
  auto skip_lines = [&]() {
    while (std::binary_search(head.skip.begin(), head.skip.end(), line)) {
      const auto* newline = static_cast<const char*>(std::memchr(data + at, '\n', static_cast<size_t>(size - at)));
      if (!newline && !last) return false;
      const int64_t end = newline ? newline + 1 - data : size;
      if (dialect.quote && std::count(data + at, data + end, dialect.quote) % 2) throw unsupported("read_csv: skiprows: line ", line, " ends inside of quotes");
      at = end, ++line;
      if (!newline) break;
    }
    return true;
  };
  Tokenizer tokenizer(dialect, 1, {});
  std::vector<Text> fields;
  if (!skip_lines()) return false;
  for (int64_t rows = 0; rows <= head.header && at < size;) {
    data_begin = at;  // where it stands, should the row be refused
    if (!tokenizer.row(data, size, last, at, fields)) return false;
    ++line;
    if (!fields.empty() && rows++ == head.header)
      for (const auto& f : fields) names.emplace_back(f.view());
    if (!skip_lines()) return false;
  }
  if (!head.skip.empty() && head.skip.back() >= line)
    throw unsupported("read_csv: skiprows=", head.skip.back(), " lies behind the first rows of data; only lines around the header can be skipped");
  data_begin = at;
  return true;
}

Value Scan::encode() const {
  List list, known;
  for (const auto& f : files) list.push_back(io::encode(f));
  for (auto [partition, begin] : begins) known.push_back(List{partition, begin});
  return List{list, options, compression, blocksize, dialect.encode(), integers(head.skip), head.header, List(header.begin(), header.end()), width,
              integers(wanted), row_ids, paths, known, reader};
}

Scan Scan::decode(const Value& value) {
  const auto& v = value.list();
  Scan s;
  for (const auto& f : v.at(0).list()) s.files.push_back(decode_file(f));
  s.options = v.at(1).string(), s.compression = v.at(2).string(), s.blocksize = v.at(3).integer(), s.dialect = Dialect::decode(v.at(4));
  s.head = {integers(v.at(5)), v.at(6).integer()};
  for (const auto& h : v.at(7).list()) s.header.push_back(h.string());
  s.width = v.at(8).integer(), s.wanted = integers(v.at(9)), s.row_ids = v.at(10).boolean(), s.paths = v.at(11).boolean();
  for (const auto& b : v.at(12).list()) s.begins.emplace_back(b.list().at(0).integer(), b.list().at(1).integer());
  s.reader = v.at(13);
  return s;
}

Kernel scan_kernel() {
  return {.name = "csv.scan", .source = [](const Args& a) -> std::unique_ptr<Source> { return std::make_unique<CsvSource>(Scan::decode(a)); }};
}

}  // namespace muster::io::csv
