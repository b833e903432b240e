#include "net/fields.hpp"

namespace muster::net {
using namespace base;

void put(Encoder& out, const Value& value) {
  std::string bytes;
  value.encode(bytes);
  out << bytes;
}

void take(Decoder& in, Value& value) {
  auto bytes = in.get<std::string_view>();
  value = Value::decode(bytes, [](const std::string& token) { return std::make_shared<const Opaque>(Opaque{token, nullptr}); });
  if (!bytes.empty()) throw Error(ErrorKind::io, concat("a value is followed by ", bytes.size(), " bytes too many"));
}

}  // namespace muster::net
