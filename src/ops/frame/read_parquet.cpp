// read_parquet: the rows of Parquet files as a frame. What it finds out once (files, row groups, types) becomes the node's arguments.
#include <unordered_map>

#include "io/parquet/scan.hpp"
#include "io/source.hpp"
#include "ops/frame/catalog.hpp"
#include "ops/frame/columns.hpp"

namespace muster::ops::frame {
using io::parquet::Scan;
namespace {

// args: scan; columns = positions of the frame's columns, index = positions of its index columns.
std::vector<Field> fields(const Scan& scan, const Value& positions) {
  std::vector<Field> out;
  for (const auto& p : positions.list()) {
    const auto& column = scan.columns.at(static_cast<size_t>(p.integer()));
    out.push_back({column.name.starts_with("__index_level_") ? Label() : column.label, column.type});  // what pandas calls an index without a name
  }
  return out;
}

Schema schema(const Call& c) {
  const Scan scan = Scan::decode(c["scan"]);
  return {Kind::frame, fields(scan, c["columns"]), fields(scan, c["index"]), false};
}

Rows lower(Lowering& l, const Call& c) {
  const Scan scan = Scan::decode(c["scan"]);
  const int ids = static_cast<int>(scan.columns.size());
  const Rows all = l.source(ids + 1);
  l.open_column(all.stage, ids, kRowIds);
  for (int i = 0; i < ids; ++i)
    if (scan.columns[static_cast<size_t>(i)].type.open) l.open_column(all.stage, i, i);
  Rows out{all.stage, {}, {}};
  for (const auto& p : c["columns"].list()) out.columns.push_back(static_cast<int>(p.integer()));
  for (const auto& p : c["index"].list()) out.index.push_back(static_cast<int>(p.integer()));
  if (out.index.empty()) out.index.push_back(ids);
  return out;
}

Value source(const Call& c, const std::vector<int>& needed) {
  Scan scan = Scan::decode(c["scan"]);
  scan.wanted.assign(needed.begin(), needed.end());
  return scan.encode();
}

std::vector<int64_t> bytes_of_columns(const Call& c) {
  const Scan scan = Scan::decode(c["scan"]);
  const auto footers = io::parquet::metadata_of(scan.files, scan.options);
  std::vector<int64_t> bytes(scan.columns.size() + 1);  // behind the columns: row ids
  std::unordered_map<std::string_view, size_t> texts;
  for (size_t i = 0; i < scan.columns.size(); ++i)
    if (scan.columns[i].type.is_text()) texts[scan.columns[i].name] = i;
  for (const auto& part : scan.parts) {
    const auto& footer = *footers.at(static_cast<size_t>(part.file));
    for (int64_t g = part.first; g < part.last; ++g) {
      const auto& group = footer.row_groups.at(static_cast<size_t>(g));
      // a byte says whether a value is missing
      for (size_t i = 0; i < scan.columns.size(); ++i) bytes[i] += group.rows * (width(scan.columns[i].type.storage) + 1);
      for (size_t l = 0; l < footer.leaves.size() && !texts.empty(); ++l)
        // of codes, perhaps: the texts are longer
        if (const auto text = texts.find(footer.leaves[l].name); text != texts.end()) bytes[text->second] += 8 * group.chunks.at(l).uncompressed;
      bytes.back() += group.rows * 8;
    }
  }
  return bytes;
}

// A file that took another's place is read by its own footer, where size and time do not tell them apart.
Value refresh(const Call& c) {
  Scan scan = Scan::decode(c["scan"]);
  bool moved = false;
  for (auto& file : scan.files) {
    const FileInfo now = io::stat_file(file.path, scan.options);
    if (now.size != file.size || now.mtime != file.mtime)
      throw Error(ErrorKind::io, concat("'", file.path, "' changed since read_parquet looked at it; call read_parquet again"));
    moved |= now.identity != file.identity;
    file.identity = now.identity;
  }
  if (!moved) return c.args;
  Dict args = c.args.dict();
  for (auto& [name, value] : args)
    if (name == "scan") value = scan.encode();
  return args;
}
}  // namespace

Value resolve_read_parquet(const Value& a) {
  const Scan scan = io::parquet::infer(a);
  Schema all{Kind::frame, {}, {}, false};
  for (const auto& column : scan.columns) all.columns.push_back({column.label, column.type});
  const Positions known(all);
  auto positions = [&](const Value& labels) {
    List out;
    for (const auto& label : labels.list()) {
      if (known.first(label) < 0) all.position(label, "read_parquet");
      out.push_back(known.all(label).back());
    }
    return out;
  };
  List index = a["index"].is_list() ? positions(a["index"]) : List{}, columns;
  if (a["columns"].is_list()) {
    columns = positions(a["columns"]);
  } else {
    for (size_t i = 0; i < scan.columns.size(); ++i)
      if (std::find(index.begin(), index.end(), Value(i)) == index.end()) columns.push_back(i);
  }
  return Dict{{"scan", scan.encode()}, {"columns", columns}, {"index", index}, {"shown", a["shown"]}};
}

Ops read_parquet_ops() {
  return {{
      .name = "read_parquet",
      .on = {{internal, ""}},
      .doc = {.summary = "The rows of Parquet files.", .notes = "See muster.dataframe.read_parquet."},
      .schema = schema,
      .lower = lower,
      .partitions = [](const Call& c) { return static_cast<int64_t>(c["scan"]["parts"].list().size()); },
      .source_kernel = "parquet.scan",
      .source = source,
      .takes_filters = true,
      .refresh = refresh,
      .files = [](const Call& c) { return std::vector<int64_t>{0, static_cast<int64_t>(c["scan"]["parts"].list().size())}; },
      .partition_rows = [](const Call& c) {
        const Scan scan = Scan::decode(c["scan"]);
        const auto footers = io::parquet::metadata_of(scan.files, scan.options);
        std::vector<int64_t> rows;
        for (const auto& part : scan.parts) {
          int64_t n = 0;
          for (int64_t g = part.first; g < part.last; ++g) n += footers.at(static_cast<size_t>(part.file))->row_groups.at(static_cast<size_t>(g)).rows;
          rows.push_back(n);
        }
        return rows;
      },
      .bytes = bytes_of_columns,
      .show = [](const Call& c) { return c["shown"].label(); },
      .kernels = {io::parquet::scan_kernel()},
  }};
}

}  // namespace muster::ops::frame
