// What people look at before computing: explain() and the graph.
#include <map>
#include <set>

#include "api/session.hpp"
#include "base/error.hpp"
#include "expr/op.hpp"
#include "plan/plan.hpp"

namespace muster::api {
using namespace base;
namespace {
std::string shown(const expr::Node& n) {
  std::string details = n.op->show ? n.op->show(expr::Call(*n.op, n.args, n.inputs)) : "";
  return details.empty() ? n.op->name : n.op->name + "(" + details + ")";
}

void tree(const Expr& e, int depth, std::set<Hash128>& seen, std::string& out) {
  const bool again = !seen.insert(e->id).second && !e->inputs.empty();
  out += std::string(static_cast<size_t>(2 * depth), ' ') + shown(*e) + concat("  [", e->npartitions, e->npartitions == 1 ? " partition" : " partitions", "]");
  if (!e->op->python.empty()) out += "  python:" + e->op->python;
  out += again ? "  (as above)\n" : "\n";
  if (again || depth > 200) return;
  for (const auto& i : e->inputs) tree(i, depth + 1, seen, out);
}

std::string quoted(std::string_view s) {
  std::string out = "\"";
  for (char c : s) {
    if (c == '"' || c == '\\') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out + "\"";
}

std::string head() { return "digraph muster {\n  rankdir=BT;\n  node [fontname=helvetica, fontsize=11];\n"; }

// A node per operation and partition: what the user wrote.
std::string dot_of_operations(const std::vector<Expr>& roots) {
  std::string out = head();
  std::map<Hash128, int> number;
  std::map<Hash128, Expr> all;
  auto name = [&](const Hash128& id, int64_t partition) { return concat("n", number[id], "_", partition); };
  for (const auto& e : expr::topological(roots)) {
    number.emplace(e->id, static_cast<int>(number.size()));
    auto node = [&](const std::string& id, const std::string& label, bool data) {
      out += concat("  ", id, " [label=", quoted(label), ", shape=", data ? "box" : "ellipse", "];\n");
    };
    for (int64_t p = 0; p < e->npartitions; ++p) node(name(e->id, p), e->op->name, e->inputs.empty());
    for (const auto& in : e->inputs) {
      if (e->op->folds) {
        for (int64_t p = 0; p < in->npartitions; ++p) {
          const auto part = concat(name(e->id, 0), "_", p, "_", number[in->id]);
          node(part, e->op->name, false);
          out += concat("  ", name(in->id, p), " -> ", part, ";\n  ", part, " -> ", name(e->id, 0), ";\n");
        }
      } else if (e->op->picks_partitions && e->args["partitions"].is_list()) {
        const auto& chosen = e->args["partitions"].list();
        for (size_t p = 0; p < chosen.size(); ++p) out += concat("  ", name(in->id, chosen[p].integer()), " -> ", name(e->id, static_cast<int64_t>(p)), ";\n");
      } else {
        for (int64_t p = 0; p < e->npartitions; ++p) out += concat("  ", name(in->id, in->npartitions == 1 ? 0 : p), " -> ", name(e->id, p), ";\n");
      }
    }
  }
  return out + "}\n";
}

// A node per task: what will run.
std::string dot_of_tasks(const std::vector<Expr>& roots) {
  auto plan = plan::lower(roots);
  plan::optimize(plan, kept_between_stages());
  const auto expanded = plan::expand(plan);
  std::string out = head();
  for (size_t r = 0; r < expanded.graph.ranges.size(); ++r) {
    const auto& range = expanded.graph.ranges[r];
    for (int64_t i = 0; i < range.count; ++i) {
      out += concat("  t", r, "_", i, " [label=", quoted(range.function == "combine" ? "combine " + range.label : range.label), "];\n");
      for (const auto& d : range.inputs) {
        const auto [begin, end] = d.needs(i, expanded.graph.ranges[static_cast<size_t>(d.range)].count);
        for (int64_t j = begin; j < end; ++j) out += concat("  t", d.range, "_", j, " -> t", r, "_", i, ";\n");
      }
    }
  }
  return out + "}\n";
}
}  // namespace

std::string explain(const std::vector<Expr>& expressions) {
  start();
  std::string out = "== logical: what was asked ==\n";
  std::set<Hash128> seen;
  for (const auto& e : expressions) tree(e, 0, seen, out);
  auto plan = plan::lower(expressions);
  plan::optimize(plan, kept_between_stages());
  out += "\n== optimized: fused pipelines ==\n" + plan::describe(plan);
  return out + "\n== physical: tasks ==\n" + plan::describe(plan::expand(plan).graph);
}

std::string plan_digest(const Expr& expression) {
  start();
  auto plan = plan::lower({expression});
  plan::optimize(plan, kept_between_stages());
  // Registers and labels are names; what counts is which step feeds which.
  std::string bytes;
  for (const auto& range : plan::expand(plan).graph.ranges) {
    std::map<int64_t, int64_t> order;
    auto rename = [&](const Value& regs) {
      List out;
      for (const auto& r : regs.list()) out.push_back(order.try_emplace(r.integer(), static_cast<int64_t>(order.size())).first->second);
      return Value(out);
    };
    bytes += range.function + concat("/", range.count, "/");
    for (const auto& d : range.inputs) bytes += concat(d.range, ":", d.output, ",");
    if (range.function != "pipeline") continue;
    auto p = range.args.list();
    p[5] = rename(p[5]);
    List steps, sinks;
    for (const auto& s : p[7].list()) steps.push_back(List{s.list()[0], s.list()[1], rename(s.list()[2]), rename(s.list()[3])});
    for (const auto& s : p[8].list()) sinks.push_back(List{s.list()[0], s.list()[1], rename(s.list()[2])});
    p[7] = steps, p[8] = sinks, p[9] = 0;
    Value(p).encode(bytes);
  }
  return hash_bytes(bytes).hex();
}

std::string to_dot(const std::vector<Expr>& expressions, bool optimized) {
  start();
  return optimized ? dot_of_tasks(expressions) : dot_of_operations(expressions);
}

}  // namespace muster::api
