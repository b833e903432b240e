// Known by the id of the node as the user made it. What is forgotten is learnt again by a run, so forgetting costs time and changes no answer.
#include "api/revisions.hpp"

#include <deque>
#include <mutex>
#include <optional>

#include "expr/annotations.hpp"
#include "expr/op.hpp"

namespace muster::api {
using namespace base;
using expr::Expr;
namespace {

constexpr size_t kMost = 4096;  // nodes; the oldest are forgotten

struct Known {
  std::mutex mutex;
  std::map<Hash128, Revision> by_node;
  std::deque<Hash128> in_order;
};
Known& known() {
  static Known all;
  return all;
}

std::optional<Revision> known_of(const Expr& node) {
  std::lock_guard lock(known().mutex);
  const auto found = known().by_node.find(node->id);
  return found == known().by_node.end() ? std::nullopt : std::optional(found->second);
}
}  // namespace

Expr made_again(const Expr& node, const Revision& revision) {
  const expr::Call call(*node->op, node->args, node->inputs);
  if (revision.exchanged) return node->op->exchanged(call);
  return expr::make(*node->op, node->op->revise(call, {revision.wider.begin(), revision.wider.end()}, revision.begins), node->inputs);
}

void remember(const Expr& node, const Revision& revision) {
  if (revision.empty() || (!revision.exchanged && !node->op->revise)) return;
  auto made = made_again(node, revision);
  for (auto further = known_of(made); further && made->id != node->id; further = known_of(made)) made = made_again(made, *further);
  if (made->id == node->id) return;  // what is known never leads in a circle
  std::lock_guard lock(known().mutex);
  if (!known().by_node.try_emplace(node->id, revision).second) return;
  known().in_order.push_back(node->id);
  if (known().in_order.size() <= kMost) return;
  known().by_node.erase(known().in_order.front());
  known().in_order.pop_front();
}

std::vector<Expr> revised(std::vector<Expr> expressions) {
  {
    std::lock_guard lock(known().mutex);
    if (known().by_node.empty()) return expressions;
  }
  for (;;) {
    std::map<base::Hash128, Expr> changed;
    for (const auto& node : expr::topological(expressions))
      if (const auto revision = known_of(node)) changed[node->id] = made_again(node, *revision);
    if (changed.empty()) return expressions;
    expressions = expr::substitute(expressions, changed);
  }
}

}  // namespace muster::api
