// Value: an argument of an operator or a kernel as plain data, with its wire form. Column labels are Values too.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/hash.hpp"

namespace muster::base {

class Value;
using List = std::vector<Value>;
using Dict = std::vector<std::pair<Value, Value>>;

/// A point in time without zone, nanoseconds since 1970.
struct Moment {
  int64_t ns;
  bool operator==(const Moment&) const = default;
};

/// A foreign object (in Python: any object) the engine carries and never opens. Equal tokens mean equal objects.
struct Opaque {
  std::string token;
  std::shared_ptr<void> object;  // released through its deleter, which takes care of the GIL
};

/// Gives the object of a token, or none.
using FindObject = std::function<std::shared_ptr<const Opaque>(const std::string& token)>;

/// Stands for input number `index` of the expression whose argument this is.
struct InputRef {
  int64_t index;
  bool operator==(const InputRef&) const = default;
};

class Value {
 public:
  using Storage = std::variant<std::monostate, bool, int64_t, uint64_t, double, std::string, Moment, InputRef, std::shared_ptr<const Opaque>,
                               std::shared_ptr<const List>, std::shared_ptr<const Dict>>;

  Value() = default;
  Value(bool b) : is_(b) {}
  Value(int i) : is_(int64_t{i}) {}
  Value(int64_t i) : is_(i) {}
  Value(uint64_t i) { i >> 63 ? void(is_ = i) : void(is_ = static_cast<int64_t>(i)); }
  Value(double d) : is_(d) {}
  Value(const char* s) : is_(std::string(s)) {}
  Value(std::string s) : is_(std::move(s)) {}
  Value(Moment m) : is_(m) {}
  Value(InputRef r) : is_(r) {}
  Value(std::shared_ptr<const Opaque> o) : is_(std::move(o)) {}
  Value(List l) : is_(std::make_shared<const List>(std::move(l))) {}
  Value(Dict d) : is_(std::make_shared<const Dict>(std::move(d))) {}

  bool is_none() const { return std::holds_alternative<std::monostate>(is_); }
  bool is_bool() const { return std::holds_alternative<bool>(is_); }
  bool is_integer() const { return std::holds_alternative<int64_t>(is_); }
  bool is_unsigned() const { return std::holds_alternative<uint64_t>(is_); }  // an integer from 2^63 on; others are is_integer()
  bool is_float() const { return std::holds_alternative<double>(is_); }
  bool is_number() const { return is_bool() || is_integer() || is_unsigned() || is_float(); }
  bool is_string() const { return std::holds_alternative<std::string>(is_); }
  bool is_moment() const { return std::holds_alternative<Moment>(is_); }
  bool is_input() const { return std::holds_alternative<InputRef>(is_); }
  bool is_opaque() const { return std::holds_alternative<std::shared_ptr<const Opaque>>(is_); }
  bool is_list() const { return std::holds_alternative<std::shared_ptr<const List>>(is_); }
  bool is_dict() const { return std::holds_alternative<std::shared_ptr<const Dict>>(is_); }

  // Each throws Error{internal} on another kind; integer() takes a bool, number() any number.
  bool boolean() const;
  int64_t integer() const;
  uint64_t unsigned_integer() const;
  double number() const;
  const std::string& string() const;
  Moment moment() const;
  int64_t input() const;
  const std::shared_ptr<const Opaque>& opaque() const;
  const List& list() const;
  const Dict& dict() const;

  /// A dict's entry under a string key; none when it is not there.
  const Value& operator[](const char* key) const;
  bool has(const char* key) const { return !(*this)[key].is_none(); }

  bool operator==(const Value& other) const;
  /// As Python writes it: 'text', 1, 2.5, None, ['a', 'b'].
  std::string repr() const;
  /// As a label is shown: text without quotes.
  std::string label() const { return is_string() ? string() : repr(); }
  /// Appends the wire form; equal values have equal bytes. Opaque objects write their token.
  void encode(std::string& out) const;
  /// Reads a wire form; `objects` gives the object of an opaque token.
  static Value decode(std::string_view& bytes, const FindObject& objects = {});

 private:
  Storage is_;
};

Hash128 hash_of(const Value& value);

}  // namespace muster::base
