// A filter's comparisons of source columns with constants go to the source: what its statistics exclude is not read. Only where every row that leaves
// the stage passes the filter; rows that do not are dropped by it still.
#include <algorithm>
#include <map>
#include <set>

#include "plan/rules/rules.hpp"

namespace muster::plan {
using namespace base;
using data::Step;
namespace {

class Terms {
 public:
  explicit Terms(const Stage& s) : stage_(s) {
    for (const auto& step : s.steps)
      for (int r : step.out) made_by_[r] = &step;
  }
  // The comparisons that hold for every row where `mask` does.
  void collect(int mask, List& out) const {
    const Step* step = step_of(mask);
    if (!step || step->kernel != "binary") return;
    const std::string& op = step->args["op"].string();
    if (op == "and") {
      collect(step->in[0], out), collect(step->in[1], out);
      return;
    }
    static const std::map<std::string, std::pair<const char*, const char*>> kNames = {{"eq", {"==", "=="}}, {"lt", {"<", ">"}}, {"le", {"<=", ">="}}, {"gt", {">", "<"}}, {"ge", {">=", "<="}}};
    auto name = kNames.find(op);
    if (name == kNames.end()) return;
    for (bool mirrored : {false, true}) {
      const int column = source_column(step->in[mirrored ? 1 : 0]);
      const Step* constant = step_of(step->in[mirrored ? 0 : 1]);
      if (column < 0 || !constant || constant->kernel != "constant") continue;
      const Value& value = constant->args["value"];
      const bool narrow = data::dtype_of(constant->args["type"].integer()).storage == data::Storage::float32;  // compared as what it is rounded to
      out.push_back(List{column, mirrored ? name->second.second : name->second.first, narrow && value.is_number() ? Value(static_cast<double>(static_cast<float>(value.number()))) : value});
      return;
    }
  }
  void steps_of(int reg, std::set<const Step*>& steps) const {
    const Step* step = step_of(reg);
    if (!step || !steps.insert(step).second) return;
    for (int r : step->in) steps_of(r, steps);
  }

 private:
  const Step* step_of(int reg) const {
    auto known = made_by_.find(reg);
    return known == made_by_.end() ? nullptr : known->second;
  }
  int source_column(int reg) const {
    if (std::find(stage_.out.begin(), stage_.out.end(), reg) != stage_.out.end()) return reg;
    const Step* step = step_of(reg);
    if (step && step->kernel == "cast" && !data::dtype_of(step->args["from"].integer()).is_text() && !data::dtype_of(step->args["to"].integer()).is_text()) return source_column(step->in[0]);
    return -1;
  }
  const Stage& stage_;
  std::map<int, const Step*> made_by_;
};
}  // namespace

void push_statistics(Plan& plan) {
  for (Stage& s : plan.stages) {
    if (!s.source || !s.source->op->takes_filters || std::any_of(s.roots.begin(), s.roots.end(), [](const auto& roots) { return std::any_of(roots.begin(), roots.end(), [](const Root& r) { return r.column >= 0; }); })) continue;
    auto first = std::find_if(s.steps.begin(), s.steps.end(), [](const Step& step) { return step.kernel == "select"; });
    if (first == s.steps.end()) continue;
    const int mask = first->in[0];
    const Terms terms(s);
    List found;
    terms.collect(mask, found);
    if (found.empty()) continue;
    // Every use of a source column must be the filter's own, or behind it.
    std::set<const Step*> own;
    terms.steps_of(mask, own);
    auto from_source = [&](int r) { return std::find(s.out.begin(), s.out.end(), r) != s.out.end(); };
    bool all = true;
    for (const auto& step : s.steps)
      if (!own.contains(&step) && !(step.kernel == "select" && step.in[0] == mask)) all &= std::none_of(step.in.begin(), step.in.end(), from_source);
    for (const auto& sink : s.sinks) all &= std::none_of(sink.in.begin(), sink.in.end(), from_source);
    // What is computed for the filter may not be counted either.
    std::set<int> before;
    for (const auto* step : own) before.insert(step->out.begin(), step->out.end());
    for (const auto& step : s.steps)
      if (!own.contains(&step) && !(step.kernel == "select" && step.in[0] == mask)) all &= std::none_of(step.in.begin(), step.in.end(), [&](int r) { return before.contains(r); });
    for (const auto& sink : s.sinks) all &= std::none_of(sink.in.begin(), sink.in.end(), [&](int r) { return before.contains(r); });
    if (all) s.filters = List{found};
  }
}

}  // namespace muster::plan
