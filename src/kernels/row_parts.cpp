// Equal keys have equal hashes whatever column or batch they come from, so that they meet in one part; rows carry their numbers, so that the order of first
// appearance can be told.
#include "kernels/row_parts.hpp"

#include <algorithm>
#include <cmath>
#include <deque>

#include "base/error.hpp"
#include "data/dispatch.hpp"
#include "kernels/key_table.hpp"
#include "kernels/wire.hpp"

namespace muster::kernels {
using namespace base;
using namespace data;
namespace {
constexpr uint64_t kMissing = 0x6C62272E07BB0142u;
}  // namespace

void RowHasher::hash(Columns keys, int64_t rows, std::vector<uint64_t>& hashes, std::vector<uint8_t>& gone) {
  hashes.assign(static_cast<size_t>(rows), 0), gone.assign(static_cast<size_t>(rows), 0);
  for (size_t k = 0; k < keys.size(); ++k) {
    const Column& c = keys[k];
    const int64_t step = c.constant ? 0 : 1;
    auto put = [&](int64_t i, uint64_t h) { hashes[static_cast<size_t>(i)] = mix(hashes[static_cast<size_t>(i)] ^ h); };
    if (c.codes && step) {
      Known& known = dictionaries_[k];
      if (known.dictionary != c.dictionary) {
        known.dictionary = c.dictionary, known.hashes.clear();
        for (const auto& t : c.dictionary->texts) known.hashes.push_back(TextTable::hash(t));
        known.hashes.push_back(kMissing);
      }
      const uint32_t missing = static_cast<uint32_t>(c.dictionary->texts.size());
      for (int64_t i = 0; i < rows; ++i) put(i, known.hashes[c.codes[i]]), gone[static_cast<size_t>(i)] |= c.codes[i] == missing;
      continue;
    }
    visit(c.storage, [&](auto tag) {
      using T = typename decltype(tag)::type;
      const T* v = c.as<T>();
      for (int64_t i = 0; i < rows; ++i) {
        const int64_t at = i * step;
        uint64_t word = kMissing;
        bool missing;
        if constexpr (std::is_same_v<T, Text>) {
          missing = !v[at].data;
          if (!missing) word = TextTable::hash(v[at]);
        } else if constexpr (std::is_floating_point_v<T>) {
          missing = std::isnan(v[at]);
          const double d = v[at] == 0 ? 0.0 : static_cast<double>(v[at]);
          if (!missing) std::memcpy(&word, &d, 8);
        } else {
          missing = (c.valid && !c.valid[at]) || (c.storage == Storage::object && v[at] < T{});
          if (!missing) word = static_cast<uint64_t>(v[at]);
        }
        put(i, word), gone[static_cast<size_t>(i)] |= missing;
      }
    });
  }
}

namespace {
bool equal(const Column& c, int64_t a, int64_t b) {
  const bool missing = c.is_missing(a);
  if (missing || c.is_missing(b)) return missing && c.is_missing(b);
  return visit(c.storage, [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (std::is_same_v<T, Text>) return c.as<T>()[a].view() == c.as<T>()[b].view();
    else return c.as<T>()[a] == c.as<T>()[b];
  });
}

// Calls f(same), where same(a, b) says whether two rows have equal keys.
template <class F>
void with_equal(Columns keys, F f) {
  const Column& c = keys[0];
  const bool by_bytes = c.storage != Storage::text && c.storage != Storage::float32 && c.storage != Storage::float64 && c.storage != Storage::object;
  const bool plain = keys.size() == 1 && !c.constant && !c.valid && by_bytes;
  if (!plain) return f([keys](int64_t a, int64_t b) { return std::all_of(keys.begin(), keys.end(), [=](const Column& k) { return equal(k, a, b); }); });
  visit_fixed(c.storage, [&](auto tag) {
    using T = typename decltype(tag)::type;
    f([v = c.as<T>()](int64_t a, int64_t b) { return v[a] == v[b]; });
  });
}
}  // namespace

void RowTable::encode(Columns keys, int64_t rows, const uint64_t* hashes, std::vector<uint32_t>& groups, std::vector<int64_t>& first) {
  size_t size = 1024;
  while (size < static_cast<size_t>(rows) * 2) size *= 2;
  if (slots_.size() < size) slots_.resize(size);
  std::fill_n(slots_.begin(), size, Slot{0, 0});
  groups.resize(static_cast<size_t>(rows));
  first.assign(1, 0);
  constexpr int64_t kAhead = 24;
  with_equal(keys, [&](auto same) {
    for (int64_t i = 0; i < rows; ++i) {
      if (i + kAhead < rows) __builtin_prefetch(&slots_[hashes[i + kAhead] & (size - 1)], 1);
      for (size_t at = hashes[i] & (size - 1);; at = (at + 1) & (size - 1)) {
        Slot& s = slots_[at];
        if (!s.group) {
          s = {hashes[i], static_cast<uint32_t>(first.size())};
          first.push_back(i);
        } else if (s.hash != hashes[i] || !same(first[s.group], i)) {
          continue;
        }
        groups[static_cast<size_t>(i)] = s.group;
        break;
      }
    }
  });
}

void RowParts::add(Columns columns, int64_t rows, const std::vector<uint64_t>& hashes, const std::vector<uint8_t>& gone, int64_t first_number) {
  Chunk chunk;
  chunk.begins.fill(0);
  auto there = [&](int64_t i) { return gone.empty() || !gone[static_cast<size_t>(i)]; };
  for (int64_t i = 0; i < rows; ++i)
    if (there(i)) ++chunk.begins[(hashes[static_cast<size_t>(i)] >> 56) + 1];
  for (int p = 0; p < kRowParts; ++p) chunk.begins[static_cast<size_t>(p) + 1] += chunk.begins[static_cast<size_t>(p)];
  const int64_t kept = chunk.begins[kRowParts];
  std::vector<int64_t> order(static_cast<size_t>(kept));
  auto at = chunk.begins;
  for (int64_t i = 0; i < rows; ++i)
    if (there(i)) order[at[hashes[static_cast<size_t>(i)] >> 56]++] = i;
  chunk.rows.rows = kept;
  for (const auto& c : columns) {
    Column taken = take(c, order);
    taken.text_kept = c.text_kept && !c.kept_bytes;  // few rows would keep an object
    chunk.rows.columns.push_back(own_text(taken));
  }
  Writable kept_hashes(Storage::uint64, kept);
  for (int64_t i = 0; i < kept; ++i) kept_hashes.as<uint64_t>()[i] = hashes[static_cast<size_t>(order[static_cast<size_t>(i)])];
  chunk.rows.columns.push_back(std::move(kept_hashes).finish());
  if (numbered_) {
    Writable numbers(Storage::int64, kept);
    for (int64_t i = 0; i < kept; ++i) numbers.as<int64_t>()[i] = first_number + order[static_cast<size_t>(i)];
    chunk.rows.columns.push_back(std::move(numbers).finish());
  }
  bytes_ += chunk.bytes = size_of(chunk.rows);
  here_.push_back({std::make_shared<const Chunk>(std::move(chunk)), nullptr});
}

void RowParts::append(const RowParts& later) {
  if (!later.runs_.empty()) shed();  // spilled rows come before those in memory
  runs_.insert(runs_.end(), later.runs_.begin(), later.runs_.end());
  here_.insert(here_.end(), later.here_.begin(), later.here_.end());
  bytes_ += later.bytes_;
}

RowParts::Pieces RowParts::pieces_of(int part) const {
  const auto p = static_cast<size_t>(part);
  Pieces out;
  const auto add = [&](const Batch& b, int64_t begin, int64_t rows) {
    out.columns.resize(b.columns.size());
    for (size_t c = 0; c < b.columns.size(); ++c) out.columns[c].push_back({&b.columns[c], begin, rows});
    out.rows += rows;
  };
  for (const auto& h : here_)
    if (h.packed) {
      const std::string_view bytes = h.packed->read(p);
      if (bytes.empty()) continue;
      base::Decoder in(bytes, h.packed->keep(), bytes.size());
      for (const auto& b : out.opened.emplace_back(decode_batches(in))) add(b, 0, b.rows);
    } else if (const int64_t rows = h.chunk->begins[p + 1] - h.chunk->begins[p]) {
      add(h.chunk->rows, h.chunk->begins[p], rows);
    }
  return out;
}

Batch RowParts::in_memory(int part) const {
  const Pieces pieces = pieces_of(part);
  Batch out{pieces.rows, {}};
  for (const auto& rows : pieces.columns) out.columns.push_back(concatenate(rows));
  return out;
}

Batch RowParts::part(int part) const {
  Batches all;
  std::string room;
  for (const auto& run : runs_)
    if (const auto bytes = run->read(static_cast<size_t>(part), room); !bytes.empty()) {
      base::Decoder in(bytes);
      for (auto& b : decode_batches(in)) all.push_back(std::move(b));
    }
  if (Batch here = in_memory(part); here.rows) all.push_back(std::move(here));
  return concatenate(all);
}

int64_t RowParts::bytes(int part) const {
  const auto p = static_cast<size_t>(part);
  int64_t total = 0;
  for (const auto& run : runs_) total += run->bytes(p);
  for (const auto& h : here_)
    if (h.packed) total += h.packed->bytes(p);
    else if (const int64_t rows = h.chunk->begins[p + 1] - h.chunk->begins[p]) total += h.chunk->bytes / h.chunk->rows.rows * rows;
  return total;
}

int64_t RowParts::kept_bytes() const {
  int64_t total = 0;
  for (const auto& run : runs_) total += run->kept_bytes();
  return total;
}

void RowParts::shed() {
  if (here_.empty()) return;
  auto run = std::make_shared<SpilledParts>();
  for (int p = 0; p < kRowParts; ++p)
    run->add([&](Encoder& out) {
      if (const Pieces pieces = pieces_of(p); pieces.rows) encode_pieces(out, pieces.columns, pieces.rows);
    });
  run->close();
  runs_.push_back(std::move(run));
  here_.clear(), bytes_ = 0;
}

void RowParts::encode(Encoder& out, int64_t begin, int64_t end) const {
  out << static_cast<uint8_t>(!empty());
  if (empty()) return;
  int64_t all = 0;
  for (auto p = begin; p < end; ++p) all += bytes(static_cast<int>(p));
  out.bytes().reserve(out.size() + static_cast<size_t>(all + all / 16));
  PackedPartsWriter packed(out, kRowParts);
  for (int p = 0; p < kRowParts; ++p)
    packed.add([&](Encoder& one) {
      if (p < begin || p >= end) return;
      if (!runs_.empty()) {
        if (Batch rows = part(p); rows.rows) kernels::encode(one, Batches{std::move(rows)});
      } else if (const Pieces pieces = pieces_of(p); pieces.rows) {
        encode_pieces(one, pieces.columns, pieces.rows);
      }
    });
}

void RowParts::decode(base::Decoder& in) {
  if (!in.get<uint8_t>()) return;
  here_.push_back({nullptr, std::make_shared<const PackedParts>(in, kRowParts)});
  bytes_ += here_.back().packed->kept_bytes();
}

}  // namespace muster::kernels
