// Whether a value is missing is known once all rows were seen. Where columns only pass through, or are compared, hashed and folded, their integers are as
// good as floats, and settling the result is enough.
#include "api/missing_values.hpp"

#include <algorithm>

#include "api/revisions.hpp"
#include "expr/op.hpp"

namespace muster::api {
using namespace base;
using namespace data;
using plan::Root;
namespace {

struct Column {
  Expr node;
  int64_t field;
  Root root;
};

std::vector<Column> columns_of(const Run& run, const Reports& reports) {
  std::vector<Column> out;
  for (const auto& stage : run.plan.stages) {
    if (!stage.source || !reports.contains(stage.source->id)) continue;
    for (const auto& [partition, report] : reports.at(stage.source->id))
      for (int64_t id : report.missing)
        if (id >= 0 && id < expr::kResults) out.push_back({stage.source, id, {stage.source->id, id}});
  }
  for (int64_t id : reports.at(Hash128{}).at(0).missing) {
    const auto& [node, field] = run.plan.named.at(static_cast<size_t>(id - expr::kResults));
    out.push_back({node, field, {Hash128{}, id}});
  }
  std::sort(out.begin(), out.end(), [](const Column& a, const Column& b) { return a.root < b.root; });
  out.erase(std::unique(out.begin(), out.end(), [](const Column& a, const Column& b) { return a.root == b.root; }), out.end());
  return out;
}

bool is_computed_with(const Step& step) {
  const auto& says = traits(step.kernel);
  if (says.columnwise || says.selects || says.widens_itself || says.runs_python || step.out.empty()) return false;
  return !says.same_of_floats || !says.same_of_floats(step.args);
}

void add(std::map<Hash128, std::pair<Expr, Revision>>& to, const Column& column) {
  auto& [node, revision] = to[column.node->id];
  node = column.node;
  revision.wider.emplace(column.field, DType{Storage::float64, Unit::us, true});
}
}  // namespace

std::map<Hash128, std::pair<Expr, Revision>> missing_in(const Run& run, const Reports& reports) {
  std::map<Hash128, std::pair<Expr, Revision>> out;
  for (const Column& column : columns_of(run, reports)) add(out, column);
  return out;
}

std::map<Hash128, std::pair<Expr, Revision>> computed_with(const Run& run, const Reports& reports) {
  std::map<Hash128, std::pair<Expr, Revision>> out;
  std::vector<int> computed;  // dependences of what steps compute with
  for (const auto& stage : run.plan.stages)
    for (const auto& step : stage.steps)
      if (is_computed_with(step))
        for (int reg : step.in) computed.push_back(stage.dependences[static_cast<size_t>(reg)]);
  if (computed.empty()) return out;
  for (const Column& column : columns_of(run, reports)) {
    if (!column.node->op->revise) continue;
    std::map<Hash128, std::pair<Expr, Revision>> alone;
    add(alone, column);
    if (made_again(column.node, alone.begin()->second.second)->id == column.node->id) continue;  // it is as wide as it can be
    const auto reached = plan::reaching(run.plan.dependences, [&](const Root& r) { return r == column.root; });
    if (std::any_of(computed.begin(), computed.end(), [&](int d) { return reached[static_cast<size_t>(d)]; })) add(out, column);
  }
  return out;
}

}  // namespace muster::api
