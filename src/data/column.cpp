// What is made here shares memory where it can and copies where rows move; a column handed in is never written to.
#include "data/column.hpp"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "base/copy.hpp"
#include "base/error.hpp"
#include "base/side_by_side.hpp"
#include "data/dispatch.hpp"
#include "data/pickled.hpp"

namespace muster::data {
using namespace base;
namespace {
constexpr int64_t kSideBySide = 4 << 20;  // rows that are copied on several threads
}

bool Column::is_missing(int64_t row) const {
  if (constant) row = 0;
  switch (storage) {
    case Storage::float32: return std::isnan(as<float>()[row]);
    case Storage::float64: return std::isnan(as<double>()[row]);
    case Storage::text: return !as<Text>()[row].data;
    case Storage::object: return as<int64_t>()[row] < 0;
    default: return valid && !valid[row];
  }
}

Writable::Writable(Storage storage, int64_t rows) : storage_(storage), rows_(rows), values_(allocate(rows * width(storage))) {}

uint8_t* Writable::valid() {
  if (!valid_) {
    valid_ = allocate(rows_);
    std::memset(valid_.get(), 1, static_cast<size_t>(rows_));
  }
  return reinterpret_cast<uint8_t*>(valid_.get());
}

Column Writable::finish(Keep also) && {
  Column out;
  out.storage = storage_, out.length = rows_, out.values = values_.get();
  if (valid_) out.valid = reinterpret_cast<const uint8_t*>(valid_.get());
  out.keep = keep_both(keep_both(values_, valid_), also);
  if (storage_ == Storage::text) out.texts = std::move(also);
  return out;
}

Keep keep_both(Keep a, Keep b) {
  if (!a || a == b) return b;
  if (!b) return a;
  return std::make_shared<std::pair<Keep, Keep>>(std::move(a), std::move(b));
}

Value value_at(const Column& c, int64_t row, DType type) {
  if (c.constant) row = 0;
  if (c.is_missing(row)) return {};
  if (c.storage == Storage::text) return std::string(c.as<Text>()[row].view());
  if (c.storage == Storage::boolean) return c.as<uint8_t>()[row] != 0;
  if (c.storage == Storage::timestamp) return Moment{c.as<int64_t>()[row] * (1'000'000'000 / per_second(type.unit))};
  return visit_fixed(c.storage, [&](auto tag) -> Value {
    using T = typename decltype(tag)::type;
    if constexpr (std::is_floating_point_v<T>) return static_cast<double>(c.as<T>()[row]);
    else if constexpr (std::is_same_v<T, uint64_t>) return c.as<T>()[row];
    else return static_cast<int64_t>(c.as<T>()[row]);
  });
}

Column constant_of(const Value& value, DType type) {
  Writable out(type.storage, 1);
  std::shared_ptr<std::string> bytes;
  if (type.is_text()) {
    auto& text = *out.as<Text>() = {};
    if (!value.is_none()) {
      bytes = std::make_shared<std::string>(value.string());
      text = {bytes->data(), static_cast<int64_t>(bytes->size())};
    }
  } else if (type.is_object()) {
    if (!value.is_none()) throw internal("a constant object");
    *out.as<int64_t>() = -1;
  } else {
    visit_fixed(type.storage, [&](auto tag) {
      using T = typename decltype(tag)::type;
      T& slot = *out.as<T>() = T{};
      if constexpr (std::is_floating_point_v<T>) slot = value.is_none() ? std::numeric_limits<T>::quiet_NaN() : static_cast<T>(value.number());
      else if (value.is_none()) out.valid()[0] = 0;
      else if (value.is_moment()) slot = static_cast<T>(value.moment().ns / (1'000'000'000 / per_second(type.unit)));
      else if (value.is_float()) slot = static_cast<T>(value.number());
      else slot = value.is_unsigned() ? static_cast<T>(value.unsigned_integer()) : static_cast<T>(value.integer());
    });
  }
  Column column = std::move(out).finish(bytes);
  column.constant = true;
  return column;
}

Column spread(const Column& c, int64_t rows) {
  if (!c.constant) return c;
  std::vector<int64_t> zeros(static_cast<size_t>(rows), 0);
  Column one = c;
  one.constant = false;
  return take(one, zeros);
}

// Positions of several columns, over the sources of all.
static Column join_foreign(Writable out, std::span<const ColumnRows> parts) {
  auto all = std::make_shared<Foreign>();
  std::unordered_map<const Opaque*, int64_t> known;
  const Foreign* placed = nullptr;
  std::vector<int64_t> place;  // of the sources of `placed` among all
  int64_t at = 0;
  for (const auto& p : parts) {
    if (p.column->foreign && p.column->foreign.get() != placed) {
      placed = p.column->foreign.get();
      if (all->column.empty()) all->column = placed->column;
      place.clear();
      for (const auto& source : placed->sources) {
        const auto [found, fresh] = known.try_emplace(source.get(), static_cast<int64_t>(all->sources.size()));
        if (fresh) all->sources.push_back(source);
        place.push_back(found->second << kForeignBits);
      }
    }
    for (int64_t i = 0; i < p.rows; ++i, ++at)
      if (int64_t& position = out.as<int64_t>()[at]; position != -1) {
        const bool missing = position < 0;
        const int64_t real = missing ? -2 - position : position;
        const int64_t moved = place.at(static_cast<size_t>(real >> kForeignBits)) | (real & ((int64_t{1} << kForeignBits) - 1));
        position = missing ? -2 - moved : moved;
      }
  }
  Column column = std::move(out).finish();
  column.foreign = std::move(all);
  return column;
}

Column concatenate(std::span<const ColumnRows> parts) {
  if (parts.empty()) return {};
  if (parts.size() == 1) return slice(*parts[0].column, parts[0].begin, parts[0].rows);
  int64_t rows = 0, kept_bytes = 0;
  bool flags = false, kept = true;
  const Storage storage = parts[0].column->storage;
  std::vector<int64_t> begins;
  auto keeps = std::make_shared<std::vector<Keep>>();
  for (const auto& p : parts) {
    if (p.column->storage != storage) throw internal("concatenate: columns of different storage");
    if (storage == Storage::text && (keeps->empty() || keeps->back() != p.column->text_keep())) {
      keeps->push_back(p.column->text_keep());
      kept_bytes += p.column->kept_bytes;
    }
    flags |= p.column->valid != nullptr, kept &= p.column->text_kept;
    begins.push_back(std::exchange(rows, rows + p.rows));
  }
  Writable out(storage, rows);
  if (flags) out.valid();
  const int64_t count = static_cast<int64_t>(parts.size()), size = width(storage);
  side_by_side(count, rows < kSideBySide ? count : 1, [&](int64_t from, int64_t to) {
    for (auto k = static_cast<size_t>(from); k < static_cast<size_t>(to); ++k) {
      const auto& [column, begin, n] = parts[k];
      copy_bytes(out.as<char>() + begins[k] * size, column->as<char>() + begin * size, n * size);
      if (column->valid) std::memcpy(out.valid() + begins[k], column->valid + begin, static_cast<size_t>(n));
    }
  });
  if (storage == Storage::object) return join_foreign(std::move(out), parts);
  Column column = std::move(out).finish(keeps->empty() ? nullptr : Keep(keeps));
  column.text_kept = kept, column.kept_bytes = kept_bytes;
  return column;
}

Column concatenate(std::span<const Column> parts) {
  if (parts.size() == 1) return parts[0];
  std::vector<ColumnRows> rows;
  for (const auto& p : parts) rows.push_back({&p, 0, p.length});
  return concatenate(rows);
}

Batch concatenate(const Batches& parts) {
  if (parts.size() == 1) return parts[0];
  Batch out;
  if (parts.empty()) return out;
  for (const auto& p : parts) out.rows += p.rows;
  std::vector<Column> column;
  for (size_t c = 0; c < parts[0].columns.size(); ++c) {
    column.clear();
    for (const auto& p : parts) column.push_back(spread(p.columns[c], p.rows));
    out.columns.push_back(concatenate(column));
  }
  return out;
}

Column take(const Column& c, std::span<const int64_t> rows) {
  auto n = static_cast<int64_t>(rows.size());
  if (c.constant) return spread(c, n);
  Writable out(c.storage, n);
  visit(c.storage, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* in = c.as<T>();
    T* to = out.as<T>();
    for (int64_t i = 0; i < n; ++i) {
      int64_t row = rows[static_cast<size_t>(i)];
      if (row >= 0) {
        to[i] = in[row];
        continue;
      }
      to[i] = T{};
      if constexpr (std::is_floating_point_v<T>) to[i] = std::numeric_limits<T>::quiet_NaN();
      else if constexpr (std::is_same_v<T, int64_t>) c.storage == Storage::object ? void(to[i] = -1) : void(out.valid()[i] = 0);
      else if constexpr (!std::is_same_v<T, Text>) out.valid()[i] = 0;
    }
  });
  if (c.valid) {
    uint8_t* flags = out.valid();
    for (int64_t i = 0; i < n; ++i)
      if (rows[static_cast<size_t>(i)] >= 0) flags[i] = c.valid[rows[static_cast<size_t>(i)]];
  }
  Column column = std::move(out).finish(c.storage == Storage::text ? c.text_keep() : nullptr);
  column.foreign = c.foreign;
  if (c.codes && n) {
    auto codes = allocate(n * 4);
    auto* to = reinterpret_cast<uint32_t*>(codes.get());
    const auto missing = static_cast<uint32_t>(c.dictionary->texts.size());
    for (int64_t i = 0; i < n; ++i) to[i] = rows[static_cast<size_t>(i)] < 0 ? missing : c.codes[rows[static_cast<size_t>(i)]];
    column.codes = to, column.dictionary = c.dictionary, column.text_kept = c.text_kept;
    column.keep = keep_both(column.keep, codes);
  }
  return column;
}

Column slice(const Column& c, int64_t begin, int64_t count) {
  if (c.constant) return c;
  Column out = c;
  out.length = count;
  out.values = c.as<char>() + begin * width(c.storage);
  if (c.valid) out.valid = c.valid + begin;
  if (c.codes) out.codes = c.codes + begin;
  return out;
}

Column own_text(const Column& c) {
  if (c.storage != Storage::text || c.text_kept) return c;
  int64_t bytes = 0;
  for (int64_t i = 0; i < c.length; ++i) bytes += c.as<Text>()[i].size;
  auto memory = allocate(bytes);
  Writable out(Storage::text, c.length);
  char* at = memory.get();
  for (int64_t i = 0; i < c.length; ++i) {
    const Text& t = c.as<Text>()[i];
    out.as<Text>()[i] = t.data ? Text{at, t.size} : Text{};
    if (t.size) std::memcpy(at, t.data, static_cast<size_t>(t.size)), at += t.size;
  }
  Column column = std::move(out).finish(memory);
  column.constant = c.constant, column.text_kept = true;
  return column;
}

// The share of a column's rows in objects that came as bytes.
static int64_t size_of_objects(const Column& c) {
  int64_t count = 0, bytes = 0;
  for (const auto& source : c.foreign->sources)
    if (const auto* pickled = pickled_in(*source))
      if (const auto held = pickled->bytes()) count += pickled->count, bytes += static_cast<int64_t>(held->size());
  return count ? static_cast<int64_t>(static_cast<double>(bytes) / static_cast<double>(count) * static_cast<double>(c.length)) : 0;
}

int64_t size_of(const Batch& batch) {
  int64_t bytes = 0;
  for (const auto& c : batch.columns) {
    bytes += c.length * (width(c.storage) + (c.valid != nullptr));
    if (c.foreign) bytes += size_of_objects(c);
    if (c.codes) bytes += c.length * 4;
    else if (c.storage == Storage::text)
      for (int64_t i = 0; i < c.length; ++i) bytes += c.as<Text>()[i].size;
  }
  return bytes;
}

}  // namespace muster::data
