// Parts are given up as they are copied, so that a result needs little more than its own memory. Whoever gets it may write into it: nothing of it is shared
// with a source or a stored result.
#include "api/gather.hpp"

#include <algorithm>
#include <atomic>
#include <optional>

#include "base/copy.hpp"
#include "base/error.hpp"
#include "base/side_by_side.hpp"
#include "data/dispatch.hpp"
#include "data/pages.hpp"
#include "worker/store.hpp"

namespace muster::api {
using namespace base;
using namespace data;
namespace {
constexpr int64_t kGrain = 8 << 20;  // bytes that are worth a thread
constexpr int64_t kPadding = 64;     // bytes at both ends, as all columns have them

// Memory that is written from its front, or from several places on, each to where the next begins. Large memory gets pages only then.
class Piece {
 public:
  explicit Piece(int64_t bytes) : bytes_(bytes), paged_(bytes >= 2 * kPageBytes) {
    if (!paged_) {
      memory_ = allocate(bytes);
      return;
    }
    const auto pages = reserve_pages((bytes + 2 * kPadding + kPageBytes - 1) / kPageBytes);
    if (!pages) throw Error(ErrorKind::memory, concat("cannot allocate ", bytes, " bytes"));
    memory_ = {pages, pages.get() + kPadding};
  }
  const std::shared_ptr<char>& memory() const { return memory_; }

  class Cursor {
   public:
    Cursor(const Piece& piece, int64_t begin, int64_t end, bool first, bool last) : at_(piece.memory_.get() + begin) {
      if (!piece.paged_) return;
      // Pages at borders with others are touched by both.
      const auto page_behind = [](char* p) { return p + (kPageBytes - static_cast<int64_t>(reinterpret_cast<uintptr_t>(p) % kPageBytes)) % kPageBytes; };
      char* front = piece.memory_.get() - kPadding;
      next_ = first ? front : page_behind(at_);
      end_ = last ? page_behind(piece.memory_.get() + piece.bytes_ + kPadding) : piece.memory_.get() + end;
    }
    /// Room for `bytes` more, which are written before the next call.
    char* take(int64_t bytes) {
      char* taken = std::exchange(at_, at_ + bytes);
      if (end_ && next_ < at_) {
        const int64_t wanted = (at_ - next_ + kPageBytes - 1) / kPageBytes, whole = std::max<int64_t>(0, (end_ - next_) / kPageBytes);
        if (const int64_t pages = std::min(wanted, whole)) move_pages_under(next_, pages);
        next_ += wanted * kPageBytes;
      }
      return taken;
    }

   private:
    char *at_, *next_ = nullptr, *end_ = nullptr;  // the next page that has no memory yet, and where they end
  };

 private:
  int64_t bytes_;
  bool paged_;
  std::shared_ptr<char> memory_;
};

bool is_flagged(Storage s) { return s != Storage::text && s != Storage::object && s != Storage::float32 && s != Storage::float64; }

// A column on its way into one piece.
struct Target {
  size_t column;
  Storage storage;
  std::vector<int64_t> text_before;  // by part, and in all
  std::vector<char> gaps;            // of text, by part: something is missing
  std::optional<Piece> values, text;
  std::shared_ptr<char> flags;       // bytes of fixed widths, bits of text
};

void measure(const Batches& parts, Target& to) {
  to.text_before.assign(parts.size() + 1, 0), to.gaps.assign(parts.size(), 0);
  side_by_side(static_cast<int64_t>(parts.size()), 16, [&](int64_t from, int64_t end) {
    for (auto p = static_cast<size_t>(from); p < static_cast<size_t>(end); ++p) {
      const Column& part = parts[p].columns[to.column];
      const Text* texts = part.as<Text>();
      int64_t bytes = 0;
      bool gap = false;
      for (int64_t i = 0; i < (part.constant ? std::min<int64_t>(1, parts[p].rows) : parts[p].rows); ++i) bytes += texts[i].size, gap |= !texts[i].data;
      to.text_before[p + 1] = part.constant ? bytes * parts[p].rows : bytes, to.gaps[p] = gap;
    }
  });
  for (size_t p = 0; p < parts.size(); ++p) to.text_before[p + 1] += to.text_before[p];
}

void put_text(const Column& c, int64_t* offsets, char* bytes, int64_t end) {
  for (int64_t i = 0; i < c.length; ++i) {
    const Text& t = c.as<Text>()[i];
    if (t.size) std::memcpy(bytes, t.data, static_cast<size_t>(t.size)), bytes += t.size;
    offsets[i] = end += t.size;
  }
}

// Clears the bits of what is missing; bytes at the borders are others' too.
void put_gaps(const Column& c, int64_t row, char* bits) {
  for (int64_t i = 0; i < c.length; ++i, ++row)
    if (!c.as<Text>()[i].data) std::atomic_ref(bits[row >> 3]).fetch_and(static_cast<char>(~(1 << (row & 7))));
}

// Copies parts [from, end), and gives them up.
void put(Batches& parts, const std::vector<int64_t>& row_of, const std::vector<Target>& targets, const Finish& finish, size_t from, size_t end) {
  std::vector<Piece::Cursor> values, texts;
  for (const auto& t : targets) {
    const bool text = t.storage == Storage::text;
    const int64_t size = text ? 8 : width(t.storage), before = text ? 8 : 0;  // the first offset
    values.emplace_back(*t.values, from ? before + row_of[from] * size : 0, before + row_of[end] * size, from == 0, end == parts.size());
    if (text && from == 0) std::memset(values.back().take(before), 0, 8);
    texts.emplace_back(text ? *t.text : *t.values, text ? t.text_before[from] : 0, text ? t.text_before[end] : 0, from == 0, end == parts.size());
  }
  for (size_t p = from; p < end; ++p) {
    const Batch part = std::move(parts[p]);
    for (size_t i = 0; i < targets.size(); ++i) {
      const auto& t = targets[i];
      const Column column = finish(t.column, part.columns[t.column], part.rows);
      if (column.storage != t.storage) throw internal("gather: a column of ", DType{column.storage}.name(), " among ", DType{t.storage}.name());
      if (t.storage == Storage::text) {
        put_text(column, reinterpret_cast<int64_t*>(values[i].take(part.rows * 8)), texts[i].take(t.text_before[p + 1] - t.text_before[p]), t.text_before[p]);
        if (t.gaps[p]) put_gaps(column, row_of[p], t.flags.get());
        continue;
      }
      const int64_t bytes = part.rows * width(t.storage);
      copy_bytes(values[i].take(bytes), column.values, bytes);
      if (column.valid) std::memcpy(t.flags.get() + row_of[p], column.valid, static_cast<size_t>(part.rows));
      else if (t.flags) std::memset(t.flags.get() + row_of[p], 1, static_cast<size_t>(part.rows));
    }
  }
}

std::shared_ptr<const uint8_t> bytes_of(const std::shared_ptr<char>& memory) { return {memory, reinterpret_cast<const uint8_t*>(memory.get())}; }

void hand_over(const Target& t, int64_t rows, Gathered& out) {
  const auto& memory = t.values->memory();
  auto& column = out.values;
  column.storage = t.storage, column.length = rows;
  if (t.storage == Storage::text) {
    out.offsets = {memory, reinterpret_cast<const int64_t*>(memory.get())};
    out.bytes = bytes_of(t.text->memory()), out.text_bytes = t.text_before.back();
    if (t.flags) out.bitmap = bytes_of(t.flags);
    return;
  }
  column.values = memory.get(), column.keep = keep_both(memory, t.flags);
  if (t.flags) column.valid = reinterpret_cast<const uint8_t*>(t.flags.get());
}

std::vector<DType> types_of(const Schema& schema) {
  std::vector<DType> types;
  for (const auto* fields : {&schema.index, &schema.columns})
    for (const auto& f : *fields) types.push_back(f.type);
  return types;
}

// The parts of one column are given up.
Column joined(Batches& parts, size_t c, Storage storage, const Finish& finish) {
  std::vector<Column> columns;
  for (auto& p : parts) columns.push_back(finish(c, std::exchange(p.columns[c], {}), p.rows));
  return columns.empty() ? Writable(storage, 0).finish() : concatenate(columns);
}
}  // namespace

std::vector<Gathered> gather(Batches parts, const Schema& schema, const Finish& finish) {
  const auto types = types_of(schema);
  std::vector<Gathered> out(types.size());
  for (size_t c = 0; c < types.size(); ++c)
    if (types[c].is_object()) out[c].values = joined(parts, c, Storage::object, finish);  // places in what Python holds; categories count without rows, too
  std::erase_if(parts, [](const Batch& b) { return b.rows == 0; });
  std::vector<int64_t> row_of{0};
  for (const auto& p : parts) row_of.push_back(row_of.back() + p.rows);
  const int64_t rows = row_of.back();
  std::vector<Target> targets;
  int64_t bytes = 0;
  for (size_t c = 0; c < types.size(); ++c) {
    if (types[c].is_object()) continue;
    const Storage storage = parts.empty() ? types[c].storage : finish(c, slice(parts[0].columns[c], 0, 0), 0).storage;
    const bool text = storage == Storage::text;
    if (parts.size() == 1 && !text) {  // nothing to copy
      out[c].values = joined(parts, c, storage, finish);
      continue;
    }
    auto& t = targets.emplace_back(Target{c, storage, {}, {}, {}, {}, {}});
    const auto missing = [&](const Batch& b) { return b.columns[c].valid != nullptr; };
    if (text) {
      measure(parts, t);
      t.values.emplace((rows + 1) * 8), t.text.emplace(t.text_before.back());
      if (rows == 0) std::memset(t.values->memory().get(), 0, 8);
      if (std::find(t.gaps.begin(), t.gaps.end(), 1) != t.gaps.end()) {
        t.flags = allocate((rows + 7) / 8);
        std::memset(t.flags.get(), 0xFF, static_cast<size_t>((rows + 7) / 8));
      }
    } else {
      t.values.emplace(rows * width(storage));
      if (is_flagged(storage) && std::any_of(parts.begin(), parts.end(), missing)) t.flags = allocate(rows);
    }
    bytes += rows * (text ? 8 : width(storage)) + (text ? t.text_before.back() : 0);
  }
  const auto count = static_cast<int64_t>(parts.size());
  side_by_side(count, std::max<int64_t>(1, bytes ? count * kGrain / bytes : count),
               [&](int64_t from, int64_t end) { put(parts, row_of, targets, finish, static_cast<size_t>(from), static_cast<size_t>(end)); });
  for (const auto& t : targets) hand_over(t, rows, out[t.column]);
  return out;
}

// Who gets a result may write into it: what a source, or a stored result, has too is copied, and what is little of an object that it would keep.
void own(Column& column) {
  const bool alone = column.keep.use_count() == 1 && column.kept_bytes / 2 <= column.length * width(column.storage);
  if (column.storage == Storage::object || column.length == 0 || alone) return;
  const Column given = spread(column, column.length);
  Writable copy(given.storage, given.length);
  visit_fixed(given.storage, [&](auto tag) {
    std::memcpy(copy.as<typename decltype(tag)::type>(), given.values, static_cast<size_t>(given.length) * sizeof(typename decltype(tag)::type));
  });
  if (given.valid) std::memcpy(copy.valid(), given.valid, static_cast<size_t>(given.length));
  column = std::move(copy).finish();
}

std::vector<Gathered> gather(Computed& result) {
  auto out = gather(std::move(result.parts), result.schema, result.finish);
  for (auto& g : out)
    if (!g.offsets) own(g.values);
  int64_t bytes = 0;
  for (const auto& g : out) bytes += g.text_bytes + g.values.length * width(g.values.storage);
  worker::budget().make_room(bytes);  // and the parts are gone
  return out;
}

Batch rows_of(Computed& result) {
  Batches parts = std::move(result.parts);
  const auto types = types_of(result.schema);
  Batch out{result.rows, {}};
  for (size_t c = 0; c < types.size(); ++c) out.columns.push_back(joined(parts, c, types[c].storage, result.finish));
  worker::budget().make_room(size_of(out));
  return out;
}

}  // namespace muster::api
