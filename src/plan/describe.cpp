// What explain() prints below the expression: of arguments those that tell a step from another, no files, texts or rows.
#include "base/error.hpp"
#include "plan/plan.hpp"

namespace muster::plan {
using namespace base;
namespace {
std::string regs(const std::vector<int>& in) {
  std::string out;
  for (int r : in) out += concat(out.empty() ? "" : ", ", "r", r);
  return out;
}
// The few arguments that tell a step from another: numbers, names and dtypes, no lists of files or texts.
std::string args_of(const Value& args) {
  std::string out;
  if (!args.is_dict()) return out;
  for (const auto& [k, v] : args.dict()) {
    const auto& name = k.string();
    std::string shown;
    if (name == "type" || name == "from" || name == "to") shown = data::dtype_of(v.integer()).name();
    else if (name == "label" || name == "op" || name == "value" || name == "n" || name == "field" || name == "keep") shown = v.repr();
    if (!shown.empty()) out += concat(out.empty() ? "" : ", ", name, "=", shown);
  }
  if (args["aggregates"].is_list())
    for (const auto& a : args["aggregates"].list())
      out += concat(out.empty() ? "" : ", ", a["function"].string(), a["input"].integer() < 0 ? "" : concat("(column ", a["input"].integer(), ")"));
  return out;
}
}  // namespace

std::string describe(const Plan& plan) {
  std::string out;
  for (size_t n = 0; n < plan.stages.size(); ++n) {
    const Stage& s = plan.stages[n];
    out += concat("stage ", n, ": ", s.count, s.count == 1 ? " partition" : " partitions", "\n");
    if (s.source)
      out += concat("  ", s.source->op->name,
                    s.source->op->show ? "(" + s.source->op->show(expr::Call(*s.source->op, s.source->args, s.source->inputs)) + ")" : "", " reads ",
                    s.out.size(), " columns: ", regs(s.out), "\n");
    for (const auto& in : s.inputs) {
      const std::string from = concat("sink ", in.from.sink, " of stage ", in.from.stage);
      if (in.role == Input::Role::stream) out += concat("  ", s.whole.empty() ? "" : s.whole + " of ", from, ": ", regs(s.out), "\n");
      if (in.role == Input::Role::built) out += concat("  built ", in.number, " = ", from, "\n");
      for (const auto& [column, reg] : in.seen) out += concat("  r", reg, " = column ", column, " of ", from, ", for every row\n");
    }
    for (const auto& step : s.steps) {
      const std::string built = step.built < 0 ? "" : concat("built ", step.built, step.in.empty() ? "" : ", ");
      out += concat("  ", step.out.empty() ? "" : regs(step.out) + " = ", step.kernel, "(", built, regs(step.in), ")",
                    args_of(step.args).empty() ? "" : "  {" + args_of(step.args) + "}", "\n");
    }
    for (size_t k = 0; k < s.sinks.size(); ++k)
      out += concat("  sink ", k, ": ", s.sinks[k].kernel.empty() ? "collect" : s.sinks[k].kernel, "(", regs(s.sinks[k].in), ")",
                    args_of(s.sinks[k].args).empty() ? "" : "  {" + args_of(s.sinks[k].args) + "}", "\n");
  }
  return out;
}

std::string describe(const graph::Graph& graph) {
  std::string out;
  for (size_t r = 0; r < graph.ranges.size(); ++r) {
    const auto& range = graph.ranges[r];
    out += concat("range ", r, ": ", range.count, range.count == 1 ? " task, " : " tasks, ", range.function, " ", range.label);
    for (const auto& d : range.inputs)
      out += concat(d.rule == graph::Dependency::Rule::block ? concat(", each of ", d.k, " of range ")
                    : d.slices()                                 ? std::string(", a slice of all of range ")
                    : d.every()                                  ? std::string(", all of range ")
                                                             : std::string(", one of range "),
                    d.range);
    out += range.wanted ? ", result\n" : "\n";
  }
  return out;
}

}  // namespace muster::plan
