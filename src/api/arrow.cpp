// Bodies of include/muster/arrow.hpp.
#include "muster/arrow.hpp"

#include <algorithm>
#include <limits>
#include <memory>

#include "api/session.hpp"
#include "api/table.hpp"
#include "base/error.hpp"
#include "data/dispatch.hpp"

namespace muster {
using namespace base;
using namespace data;
namespace {

std::string format_of(DType t) {
  static constexpr const char* kUnits[] = {"s", "m", "u", "n"};
  const auto unit = kUnits[static_cast<int>(t.unit)];
  switch (t.storage) {
    case Storage::boolean: return "b";
    case Storage::int8: return "c";
    case Storage::int16: return "s";
    case Storage::int32: return "i";
    case Storage::int64: return "l";
    case Storage::uint8: return "C";
    case Storage::uint16: return "S";
    case Storage::uint32: return "I";
    case Storage::uint64: return "L";
    case Storage::float32: return "f";
    case Storage::float64: return "g";
    case Storage::timestamp: return concat("ts", unit, ":");
    case Storage::duration: return concat("tD", unit);
    case Storage::text: return "U";
    case Storage::object: case Storage::row_id: break;
  }
  throw unsupported("to_arrow: a column of ", t.name());
}

DType type_of(std::string_view format, const std::string& name) {
  for (const Storage s : {Storage::boolean, Storage::int8, Storage::int16, Storage::int32, Storage::int64, Storage::uint8, Storage::uint16, Storage::uint32,
                          Storage::uint64, Storage::float32, Storage::float64})
    if (format == format_of({s})) return {s};
  if (format == "u" || format == "U") return {Storage::text};
  for (const Unit u : {Unit::s, Unit::ms, Unit::us, Unit::ns})
    for (const Storage s : {Storage::timestamp, Storage::duration})
      if (format == format_of({s, u})) return {s, u};
  throw unsupported("from_arrow: column '", name, "' has the Arrow type '", format, "', for which there is no dtype");
}

// What an exported structure owns. Children are released by their own callbacks, or by the parent's where nobody moved them out.
struct SchemaOwner {
  std::string format, name;
  std::vector<ArrowSchema> children;
  std::vector<ArrowSchema*> pointers;
};
struct ArrayOwner {
  std::vector<Keep> memory;
  std::vector<const void*> buffers;
  std::vector<ArrowArray> children;
  std::vector<ArrowArray*> pointers;
};

template <class Structure, class Owner>
void release(Structure* s) {
  auto* owner = static_cast<Owner*>(s->private_data);
  for (auto* child : owner->pointers)
    if (child->release) child->release(child);
  s->release = nullptr;
  delete owner;
}

void finish(ArrowSchema* out, std::unique_ptr<SchemaOwner> owner) {
  for (auto& c : owner->children) owner->pointers.push_back(&c);
  *out = {owner->format.c_str(),
          owner->name.c_str(),
          nullptr,
          ARROW_FLAG_NULLABLE,
          static_cast<int64_t>(owner->children.size()),
          owner->pointers.data(),
          nullptr,
          release<ArrowSchema, SchemaOwner>,
          nullptr};
  out->private_data = owner.release();
}
void finish(ArrowArray* out, std::unique_ptr<ArrayOwner> owner, int64_t length, int64_t nulls) {
  for (auto& c : owner->children) owner->pointers.push_back(&c);
  *out = {length,
          nulls,
          0,
          static_cast<int64_t>(owner->buffers.size()),
          static_cast<int64_t>(owner->children.size()),
          owner->buffers.data(),
          owner->pointers.data(),
          nullptr,
          release<ArrowArray, ArrayOwner>,
          nullptr};
  out->private_data = owner.release();
}

// Bytes of 0 and 1 as bits.
std::shared_ptr<char> bits_of(const uint8_t* flags, int64_t n) {
  auto bits = allocate((n + 7) / 8 + 1);
  std::memset(bits.get(), 0, static_cast<size_t>((n + 7) / 8));
  for (int64_t i = 0; i < n; ++i) bits.get()[i >> 3] = static_cast<char>(bits.get()[i >> 3] | (flags[i] != 0) << (i & 7));
  return bits;
}

void export_column(const Column& given, int64_t rows, ArrowArray* out) {
  const Column c = spread(given, rows);
  auto owner = std::make_unique<ArrayOwner>();
  auto flags = allocate(rows + 1);
  int64_t nulls = 0;
  // NaN stays NaN
  for (int64_t i = 0; i < rows; ++i) nulls += !(flags.get()[i] = !(c.storage == Storage::float32 || c.storage == Storage::float64 ? false : c.is_missing(i)));
  owner->memory.push_back(nulls ? bits_of(reinterpret_cast<const uint8_t*>(flags.get()), rows) : nullptr);
  owner->buffers.push_back(owner->memory.back().get());
  if (c.storage == Storage::text) {
    const Text* t = c.as<Text>();
    auto offsets = allocate((rows + 1) * 8);
    auto* at = reinterpret_cast<int64_t*>(offsets.get());
    at[0] = 0;
    for (int64_t i = 0; i < rows; ++i) at[i + 1] = at[i] + t[i].size;
    auto bytes = allocate(at[rows] + 1);
    for (int64_t i = 0; i < rows; ++i)
      if (t[i].size) std::memcpy(bytes.get() + at[i], t[i].data, static_cast<size_t>(t[i].size));
    owner->buffers.push_back(offsets.get()), owner->buffers.push_back(bytes.get());
    owner->memory.push_back(offsets), owner->memory.push_back(bytes);
  } else if (c.storage == Storage::boolean) {
    owner->memory.push_back(bits_of(c.as<uint8_t>(), rows));
    owner->buffers.push_back(owner->memory.back().get());
  } else {
    owner->memory.push_back(c.keep);
    owner->buffers.push_back(c.values);
  }
  finish(out, std::move(owner), rows, nulls);
}

bool bit(const void* bits, int64_t i) { return static_cast<const uint8_t*>(bits)[i >> 3] >> (i & 7) & 1; }

Column import_column(const ArrowSchema& schema, const ArrowArray& a, int64_t parent_offset, int64_t rows, DType type, const Keep& keep) {
  const int64_t offset = a.offset + parent_offset;
  const std::string name = schema.name ? schema.name : "";
  if (a.length < rows + parent_offset || a.n_buffers < 2) throw invalid("from_arrow: column '", name, "' is shorter than the rows");
  const void* valid = a.null_count == 0 ? nullptr : a.buffers[0];
  if (type.is_text()) {
    Writable w(Storage::text, rows);
    const auto* bytes = static_cast<const char*>(a.buffers[2]);
    const bool large = std::string_view(schema.format) == "U";
    auto at = [&](int64_t i) { return large ? static_cast<const int64_t*>(a.buffers[1])[i] : int64_t{static_cast<const int32_t*>(a.buffers[1])[i]}; };
    for (int64_t i = 0; i < rows; ++i) {
      const bool there = !valid || bit(valid, offset + i);
      const int64_t begin = there ? at(offset + i) : 0, size = there ? at(offset + i + 1) - begin : 0;
      w.as<Text>()[i] = there ? Text{size ? bytes + begin : "", size} : Text{};
    }
    Column c = std::move(w).finish(keep);
    c.text_kept = true;
    return c;
  }
  const bool float_nulls = valid && type.is_float();
  if (type.is_boolean() || float_nulls) {
    Writable w(type.storage, rows);
    visit_fixed(type.storage, [&](auto tag) {
      using T = typename decltype(tag)::type;
      for (int64_t i = 0; i < rows; ++i) {
        if constexpr (std::is_floating_point_v<T>)
          w.as<T>()[i] = bit(valid, offset + i) ? static_cast<const T*>(a.buffers[1])[offset + i] : std::numeric_limits<T>::quiet_NaN();
        else w.as<T>()[i] = static_cast<T>(bit(a.buffers[1], offset + i));
      }
    });
    if (valid && !float_nulls)
      for (int64_t i = 0; i < rows; ++i) w.valid()[i] = bit(valid, offset + i);
    return std::move(w).finish();
  }
  if (valid && type.is_integer()) {
    Writable w(Storage::float64, rows);
    visit_fixed(type.storage, [&](auto tag) {
      using T = typename decltype(tag)::type;
      for (int64_t i = 0; i < rows; ++i)
        w.as<double>()[i] =
            bit(valid, offset + i) ? static_cast<double>(static_cast<const T*>(a.buffers[1])[offset + i]) : std::numeric_limits<double>::quiet_NaN();
    });
    return std::move(w).finish();
  }
  Column c;
  c.storage = type.storage, c.length = rows, c.keep = keep;
  c.values = static_cast<const char*>(a.buffers[1]) + offset * width(type.storage);
  if (valid) {
    auto flags = allocate(rows + 1);
    for (int64_t i = 0; i < rows; ++i) flags.get()[i] = bit(valid, offset + i);
    c.valid = reinterpret_cast<const uint8_t*>(flags.get());
    c.keep = keep_both(keep, flags);
  }
  return c;
}
}  // namespace

void to_arrow(const Table& table, ArrowSchema* schema, ArrowArray* array) {
  const auto& [s, rows] = table.contents();
  auto names = std::make_unique<SchemaOwner>();
  auto owner = std::make_unique<ArrayOwner>();
  names->format = "+s";
  owner->buffers.push_back(nullptr);
  std::vector<std::pair<Field, size_t>> fields;
  for (size_t i = 0; i < s.index.size(); ++i)
    if (!s.index[i].label.is_none()) fields.emplace_back(s.index[i], i);
  for (size_t i = 0; i < s.columns.size(); ++i) fields.emplace_back(s.columns[i], s.index.size() + i);
  for (const auto& [f, at] : fields) format_of(f.type);  // throws before anything is exported
  names->children.resize(fields.size()), owner->children.resize(fields.size());
  for (size_t i = 0; i < fields.size(); ++i) {
    auto child = std::make_unique<SchemaOwner>();
    child->format = format_of(fields[i].first.type), child->name = fields[i].first.label.is_none() ? "" : fields[i].first.label.label();
    finish(&names->children[i], std::move(child));
    export_column(rows.columns[fields[i].second], rows.rows, &owner->children[i]);
  }
  finish(schema, std::move(names));
  finish(array, std::move(owner), rows.rows, 0);
}

DataFrame from_arrow(ArrowSchema* schema, ArrowArray* array, int64_t npartitions) {
  api::start();
  // Moved out of the caller's structures; released with the last column that needs them.
  auto kept = std::shared_ptr<std::pair<ArrowSchema, ArrowArray>>(new std::pair(*schema, *array), [](auto* both) {
    if (both->first.release) both->first.release(&both->first);
    if (both->second.release) both->second.release(&both->second);
    delete both;
  });
  if (!schema->release || !array->release) throw invalid("from_arrow: a structure that was released");
  schema->release = nullptr, array->release = nullptr;
  const auto& [names, rows] = *kept;
  if (!names.format || std::string_view(names.format) != "+s" || names.n_children != rows.n_children) throw invalid("from_arrow: not a struct array");
  if (npartitions < 1) throw invalid("from_arrow: npartitions must be at least 1, got ", npartitions);
  Schema s{Kind::frame, {}, {}, false};
  Batch all{rows.length, {}};
  for (int64_t i = 0; i < names.n_children; ++i) {
    const ArrowSchema& child = *names.children[i];
    const std::string name = child.name ? child.name : "";
    if (child.dictionary) throw unsupported("from_arrow: column '", name, "' is a dictionary; cast it to its values");
    DType type = type_of(child.format, name);
    Column c = import_column(child, *rows.children[i], rows.offset, rows.length, type, kept);
    if (c.storage == Storage::float64) type = {Storage::float64};  // integers with missing values, as pandas has them
    type.open = c.valid && type.is_boolean();
    s.columns.push_back({name, type});
    all.columns.push_back(std::move(c));
  }
  std::vector<Batches> partitions;
  for (int64_t p = 0; p < npartitions; ++p) {
    const int64_t begin = rows.length * p / npartitions, end = rows.length * (p + 1) / npartitions;
    Batch part{end - begin, {}};
    for (const auto& c : all.columns) part.columns.push_back(slice(c, begin, end - begin));
    partitions.push_back({std::move(part)});
  }
  return DataFrame(api::from_partitions(std::move(partitions), s));
}

}  // namespace muster
