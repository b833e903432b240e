// The choice is made by what happens: a side that was thought to fit is put together first, and costs no more than its own reading where it does not.
#include "api/exchanges.hpp"

#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "expr/op.hpp"

namespace muster::api {
using namespace base;
namespace {

bool is_refusal(const std::exception_ptr& error) {
  if (!error) return false;
  try {
    std::rethrow_exception(error);
  } catch (const Error& e) {
    return e.kind == ErrorKind::memory;
  } catch (...) {
    return false;
  }
}

// The ranges of a stage that looks into something: its own, that of the stage whose rows it looks into, and those between them.
std::set<int> around(const Run& run, size_t stage, int looked_into) {
  const int own = run.expanded.range_of_stage[stage], end = run.expanded.range_of_stage[static_cast<size_t>(looked_into)];
  std::set<int> out{own, end};
  std::vector<int> stack{own};
  const std::set<int> of_stages(run.expanded.range_of_stage.begin(), run.expanded.range_of_stage.end());
  while (!stack.empty()) {
    const auto& inputs = run.expanded.graph.ranges[static_cast<size_t>(stack.back())].inputs;
    stack.pop_back();
    for (const auto& in : inputs)
      if (!of_stages.contains(in.range) && out.insert(in.range).second) stack.push_back(in.range);
  }
  return out;
}
}  // namespace

std::vector<Expr> short_of_room(const Run& run, const std::vector<std::vector<worker::TaskResult>>& told, const std::vector<int>& ranges) {
  std::set<int> refused;
  for (const int range : ranges)
    if (std::any_of(told[static_cast<size_t>(range)].begin(), told[static_cast<size_t>(range)].end(), [](const auto& t) { return is_refusal(t.error); }))
      refused.insert(range);
  std::vector<Expr> out;
  if (refused.empty()) return out;
  for (size_t s = 0; s < run.plan.stages.size(); ++s)
    for (const auto& in : run.plan.stages[s].inputs) {
      if (!in.by || !in.by->op->exchanged || run.expanded.range_of_stage[s] < 0) continue;
      const auto near = around(run, s, in.from.stage);
      if (std::none_of(refused.begin(), refused.end(), [&](int range) { return near.contains(range); })) continue;
      if (in.by->op->exchanged(expr::Call(*in.by->op, in.by->args, in.by->inputs))) out.push_back(in.by);
    }
  return out;
}

}  // namespace muster::api
