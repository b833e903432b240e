// Sizes in a file are not believed: a page is read and decompressed only within the chunk's bounds.
#include "io/parquet/pages.hpp"

#include <brotli/decode.h>
#include <lz4.h>
#include <zlib.h>
#include <zstd.h>

#include "base/copy.hpp"
#include "base/error.hpp"
#include "io/parquet/snappy.hpp"
#include "io/parquet/thrift.hpp"
#include "io/source.hpp"

namespace muster::io::parquet {
using namespace base;
namespace {
using Type = Compact::Type;

constexpr int64_t kLargestPage = int64_t{1} << 31;
constexpr int64_t kHeader = 16 << 10, kWindow = 256 << 10;  // bytes that a page's header may be expected to have; of a small read

struct Header {
  int64_t kind = -1, uncompressed = -1, compressed = -1, values = 0, encoding = 0, level_encoding = 3;
  int64_t definition_bytes = 0, repetition_bytes = 0;
  bool compressed_values = true;
};

Header header(Compact& in) {
  Header h;
  in.fields([&](int16_t id, Type type) {
    if (id == 1) h.kind = in.integer();
    else if (id == 2) h.uncompressed = in.integer();
    else if (id == 3) h.compressed = in.integer();
    else if (id == 5 && type == Type::structure)  // data page
      in.fields([&](int16_t f, Type) {
        if (f == 1) h.values = in.integer();
        else if (f == 2) h.encoding = in.integer();
        else if (f == 3) h.level_encoding = in.integer();
        else return false;
        return true;
      });
    else if (id == 7 && type == Type::structure)  // dictionary page
      in.fields([&](int16_t f, Type) {
        if (f == 1) h.values = in.integer();
        else if (f == 2) h.encoding = in.integer();
        else return false;
        return true;
      });
    else if (id == 8 && type == Type::structure)  // data page of version 2
      in.fields([&](int16_t f, Type t) {
        if (f == 1) h.values = in.integer();
        else if (f == 4) h.encoding = in.integer();
        else if (f == 5) h.definition_bytes = in.integer();
        else if (f == 6) h.repetition_bytes = in.integer();
        else if (f == 7) h.compressed_values = t == Type::yes;
        else return false;
        return true;
      });
    else return false;
    return true;
  });
  return h;
}

void decompress(Codec codec, const char* from, int64_t size, char* to, int64_t wanted) {
  bool good = false;
  const auto in_size = static_cast<size_t>(size), out_size = static_cast<size_t>(wanted);
  switch (codec) {
    case Codec::none:
      if ((good = size == wanted)) copy_bytes(to, from, size);
      break;
    case Codec::snappy: good = unsnappy(from, size, to, wanted); break;
    case Codec::gzip: {
      z_stream z{};
      if (inflateInit2(&z, 15 + 32) != Z_OK) break;
      z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(from)), z.avail_in = static_cast<uInt>(size);
      z.next_out = reinterpret_cast<Bytef*>(to), z.avail_out = static_cast<uInt>(wanted);
      good = inflate(&z, Z_FINISH) == Z_STREAM_END && z.avail_out == 0;
      inflateEnd(&z);
      break;
    }
    case Codec::zstd: good = ZSTD_decompress(to, out_size, from, in_size) == out_size; break;
    case Codec::lz4: good = LZ4_decompress_safe(from, to, static_cast<int>(size), static_cast<int>(wanted)) == wanted; break;
    case Codec::lz4_hadoop: {  // blocks with two big-endian sizes in front; some writers wrote plain blocks under the same name
      int64_t at = 0, done = 0;
      auto word = [&](int64_t p) { uint32_t w; std::memcpy(&w, from + p, 4); return static_cast<int64_t>(__builtin_bswap32(w)); };
      while (at + 8 <= size && done < wanted) {
        const int64_t plain = word(at), packed = word(at + 4);
        if (packed > size - at - 8 || plain > wanted - done ||
            LZ4_decompress_safe(from + at + 8, to + done, static_cast<int>(packed), static_cast<int>(plain)) != plain)
          break;
        at += 8 + packed, done += plain;
      }
      good = done == wanted || LZ4_decompress_safe(from, to, static_cast<int>(size), static_cast<int>(wanted)) == wanted;
      break;
    }
    case Codec::brotli: {
      size_t made = out_size;
      good = BrotliDecoderDecompress(in_size, reinterpret_cast<const uint8_t*>(from), &made, reinterpret_cast<uint8_t*>(to)) == BROTLI_DECODER_RESULT_SUCCESS &&
             made == out_size;
      break;
    }
    default: throw unsupported("Parquet compressed with LZO");
  }
  if (!good) corrupt("a page cannot be decompressed");
}
}  // namespace

PageReader::PageReader(const std::string& path, const std::string& options, const Chunk& chunk, bool optional)
    : path_(path), options_(options), codec_(chunk.codec), optional_(optional), values_left_(chunk.values), offset_(chunk.offset), size_(chunk.bytes) {
  ahead(kHeader);  // a file that is gone says so here
}

std::string_view PageReader::ahead(int64_t size) {
  size = std::min(size, size_ - at_);
  if (end_ - at_ < size) {
    const int64_t wanted = is_local(path_) ? std::min(std::max(size + kHeader, kWindow), size_ - at_) : size_ - at_, have = end_ - at_;
    auto next = data::allocate(wanted);  // pages handed out may lie in the one before
    if (have > 0) copy_bytes(next.get(), window_.get() + (at_ - begin_), have);
    read_at(path_, options_, offset_ + end_, next.get() + have, wanted - have);
    window_ = std::move(next), begin_ = at_, end_ = at_ + wanted;
  }
  return {window_.get() + (at_ - begin_), static_cast<size_t>(end_ - at_)};
}

bool PageReader::next(Page& page) {
  for (;;) {
    if (values_left_ <= 0) return false;
    if (at_ >= size_) corrupt("a column's pages end before its values");
    Header h;
    for (int64_t most = kHeader;; most *= 16) {  // a header holds statistics, and so texts of any length
      Compact in(ahead(most));
      try {
        h = header(in);
      } catch (const Error&) {
        if (end_ < size_) continue;
        throw;
      }
      at_ += in.position();
      break;
    }
    if (h.compressed < 0 || h.compressed > size_ - at_ || h.uncompressed < 0 || h.uncompressed > kLargestPage || h.values < 0)
      corrupt("a page reaches beyond its column");
    const char* from = ahead(h.compressed).data();
    at_ += h.compressed;
    if (h.kind != 0 && h.kind != 2 && h.kind != 3) continue;  // an index page
    page = {};
    page.dictionary = h.kind == 2, page.encoding = static_cast<Encoding>(h.encoding), page.values = h.values;
    const int64_t levels = h.kind == 3 ? h.definition_bytes + h.repetition_bytes : 0;
    if (levels < 0 || h.definition_bytes < 0 || h.repetition_bytes < 0 || levels > h.compressed || levels > h.uncompressed)
      corrupt("a page's levels reach beyond it");
    auto whole = codec_ == Codec::none ? std::shared_ptr<char>(window_, const_cast<char*>(from)) : data::allocate(h.uncompressed + kSnappySlack);
    if (codec_ != Codec::none) {
      std::memcpy(whole.get(), from, static_cast<size_t>(levels));
      if (h.kind == 3 && !h.compressed_values) copy_bytes(whole.get() + levels, from + levels, std::min(h.compressed, h.uncompressed) - levels);
      else if (h.uncompressed > levels) decompress(codec_, from + levels, h.compressed - levels, whole.get() + levels, h.uncompressed - levels);
    } else if (h.compressed != h.uncompressed) {
      corrupt("an uncompressed page of two sizes");
    }
    std::string_view body(whole.get(), static_cast<size_t>(h.uncompressed));
    page.keep = whole;
    if (page.dictionary) {
      page.data = body;
      return true;
    }
    values_left_ -= h.values;
    if (h.kind == 3) {
      page.levels = body.substr(static_cast<size_t>(h.repetition_bytes), static_cast<size_t>(h.definition_bytes));
      page.data = body.substr(static_cast<size_t>(levels));
    } else if (optional_) {
      if (h.level_encoding != 3) throw unsupported("Parquet with definition levels in an encoding of before 2013");
      uint32_t size = 0;
      if (body.size() < 4) corrupt("a page without levels");
      std::memcpy(&size, body.data(), 4);
      if (size > body.size() - 4) corrupt("a page's levels reach beyond it");
      page.levels = body.substr(4, size), page.data = body.substr(4 + size);
    } else {
      page.data = body;
    }
    return true;
  }
}

}  // namespace muster::io::parquet
