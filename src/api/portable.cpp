// Expressions as bytes for another process: the wire form of expr/node.hpp, with the dtypes, rows and objects that it names by number or token. Partitions on a
// cluster go as the ids of their tasks.
#include <map>

#include "api/on_cluster.hpp"
#include "api/pending.hpp"
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

enum class Form : uint8_t { pickle, table, tasks };

std::function<std::shared_ptr<cluster::Client>()>& client_here() {
  static std::function<std::shared_ptr<cluster::Client>()> get;
  return get;
}

// Partitions on a cluster, wanted by the client of this process from now on.
std::shared_ptr<const Opaque> decode_tasks(Decoder& in, const std::string& token) {
  if (!client_here()) throw invalid("partitions on a cluster are read with a client");
  const auto client = client_here()();
  std::vector<TaskId> ids;
  for (const uint64_t bits : in.list<uint64_t>()) ids.push_back(TaskId::of(bits));
  client->want(ids);
  const auto output = in.get<int32_t>();
  const auto tasks = std::make_shared<const Tasks>(client, std::move(ids), std::vector<std::shared_ptr<const Opaque>>{});
  return std::make_shared<const Opaque>(Opaque{token, std::make_shared<Partitions>(Partitions{tasks, output})});
}

std::shared_ptr<const Opaque> decode_table(Decoder& in, const std::string& token) {
  auto table = std::make_shared<kernels::MemoryTable>();
  table->rows = in.list<int64_t>();
  for (size_t i = 0; i < table->rows.size(); ++i) table->partitions.push_back(kernels::decode_batches(in));
  return kernels::memory_value(std::move(table), token).opaque();
}
}  // namespace

void set_client_here(std::function<std::shared_ptr<cluster::Client>()> get) { client_here() = std::move(get); }

std::string to_bytes(const std::vector<Expr>& given) {
  const auto expressions = all_settled(given, {});
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
    const auto* there = partitions_in(*object);
    out << token << static_cast<uint8_t>(table ? Form::table : there ? Form::tasks : Form::pickle);
    if (table) {
      out << table->rows;
      for (const auto& partition : table->partitions) kernels::encode(out, partition);
    } else if (there) {
      std::vector<uint64_t> ids;
      for (TaskId id : there->tasks->ids) ids.push_back(id.bits());
      out << ids << static_cast<int32_t>(there->output);
    } else {
      out << kernels::pickle_of(*object);
    }
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
    const auto form = static_cast<Form>(in.get<uint8_t>());
    if (form == Form::table) objects[token] = decode_table(in, token);
    else if (form == Form::tasks) objects[token] = decode_tasks(in, token);
    else objects[token] = kernels::unpickled(in.get<std::string>(), token);
  }
  return expr::decode(in.get<std::string_view>(), [&](const std::string& token) {
    const auto found = objects.find(token);
    return found == objects.end() ? nullptr : found->second;
  });
}

}  // namespace muster::api
