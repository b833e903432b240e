// shuffle: rows of equal keys in one partition, chosen by a hash of these.
#include "kernels/row_parts.hpp"
#include "ops/frame/columns.hpp"

namespace muster::ops::frame {
namespace {
constexpr int64_t kParts = 1 << 16;  // that a hash is cut into; partitions are ranges of these

std::vector<size_t> key_columns(const Call& c) {
  std::vector<size_t> out;
  if (c["on"].is_none())
    for (size_t i = 0; i < index_fields(c.input()).size(); ++i) out.push_back(i);
  else
    for (const auto& label : labels(c["on"])) out.push_back(index_fields(c.input()).size() + static_cast<size_t>(c.only(label, "shuffle")));
  return out;
}

Schema shuffle_schema(const Call& c) {
  const auto index = index_fields(c.input());
  for (size_t k : key_columns(c))
    if (const Field& f = k < index.size() ? index[k] : c.input().columns[k - index.size()]; f.type.is_object())
      throw unsupported("shuffle: ", f.label.repr(), " has dtype ", f.type.name(), ", which only pandas can compare");
  if (partition_count(c, "shuffle") > kParts) throw invalid("shuffle: npartitions must be at most ", kParts, ", got ", c["partitions"].repr());
  return c.input();
}

Rows shuffle_lower(Lowering& l, const Call& c) {
  const Rows rows = l.input();
  const bool of_index = c["on"].is_none();
  const auto index = index_fields(c.input());
  const Rows seen = of_index ? labelled(l, c.input(), rows) : rows;
  std::vector<int> in = rows.index, keys;
  in.insert(in.end(), rows.columns.begin(), rows.columns.end());
  for (size_t k : key_columns(c)) {
    const bool is_index = k < index.size();
    const DType from = is_index ? index[k].type : c.input().columns[k - index.size()].type;
    const DType hashed = from.is_number() ? DType{Storage::float64} : from;  // an integer is equal to a float
    keys.push_back(cast(l, rows.stage, is_index ? seen.index[k] : rows.columns[k - index.size()], from, hashed, "shuffle"));
  }
  in.push_back(l.one(rows.stage, "hash_rows", Dict{}, keys));
  const int64_t count = c["partitions"].integer();
  List bounds;
  for (int64_t p = 1; p < count; ++p) bounds.push_back(p * kParts / count);
  const Rows all = l.ranges(rows.stage, "order_rows",
                            Dict{{"by", List{in.size() - 1}}, {"descending", List{false}}, {"missing_first", false}, {"parts", count},
                                 {"bounds", bounds}, {"bounds_type", code(DType{Storage::uint16})}, {"in_parts_only", true}},
                            in);
  const auto at = all.columns.begin();
  const auto width = static_cast<std::ptrdiff_t>(rows.index.size()), end = width + static_cast<std::ptrdiff_t>(rows.columns.size());
  return {all.stage, {at + width, at + end}, {at, at + width}};
}

Map hash_rows(const Args&) {
  return [](Task&, Columns in, int64_t rows, std::span<Column> out) {
    std::vector<uint64_t> hashes;
    std::vector<uint8_t> missing;
    kernels::RowHasher(in.size()).hash(in, rows, hashes, missing);
    Writable parts(Storage::uint16, rows);
    for (int64_t i = 0; i < rows; ++i) parts.as<uint16_t>()[i] = static_cast<uint16_t>(hashes[static_cast<size_t>(i)] >> 48);
    out[0] = std::move(parts).finish();
    return rows;
  };
}
}  // namespace

Ops shuffle_ops() {
  // {on: labels, or none of the index; partitions}
  return {{.name = "shuffle",
           .on = {{internal, ""}},
           .schema = shuffle_schema,
           .lower = shuffle_lower,
           .folds = true,
           .sets_divisions = true,
           .partitions = [](const Call& c) { return c["partitions"].integer(); },
           .show = [](const Call& c) { return concat("by ", c["on"].is_none() ? "index" : c["on"].repr(), " to ", c["partitions"].repr()); },
           .kernels = {{.name = "hash_rows", .map = hash_rows, .traits = {.same_of_floats = [](const Args&) { return true; }}}}}};
}

}  // namespace muster::ops::frame
