// What is asked of the rows behind a filter, and may be asked of its mask as well, is: no row need be gathered to be counted.
#include <algorithm>

#include "plan/rules/rules.hpp"

namespace muster::plan {

void count_masks(Plan& plan) {
  for (Stage& stage : plan.stages)
    for (data::Sink& sink : stage.sinks) {
      const auto& of_mask = data::traits(sink.kernel).of_mask;
      Value args = of_mask && sink.in.size() == 1 ? of_mask(sink.args) : Value();
      if (args.is_none()) continue;
      for (const data::Step& step : stage.steps) {
        if (!data::traits(step.kernel).selects || std::find(step.out.begin(), step.out.end(), sink.in[0]) == step.out.end()) continue;
        sink.args = std::move(args), sink.in = {step.in[0]};
        break;
      }
    }
}

}  // namespace muster::plan
