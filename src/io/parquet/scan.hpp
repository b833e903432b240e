// The Parquet source: row groups of files as batches.
#pragma once
#include "data/kernel.hpp"
#include "io/parquet/metadata.hpp"
#include "muster/filesystem.hpp"

namespace muster::io::parquet {

/// A partition: row groups [first, last) of a file.
struct Part {
  int64_t file, first, last;
};

/// A column as the scan gives it: of the file, or a value per file (hive partitions).
struct Wanted {
  base::Value label;
  std::string name;                   // in the file
  data::DType type;
  std::vector<base::Value> values;    // per file; empty: read from the file
};

struct Scan {
  std::vector<FileInfo> files;
  std::string options;
  base::Value reader;                 // an object of Python, where only a process with Python can read the files
  std::vector<Part> parts;
  std::vector<Wanted> columns;
  base::Value filters;                // (position, operation, value): row groups that cannot hold such rows are passed over
  std::vector<int64_t> wanted;        // positions in `columns`; the number of columns stands for the row ids
  base::Value encode() const;
  static Scan decode(const base::Value& value);
};

/// A file's footer; kept while the file stays as it is.
std::shared_ptr<const Metadata> metadata_of(const FileInfo& file, const std::string& options);
/// The footers of many files, read side by side.
std::vector<std::shared_ptr<const Metadata>> metadata_of(const std::vector<FileInfo>& files, const std::string& options);

/// A column of several files, some of which may be without it.
struct United {
  Leaf leaf;                     // with the dtype that holds the values of all files
  size_t file;                   // the first that has it
  std::optional<size_t> unlike;  // a file whose values no dtype holds together with those of the files in front
  bool missing = false, unknown = false;  // whether a value is missing; whether a footer does not say so
};
/// In the order in which the files bring them.
std::vector<United> united(const std::vector<std::shared_ptr<const Metadata>>& files);

/// The scan of files, from the arguments {files, root, storage_options, filters, blocksize, elsewhere}; columns named in `elsewhere` are left to others.
/// Throws Error{io} where files do not fit each other.
Scan infer(const base::Value& arguments);

/// Whether the statistics of a row group leave room for a row that any of the conjunctions of `filters` holds for: lists of (column, operation, value).
bool may_hold(const Metadata& metadata, const RowGroup& group, const base::Value& filters);

/// The kernel "parquet.scan".
data::Kernel scan_kernel();

}  // namespace muster::io::parquet
