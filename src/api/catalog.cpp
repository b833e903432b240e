// Enters every operator and kernel in the registries: the only place that knows them all.
#include <algorithm>
#include <mutex>
#include <set>

#include "api/operators.hpp"
#include "api/session.hpp"
#include "expr/op.hpp"
#include "kernels/registry.hpp"
#include "io/parquet/scan.hpp"
#include "io/source.hpp"
#include "ops/frame/catalog.hpp"

namespace muster::api {

void start() {
  static std::once_flag once;
  std::call_once(once, [] {
    kernels::register_kernels(kernels::builtin_kernels());
    auto ops = ops::frame::catalog();
    for (auto& op : ops) kernels::register_kernels(op.kernels);
    expr::register_ops(std::move(ops));
  });
}

Expr call(const std::string& op, base::Value args, std::vector<Expr> inputs) {
  start();
  const auto& o = expr::op(op);
  if (o.beside) {
    const expr::Call given(o, args, inputs);
    o.schema(given);  // what is wrong with the call itself is said first
    auto more = o.beside(given, inputs.at(0));
    inputs.insert(inputs.end(), more.begin(), more.end());
  }
  return expr::make(o, std::move(args), std::move(inputs));
}

Expr read_csv(const base::Value& arguments) {
  start();
  return expr::make(expr::op(operators::read_csv), ops::frame::resolve_read_csv(arguments), {});
}

Expr read_parquet(const base::Value& arguments) {
  start();
  return expr::make(expr::op(operators::read_parquet), ops::frame::resolve_read_parquet(arguments), {});
}

base::Value parquet_files(const base::Value& paths, const std::string& options) {
  base::List out;
  for (const auto& path : paths.list())
    for (const auto& f : io::list_files(path.string(), options))
      if (const char first = f.path[f.path.rfind('/') + 1]; first != '.' && first != '_') out.push_back(io::encode(f));
  if (out.empty()) throw Error(ErrorKind::io, "no Parquet file matches; files whose names begin with '.' or '_' are left out", "builtins.FileNotFoundError");
  return out;
}

base::Value parquet_footers(const base::Value& files, const std::string& options) {
  using namespace base;
  std::vector<FileInfo> infos;
  for (const auto& f : files.list()) infos.push_back(io::decode_file(f));
  const auto all = io::parquet::metadata_of(infos, options);
  List columns, schemas;
  for (const auto& [leaf, file, unlike, missing, unknown] : io::parquet::united(all))
    columns.push_back(List{leaf.name, leaf.type ? leaf.type->name() : leaf.about, leaf.type && !unlike});
  std::set<Hash128> known;  // footers
  for (size_t f = 0; f < all.size(); ++f) {
    List leaves;
    Dict values;
    for (const auto& leaf : all[f]->leaves) leaves.push_back(List{leaf.name, leaf.type ? leaf.type->name() : leaf.about});
    for (const auto& [key, value] : all[f]->key_values) {
      const bool ascii = std::all_of(value.begin(), value.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
      if (key == "ARROW:schema" && !ascii) throw io_error("'", infos[f].path, "': the Arrow schema of the footer is damaged");
      values.emplace_back(key, value);
    }
    std::string bytes;
    Value(List{leaves, values}).encode(bytes);
    if (known.insert(hash_bytes(bytes)).second) schemas.push_back(Dict{{"file", infos[f].path}, {"columns", leaves}, {"metadata", values}});
  }
  return Dict{{"columns", columns}, {"schemas", schemas}};
}

}  // namespace muster::api
