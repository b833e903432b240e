// A partition is some row groups of one file; a file that has changed since it was planned is an error. Row groups are passed over only where statistics
// exclude every row.
#include "io/parquet/scan.hpp"

#include <algorithm>
#include <map>
#include <mutex>

#include "base/error.hpp"
#include "io/parquet/decode.hpp"
#include "io/source.hpp"
#include "muster/error.hpp"

namespace muster::io::parquet {
using namespace base;
using namespace data;
namespace {
constexpr int64_t kMorsel = 32 << 10;  // rows

class ScanReader : public Reader {
 public:
  ScanReader(const Scan& scan, int64_t partition)
      : scan_(scan), partition_(partition), part_(scan.parts.at(static_cast<size_t>(partition))), group_(part_.first) {
    const FileInfo& file = scan.files.at(static_cast<size_t>(part_.file));
    metadata_ = metadata_of(file, scan.options);
    if (part_.last > static_cast<int64_t>(metadata_->row_groups.size())) throw changed();
  }

  bool next(Task& task, Batch& out) override {
    while (left_ == 0) {
      if (group_ == part_.last) {
        if (given_) return false;
        break;  // an empty partition gives one empty batch
      }
      open(task);
    }
    const int64_t rows = std::min(kMorsel, left_);
    out.rows = rows, out.columns.clear();
    size_t at = 0;
    for (auto w : scan_.wanted) {
      if (w == static_cast<int64_t>(scan_.columns.size())) {
        Writable ids(Storage::row_id, rows);
        for (int64_t i = 0; i < rows; ++i) ids.as<int64_t>()[i] = partition_ << 32 | (local_ + i);
        out.columns.push_back(std::move(ids).finish());
        continue;
      }
      const Wanted& column = scan_.columns[static_cast<size_t>(w)];
      if (!column.values.empty()) out.columns.push_back(spread(constant_of(column.values[static_cast<size_t>(part_.file)], column.type), rows));
      else if (left_ == 0) out.columns.push_back(Writable(column.type.storage, 0).finish());
      else out.columns.push_back(read(column, *decoders_[at++], rows));
      if (column.type.open && out.columns.back().valid && std::memchr(out.columns.back().valid, 0, static_cast<size_t>(rows))) task.report.missing.push_back(w);
    }
    check_unchanged(scan_.files[static_cast<size_t>(part_.file)]);
    left_ -= rows, local_ += rows, given_ = true;
    task.report.rows += rows;
    return true;
  }

 private:
  Error changed() const {
    return Error(ErrorKind::io, concat("'", scan_.files[static_cast<size_t>(part_.file)].path, "' changed since read_parquet looked at it"));
  }
  Column read(const Wanted& column, Decoder& decoder, int64_t rows) {
    try {
      return decoder.read(rows);
    } catch (const Error& e) {
      check_unchanged(scan_.files[static_cast<size_t>(part_.file)]);  // or that is why
      throw Error(e.kind, concat("'", scan_.files[static_cast<size_t>(part_.file)].path, "', column '", column.name, "': ", e.message), e.python);
    }
  }
  void open(Task& task) {
    const RowGroup& group = metadata_->row_groups[static_cast<size_t>(group_++)];
    left_ = group.rows;
    decoders_.clear();
    task.hold(-std::exchange(held_, 0));
    if (!may_hold(*metadata_, group, scan_.filters)) {
      task.report.rows += left_, local_ += left_;  // rows behind keep their numbers
      left_ = 0;
      return;
    }
    const FileInfo& file = scan_.files[static_cast<size_t>(part_.file)];
    for (auto w : scan_.wanted) {
      if (w == static_cast<int64_t>(scan_.columns.size()) || !scan_.columns[static_cast<size_t>(w)].values.empty()) continue;
      const Wanted& column = scan_.columns[static_cast<size_t>(w)];
      if (!left_) continue;
      const auto leaf = std::find_if(metadata_->leaves.begin(), metadata_->leaves.end(), [&](const Leaf& l) { return l.name == column.name; });
      if (leaf == metadata_->leaves.end()) {
        decoders_.push_back(missing_values(column.type));
        continue;
      }
      const Chunk& chunk = group.chunks[static_cast<size_t>(leaf - metadata_->leaves.begin())];
      task.hold(chunk.bytes), held_ += chunk.bytes;
      decoders_.push_back(make_decoder(file.path, scan_.options, *leaf, chunk, column.type));
      task.progress(chunk.bytes);
    }
  }

  const Scan& scan_;
  int64_t partition_;
  Part part_;
  int64_t group_, left_ = 0, local_ = 0, held_ = 0;  // held_: bytes of the row group's chunks
  bool given_ = false;
  std::shared_ptr<const Metadata> metadata_;
  std::vector<std::unique_ptr<Decoder>> decoders_;
};

class ScanSource : public Source {
 public:
  explicit ScanSource(const Args& a) : scan_(Scan::decode(a)) {}
  std::unique_ptr<Reader> open(Task& t) const override { return std::make_unique<ScanReader>(scan_, t.partition()); }

 private:
  Scan scan_;
};
}  // namespace

Value Scan::encode() const {
  List all_files, all_parts, all_columns;
  for (const auto& f : files) all_files.push_back(io::encode(f));
  for (const auto& p : parts) all_parts.push_back(List{p.file, p.first, p.last});
  for (const auto& c : columns) all_columns.push_back(List{c.label, c.name, code(c.type), List(c.values.begin(), c.values.end())});
  return Dict{{"files", all_files}, {"options", options}, {"reader", reader}, {"parts", all_parts}, {"columns", all_columns},
              {"wanted", List(wanted.begin(), wanted.end())}};
}

Scan Scan::decode(const Value& v) {
  Scan s;
  for (const auto& f : v["files"].list()) s.files.push_back(decode_file(f));
  s.options = v["options"].string(), s.reader = v["reader"];
  for (const auto& p : v["parts"].list()) s.parts.push_back({p.list().at(0).integer(), p.list().at(1).integer(), p.list().at(2).integer()});
  for (const auto& c : v["columns"].list())
    s.columns.push_back({c.list().at(0), c.list().at(1).string(), dtype_of(c.list().at(2).integer()), c.list().at(3).list()});
  for (const auto& w : v["wanted"].list()) s.wanted.push_back(w.integer());
  if (v["filters"].is_list()) {
    List conjunctions;
    for (const auto& c : v["filters"].list()) {
      List terms;
      for (const auto& t : c.list()) terms.push_back(List{s.columns.at(static_cast<size_t>(t.list().at(0).integer())).name, t.list().at(1), t.list().at(2)});
      conjunctions.push_back(terms);
    }
    s.filters = conjunctions;
  }
  return s;
}

std::shared_ptr<const Metadata> metadata_of(const FileInfo& file, const std::string& options) {
  static std::mutex mutex;
  static std::map<std::tuple<std::string, int64_t, int64_t, int64_t, std::string>, std::shared_ptr<const Metadata>> known;
  const auto key = std::tuple(file.path, file.size, file.mtime, file.identity, options);
  {
    std::lock_guard lock(mutex);
    if (auto found = known.find(key); found != known.end()) return found->second;
  }
  auto read = std::make_shared<const Metadata>(read_metadata(file.path, options));
  std::lock_guard lock(mutex);
  if (known.size() > 4096) known.clear();
  return known[key] = read;
}

Kernel scan_kernel() {
  return {.name = "parquet.scan", .source = [](const Args& a) -> std::unique_ptr<Source> { return std::make_unique<ScanSource>(a); }};
}

}  // namespace muster::io::parquet
