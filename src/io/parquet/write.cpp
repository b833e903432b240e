// Rows, footer and statistics in one pass; whoever calls writes where nobody looks yet (io/staged_folder.hpp). Statistics are left out where their order is
// not that of the values.
#include "io/parquet/write.hpp"

#include <fcntl.h>
#include <snappy.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <optional>
#include <unordered_map>

#include "base/error.hpp"
#include "data/dispatch.hpp"
#include "io/parquet/metadata.hpp"
#include "io/parquet/thrift.hpp"

namespace muster::io::parquet {
using namespace base;
using namespace data;
namespace {
using Type = Compact::Type;

constexpr size_t kPageBytes = 1 << 20;
constexpr int64_t kPageRows = 64 << 10;
constexpr size_t kMostTexts = 1 << 15;   // of a dictionary

// The other direction of `Compact`.
class CompactWriter {
 public:
  std::string bytes;
  void varint(uint64_t v) {
    for (; v >= 128; v >>= 7) bytes += static_cast<char>(v | 128);
    bytes += static_cast<char>(v);
  }
  void zigzag(int64_t v) { varint((static_cast<uint64_t>(v) << 1) ^ static_cast<uint64_t>(v >> 63)); }
  void field(int id, Type type) {
    const int step = id - last_;
    if (step > 0 && step < 16) bytes += static_cast<char>(step << 4 | type);
    else bytes += static_cast<char>(type), zigzag(id);
    last_ = id;
  }
  void i32(int id, int64_t v) { field(id, Type::i32), zigzag(v); }
  void i64(int id, int64_t v) { field(id, Type::i64), zigzag(v); }
  void flag(int id, bool v) { field(id, v ? Type::yes : Type::no); }
  void text(std::string_view v) { varint(v.size()), bytes += v; }
  void text(int id, std::string_view v) { field(id, Type::binary), text(v); }
  void list(int id, size_t n, Type of) {
    field(id, Type::list);
    if (n < 15) bytes += static_cast<char>(n << 4 | of);
    else bytes += static_cast<char>(0xF0 | of), varint(n);
  }
  /// A structure as a field, or (id 0) as an element of a list.
  template <class F>
  void structure(int id, F f) {
    if (id) field(id, Type::structure);
    const int outer = std::exchange(last_, 0);
    f();
    bytes += '\0';
    last_ = outer;
  }

 private:
  int last_ = 0;
};

Physical physical_of(DType t) {
  switch (t.storage) {
    case Storage::boolean: return Physical::boolean;
    case Storage::float32: return Physical::float32;
    case Storage::float64: return Physical::float64;
    case Storage::text: return Physical::bytes;
    case Storage::int64: case Storage::uint64: return Physical::int64;
    case Storage::timestamp: return Physical::int64;
    case Storage::duration: case Storage::object: case Storage::row_id: break;
    default: return Physical::int32;
  }
  throw unsupported("to_parquet: a column of ", t.name());
}

void schema_element(CompactWriter& out, const Field& field) {
  const DType t = field.type;
  out.structure(0, [&] {
    out.i32(1, static_cast<int>(physical_of(t)));
    out.i32(3, 1);  // optional
    out.text(4, field.label.label());
    if (t.is_text()) {
      out.i32(6, 0);
      out.structure(10, [&] { out.structure(1, [] {}); });
    } else if (t.is_integer()) {
      const int bits = 8 * width(t.storage), step = bits == 8 ? 0 : bits == 16 ? 1 : bits == 32 ? 2 : 3;
      out.i32(6, (t.is_signed() ? 15 : 11) + step);
      out.structure(10, [&] { out.structure(10, [&] { out.field(1, Type::i8), out.bytes += static_cast<char>(bits), out.flag(2, t.is_signed()); }); });
    } else if (t.storage == Storage::timestamp) {
      out.structure(10, [&] {
        out.structure(8, [&] { out.flag(1, false), out.structure(2, [&] { out.structure(t.unit == Unit::ns ? 3 : t.unit == Unit::us ? 2 : 1, [] {}); }); });
      });
    }
  });
}

// Bits in runs of the hybrid encoding: equal values as a run, others packed.
std::string levels(const uint8_t* present, int64_t n) {
  CompactWriter out;
  for (int64_t i = 0; i < n;) {
    int64_t run = 1;
    while (i + run < n && present[i + run] == present[i]) ++run;
    if (run >= 16 || i + run == n) {
      out.varint(static_cast<uint64_t>(run) << 1), out.bytes += static_cast<char>(present[i]);
      i += run;
      continue;
    }
    // Groups of eight, up to where the next long run begins.
    int64_t end = i;
    while (end < n) {
      int64_t equal = 1;
      while (end + equal < n && equal < 16 && present[end + equal] == present[end]) ++equal;
      if (equal >= 16 && (end - i) % 8 == 0) break;
      ++end;
    }
    const int64_t groups = (end - i + 7) / 8;
    out.varint(static_cast<uint64_t>(groups) << 1 | 1);
    for (int64_t g = 0; g < groups; ++g) {
      int byte = 0;
      for (int64_t k = i + 8 * g; k < std::min(end, i + 8 * g + 8); ++k) byte |= present[k] << (k - i - 8 * g);
      out.bytes += static_cast<char>(byte);
    }
    i = end;
  }
  return out.bytes;
}

// Dictionary codes: the bit width, then all packed in groups of eight.
std::string packed_codes(const std::vector<uint32_t>& codes, uint32_t distinct) {
  int bits = 0;
  while (bits < 32 && (uint64_t{1} << bits) < distinct) ++bits;
  CompactWriter out;
  out.bytes += static_cast<char>(bits);
  const size_t groups = (codes.size() + 7) / 8;
  out.varint(groups << 1 | 1);
  uint64_t pending = 0;
  int have = 0;
  for (size_t i = 0; i < groups * 8; ++i) {
    pending |= static_cast<uint64_t>(i < codes.size() ? codes[i] : 0) << have, have += bits;
    for (; have >= 8; have -= 8, pending >>= 8) out.bytes += static_cast<char>(pending);
  }
  return out.bytes;
}

void append_text(std::string& out, std::string_view text) {
  const auto size = static_cast<uint32_t>(text.size());
  out.append(reinterpret_cast<const char*>(&size), 4), out += text;
}

// Whether the order that the statistics of this dtype stand for is the order of `a < b` here.
template <class T>
bool usable(T v) {
  if constexpr (std::is_floating_point_v<T>) return !std::isnan(v);
  return true;
}

class FileWriter {
 public:
  FileWriter(const std::string& path, const std::string& name, const std::vector<Field>& fields, Compression compression)
      : path_(path), name_(name), fields_(fields), compression_(compression) {
    file_ = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file_ < 0) fail("cannot be written");
  }
  ~FileWriter() {
    if (file_ < 0) return;
    close(file_);
    unlink(path_.c_str());
  }
  FileWriter(const FileWriter&) = delete;

  void run(const Batches& rows) {
    put("PAR1");
    for (const auto& b : rows)
      if (b.rows) row_group(b);
    footer();
    if (fsync(file_) && errno != EINVAL) fail("cannot be written");
    close(std::exchange(file_, -1));
  }

 private:
  struct Written {
    int64_t values = 0, dictionary = -1, data = 0, uncompressed = 0, compressed = 0, nulls = 0;
    std::optional<std::string> min, max;
  };
  struct Group {
    int64_t rows = 0;
    std::vector<Written> columns;
  };

  [[noreturn]] void fail(const char* what) { throw io_error("file '", name_, "' ", what, ": ", std::strerror(errno)); }
  void put(std::string_view bytes) {
    at_ += static_cast<int64_t>(bytes.size());
    while (!bytes.empty()) {
      const auto n = ::write(file_, bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) fail("cannot be written");
      bytes.remove_prefix(static_cast<size_t>(n));
    }
  }
  std::string compressed(const std::string& page) {
    std::string out;
    if (compression_ == Compression::none) return page;
    if (compression_ == Compression::snappy) {
      snappy::Compress(page.data(), page.size(), &out);
      return out;
    }
    out.resize(ZSTD_compressBound(page.size()));
    const size_t n = ZSTD_compress(out.data(), out.size(), page.data(), page.size(), 1);
    if (ZSTD_isError(n)) throw internal("zstd: ", ZSTD_getErrorName(n));
    out.resize(n);
    return out;
  }
  // `about` writes what the header says of the page's kind.
  template <class F>
  void page(Written& w, int kind, const std::string& content, F about) {
    const std::string bytes = compressed(content);
    CompactWriter head;
    head.structure(0, [&] {
      head.i32(1, kind), head.i32(2, static_cast<int64_t>(content.size())), head.i32(3, static_cast<int64_t>(bytes.size()));
      about(head);
    });
    w.uncompressed += static_cast<int64_t>(head.bytes.size() + content.size()), w.compressed += static_cast<int64_t>(head.bytes.size() + bytes.size());
    put(head.bytes), put(bytes);
  }
  void data_page(Written& w, const uint8_t* present, int64_t rows, const std::string& values, int encoding) {
    const std::string level = levels(present, rows);
    std::string content;
    append_text(content, level);
    content += values;
    page(w, 0, content, [&](CompactWriter& head) { head.structure(5, [&] { head.i32(1, rows), head.i32(2, encoding), head.i32(3, 3), head.i32(4, 3); }); });
    w.values += rows;
  }

  void row_group(const Batch& b) {
    Group g{b.rows, {}};
    for (size_t c = 0; c < fields_.size(); ++c) g.columns.push_back(column(spread(b.columns[c], b.rows), b.rows));
    groups_.push_back(std::move(g));
  }

  Written column(const Column& c, int64_t rows) {
    Written w;
    std::vector<uint8_t> present(static_cast<size_t>(rows));
    for (int64_t i = 0; i < rows; ++i) w.nulls += !(present[static_cast<size_t>(i)] = !c.is_missing(i));
    w.data = at_;
    if (c.storage == Storage::text) texts(w, c, rows, present.data());
    else visit_fixed(c.storage, [&](auto tag) { numbers<typename decltype(tag)::type>(w, c, rows, present.data()); });
    return w;
  }

  template <class T>
  void numbers(Written& w, const Column& c, int64_t rows, const uint8_t* present) {
    using Kept = std::conditional_t<std::is_integral_v<T> && sizeof(T) < 4, std::conditional_t<std::is_signed_v<T>, int32_t, uint32_t>, T>;
    const T* x = c.as<T>();
    bool any = false, ordered = true;
    T low{}, high{};
    for (int64_t i = 0; i < rows; ++i) {
      if (!present[i]) continue;
      ordered &= usable(x[i]);
      low = any ? std::min(low, x[i]) : x[i], high = any ? std::max(high, x[i]) : x[i], any = true;
    }
    if (any && ordered) {
      auto plain = [&](T v) {
        const Kept kept = static_cast<Kept>(v);
        return c.storage == Storage::boolean ? std::string(1, static_cast<char>(v)) : std::string(reinterpret_cast<const char*>(&kept), sizeof kept);
      };
      if constexpr (std::is_floating_point_v<T>) low = low == 0 ? T(-0.0) : low, high = high == 0 ? T(0.0) : high;  // the format's rule
      w.min = plain(low), w.max = plain(high);
    }
    for (int64_t begin = 0; begin < rows; begin += kPageRows) {
      const int64_t end = std::min(rows, begin + kPageRows);
      std::string values;
      if (c.storage == Storage::boolean) {
        int bit = 0;
        for (int64_t i = begin; i < end; ++i) {
          if (!present[i]) continue;
          if (bit == 0) values += '\0';
          values.back() = static_cast<char>(values.back() | (x[i] ? 1 << bit : 0)), bit = (bit + 1) % 8;
        }
      } else {
        values.reserve(static_cast<size_t>(end - begin) * sizeof(Kept));
        for (int64_t i = begin; i < end; ++i) {
          const Kept v = static_cast<Kept>(x[i]);
          if (present[i]) values.append(reinterpret_cast<const char*>(&v), sizeof v);
        }
      }
      data_page(w, present + begin, end - begin, values, 0);
    }
  }

  void texts(Written& w, const Column& c, int64_t rows, const uint8_t* present) {
    const Text* x = c.as<Text>();
    std::unordered_map<std::string_view, uint32_t> codes;
    std::string dictionary;
    std::vector<uint32_t> code(static_cast<size_t>(rows));
    bool few = true;
    std::optional<std::string_view> low, high;
    for (int64_t i = 0; i < rows && few; ++i) {
      if (!present[i]) continue;
      auto [at, fresh] = codes.try_emplace(x[i].view(), static_cast<uint32_t>(codes.size()));
      if (fresh) append_text(dictionary, x[i].view());
      code[static_cast<size_t>(i)] = at->second;
      few = codes.size() <= kMostTexts && (i < 4096 || codes.size() < static_cast<size_t>(i) / 2) && dictionary.size() < kPageBytes;
    }
    for (int64_t i = 0; i < rows; ++i) {
      if (!present[i]) continue;
      if (!low || x[i].view() < *low) low = x[i].view();
      if (!high || x[i].view() > *high) high = x[i].view();
    }
    if (low && low->size() <= 64 && high->size() <= 64) w.min = std::string(*low), w.max = std::string(*high);
    if (few && !codes.empty()) {
      w.dictionary = at_;
      page(w, 2, dictionary, [&](CompactWriter& head) { head.structure(7, [&] { head.i32(1, static_cast<int64_t>(codes.size())), head.i32(2, 0); }); });
      w.data = at_;
    }
    for (int64_t begin = 0; begin < rows;) {
      std::string values;
      std::vector<uint32_t> page_codes;
      int64_t end = begin;
      for (; end < rows && end - begin < kPageRows && values.size() < kPageBytes; ++end) {
        if (!present[end]) continue;
        if (w.dictionary >= 0) page_codes.push_back(code[static_cast<size_t>(end)]);
        else append_text(values, x[end].view());
      }
      if (w.dictionary >= 0) values = packed_codes(page_codes, static_cast<uint32_t>(codes.size()));
      data_page(w, present + begin, end - begin, values, w.dictionary >= 0 ? 8 : 0);
      begin = end;
    }
  }

  void footer() {
    CompactWriter out;
    int64_t rows = 0;
    for (const auto& g : groups_) rows += g.rows;
    out.structure(0, [&] {
      out.i32(1, 2);
      out.list(2, fields_.size() + 1, Type::structure);
      out.structure(0, [&] { out.text(4, "schema"), out.i32(5, static_cast<int64_t>(fields_.size())); });
      for (const auto& f : fields_) schema_element(out, f);
      out.i64(3, rows);
      out.list(4, groups_.size(), Type::structure);
      for (const auto& g : groups_) row_group(out, g);
      out.text(6, "muster");
      out.list(7, fields_.size(), Type::structure);  // columns are ordered as their dtype is
      for (size_t i = 0; i < fields_.size(); ++i) out.structure(0, [&] { out.structure(1, [] {}); });
    });
    const auto size = static_cast<uint32_t>(out.bytes.size());
    out.bytes.append(reinterpret_cast<const char*>(&size), 4), out.bytes += "PAR1";
    put(out.bytes);
  }
  void row_group(CompactWriter& out, const Group& g) {
    int64_t total = 0, compressed = 0;
    for (const auto& w : g.columns) total += w.uncompressed, compressed += w.compressed;
    out.structure(0, [&] {
      out.list(1, g.columns.size(), Type::structure);
      for (size_t c = 0; c < g.columns.size(); ++c) chunk(out, fields_[c], g.columns[c]);
      out.i64(2, total), out.i64(3, g.rows), out.i64(6, compressed);
    });
  }
  void chunk(CompactWriter& out, const Field& f, const Written& w) {
    out.structure(0, [&] {
      out.i64(2, w.dictionary >= 0 ? w.dictionary : w.data);
      out.structure(3, [&] {
        out.i32(1, static_cast<int>(physical_of(f.type)));
        out.list(2, 3, Type::i32), out.zigzag(0), out.zigzag(3), out.zigzag(8);
        out.list(3, 1, Type::binary), out.text(f.label.label());
        out.i32(4, compression_ == Compression::none ? 0 : compression_ == Compression::snappy ? 1 : 6);
        out.i64(5, w.values), out.i64(6, w.uncompressed), out.i64(7, w.compressed), out.i64(9, w.data);
        if (w.dictionary >= 0) out.i64(11, w.dictionary);
        out.structure(12, [&] {
          out.i64(3, w.nulls);
          if (w.max) out.text(5, *w.max), out.text(6, *w.min);
        });
      });
    });
  }

  std::string path_, name_;
  const std::vector<Field>& fields_;
  Compression compression_;
  int file_ = -1;
  int64_t at_ = 0;
  std::vector<Group> groups_;
};
}  // namespace

void write_file(const std::string& path, const std::string& name, const std::vector<Field>& fields, const Batches& rows, Compression compression) {
  for (const auto& f : fields) physical_of(f.type);
  FileWriter(path, name, fields, compression).run(rows);
}

}  // namespace muster::io::parquet
