// Roots are reached through the graph and never listed per register: a sum over n columns has n of them, a frame filtered by it n * n.
#include <set>

#include "plan/plan.hpp"

namespace muster::plan {

std::vector<bool> reaching(const std::vector<Dependence>& dependences, const std::function<bool(const Root&)>& is) {
  std::vector<bool> out;
  for (const auto& d : dependences) {
    bool found = false;
    for (size_t i = 0; i < d.roots.size() && !found; ++i) found = is(d.roots[i]);
    for (size_t i = 0; i < d.on.size() && !found; ++i) found = out[static_cast<size_t>(d.on[i])];
    out.push_back(found);
  }
  return out;
}

std::vector<Root> row_sources(const std::vector<Dependence>& dependences, int of) {
  std::set<Root> out;
  std::set<std::pair<int, int64_t>> seen;
  std::vector<std::pair<int, int64_t>> stack{{of, 0}};
  while (!stack.empty()) {
    const auto [at, moved] = stack.back();
    stack.pop_back();
    if (!seen.emplace(at, moved).second) continue;
    const auto& d = dependences[static_cast<size_t>(at)];
    for (const auto& r : d.roots)
      if (r.column <= expr::kRowIds) out.insert({r.source, r.column - moved});
    if (d.numbered) continue;
    for (int on : d.on) stack.emplace_back(on, moved + d.moved);
  }
  return {out.begin(), out.end()};
}

}  // namespace muster::plan
