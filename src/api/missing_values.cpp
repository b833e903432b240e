// Whether a value is missing is known once all rows were seen. Where columns only pass through, or are compared, hashed and folded, their integers are as good as
// floats, and settling the result is enough.
#include "api/missing_values.hpp"

#include <algorithm>
#include <array>

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

bool is_passed_on(const Step& step) {
  const auto& says = traits(step.kernel);
  if (says.columnwise || says.selects || says.widens_itself || says.runs_python || step.out.empty()) return true;
  const std::string op = step.args.is_dict() && step.args["op"].is_string() ? step.args["op"].string() : "";
  if (step.kernel == "cast") return !dtype_of(step.args["to"].integer()).is_text();
  const bool in_floats = step.args.has("type") && step.args["type"].is_integer() && dtype_of(step.args["type"].integer()).is_float();
  if (step.kernel == "unary") return in_floats || op == "isna" || op == "notna" || op == "invert";
  if (step.kernel == "binary") {
    if (in_floats) return true;
    constexpr std::array kCompares{"eq", "ne", "lt", "le", "gt", "ge", "and", "or", "xor"};
    return std::find(kCompares.begin(), kCompares.end(), op) != kCompares.end();
  }
  constexpr std::array kPasses{"take_rows", "fill"};
  return std::find(kPasses.begin(), kPasses.end(), step.kernel) != kPasses.end();
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
      if (!is_passed_on(step))
        for (int reg : step.in) computed.push_back(stage.dependences[static_cast<size_t>(reg)]);
  if (computed.empty()) return out;
  for (const Column& column : columns_of(run, reports)) {
    if (!column.node->op->revise) continue;
    const auto reached = plan::reaching(run.plan.dependences, [&](const Root& r) { return r == column.root; });
    if (std::any_of(computed.begin(), computed.end(), [&](int d) { return reached[static_cast<size_t>(d)]; })) add(out, column);
  }
  return out;
}

}  // namespace muster::api
