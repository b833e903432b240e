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

bool selects(const Step& step) { return data::traits(step.kernel).selects; }

class Terms {
 public:
  explicit Terms(const Stage& s) : source_(s.out.begin(), s.out.end()) {
    for (const auto& step : s.steps)
      for (int r : step.out) made_by_[r] = &step;
  }
  bool is_source(int reg) const { return source_.contains(reg); }
  // The comparisons that hold for every row where `mask` does.
  List comparisons(int mask) const {
    static const std::map<std::string, const char*> kMirrored = {{"==", "=="}, {"<", ">"}, {"<=", ">="}, {">", "<"}, {">=", "<="}};
    List out;
    std::set<const Step*> seen;
    std::vector<int> waiting{mask};
    while (!waiting.empty()) {
      const Step* step = step_of(waiting.back());
      waiting.pop_back();
      if (!step || !seen.insert(step).second) continue;
      const auto& compares = data::traits(step->kernel).compares;
      const std::string symbol = compares ? compares(step->args) : "";
      if (symbol == "and") waiting.insert(waiting.end(), {step->in[1], step->in[0]});
      const auto name = kMirrored.find(symbol);
      if (name == kMirrored.end()) continue;
      for (bool mirrored : {false, true}) {
        const int column = source_column(step->in[mirrored ? 1 : 0]);
        const Step* constant = step_of(step->in[mirrored ? 0 : 1]);
        if (column < 0 || !constant || !data::traits(constant->kernel).is_constant) continue;
        const Value& value = constant->args["value"];
        const bool narrow = data::dtype_of(constant->args["type"].integer()).storage == data::Storage::float32;  // compared as what it is rounded to
        out.push_back(List{column, mirrored ? name->second : name->first,
                           narrow && value.is_number() ? Value(static_cast<double>(static_cast<float>(value.number()))) : value});
        break;
      }
    }
    return out;
  }
  // All steps that a register is made by.
  std::set<const Step*> steps_of(int reg) const {
    std::set<const Step*> out;
    std::vector<int> waiting{reg};
    while (!waiting.empty()) {
      const Step* step = step_of(waiting.back());
      waiting.pop_back();
      if (step && out.insert(step).second) waiting.insert(waiting.end(), step->in.begin(), step->in.end());
    }
    return out;
  }

 private:
  const Step* step_of(int reg) const {
    auto known = made_by_.find(reg);
    return known == made_by_.end() ? nullptr : known->second;
  }
  int source_column(int reg) const {
    for (;; reg = step_of(reg)->in[0]) {
      if (is_source(reg)) return reg;
      const Step* step = step_of(reg);
      if (!step) return -1;
      const auto& same_values = data::traits(step->kernel).same_values;
      if (!same_values || !same_values(step->args)) return -1;
    }
  }
  std::set<int> source_;
  std::map<int, const Step*> made_by_;
};
}  // namespace

void push_statistics(Plan& plan) {
  const std::vector<bool> open = reaching(plan.dependences, [](const Root& r) { return r.column >= 0; });
  for (Stage& s : plan.stages) {
    if (!s.source || !s.source->op->takes_filters ||
        std::any_of(s.dependences.begin(), s.dependences.end(), [&](int d) { return open[static_cast<size_t>(d)]; }))
      continue;
    auto first = std::find_if(s.steps.begin(), s.steps.end(), selects);
    if (first == s.steps.end()) continue;
    const int mask = first->in[0];
    const Terms terms(s);
    const List found = terms.comparisons(mask);
    if (found.empty()) continue;
    // Every use of a source column must be the filter's own, or behind it.
    const std::set<const Step*> own = terms.steps_of(mask);
    auto from_source = [&](int r) { return terms.is_source(r); };
    bool all = true;
    for (const auto& step : s.steps)
      if (!own.contains(&step) && !(selects(step) && step.in[0] == mask)) all &= std::none_of(step.in.begin(), step.in.end(), from_source);
    for (const auto& sink : s.sinks) all &= std::none_of(sink.in.begin(), sink.in.end(), from_source);
    // What is computed for the filter may not be counted either.
    std::set<int> before;
    for (const auto* step : own) before.insert(step->out.begin(), step->out.end());
    for (const auto& step : s.steps)
      if (!own.contains(&step) && !(selects(step) && step.in[0] == mask))
        all &= std::none_of(step.in.begin(), step.in.end(), [&](int r) { return before.contains(r); });
    for (const auto& sink : s.sinks) all &= std::none_of(sink.in.begin(), sink.in.end(), [&](int r) { return before.contains(r); });
    if (all) s.filters = List{found};
  }
}

}  // namespace muster::plan
