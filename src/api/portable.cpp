// Expressions as bytes for another process: the wire form of expr/node.hpp, with the dtypes, rows and objects that it names by number or token.
#include <map>
#include <set>

#include "api/session.hpp"
#include "base/error.hpp"
#include "data/foreign_dtypes.hpp"
#include "data/pickled.hpp"
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
  std::set<uint64_t> numbers;
  std::vector<data::ForeignDType> dtypes;
  Objects objects;
  for (const auto& node : expr::topological(expressions)) {
    collect(node->args, objects);
    for (const auto* fields : {&node->schema.columns, &node->schema.index})
      for (const auto& f : *fields)
        if (auto dtype = data::foreign_dtype(f.type); dtype && numbers.insert(f.type.foreign).second) dtypes.push_back(std::move(*dtype));
  }
  Encoder out;
  out << static_cast<uint64_t>(dtypes.size());
  for (const auto& d : dtypes) out << d.name << d.token << kernels::pickle_of(*d.definition);
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
  for (uint64_t n = in.count(); n > 0; --n) {
    auto name = in.get<std::string>(), token = in.get<std::string>();
    data::know(data::ForeignDType{std::move(name), std::move(token), data::opaque_of(std::make_shared<data::Pickled>(in.get<std::string>(), 1))});
  }
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
