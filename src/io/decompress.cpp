// gzip, bz2, xz and zstd as streams: each file's members or frames one after the other, as the command line tools read them.
#include <bzlib.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <vector>

#include "base/error.hpp"
#include "io/source.hpp"

namespace muster::io {
using namespace base;
namespace {
constexpr int64_t kPiece = 1 << 18;

// Refills the input and loops until some output came; a codec's `step` consumes input and makes output.
class Decompressor : public Stream {
 public:
  Decompressor(std::unique_ptr<Stream> bytes, std::string path, const char* name)
      : bytes_(std::move(bytes)), path_(std::move(path)), name_(name), input_(kPiece) {}
  int64_t read(char* to, int64_t size) override {
    for (;;) {
      if (have_ == 0 && !ended_) {
        have_ = static_cast<size_t>(bytes_->read(input_.data(), kPiece));
        next_ = input_.data();
        ended_ = have_ == 0;
      }
      if (have_ == 0 && ended_) {
        if (!between_) throw broken("ends in the middle");
        return 0;
      }
      if (auto made = step(to, size)) return made;
    }
  }

 protected:
  virtual int64_t step(char* to, int64_t size) = 0;
  Error broken(const char* why) const { return io_error("cannot decompress '", path_, "' as ", name_, ": ", why); }
  const char* next_ = nullptr;
  size_t have_ = 0;
  bool between_ = true;  // at the border of two members: the file may end here

 private:
  std::unique_ptr<Stream> bytes_;
  std::string path_;
  const char* name_;
  std::vector<char> input_;
  bool ended_ = false;
};

class Gzip : public Decompressor {
 public:
  Gzip(std::unique_ptr<Stream> b, const std::string& path) : Decompressor(std::move(b), path, "gzip") { inflateInit2(&z_, 15 + 16); }
  ~Gzip() override { inflateEnd(&z_); }

 private:
  int64_t step(char* to, int64_t size) override {
    if (between_) inflateReset(&z_), between_ = false;
    z_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(next_)), z_.avail_in = static_cast<uInt>(have_);
    z_.next_out = reinterpret_cast<Bytef*>(to), z_.avail_out = static_cast<uInt>(std::min<int64_t>(size, 1 << 30));
    auto asked = z_.avail_out;
    int rc = inflate(&z_, Z_NO_FLUSH);
    if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR) throw broken(z_.msg ? z_.msg : "not a gzip file");
    next_ = reinterpret_cast<const char*>(z_.next_in), have_ = z_.avail_in;
    between_ = rc == Z_STREAM_END;
    return asked - z_.avail_out;
  }
  z_stream z_{};
};

class Bz2 : public Decompressor {
 public:
  Bz2(std::unique_ptr<Stream> b, const std::string& path) : Decompressor(std::move(b), path, "bz2") {}
  ~Bz2() override { if (open_) BZ2_bzDecompressEnd(&z_); }

 private:
  int64_t step(char* to, int64_t size) override {
    if (between_) {
      if (open_) BZ2_bzDecompressEnd(&z_);
      z_ = {}, BZ2_bzDecompressInit(&z_, 0, 0), open_ = true, between_ = false;
    }
    z_.next_in = const_cast<char*>(next_), z_.avail_in = static_cast<unsigned>(have_);
    z_.next_out = to, z_.avail_out = static_cast<unsigned>(std::min<int64_t>(size, 1 << 30));
    auto asked = z_.avail_out;
    int rc = BZ2_bzDecompress(&z_);
    if (rc != BZ_OK && rc != BZ_STREAM_END) throw broken("not a bz2 file, or damaged");
    next_ = z_.next_in, have_ = z_.avail_in;
    between_ = rc == BZ_STREAM_END;
    return asked - z_.avail_out;
  }
  bz_stream z_{};
  bool open_ = false;
};

class Xz : public Decompressor {
 public:
  Xz(std::unique_ptr<Stream> b, const std::string& path) : Decompressor(std::move(b), path, "xz") {}
  ~Xz() override { lzma_end(&z_); }

 private:
  int64_t step(char* to, int64_t size) override {
    if (between_) {
      lzma_end(&z_);
      z_ = LZMA_STREAM_INIT;
      if (lzma_stream_decoder(&z_, 1ull << 30, 0) != LZMA_OK) throw broken("no memory");
      between_ = false;
    }
    z_.next_in = reinterpret_cast<const uint8_t*>(next_), z_.avail_in = have_;
    z_.next_out = reinterpret_cast<uint8_t*>(to), z_.avail_out = static_cast<size_t>(size);
    auto rc = lzma_code(&z_, LZMA_RUN);
    if (rc != LZMA_OK && rc != LZMA_STREAM_END && rc != LZMA_BUF_ERROR) throw broken("not an xz file, or damaged");
    next_ = reinterpret_cast<const char*>(z_.next_in), have_ = z_.avail_in;
    between_ = rc == LZMA_STREAM_END;
    return size - static_cast<int64_t>(z_.avail_out);
  }
  lzma_stream z_ = LZMA_STREAM_INIT;
};

class Zstd : public Decompressor {
 public:
  Zstd(std::unique_ptr<Stream> b, const std::string& path) : Decompressor(std::move(b), path, "zstd"), z_(ZSTD_createDStream()) { ZSTD_initDStream(z_); }
  ~Zstd() override { ZSTD_freeDStream(z_); }

 private:
  int64_t step(char* to, int64_t size) override {
    ZSTD_inBuffer in{next_, have_, 0};
    ZSTD_outBuffer out{to, static_cast<size_t>(size), 0};
    auto rc = ZSTD_decompressStream(z_, &out, &in);
    if (ZSTD_isError(rc)) throw broken(ZSTD_getErrorName(rc));
    next_ += in.pos, have_ -= in.pos;
    between_ = rc == 0;
    return static_cast<int64_t>(out.pos);
  }
  ZSTD_DStream* z_;
};
}  // namespace

std::unique_ptr<Stream> decompress(std::unique_ptr<Stream> bytes, const std::string& compression, const std::string& path) {
  if (compression == "gzip") return std::make_unique<Gzip>(std::move(bytes), path);
  if (compression == "bz2") return std::make_unique<Bz2>(std::move(bytes), path);
  if (compression == "xz") return std::make_unique<Xz>(std::move(bytes), path);
  if (compression == "zstd") return std::make_unique<Zstd>(std::move(bytes), path);
  throw invalid("compression '", compression, "' is not known; use 'gzip', 'bz2', 'xz', 'zstd', 'infer' or None");
}

}  // namespace muster::io
