// Expressions as bytes for another process: the wire form of expr/node.hpp, with the dtypes, rows and objects that it names by number or token.
#include <map>

#include "api/session.hpp"
#include "base/error.hpp"
#include "expr/op.hpp"
#include "kernels/memory.hpp"
#include "kernels/python_call.hpp"
#include "kernels/wire.hpp"

namespace muster::api {
using namespace base;
namespace {

using Objects = std::map<std::string, std::shared_ptr<const Opaque>>;  // by token

void collect(const Value& v, Objects& objects) {
  if (v.is_opaque()) objects.emplace(v.opaque()->token, v.opaque());
  if (v.is_list())
    for (const auto& x : v.list()) collect(x, objects);
  if (v.is_dict())
    for (const auto& [key, x] : v.dict()) collect(x, objects);
}

std::shared_ptr<const Opaque> decode_table(Decoder& in, const std::string& token) {
  auto table = std::make_shared<kernels::MemoryTable>();
  table->rows = in.list<int64_t>();
  for (size_t i = 0; i < table->rows.size(); ++i) table->partitions.push_back(kernels::decode_batches(in));
  return kernels::memory_value(std::move(table), token).opaque();
}
}  // namespace

std::string to_bytes(const std::vector<Expr>& expressions) {
  std::vector<data::DType> types;
  Objects objects;
  for (const auto& node : expr::topological(expressions)) {
    collect(node->args, objects);
    for (const auto* fields : {&node->schema.columns, &node->schema.index})
      for (const auto& f : *fields) types.push_back(f.type);
  }
  Encoder out;
  kernels::encode_definitions(out, types);
  out << static_cast<uint64_t>(objects.size());
  for (const auto& [token, object] : objects) {
    const auto* table = kernels::table_in(*object);
    out << token << static_cast<uint8_t>(table != nullptr);
    if (!table) {
      out << kernels::pickle_of(*object);
      continue;
    }
    out << table->rows;
    for (const auto& partition : table->partitions) kernels::encode(out, partition);
  }
  out << expr::encode(expressions);
  return out.take();
}

std::vector<Expr> from_bytes(std::string_view bytes) {
  start();
  Decoder in(bytes);
  kernels::know_definitions(in);
  Objects objects;
  for (uint64_t n = in.count(); n > 0; --n) {
    const auto token = in.get<std::string>();
    const bool is_table = in.get<uint8_t>();
    objects[token] = is_table ? decode_table(in, token) : kernels::unpickled(in.get<std::string>(), token);
  }
  return expr::decode(in.get<std::string_view>(), [&](const std::string& token) {
    const auto found = objects.find(token);
    return found == objects.end() ? nullptr : found->second;
  });
}

}  // namespace muster::api
