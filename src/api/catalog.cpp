// Enters every operator and kernel in the registries: the only place that knows them all.
#include <mutex>

#include "api/session.hpp"
#include "expr/op.hpp"
#include "kernels/registry.hpp"
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
  return expr::make(expr::op(op), std::move(args), std::move(inputs));
}

Expr read_csv(const base::Value& arguments) {
  start();
  return expr::make(expr::op("read_csv"), ops::frame::resolve_read_csv(arguments), {});
}

}  // namespace muster::api
