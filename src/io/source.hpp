// Files as the readers see them: list, and read bytes in order from an offset. Local files directly, URLs through the registered file system.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base/value.hpp"
#include "muster/filesystem.hpp"

namespace muster::io {

/// Bytes in order.
class Stream {
 public:
  virtual ~Stream() = default;
  /// Reads up to `size` bytes into `to`; 0 only at the end.
  virtual int64_t read(char* to, int64_t size) = 0;
};

/// The files a path, glob, directory or URL names, sorted by name. Throws Error{io} when there is none.
std::vector<FileInfo> list_files(const std::string& pattern, const std::string& options);
/// As plans hold it, where the identity makes another expression of a file that took the place of one of the same size and time.
base::Value encode(const FileInfo& file);
/// What `encode` gave.
FileInfo decode_file(const base::Value& value);
/// The file's size, time and identity now. Throws Error{io} naming it.
FileInfo stat_file(const std::string& path, const std::string& options);
/// Throws Error{io} naming a local file that has not the size and time any more which it was planned with. The identity may change: some file systems
/// number their files anew, and a link more is no other content.
void check_unchanged(const FileInfo& planned);

/// "gzip", "bz2", "xz", "zstd" or "" for a path's ending.
std::string compression_of(const std::string& path);

/// The bytes of a file from `offset` (of the decompressed bytes if compressed; then only 0), encoding turned into UTF-8.
std::unique_ptr<Stream> open_stream(const std::string& path, const std::string& options, const std::string& compression, const std::string& encoding,
                                    int64_t offset);

/// Whether a path names a file of this machine's file system.
bool is_local(const std::string& path);

/// Reads exactly `size` bytes at `offset`. Throws Error{io} if the file ends before.
void read_at(const std::string& path, const std::string& options, int64_t offset, char* to, int64_t size);

std::unique_ptr<Stream> decompress(std::unique_ptr<Stream> bytes, const std::string& compression, const std::string& path);

const FileSystem& filesystem(const std::string& url);

}  // namespace muster::io
