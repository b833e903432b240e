// Everything in a footer is checked, since files may be damaged; a column of a kind that the engine does not read is described, not refused, as nobody may
// ask for it.
#include "io/parquet/metadata.hpp"

#include <algorithm>
#include <functional>
#include <limits>

#include "base/error.hpp"
#include "io/parquet/thrift.hpp"
#include "io/source.hpp"

namespace muster::io::parquet {
using namespace base;
using data::DType, data::Storage, data::Unit;
namespace {
using Type = Compact::Type;

constexpr int64_t kTail = 64 << 10;  // bytes read at first: most footers are in there

struct Element {
  int64_t physical = -1, repetition = 0, children = 0, converted = -1;
  std::string name;
  // Of the logical type: its field number, and what some say more.
  int16_t logical = 0;
  int unit = 0, bits = 0;
  bool utc = false, is_signed = true;
};

Element element(Compact& in) {
  Element e;
  in.fields([&](int16_t id, Type type) {
    if (id == 1) e.physical = in.integer();
    else if (id == 3) e.repetition = in.integer();
    else if (id == 4) e.name = in.text();
    else if (id == 5) e.children = in.integer();
    else if (id == 6) e.converted = in.integer();
    else if (id == 10 && type == Type::structure)
      in.fields([&](int16_t logical, Type) {
        e.logical = logical;
        in.fields([&](int16_t field, Type t) {
          if (logical == 10 && field == 1) e.bits = in.byte();                              // INTEGER: bit width
          else if (logical == 10 && field == 2) e.is_signed = t == Type::yes;
          else if (logical == 8 && field == 1) e.utc = t == Type::yes;                      // TIMESTAMP
          else if (logical == 8 && field == 2) in.fields([&](int16_t unit, Type) { e.unit = unit; return false; });
          else return false;
          return true;
        });
        return true;
      });
    else return false;
    return true;
  });
  return e;
}

// The engine's dtype of a column, or what it is instead.
std::pair<std::optional<DType>, std::string> type_of(const Element& e) {
  const auto physical = static_cast<Physical>(e.physical);
  enum Converted {
    utf8 = 0,
    enumeration = 4,
    decimal = 5,
    date = 6,
    time_ms = 7,
    time_us = 8,
    stamp_ms = 9,
    stamp_us = 10,
    uint8 = 11,
    json = 19,
    bson = 20,
    interval = 21
  };
  if (e.logical == 5 || e.converted == decimal) return {{}, "decimal"};
  if (e.logical == 6 || e.converted == date) return {{}, "date"};
  if (e.logical == 7 || e.converted == time_ms || e.converted == time_us) return {{}, "time of day"};
  if (e.logical == 11) return {DType{Storage::float64}, "null"};
  switch (physical) {
    case Physical::boolean: return {DType{Storage::boolean}, "bool"};
    case Physical::float32: return {DType{Storage::float32}, "float32"};
    case Physical::float64: return {DType{Storage::float64}, "float64"};
    case Physical::int96: return {DType{Storage::timestamp, Unit::ns}, "timestamp"};
    case Physical::bytes:
      if (e.logical == 1 || e.logical == 4 || e.logical == 12 || e.converted == utf8 || e.converted == enumeration || e.converted == json)
        return {DType{Storage::text}, "text"};
      return {{}, "binary"};
    case Physical::fixed: return {{}, "fixed-size binary"};
    case Physical::int32: case Physical::int64: {
      if (e.logical == 8) {
        if (e.utc) return {{}, "time with zone"};
        return {DType{Storage::timestamp, e.unit == 1 ? Unit::ms : e.unit == 2 ? Unit::us : Unit::ns}, "timestamp"};
      }
      if (e.converted == stamp_ms || e.converted == stamp_us) return {{}, "time with zone"};
      int bits = physical == Physical::int32 ? 32 : 64;
      bool is_signed = true;
      if (e.logical == 10) bits = e.bits, is_signed = e.is_signed;
      else if (e.converted >= uint8 && e.converted <= uint8 + 7) bits = 8 << ((e.converted - uint8) % 4), is_signed = e.converted >= uint8 + 4;
      const int step = bits == 8 ? 0 : bits == 16 ? 1 : bits == 32 ? 2 : 3;
      const auto base = static_cast<int>(is_signed ? Storage::int8 : Storage::uint8);
      return {DType{static_cast<Storage>(base + step)}, "integer"};
    }
  }
  return {{}, "unknown"};
}

// A name or text of the footer, which is UTF-8 or the file is damaged.
std::string utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto first = static_cast<uint8_t>(text[i]);
    const size_t size = first < 0x80 ? 1 : first >= 0xC2 && first < 0xE0 ? 2 : first >= 0xE0 && first < 0xF0 ? 3 : first >= 0xF0 && first < 0xF5 ? 4 : 0;
    if (!size || i + size > text.size()) corrupt("a name that is no UTF-8");
    uint32_t point = size == 1 ? first : first & (0x7F >> size);
    for (size_t k = 1; k < size; ++k) {
      const auto byte = static_cast<uint8_t>(text[i + k]);
      if ((byte & 0xC0) != 0x80) corrupt("a name that is no UTF-8");
      point = point << 6 | (byte & 0x3F);
    }
    if ((size == 3 && (point < 0x800 || (point >= 0xD800 && point < 0xE000))) || (size == 4 && (point < 0x10000 || point > 0x10FFFF)))
      corrupt("a name that is no UTF-8");
    i += size;
  }
  return std::string(text);
}

Statistics statistics(Compact& in) {
  Statistics s;
  std::optional<std::string> old_min, old_max;
  in.fields([&](int16_t id, Type) {
    if (id == 1) old_max = in.text();
    else if (id == 2) old_min = in.text();
    else if (id == 3) s.nulls = in.integer();
    else if (id == 5) s.max = in.text();
    else if (id == 6) s.min = in.text();
    else return false;
    return true;
  });
  return s;  // the old fields' order is not defined for all types: not used
}

struct RawChunk {
  std::string path;
  int64_t parts = 0;
  Chunk chunk;
};

RawChunk chunk(Compact& in) {
  RawChunk out;
  int64_t data = -1, dictionary = -1;
  in.fields([&](int16_t id, Type type) {
    if (id == 1) throw unsupported("Parquet columns in other files ('", in.text(), "')");
    if (id == 8 || id == 9) throw unsupported("encrypted Parquet");
    if (id != 3 || type != Type::structure) return false;
    in.fields([&](int16_t field, Type) {
      if (field == 3) in.elements([&] { if (out.parts++ == 0) out.path = in.text(); else in.text(); });
      else if (field == 4) out.chunk.codec = static_cast<Codec>(in.integer());
      else if (field == 5) out.chunk.values = in.integer();
      else if (field == 6) out.chunk.uncompressed = in.integer();
      else if (field == 7) out.chunk.bytes = in.integer();
      else if (field == 9) data = in.integer();
      else if (field == 11) dictionary = in.integer();
      else if (field == 12) out.chunk.statistics = statistics(in);
      else return false;
      return true;
    });
    return true;
  });
  out.chunk.offset = dictionary > 0 && dictionary < data ? dictionary : data;
  return out;
}

Metadata parse(std::string_view bytes, int64_t file_size) {
  Metadata out;
  std::vector<Element> elements;
  std::vector<std::pair<RowGroup, std::vector<RawChunk>>> groups;
  Compact in(bytes);
  in.fields([&](int16_t id, Type) {
    if (id == 2) in.elements([&] { elements.push_back(element(in)); });
    else if (id == 3) out.rows = in.integer();
    else if (id == 4)
      in.elements([&] {
        auto& [group, chunks] = groups.emplace_back();
        in.fields([&](int16_t field, Type) {
          if (field == 1) in.elements([&] { chunks.push_back(chunk(in)); });
          else if (field == 2) group.bytes = in.integer();
          else if (field == 3) group.rows = in.integer();
          else return false;
          return true;
        });
      });
    else if (id == 5)
      in.elements([&] {
        std::string key, value;
        in.fields([&](int16_t field, Type) {
          if (field == 1) key = utf8(in.text());
          else if (field == 2) value = key == "ARROW:schema" ? std::string(in.text()) : utf8(in.text());
          else return false;
          return true;
        });
        out.key_values.emplace_back(std::move(key), std::move(value));
      });
    else return false;
    return true;
  });
  if (elements.empty()) corrupt("there is no schema");
  // The tree in depth-first order: the root's children are the columns.
  std::vector<size_t> first_leaf;
  size_t at = 1, leaves = 0;
  std::function<void(int)> descend = [&](int depth) {
    if (depth > 64 || at >= elements.size()) corrupt("the schema's tree does not fit");
    const Element& e = elements[at++];
    if (e.children == 0) ++leaves;
    for (int64_t c = 0; c < e.children; ++c) descend(depth + 1);
  };
  for (int64_t c = 0; c < elements[0].children; ++c) {
    if (at >= elements.size()) corrupt("the schema's tree does not fit");
    const Element e = elements[at];
    first_leaf.push_back(leaves);
    descend(0);
    Leaf leaf{utf8(e.name), static_cast<Physical>(e.physical), e.repetition == 1, {}, "nested"};
    if (e.children == 0 && e.repetition != 2) {
      if (e.physical < 0 || e.physical > 7) corrupt("a column of unknown type");
      std::tie(leaf.type, leaf.about) = type_of(e);
    }
    out.leaves.push_back(std::move(leaf));
  }
  for (auto& [group, chunks] : groups) {
    if (chunks.size() != leaves || group.rows < 0)
      corrupt("a row group has " + std::to_string(chunks.size()) + " columns, the schema " + std::to_string(leaves));
    for (size_t i = 0; i < out.leaves.size(); ++i) {
      Chunk& c = chunks[first_leaf[i]].chunk;
      if (c.offset < 0 || c.bytes < 0 || c.offset > file_size - c.bytes || c.values < 0) corrupt("column '" + out.leaves[i].name + "' lies outside the file");
      if (out.leaves[i].type && c.values != group.rows)
        corrupt("column '" + out.leaves[i].name + "' has " + std::to_string(c.values) + " values in a row group of " + std::to_string(group.rows) + " rows");
      group.chunks.push_back(std::move(c));
    }
    out.row_groups.push_back(std::move(group));
  }
  return out;
}
}  // namespace

Metadata read_metadata(const std::string& path, const std::string& options) {
  const int64_t size = stat_file(path, options).size;
  auto named = [&](const std::string& what) { return Error(ErrorKind::io, concat("'", path, "' is no Parquet file that can be read: ", what)); };
  if (size < 12) throw named(concat("it has ", size, " bytes"));
  std::string tail(static_cast<size_t>(std::min(size, kTail)), '\0');
  read_at(path, options, size - static_cast<int64_t>(tail.size()), tail.data(), static_cast<int64_t>(tail.size()));
  const std::string_view magic(tail.data() + tail.size() - 4, 4);
  if (magic == "PARE") throw Error(ErrorKind::unsupported, concat("'", path, "': encrypted Parquet"));
  if (magic != "PAR1") throw named("it does not end with PAR1; is it truncated, or of another format?");
  uint32_t footer;
  std::memcpy(&footer, tail.data() + tail.size() - 8, 4);
  if (footer > size - 12) throw named(concat("its footer says it has ", footer, " bytes, the file has ", size));
  if (static_cast<int64_t>(footer) + 8 > static_cast<int64_t>(tail.size())) {
    tail.resize(footer + 8);
    read_at(path, options, size - static_cast<int64_t>(tail.size()), tail.data(), static_cast<int64_t>(tail.size()));
  }
  try {
    return parse(std::string_view(tail).substr(tail.size() - 8 - footer, footer), size);
  } catch (const Error& e) {
    if (e.kind != ErrorKind::io) throw;
    throw named(e.message);
  }
}

}  // namespace muster::io::parquet
