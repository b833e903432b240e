// Enters every operator and kernel in the registries: the only place that knows them all.
#include <algorithm>
#include <mutex>

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
  return expr::make(expr::op("read_csv"), ops::frame::resolve_read_csv(arguments), {});
}

Expr read_parquet(const base::Value& arguments) {
  start();
  return expr::make(expr::op("read_parquet"), ops::frame::resolve_read_parquet(arguments), {});
}

base::Value parquet_metadata(const base::Value& paths, const std::string& options) {
  using namespace base;
  List files, columns;
  Dict values;
  std::vector<FileInfo> found;
  for (const auto& path : paths.list())
    for (auto& f : io::list_files(path.string(), options)) found.push_back(std::move(f));
  for (const auto& f : found) files.push_back(List{f.path, f.size, f.mtime});
  std::erase_if(found, [](const FileInfo& f) {
    const char first = f.path[f.path.rfind('/') + 1];
    return first == '.' || first == '_';
  });
  if (found.empty()) return Dict{{"files", files}, {"columns", columns}, {"metadata", values}, {"rows", 0}};
  const auto metadata = io::parquet::metadata_of(found[0], options);
  std::vector<std::shared_ptr<const io::parquet::Metadata>> all;
  if (std::any_of(metadata->leaves.begin(), metadata->leaves.end(), [](const auto& leaf) { return leaf.about == "null"; })) all = io::parquet::metadata_of(found, options);
  for (const auto& told : metadata->leaves) {
    const auto& leaf = io::parquet::known_leaf(all, told);
    columns.push_back(List{leaf.name, leaf.type ? leaf.type->name() : leaf.about, leaf.type.has_value()});
  }
  for (const auto& [key, value] : metadata->key_values) {
    const bool ascii = std::all_of(value.begin(), value.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
    if (key == "ARROW:schema" && !ascii) throw io_error("'", found[0].path, "': the Arrow schema of the footer is damaged");
    values.emplace_back(key, value);
  }
  return Dict{{"files", files}, {"columns", columns}, {"metadata", values}, {"rows", metadata->rows}};
}

}  // namespace muster::api
