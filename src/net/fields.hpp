// Structs as bytes. A struct names its fields once, and writing and reading go through that one list:
//
//   struct Point { int64_t x = 0, y = 0; static void fields(auto& p, auto&& f) { f(p.x, p.y); } };
//
// Texts and lists begin with their length. A text that is read as a view points into the bytes. Reading throws Error{io} for bytes that no writer made.
#pragma once
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/value.hpp"
#include "base/wire.hpp"
#include "muster/error.hpp"

namespace muster::net {
using base::Decoder, base::Encoder;

/// Where the list of fields stands: in the struct, or, for one of another folder, in a specialization of this. A struct whose fields must fit together
/// has `complaint` beside it: what is wrong with one that was read, or null.
template <class T>
struct Fields {
  static void of(auto& m, auto&& f) { T::fields(m, f); }
  static const char* complaint(const T& m) {
    if constexpr (requires { T::complaint(m); }) return T::complaint(m);
    else return nullptr;
  }
};

/// The last enumerator of an enum that travels: specialize it with `value`.
template <class E>
struct LastOf;

/// Objects of the guest language travel as their own bytes in place of a token.
void put(Encoder& out, const base::Value& value);
void take(Decoder& in, base::Value& value);

namespace detail {
template <class T> constexpr bool is_vector = false;
template <class T> constexpr bool is_vector<std::vector<T>> = true;
template <class T> constexpr bool is_pair = false;
template <class A, class B> constexpr bool is_pair<std::pair<A, B>> = true;
template <class T> constexpr bool is_optional = false;
template <class T> constexpr bool is_optional<std::optional<T>> = true;
template <class T> constexpr bool is_shared = false;
template <class T> constexpr bool is_shared<std::shared_ptr<const T>> = true;
template <class T>
constexpr bool is_plain =
    std::is_arithmetic_v<T> || std::is_same_v<T, std::string> || std::is_same_v<T, std::string_view> || std::is_same_v<T, base::TaskId>;
}  // namespace detail

template <class T>
void put(Encoder& out, const T& v) {
  if constexpr (std::is_same_v<T, bool>) {
    out << static_cast<uint8_t>(v);
  } else if constexpr (detail::is_plain<T>) {
    out << v;
  } else if constexpr (std::is_enum_v<T>) {
    out << static_cast<std::underlying_type_t<T>>(v);
  } else if constexpr (detail::is_shared<T> || detail::is_optional<T>) {  // may be none
    out << static_cast<uint8_t>(bool(v));
    if (v) put(out, *v);
  } else if constexpr (detail::is_pair<T>) {
    put(out, v.first), put(out, v.second);
  } else if constexpr (detail::is_vector<T>) {
    if constexpr (std::is_arithmetic_v<typename T::value_type>) {
      out << v;
    } else {
      out << static_cast<uint64_t>(v.size());
      for (const auto& x : v) put(out, x);
    }
  } else {
    Fields<T>::of(v, [&](const auto&... f) { (put(out, f), ...); });
  }
}

template <class T>
void take(Decoder& in, T& v) {
  if constexpr (std::is_same_v<T, bool>) {
    const auto byte = in.get<uint8_t>();
    if (byte > 1) throw Error(ErrorKind::io, base::concat("a truth value is 0 or 1, not ", int{byte}));
    v = byte;
  } else if constexpr (detail::is_plain<T>) {
    v = in.get<T>();
  } else if constexpr (std::is_enum_v<T>) {
    const auto number = in.get<std::underlying_type_t<T>>();
    if (number < 0 || number > static_cast<std::underlying_type_t<T>>(LastOf<T>::value))
      throw Error(ErrorKind::io, base::concat("a kind with number ", int64_t{number}, ", which nothing here has"));
    v = static_cast<T>(number);
  } else if constexpr (detail::is_shared<T>) {
    bool there = false;
    take(in, there);
    if (!there) return v.reset();
    auto made = std::make_shared<std::remove_const_t<typename T::element_type>>();
    take(in, *made);
    v = std::move(made);
  } else if constexpr (detail::is_optional<T>) {
    bool there = false;
    take(in, there);
    if (there) take(in, v.emplace());
    else v.reset();
  } else if constexpr (detail::is_pair<T>) {
    take(in, v.first), take(in, v.second);
  } else if constexpr (detail::is_vector<T>) {
    if constexpr (std::is_arithmetic_v<typename T::value_type>) {
      v = in.list<typename T::value_type>();
    } else {
      const uint64_t count = in.count();
      v.clear(), v.reserve(std::min<uint64_t>(count, 1024));  // a length that is wrong takes no memory
      for (uint64_t i = 0; i < count; ++i) take(in, v.emplace_back());
    }
  } else {
    Fields<T>::of(v, [&](auto&... f) { (take(in, f), ...); });
    if constexpr (requires { Fields<T>::complaint(v); })
      if (const char* wrong = Fields<T>::complaint(v)) throw Error(ErrorKind::io, wrong);
  }
}

template <class M>
std::string encoded(const M& message) {
  Encoder out;
  put(out, message);
  return out.take();
}

/// The message in front of other bytes, which are left.
template <class M>
M taken(Decoder& in) {
  M out;
  take(in, out);
  return out;
}

/// The message that these bytes are, all of them.
template <class M>
M decoded(std::string_view bytes) {
  Decoder in(bytes);
  M out = taken<M>(in);
  if (!in.empty()) throw Error(ErrorKind::io, base::concat("a message is followed by ", in.rest().size(), " bytes too many"));
  return out;
}

/// f(M&&) for each of the messages that lie behind each other in these bytes.
template <class M, class F>
void each(std::string_view bytes, F f) {
  for (Decoder in(bytes); !in.empty();) f(taken<M>(in));
}

}  // namespace muster::net
