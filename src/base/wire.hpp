// Numbers and bytes as messages carry them: little-endian, every read checked.
#pragma once
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"

namespace muster::base {

class Encoder {
 public:
  template <class T>
    requires std::is_arithmetic_v<T>
  Encoder& operator<<(T value) {
    out_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  Encoder& operator<<(std::string_view bytes) {
    *this << static_cast<uint64_t>(bytes.size());
    out_.append(bytes);
    return *this;
  }
  Encoder& operator<<(const char* text) { return *this << std::string_view(text); }
  Encoder& operator<<(const std::string& text) { return *this << std::string_view(text); }
  Encoder& operator<<(TaskId id) { return *this << id.job << id.index; }
  template <class T>
    requires std::is_arithmetic_v<T>
  Encoder& operator<<(const std::vector<T>& values) {
    *this << static_cast<uint64_t>(values.size());
    out_.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
    return *this;
  }
  bool empty() const { return out_.empty(); }
  size_t size() const { return out_.size(); }
  std::string take() { return std::move(out_); }
  std::string& bytes() { return out_; }

 private:
  std::string out_;
};

class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : left_(bytes) {}
  /// `keep` holds these bytes, `kept` in all: what is read may stay where it lies.
  Decoder(std::string_view bytes, std::shared_ptr<const void> keep, size_t kept) : left_(bytes), keep_(std::move(keep)), kept_(kept) {}
  /// Throws Error{io} when the bytes end early.
  template <class T>
  T get() {
    if constexpr (std::is_same_v<T, std::string_view> || std::is_same_v<T, std::string>) {
      return T(take(get<uint64_t>()));
    } else if constexpr (std::is_same_v<T, TaskId>) {
      const auto job = get<uint32_t>();
      return {job, get<uint32_t>()};
    } else {
      static_assert(std::is_arithmetic_v<T>);
      T value;
      std::memcpy(&value, take(sizeof value).data(), sizeof value);
      return value;
    }
  }
  template <class T>
  std::vector<T> list() {
    const auto count = get<uint64_t>();
    if (count > left_.size() / sizeof(T)) short_();
    std::vector<T> out(count);
    if (count) std::memcpy(out.data(), take(count * sizeof(T)).data(), count * sizeof(T));
    return out;
  }
  /// A count of things that take at least one byte each.
  uint64_t count() {
    const auto n = get<uint64_t>();
    if (n > left_.size()) short_();
    return n;
  }
  std::string_view take(uint64_t bytes) {
    if (bytes > left_.size()) short_();
    const auto out = left_.substr(0, bytes);
    left_.remove_prefix(bytes);
    return out;
  }
  std::string_view rest() const { return left_; }
  /// What holds the bytes; null: what is read has to be copied.
  const std::shared_ptr<const void>& keep() const { return keep_; }
  size_t kept_bytes() const { return kept_; }
  bool empty() const { return left_.empty(); }

 private:
  [[noreturn]] static void short_() { throw Error(ErrorKind::io, "a message ends early"); }
  std::string_view left_;
  std::shared_ptr<const void> keep_;
  size_t kept_ = 0;
};

}  // namespace muster::base
