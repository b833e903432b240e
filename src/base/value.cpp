// The wire form names expressions: the same value always gives the same bytes. It is read with every length checked, and no deeper than a stack bears.
#include "base/value.hpp"

#include <bit>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "base/error.hpp"

namespace muster::base {
namespace {
template <class T>
const T& expect(const Value::Storage& is, const Value& value, const char* kind) {
  if (auto* found = std::get_if<T>(&is)) return *found;
  throw internal("expected ", kind, ", got ", value.repr());
}

void put(std::string& out, const void* bytes, size_t size) { out.append(static_cast<const char*>(bytes), size); }
void put_size(std::string& out, uint64_t n) { put(out, &n, sizeof n); }
void put_text(std::string& out, std::string_view s) { put_size(out, s.size()), out += s; }

template <class T>
T take(std::string_view& in) {
  if (in.size() < sizeof(T)) throw invalid("wire form: truncated value");
  T value;
  std::memcpy(&value, in.data(), sizeof value);
  in.remove_prefix(sizeof value);
  return value;
}
std::string take_text(std::string_view& in) {
  auto size = take<uint64_t>(in);
  if (in.size() < size) throw invalid("wire form: truncated text");
  std::string text(in.substr(0, size));
  in.remove_prefix(size);
  return text;
}

constexpr int kDeepest = 64;  // hostile input must not overflow the stack
Value decode_at(std::string_view& in, const FindObject& objects, int depth) {
  if (depth > kDeepest) throw invalid("wire form: nested deeper than ", kDeepest);
  auto tag = take<char>(in);
  switch (tag) {
    case 'n': return {};
    case 'b': return take<char>(in) != 0;
    case 'i': return take<int64_t>(in);
    case 'u': return take<uint64_t>(in);
    case 'd': return take<double>(in);
    case 's': return take_text(in);
    case 'm': return Moment{take<int64_t>(in)};
    case 'r': return InputRef{take<int64_t>(in)};
    case 'o': {
      auto token = take_text(in);
      auto object = objects ? objects(token) : nullptr;
      if (!object) throw invalid("wire form: unknown object ", token);
      return object;
    }
    case 'l':
    case 'D': {
      auto count = take<uint64_t>(in);
      if (count > in.size()) throw invalid("wire form: truncated list");
      if (tag == 'l') {
        List list;
        for (uint64_t i = 0; i < count; ++i) list.push_back(decode_at(in, objects, depth + 1));
        return list;
      }
      Dict dict;
      for (uint64_t i = 0; i < count; ++i) {
        auto key = decode_at(in, objects, depth + 1);
        dict.emplace_back(std::move(key), decode_at(in, objects, depth + 1));
      }
      return dict;
    }
    default: throw invalid("wire form: unknown tag ", int(tag));
  }
}
}  // namespace

bool Value::boolean() const {
  if (is_integer()) return integer() != 0;
  return expect<bool>(is_, *this, "a bool");
}
int64_t Value::integer() const { return is_bool() ? std::get<bool>(is_) : expect<int64_t>(is_, *this, "an integer"); }
uint64_t Value::unsigned_integer() const { return expect<uint64_t>(is_, *this, "an integer from 2^63 on"); }
double Value::number() const {
  return is_float() ? std::get<double>(is_) : is_unsigned() ? static_cast<double>(unsigned_integer()) : static_cast<double>(integer());
}
const std::string& Value::string() const { return expect<std::string>(is_, *this, "a string"); }
Moment Value::moment() const { return expect<Moment>(is_, *this, "a timestamp"); }
int64_t Value::input() const { return expect<InputRef>(is_, *this, "an input").index; }
const std::shared_ptr<const Opaque>& Value::opaque() const { return expect<std::shared_ptr<const Opaque>>(is_, *this, "an object"); }
const List& Value::list() const { return *expect<std::shared_ptr<const List>>(is_, *this, "a list"); }
const Dict& Value::dict() const { return *expect<std::shared_ptr<const Dict>>(is_, *this, "a dict"); }

const Value& Value::operator[](const char* key) const {
  static const Value none;
  if (!is_dict()) return none;
  for (const auto& [k, v] : dict())
    if (k.is_string() && k.string() == key) return v;
  return none;
}

bool Value::operator==(const Value& other) const {
  if (is_.index() != other.is_.index()) return false;
  return std::visit([&](const auto& mine) {
    using T = std::decay_t<decltype(mine)>;
    const T& its = std::get<T>(other.is_);
    if constexpr (std::is_same_v<T, double>) return std::bit_cast<uint64_t>(mine) == std::bit_cast<uint64_t>(its);  // a label may be NaN
    else if constexpr (std::is_same_v<T, std::shared_ptr<const Opaque>>) return mine == its || mine->token == its->token;
    else if constexpr (std::is_same_v<T, std::shared_ptr<const List>> || std::is_same_v<T, std::shared_ptr<const Dict>>) return mine == its || *mine == *its;
    else return mine == its;
  }, is_);
}

std::string Value::repr() const {
  if (is_none()) return "None";
  if (is_bool()) return std::get<bool>(is_) ? "True" : "False";
  if (is_integer()) return concat(integer());
  if (is_unsigned()) return concat(unsigned_integer());
  if (is_float()) {
    double d = number();
    if (std::isnan(d)) return "nan";
    if (std::isinf(d)) return d < 0 ? "-inf" : "inf";
    char text[64];
    const auto scientific = std::to_chars(text, text + sizeof text, d, std::chars_format::scientific);
    const std::string_view all(text, static_cast<size_t>(scientific.ptr - text));
    const int exponent = std::atoi(std::string(all.substr(all.find('e') + 1)).c_str());
    if (exponent < -4 || exponent >= 16) return std::string(all);
    std::string s(text, static_cast<size_t>(std::to_chars(text, text + sizeof text, d, std::chars_format::fixed).ptr - text));
    return s.find('.') == std::string::npos ? s + ".0" : s;
  }
  if (is_string()) {
    std::string out = "'";
    for (char c : string()) {
      if (c == '\'' || c == '\\') out += '\\';
      if (c == '\n') out += "\\n";
      else if (c == '\t') out += "\\t";
      else out += c;
    }
    return out + "'";
  }
  if (is_moment()) return concat("Timestamp(", moment().ns, ")");
  if (is_input()) return concat("input", input());
  if (is_opaque()) return concat("<", opaque()->token.substr(0, opaque()->token.find('-')), ">");
  std::string out;
  if (is_list()) {
    for (const auto& v : list()) out += (out.empty() ? "" : ", ") + v.repr();
    return "[" + out + "]";
  }
  for (const auto& [k, v] : dict()) out += (out.empty() ? "" : ", ") + k.repr() + ": " + v.repr();
  return "{" + out + "}";
}

void Value::encode(std::string& out) const {
  if (is_none()) out += 'n';
  else if (is_bool()) out += 'b', out += char(std::get<bool>(is_));
  else if (is_integer()) { auto i = integer(); out += 'i', put(out, &i, sizeof i); }
  else if (is_unsigned()) { auto u = unsigned_integer(); out += 'u', put(out, &u, sizeof u); }
  else if (is_float()) { auto d = number(); out += 'd', put(out, &d, sizeof d); }
  else if (is_string()) out += 's', put_text(out, string());
  else if (is_moment()) { auto m = moment().ns; out += 'm', put(out, &m, sizeof m); }
  else if (is_input()) { auto i = input(); out += 'r', put(out, &i, sizeof i); }
  else if (is_opaque()) out += 'o', put_text(out, opaque()->token);
  else if (is_list()) {
    out += 'l', put_size(out, list().size());
    for (const auto& v : list()) v.encode(out);
  } else {
    out += 'D', put_size(out, dict().size());
    for (const auto& [k, v] : dict()) k.encode(out), v.encode(out);
  }
}

Value Value::decode(std::string_view& bytes, const FindObject& objects) { return decode_at(bytes, objects, 0); }

Hash128 hash_of(const Value& value) {
  std::string bytes;
  value.encode(bytes);
  return hash_bytes(bytes);
}

}  // namespace muster::base
