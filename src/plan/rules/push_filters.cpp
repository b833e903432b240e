// select(mask, parse(raw)) → parse(select(mask, raw)): rows that the mask drops are not parsed. The dtype of an open column depends on every
// row, so its check stays in front of the filter.
#include <algorithm>

#include "base/error.hpp"
#include "plan/rules/rules.hpp"

namespace muster::plan {
using data::Step;

void push_filters(Plan& plan) {
  for (Stage& s : plan.stages) {
    std::vector<Step> steps;
    for (size_t at = 0; at < s.steps.size(); ++at) {
      Step filter = s.steps[at];
      if (filter.kernel != "select") {
        steps.push_back(std::move(filter));
        continue;
      }
      std::vector<Step> behind;
      for (size_t c = 0; c < filter.out.size(); ++c) {
        const int reg = filter.in[c + 1];
        auto parse = std::find_if(steps.begin(), steps.end(), [&](const Step& p) { return p.kernel == "csv.parse" && p.out[0] == reg; });
        if (parse == steps.end()) continue;
        // Only this filter may need the parsed column.
        auto uses = [&](const std::vector<int>& regs) { return std::count(regs.begin(), regs.end(), reg); };
        int64_t used = 0;
        for (const auto& p : s.steps) used += uses(p.in);
        for (const auto& sink : s.sinks) used += uses(sink.in);
        if (used != 1) continue;
        const int raw = parse->in[0], raw_kept = s.registers++;
        s.roots.push_back(s.roots[static_cast<size_t>(reg)]);
        Step late{parse->kernel, parse->args, {raw_kept}, {filter.out[c]}};
        if (data::dtype_of(parse->args["type"].integer()).open) *parse = {"csv.check", parse->args, {raw}, {}};
        else steps.erase(parse);
        filter.in[c + 1] = raw, filter.out[c] = raw_kept;
        behind.push_back(std::move(late));
      }
      steps.push_back(std::move(filter));
      steps.insert(steps.end(), std::make_move_iterator(behind.begin()), std::make_move_iterator(behind.end()));
    }
    s.steps = std::move(steps);
  }
}

}  // namespace muster::plan
