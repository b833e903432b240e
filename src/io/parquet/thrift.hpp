// Thrift's compact protocol, as Parquet's footers and page headers are written in it (thrift-compact-protocol.md). Every read is checked against the end.
#pragma once
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace muster::io::parquet {

/// Throws Error{io}: the bytes are no Parquet file that can be read.
[[noreturn]] inline void corrupt(const std::string& what) { throw base::io_error("corrupt Parquet: ", what); }

class Compact {
 public:
  enum Type : uint8_t { stop = 0, yes = 1, no = 2, i8 = 3, i16 = 4, i32 = 5, i64 = 6, real = 7, binary = 8, list = 9, set = 10, map = 11, structure = 12 };

  explicit Compact(std::string_view bytes) : at_(bytes.data()), begin_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  int64_t position() const { return at_ - begin_; }

  uint8_t byte() {
    if (at_ >= end_) corrupt("the metadata ends early");
    return static_cast<uint8_t>(*at_++);
  }
  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const uint8_t b = byte();
      value |= static_cast<uint64_t>(b & 127) << shift;
      if (!(b & 128)) return value;
    }
    corrupt("a number is too long");
  }
  int64_t integer() {
    const uint64_t v = varint();
    return static_cast<int64_t>(v >> 1) ^ -static_cast<int64_t>(v & 1);
  }
  std::string_view text() {
    const uint64_t size = varint();
    if (size > static_cast<uint64_t>(end_ - at_)) corrupt("a text reaches beyond the end");
    std::string_view out(at_, size);
    at_ += size;
    return out;
  }

  /// Calls f(field id, type) for each field of a structure; f returns true if it read the value.
  template <class F>
  void fields(F f) {
    Deeper deeper(*this);
    for (int16_t id = 0;;) {
      const uint8_t head = byte();
      const auto type = static_cast<Type>(head & 15);
      if (type == stop) return;
      id = head >> 4 ? static_cast<int16_t>(id + (head >> 4)) : static_cast<int16_t>(integer());
      if (!f(id, type)) skip(type);
    }
  }
  /// Calls f() for each element of a list of this type.
  template <class F>
  void elements(F f) {
    const uint8_t head = byte();
    uint64_t size = head >> 4;
    if (size == 15) size = varint();
    if (size > static_cast<uint64_t>(end_ - at_)) corrupt("a list reaches beyond the end");
    for (uint64_t i = 0; i < size; ++i) f();
  }

  void skip(Type type) {
    switch (type) {
      case yes: case no: return;
      case i8: byte(); return;
      case i16: case i32: case i64: varint(); return;
      case real: for (int i = 0; i < 8; ++i) byte(); return;
      case binary: text(); return;
      case list: case set: {
        const uint8_t head = byte();
        uint64_t size = head >> 4;
        if (size == 15) size = varint();
        const auto element = static_cast<Type>(head & 15);
        if (size > static_cast<uint64_t>(end_ - at_)) corrupt("a list reaches beyond the end");
        for (uint64_t i = 0; i < size; ++i) element == yes || element == no ? void(byte()) : skip(element);
        return;
      }
      case map: {
        const uint64_t size = varint();
        if (!size) return;
        const uint8_t types = byte();
        if (size > static_cast<uint64_t>(end_ - at_)) corrupt("a map reaches beyond the end");
        for (uint64_t i = 0; i < size; ++i) skip(static_cast<Type>(types >> 4)), skip(static_cast<Type>(types & 15));
        return;
      }
      case structure: fields([](int16_t, Type) { return false; }); return;
      default: corrupt("an unknown kind of field");
    }
  }

 private:
  struct Deeper {
    explicit Deeper(Compact& c) : compact(c) {
      if (++c.depth_ > 32) corrupt("the metadata is nested too deeply");
    }
    ~Deeper() { --compact.depth_; }
    Compact& compact;
  };
  const char *at_, *begin_, *end_;
  int depth_ = 0;
};

}  // namespace muster::io::parquet
