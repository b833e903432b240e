// The door for files that are not local: a program (the Python package does) registers functions that list and read URLs.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "muster/export.hpp"

namespace muster {

/// A file as it is known without reading it.
struct FileInfo {
  std::string path;
  int64_t size = 0;   ///< bytes
  int64_t mtime = 0;  ///< nanoseconds since 1970, or any number that changes with the content
  int64_t identity = 0;  ///< of a local file: changes when another takes its place, even one of the same size and mtime
};

/// Functions that reach files by URL. `options` is what the user gave as storage_options, by its token.
struct FileSystem {
  /// The files a URL or glob names, in order.
  std::function<std::vector<FileInfo>(const std::string& url, const std::string& options)> list;
  /// Reads up to `size` bytes at `offset` into `to`; returns how many, 0 at the end.
  std::function<int64_t(const std::string& url, const std::string& options, int64_t offset, char* to, int64_t size)> read;
  /// Re-encodes bytes of a named text encoding as UTF-8; throws for bytes that are not of it.
  std::function<std::string(const std::string& bytes, const std::string& encoding)> to_utf8;
};

/// Registers the functions used for every URL with a scheme ("s3://...", "memory://...").
MUSTER_API void set_filesystem(FileSystem functions);

}  // namespace muster
