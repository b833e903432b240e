// read_csv: the rows of CSV files as a frame. What it finds out once (files, header, types) becomes the node's arguments.
#include <algorithm>

#include "io/csv/infer.hpp"
#include "io/csv/parse.hpp"
#include "io/csv/scan.hpp"
#include "io/source.hpp"
#include "ops/frame/columns.hpp"

namespace muster::ops::frame {
using io::csv::ColumnSource;
using io::csv::Scan;
namespace {

std::vector<ColumnSource> columns_of(const Call& c) {
  std::vector<ColumnSource> out;
  for (const auto& v : c["columns"].list()) out.push_back(ColumnSource::decode(v));
  return out;
}

Schema schema(const Call& c) {
  Schema s;
  for (auto& column : columns_of(c)) (column.is_index ? s.index : s.columns).push_back({column.label, column.type});
  s.labels_integer = !s.columns.empty() && s.columns[0].label.is_integer();
  return s;
}

Value parse_args(const Scan& scan, const Call& c, const ColumnSource& column, int64_t id) {
  return Dict{{"id", id}, {"label", column.label}, {"type", code(column.type)}, {"forced", column.forced}, {"dialect", scan.dialect.encode()},
              {"missing", List(column.missing.begin(), column.missing.end())}, {"true", c["true"]}, {"false", c["false"]}, {"format", column.format}};
}

Rows lower(Lowering& l, const Call& c) {
  const Scan scan = Scan::decode(c["scan"]);
  const int width = static_cast<int>(scan.width);
  const Rows raw = l.source(width + 2);
  Rows out{raw.stage, {}, {width}};
  l.open_column(raw.stage, width, kRowIds);
  int64_t id = 0;
  for (const auto& column : columns_of(c)) {
    std::vector<int> fields;
    for (auto f : column.fields) fields.push_back(static_cast<int>(f));
    if (column.is_path) {
      out.columns.push_back(width + 1);
    } else if (column.is_index) {
      out.index = {l.one(raw.stage, "csv.parse", parse_args(scan, c, column, id), fields)};
      if (column.type.open) l.open_column(raw.stage, out.index[0], id);
    } else {
      const bool parts = column.fields.size() > 1;
      const int reg = l.one(raw.stage, parts ? "csv.date_parts" : "csv.parse", parse_args(scan, c, column, id), fields);
      if (column.type.open) l.open_column(raw.stage, reg, id);
      out.columns.push_back(reg);
    }
    ++id;
  }
  return out;
}

Value source(const Call& c, const std::vector<int>& needed) {
  Scan scan = Scan::decode(c["scan"]);
  scan.wanted.clear();
  for (int r : needed) {
    if (r < scan.width) scan.wanted.push_back(r);
    else (r == scan.width ? scan.row_ids : scan.paths) = true;
  }
  return scan.encode();
}

Value with_scan(const Call& c, const Scan& scan, List columns) {
  return Dict{{"scan", scan.encode()}, {"columns", std::move(columns)}, {"true", c["true"]}, {"false", c["false"]}, {"shown", c["shown"]}};
}

// A file that changed since is read as it is now; one that has become empty has no columns any more.
Value refresh(const Call& c) {
  Scan scan = Scan::decode(c["scan"]);
  bool changed = false;
  for (auto& file : scan.files) {
    FileInfo now = io::stat_file(file.path, scan.options);
    if (!now.size && file.size)
      throw Error(ErrorKind::io,
                  concat("read_csv: No columns to parse from file '", file.path, "': it is empty now, it had ", file.size, " bytes when read_csv looked at it"),
                  "pandas.errors.EmptyDataError");
    changed |= now.size != file.size || now.mtime != file.mtime || now.identity != file.identity;
    file.size = now.size, file.mtime = now.mtime, file.identity = now.identity;
  }
  if (!changed) return c.args;
  scan.begins.clear();
  return with_scan(c, scan, c["columns"].list());
}

Value revise(const Call& c, const std::vector<std::pair<int64_t, DType>>& wider, const std::vector<std::pair<int64_t, int64_t>>& begins) {
  Scan scan = Scan::decode(c["scan"]);
  auto columns = columns_of(c);
  for (const auto& [id, type] : wider) {
    DType& promised = columns.at(static_cast<size_t>(id)).type;
    const bool missing = type.open && type.is_float();  // not a wider value: a missing one
    if (!missing) promised = type;
    else if (promised.is_integer()) promised = {Storage::float64};
  }
  for (const auto& b : begins) {
    std::erase_if(scan.begins, [&](const auto& known) { return known.first == b.first; });
    scan.begins.push_back(b);
  }
  std::sort(scan.begins.begin(), scan.begins.end());
  List encoded;
  for (const auto& column : columns) encoded.push_back(column.encode());
  return with_scan(c, scan, std::move(encoded));
}
}  // namespace

/// The arguments of a read_csv node from those of the Python call.
Value resolve_read_csv(const Value& a) {
  auto found = io::csv::infer(a);
  List columns;
  for (const auto& column : found.columns) columns.push_back(column.encode());
  return Dict{{"scan", found.scan.encode()}, {"columns", columns}, {"true", a["true_values"].is_none() ? Value(List{}) : a["true_values"]},
              {"false", a["false_values"].is_none() ? Value(List{}) : a["false_values"]}, {"shown", a["urlpath"]}};
}

Ops read_csv_ops() {
  std::vector<Kernel> kernels = io::csv::parse_kernels();
  kernels.push_back(io::csv::scan_kernel());
  return {{
      .name = "read_csv",
      .on = {{internal, ""}},
      .doc = {.summary = "The rows of CSV files.", .notes = "See muster.dataframe.read_csv."},
      .schema = schema,
      .lower = lower,
      .partitions = [](const Call& c) { return io::csv::first_partitions(Scan::decode(c["scan"])).back(); },
      .source_kernel = "csv.scan",
      .source = source,
      .refresh = refresh,
      .revise = revise,
      .files = [](const Call& c) { return io::csv::first_partitions(Scan::decode(c["scan"])); },
      .show = [](const Call& c) { return c["shown"].list().size() == 1 ? c["shown"].list()[0].repr() : concat(c["shown"].list().size(), " paths"); },
      .kernels = std::move(kernels),
  }};
}

}  // namespace muster::ops::frame
