// The CSV source: the rows of one byte range of one file, as raw field texts, with row ids.
#pragma once
#include "data/kernel.hpp"
#include "io/csv/dialect.hpp"
#include "muster/filesystem.hpp"

namespace muster::io::csv {

/// How the lines before the data are read: lines to skip, and whether a header row follows.
struct Head {
  std::vector<int64_t> skip;  // line numbers to skip, ascending
  int64_t header = 0;         // rows before the header row, counted after the skipped lines; -1 = no header
};

/// Everything that says what a CSV scan reads; the partitions follow from it.
struct Scan {
  std::vector<FileInfo> files;
  std::string options, compression;  // compression "infer" goes by each file's name
  base::Value reader;                // an object of Python, where only a process with Python can read the files
  int64_t blocksize = 0;             // bytes; 0 = a partition a file
  Dialect dialect;
  Head head;
  std::vector<std::string> header;   // as in the file, checked in every file; empty = none
  int64_t width = 0;                 // fields a row
  std::vector<int64_t> wanted;       // ascending field positions, the first columns of a batch
  bool row_ids = false, paths = false;  // then row ids, then the file's path
  std::vector<std::pair<int64_t, int64_t>> begins;  // partitions whose first row's offset is known: a quoted newline misled the guess

  base::Value encode() const;
  static Scan decode(const base::Value& value);

  std::string compression_of_file(size_t file) const;
  int64_t partitions_of(const FileInfo& file, size_t index) const;
};

/// The byte range of a partition.
struct Range {
  size_t file;
  int64_t begin, end;  // rows that start in [begin, end)
};
std::vector<int64_t> first_partitions(const Scan& scan);  // per file, and the total behind
Range range_of(const Scan& scan, const std::vector<int64_t>& first_partitions, int64_t partition);

/// Reads the head at data[0, size): the header's texts, and where the data begins. False: more bytes are needed.
bool read_head(const Dialect& dialect, const Head& head, const char* data, int64_t size, bool last, std::vector<std::string>& names, int64_t& data_begin);

/// The kernel "csv.scan".
data::Kernel scan_kernel();

}  // namespace muster::io::csv
