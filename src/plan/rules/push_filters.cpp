// select(mask, parse(raw)) → parse(select(mask, raw)): rows that the mask drops are not parsed. The dtype of an open column depends on every
// row, so its check stays in front of the filter.
#include <unordered_map>

#include "base/error.hpp"
#include "plan/rules/rules.hpp"

namespace muster::plan {
using data::Step;

void push_filters(Plan& plan) {
  for (Stage& s : plan.stages) {
    std::vector<int64_t> uses(static_cast<size_t>(s.registers));
    const auto count = [&](const std::vector<int>& regs) {
      for (int r : regs) ++uses[static_cast<size_t>(r)];
    };
    for (const auto& step : s.steps) count(step.in);
    for (const auto& sink : s.sinks) count(sink.in);
    std::vector<Step> steps;
    std::unordered_map<int, size_t> parsed;  // which of `steps` makes a register of raw texts
    const auto add = [&](Step step) {
      if (!data::traits(step.kernel).parse_check.empty()) parsed[step.out[0]] = steps.size();
      steps.push_back(std::move(step));
    };
    for (auto& step : s.steps) {
      std::vector<Step> behind;
      const bool selects = data::traits(step.kernel).selects;
      for (size_t c = 0; selects && c < step.out.size(); ++c) {
        const int reg = step.in[c + 1];
        const auto at = parsed.find(reg);
        if (at == parsed.end() || uses[static_cast<size_t>(reg)] != 1) continue;  // only this filter may need the parsed column
        Step& parse = steps[at->second];
        const int raw = parse.in[0], raw_kept = s.registers++;
        s.dependences.push_back(s.dependences[static_cast<size_t>(reg)]);
        behind.push_back({parse.kernel, parse.args, {raw_kept}, {step.out[c]}});
        if (data::dtype_of(parse.args["type"].integer()).open) parse = {data::traits(parse.kernel).parse_check, parse.args, {raw}, {}};
        else parse.kernel.clear();
        step.in[c + 1] = raw, step.out[c] = raw_kept;
        parsed.erase(at);
        uses.push_back(1);
      }
      add(std::move(step));
      for (auto& late : behind) add(std::move(late));
    }
    std::erase_if(steps, [](const Step& step) { return step.kernel.empty(); });
    s.steps = std::move(steps);
  }
}

}  // namespace muster::plan
