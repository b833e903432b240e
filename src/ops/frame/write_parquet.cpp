// write_parquet: each partition as a Parquet file, in a hidden folder until all are there; the numbers of rows.
#include <algorithm>
#include <unordered_set>

#include "io/parquet/write.hpp"
#include "ops/frame/columns.hpp"

namespace muster::ops::frame {
namespace {
using io::parquet::Compression;

// Parquet has no unit of seconds.
DType written(DType t) { return t.storage == Storage::timestamp && t.unit == Unit::s ? DType{t.storage, Unit::ms} : t; }

std::vector<Field> written_fields(const Schema& s) {
  std::vector<Field> out;
  std::copy_if(s.index.begin(), s.index.end(), std::back_inserter(out), [](const Field& f) { return !f.label.is_none(); });
  out.insert(out.end(), s.columns.begin(), s.columns.end());
  for (auto& f : out) f.type = written(f.type);
  return out;
}

// write_parquet {folder, hidden, compression, fields}
Whole write(const Args& a) {
  const std::string folder = a["folder"].string(), hidden = a["hidden"].string(), codec = a["compression"].string();
  const auto compression = codec == "none" ? Compression::none : codec == "zstd" ? Compression::zstd : Compression::snappy;
  std::vector<Field> fields;
  for (const auto& f : a["fields"].list()) fields.push_back({f.list().at(0), dtype_of(f.list().at(1).integer())});
  return [=](Task& t, Batches rows) -> Batches {
    Batch all = concatenate(rows);
    const std::string name = concat("/part.", t.partition(), ".parquet");
    io::parquet::write_file(hidden + name, folder + name, fields, {all}, compression);
    Writable count(Storage::int64, 1);
    *count.as<int64_t>() = all.rows;
    return {{1, {std::move(count).finish()}}};
  };
}
}  // namespace

Ops write_parquet_ops() {
  return {{.name = "write_parquet",  // {folder, hidden, compression: snappy, zstd or none}
           .on = {{internal, ""}},
           .schema =
               [](const Call& c) {
                 const std::string& codec = c["compression"].string();
                 if (codec != "snappy" && codec != "zstd" && codec != "none")
                   throw invalid("to_parquet: compression '", codec, "' is not one of snappy, zstd, none");
                 std::unordered_set<std::string> seen;
                 for (const auto& f : written_fields(c.input())) {
                   if (!seen.insert(f.label.label()).second)
                     throw invalid("to_parquet: two columns, or a column and the index, are named '", f.label.label(), "'; rename one");
                   if (f.type.is_object() || f.type.storage == Storage::duration)
                     throw unsupported("to_parquet: column '", f.label.label(), "' of ", f.type.name(), ", for which Parquet has no type");
                 }
                 return Schema{Kind::series, {{"rows", {Storage::int64}}}, {}, false};
               },
           .lower =
               [](Lowering& l, const Call& c) {
                 const Rows rows = l.input();
                 std::vector<int> in;
                 const Schema& s = c.input();
                 for (size_t i = 0; i < s.index.size(); ++i)
                   if (!s.index[i].label.is_none()) in.push_back(cast(l, rows.stage, rows.index[i], s.index[i].type, written(s.index[i].type), "to_parquet"));
                 for (size_t i = 0; i < s.columns.size(); ++i)
                   in.push_back(cast(l, rows.stage, rows.columns[i], s.columns[i].type, written(s.columns[i].type), "to_parquet"));
                 List fields;
                 for (const auto& f : written_fields(s)) fields.push_back(List{f.label, code(f.type)});
                 return l.whole(rows.stage, "write_parquet",
                                Dict{{"folder", c["folder"]}, {"hidden", c["hidden"]}, {"compression", c["compression"]}, {"fields", fields}}, in, 1);
               },
           .show = [](const Call& c) { return c["folder"].repr(); },
           .kernels = {{.name = "write_parquet", .whole = write}}}};
}

}  // namespace muster::ops::frame
