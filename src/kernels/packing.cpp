// A column of a range never moves once it lies there: batches handed out point into it. What does not fit, or is large already, stays as it is.
#include "kernels/packing.hpp"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "base/copy.hpp"
#include "base/error.hpp"
#include "data/pages.hpp"

namespace muster::kernels {
using namespace base;
using namespace data;
namespace {
constexpr int64_t kSpare = 64 << 10;      // bytes of a page: texts may be longer than those before, and values be missing
constexpr int64_t kFewBytes = 1 << 20;    // a range is made for more than these
constexpr int64_t kLargeBatch = 2 << 20;  // stays as it is
constexpr int64_t kLine = 64;

int64_t aligned(int64_t bytes) { return (bytes + kLine - 1) / kLine * kLine; }
bool has_flags(Storage s) { return s != Storage::text && s != Storage::float32 && s != Storage::float64; }

Column copied(const Column& c) {
  if (c.storage == Storage::text) {
    Column text = c;
    text.text_kept = false;
    return own_text(text);
  }
  Writable values(c.storage, c.length);
  copy_bytes(values.as<char>(), c.values, c.length * width(c.storage));
  if (c.valid) std::memcpy(values.valid(), c.valid, static_cast<size_t>(c.length));
  Column out = std::move(values).finish();
  out.constant = c.constant, out.foreign = c.foreign;
  return out;
}

// Text that nobody writes over is shared, with its dictionary; objects are places in somebody else's memory.
bool can_pack(const Column& c) { return !c.constant && c.storage != Storage::object && !(c.storage == Storage::text && (c.text_kept || c.codes)); }
}  // namespace

// Columns of up to `most` rows, one behind the other, and their texts behind these.
struct Packing::Range {
  struct Place {
    Storage storage;
    char* values;
    uint8_t* valid;
    bool flagged = false;  // some value had a flag
  };
  Range(std::span<const Column> columns, int64_t rows, int64_t text) : most(rows) {
    int64_t bytes = 2 * kLine + aligned(text);
    for (const auto& c : columns) bytes += aligned(rows * width(c.storage)) + (has_flags(c.storage) ? aligned(rows) : 0);
    const int64_t pages = (bytes + kPageBytes - 1) / kPageBytes;
    memory = reserve_pages(pages);
    if (!memory) throw Error(ErrorKind::memory, concat("cannot allocate ", bytes, " bytes"));
    move_pages_under(memory.get(), pages);
    char* at = memory.get() + kLine;
    for (const auto& c : columns) places.push_back({c.storage, std::exchange(at, at + aligned(rows * width(c.storage))), nullptr});
    next_text = std::exchange(at, at + aligned(text)), end_text = at;
    for (auto& p : places)
      if (has_flags(p.storage)) p.valid = reinterpret_cast<uint8_t*>(std::exchange(at, at + aligned(rows)));
  }
  bool takes(int64_t n, int64_t text) const { return n <= most - count && text <= end_text - next_text; }
  void put(std::span<const Column> columns, int64_t n) {
    for (size_t i = 0; i < places.size(); ++i) columns[i].storage == Storage::text ? put_text(columns[i], places[i], n) : put_fixed(columns[i], places[i], n);
    count += n;
  }
  void put_text(const Column& c, const Place& p, int64_t n) {
    auto* to = reinterpret_cast<Text*>(p.values) + count;
    for (int64_t i = 0; i < n; ++i) {
      const Text t = c.as<Text>()[i];
      to[i] = {t.data ? next_text : nullptr, t.size};
      if (t.size) std::memcpy(next_text, t.data, static_cast<size_t>(t.size)), next_text += t.size;
    }
  }
  void put_fixed(const Column& c, Place& p, int64_t n) {
    const int64_t size = width(c.storage);
    copy_bytes(p.values + count * size, c.values, n * size);
    if (c.valid && !std::exchange(p.flagged, true)) std::memset(p.valid, 1, static_cast<size_t>(count));
    if (c.valid) std::memcpy(p.valid + count, c.valid, static_cast<size_t>(n));
    else if (p.flagged) std::memset(p.valid + count, 1, static_cast<size_t>(n));
  }
  Batch batch() const {
    Batch out{count, {}};
    for (const auto& p : places) {
      Column c;
      c.storage = p.storage, c.length = count, c.values = p.values, c.keep = memory;
      c.valid = p.flagged ? p.valid : nullptr, c.text_kept = p.storage == Storage::text;
      out.columns.push_back(std::move(c));
    }
    return out;
  }

  std::shared_ptr<char> memory;
  std::vector<Place> places;
  char *next_text = nullptr, *end_text = nullptr;
  int64_t count = 0, most;
};

Column leave_dictionary(Column c) {
  c.codes = nullptr, c.dictionary = nullptr, c.text_kept = false;
  return own_text(c);
}

int64_t Packing::add(std::span<const Column> columns, int64_t rows) {
  if (rows == 0 && (range_ || !rows_.empty())) return 0;  // one that is empty says what the columns are
  int64_t text = 0, bytes = 0;
  bool packs = rows > 0 && !columns.empty();
  for (size_t i = 0; packs && i < columns.size(); ++i) {
    const Column& c = columns[i];
    packs = can_pack(c) && (!range_ || range_->places[i].storage == c.storage);
    bytes += rows * (width(c.storage) + (c.valid != nullptr));
    if (c.storage == Storage::text)
      for (int64_t r = 0; r < rows; ++r) text += c.as<Text>()[r].size;
  }
  bytes += text;
  if (!packs || bytes >= kLargeBatch) {
    close();
    seen_rows_ = seen_bytes_ = seen_text_ = 0;
    keep(columns, rows);
    return size_of(rows_.back());
  }
  seen_rows_ += rows, seen_bytes_ += bytes, seen_text_ += text;
  if (range_ && !range_->takes(rows, text)) close();
  if (!range_ && seen_bytes_ <= kFewBytes) {
    keep(columns, rows);
    ++loose_;
    return bytes;
  }
  if (!range_) open(columns, rows, text);
  range_->put(columns, rows);
  return bytes;
}

Batches Packing::take() {
  close();
  leave_dictionaries();
  leave_objects();
  return std::move(rows_);
}

// Columns of an object that came from elsewhere keep all of it.
void Packing::leave_objects() {
  std::unordered_map<const void*, int64_t> used;  // by what is kept: bytes
  const auto each = [&](auto f) {
    for (auto& b : rows_)
      for (auto& c : b.columns)
        if (c.kept_bytes) f(c, used[(c.storage == Storage::text ? c.text_keep() : c.keep).get()]);
  };
  each([](const Column& c, int64_t& bytes) { bytes += size_of({c.length, {c}}); });
  each([](Column& c, int64_t bytes) {
    if (bytes < c.kept_bytes / 2) c = copied(c);
  });
}

void Packing::leave_dictionaries() {
  std::unordered_map<const Dictionary*, int64_t> used;  // by rows
  for (const auto& b : rows_)
    for (const auto& c : b.columns)
      if (c.codes) used[c.dictionary.get()] += b.rows;
  std::unordered_set<const Dictionary*> left;
  for (const auto& [dictionary, rows] : used) {
    if (rows < static_cast<int64_t>(dictionary->texts.size())) left.insert(dictionary);
    else for (const auto& t : dictionary->texts) behind_ += width(Storage::text) + t.size;
  }
  if (left.empty()) return;
  for (auto& b : rows_)
    for (auto& c : b.columns) {
      if (!c.codes || !left.contains(c.dictionary.get())) continue;
      const int64_t with_codes = size_of({b.rows, {c}});
      c = leave_dictionary(c);
      behind_ += size_of({b.rows, {c}}) - with_codes;
    }
}

void Packing::keep(std::span<const Column> columns, int64_t rows) {
  Batch& kept = rows_.emplace_back(Batch{rows, {}});
  for (const auto& c : columns) kept.columns.push_back(own_text(spread(c, rows)));
}

// For these rows, those that wait, and as many more of their kind as there is room for in a page or two.
void Packing::open(std::span<const Column> columns, int64_t rows, int64_t text) {
  const std::vector<Batch> waiting(std::make_move_iterator(rows_.end() - static_cast<std::ptrdiff_t>(loose_)), std::make_move_iterator(rows_.end()));
  rows_.resize(rows_.size() - std::exchange(loose_, 0));
  int64_t least = rows, least_text = text;
  for (const auto& b : waiting) {
    least += b.rows;
    for (const auto& c : b.columns)
      if (c.storage == Storage::text)
        for (int64_t i = 0; i < b.rows; ++i) least_text += c.as<Text>()[i].size;
  }
  const int64_t pages = seen_bytes_ < 2 * kPageBytes ? 1 : 2;
  const int64_t most = std::max(least, pages * (kPageBytes - kSpare) / std::max<int64_t>(1, seen_bytes_ / seen_rows_));
  range_ = std::make_shared<Range>(columns, most, std::max(least_text, most * (seen_text_ / seen_rows_ + 1) / 16 * 17));
  for (const auto& b : waiting) range_->put(b.columns, b.rows);
}

void Packing::close() {
  loose_ = 0;
  if (range_) rows_.push_back(range_->batch());
  range_ = nullptr;
}

}  // namespace muster::kernels
