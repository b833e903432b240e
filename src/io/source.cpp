// Bytes come in order, from an offset on; a file that is not as large or as old as it was when it was planned is an error, not other data.
#include "io/source.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/error.hpp"

namespace muster {
namespace io {
using namespace base;
namespace {
FileSystem& registered() {
  static FileSystem functions;
  return functions;
}

bool is_url(const std::string& path) { return path.find("://") != std::string::npos && !path.starts_with("file://"); }
std::string local_path(const std::string& path) { return path.starts_with("file://") ? path.substr(7) : path; }

Error failed(const char* what, const std::string& path) {
  Error e = io_error(what, " '", path, "': ", std::strerror(errno));
  e.python = errno == ENOENT   ? "builtins.FileNotFoundError"
             : errno == EACCES ? "builtins.PermissionError"
             : errno == EISDIR ? "builtins.IsADirectoryError"
                               : "";
  return e;
}

class LocalStream : public Stream {
 public:
  LocalStream(const std::string& path, int64_t offset) : path_(path), at_(offset), fd_(::open(local_path(path).c_str(), O_RDONLY | O_CLOEXEC)) {
    if (fd_ < 0) throw failed("cannot open", path);
  }
  ~LocalStream() override { ::close(fd_); }
  int64_t read(char* to, int64_t size) override {
    for (;;) {
      auto got = ::pread(fd_, to, static_cast<size_t>(size), at_);
      if (got >= 0) return at_ += got, got;
      if (errno != EINTR) throw failed("cannot read", path_);
    }
  }

 private:
  std::string path_;
  int64_t at_;
  int fd_;
};

class UrlStream : public Stream {
 public:
  UrlStream(std::string url, std::string options, int64_t offset) : url_(std::move(url)), options_(std::move(options)), at_(offset) {}
  int64_t read(char* to, int64_t size) override {
    auto got = filesystem(url_).read(url_, options_, at_, to, size);
    at_ += got;
    return got;
  }

 private:
  std::string url_, options_;
  int64_t at_;
};

std::string read_all(Stream& stream) {
  std::string bytes;
  constexpr int64_t kPiece = 1 << 20;
  for (;;) {
    auto have = bytes.size();
    bytes.resize(have + kPiece);
    auto got = stream.read(bytes.data() + have, kPiece);
    bytes.resize(have + static_cast<size_t>(got));
    if (got == 0) return bytes;
  }
}

// A text in another encoding is turned into UTF-8 whole: encodings such as UTF-16 and Shift-JIS cannot be cut at any byte.
class Utf8Stream : public Stream {
 public:
  Utf8Stream(Stream& bytes, const std::string& path, const std::string& encoding) {
    const auto& turn = filesystem(path).to_utf8;
    if (!turn) throw unsupported("encoding '", encoding, "': only UTF-8 is read without Python");
    text_ = turn(read_all(bytes), encoding);
  }
  int64_t read(char* to, int64_t size) override {
    auto n = std::min<int64_t>(size, static_cast<int64_t>(text_.size()) - at_);
    std::memcpy(to, text_.data() + at_, static_cast<size_t>(n));
    at_ += n;
    return n;
  }

 private:
  std::string text_;
  int64_t at_ = 0;
};

// Nothing was found: is it because a folder on the way must not be looked into?
void refuse_hidden(const std::string& path) {
  for (size_t slash = 0; slash != std::string::npos;) {
    slash = path.find('/', slash + 1);
    const std::string folder = path.substr(0, slash);
    struct stat s;
    if (::stat(folder.c_str(), &s) != 0 || !S_ISDIR(s.st_mode)) {
      if (errno == EACCES) throw failed("cannot open", folder);
      return;
    }
    const bool listed = slash == std::string::npos || path.find_first_of("*?[", slash) < path.find('/', slash + 1);
    if (::faccessat(AT_FDCWD, folder.c_str(), listed ? R_OK | X_OK : X_OK, AT_EACCESS) != 0 && errno == EACCES) throw failed("cannot open", folder);
  }
}

int64_t nanoseconds(const timespec& t) { return t.tv_sec * 1'000'000'000L + t.tv_nsec; }

FileInfo info_of(const std::string& path, const struct stat& s) {
  const uint64_t moved = static_cast<uint64_t>(s.st_ino) * 0x9e3779b97f4a7c15U;
  return {path, s.st_size, nanoseconds(s.st_mtim), static_cast<int64_t>(moved ^ static_cast<uint64_t>(nanoseconds(s.st_ctim)))};
}
}  // namespace

base::Value encode(const FileInfo& file) { return base::List{file.path, file.size, file.mtime, file.identity}; }

FileInfo decode_file(const base::Value& value) {
  const auto& f = value.list();
  return {f.at(0).string(), f.at(1).integer(), f.at(2).integer(), f.at(3).integer()};
}

bool is_local(const std::string& path) { return !is_url(path); }

const FileSystem& filesystem(const std::string& url) {
  if (is_url(url) && !registered().read) throw unsupported("'", url, "': only local files are read without Python (fsspec)");
  return registered();
}

FileInfo stat_file(const std::string& path, const std::string& options) {
  if (is_url(path)) {
    auto found = filesystem(path).list(path, options);
    if (found.empty()) throw Error(ErrorKind::io, concat("no such file: '", path, "'"), "builtins.FileNotFoundError");
    return found[0];
  }
  struct stat s;
  if (::stat(local_path(path).c_str(), &s) != 0) throw failed("cannot open", path);
  return info_of(path, s);
}

void check_unchanged(const FileInfo& planned) {
  if (is_url(planned.path)) return;  // a request more for each piece
  const FileInfo now = stat_file(planned.path, "");
  if (now.size != planned.size || now.mtime != planned.mtime)
    throw io_error("'", planned.path, "' changed while it was read: it has ", now.size, " bytes, it had ", planned.size,
                   " when the computation was planned; compute again when nobody writes to it");
}

std::vector<FileInfo> list_files(const std::string& pattern, const std::string& options) {
  std::vector<FileInfo> files;
  if (is_url(pattern)) {
    files = filesystem(pattern).list(pattern, options);
  } else {
    struct stat s;
    auto path = local_path(pattern);
    if (::stat(path.c_str(), &s) == 0 && !S_ISDIR(s.st_mode)) {
      files.push_back(info_of(path, s));
    } else {
      bool directory = ::stat(path.c_str(), &s) == 0;
      auto wanted = directory ? path + "/*" : path;
      glob_t found{};
      if (::glob(wanted.c_str(), 0, nullptr, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; ++i)
          if (::stat(found.gl_pathv[i], &s) == 0 && S_ISREG(s.st_mode)) files.push_back(info_of(found.gl_pathv[i], s));
      ::globfree(&found);
      std::sort(files.begin(), files.end(), [](auto& a, auto& b) { return a.path < b.path; });
    }
  }
  if (files.empty() && !is_url(pattern)) refuse_hidden(local_path(pattern));
  if (files.empty())
    throw Error(ErrorKind::io, concat("no file matches '", pattern, "'; check the path, it is looked up from the current directory"),
                "builtins.FileNotFoundError");
  return files;
}

std::string compression_of(const std::string& path) {
  for (auto [ending, name] : {std::pair{".gz", "gzip"}, {".bz2", "bz2"}, {".xz", "xz"}, {".zst", "zstd"}, {".zstd", "zstd"}})
    if (path.ends_with(ending)) return name;
  return {};
}

std::unique_ptr<Stream> open_stream(const std::string& path, const std::string& options, const std::string& compression, const std::string& encoding,
                                    int64_t offset) {
  std::unique_ptr<Stream> stream;
  if (is_url(path)) stream = std::make_unique<UrlStream>(path, options, offset);
  else stream = std::make_unique<LocalStream>(path, offset);
  if (!compression.empty()) stream = decompress(std::move(stream), compression, path);
  if (!encoding.empty()) stream = std::make_unique<Utf8Stream>(*stream, path, encoding);
  return stream;
}

void read_at(const std::string& path, const std::string& options, int64_t offset, char* to, int64_t size) {
  auto stream = open_stream(path, options, "", "", offset);
  for (int64_t have = 0; have < size;) {
    const int64_t got = stream->read(to + have, size - have);
    if (got <= 0) throw io_error("'", path, "' ends at byte ", offset + have, ", where ", size - have, " more were expected; was it written to meanwhile?");
    have += got;
  }
}
}  // namespace io

void set_filesystem(FileSystem functions) { io::registered() = std::move(functions); }
}  // namespace muster
