// The number of rows behind a filter is the number of true values of its mask: no row need be gathered to be counted.
#include <algorithm>

#include "plan/rules/rules.hpp"

namespace muster::plan {
using namespace base;

void count_masks(Plan& plan) {
  for (Stage& stage : plan.stages)
    for (data::Sink& sink : stage.sinks) {
      if (sink.kernel != "group_by" || !sink.args["keys"].list().empty() || sink.in.size() != 1) continue;
      const auto& aggregates = sink.args["aggregates"].list();
      if (aggregates.size() != 1 || aggregates[0]["function"].string() != "size") continue;
      for (const data::Step& step : stage.steps) {
        if (step.kernel != "select" || std::find(step.out.begin(), step.out.end(), sink.in[0]) == step.out.end()) continue;
        Dict args;
        for (const auto& [name, value] : sink.args.dict())
          args.emplace_back(name, name.string() == "aggregates" ? Value(List{Dict{{"function", "sum"}, {"input", 0}, {"type", data::code({data::Storage::boolean})}, {"options", Dict{}}}}) : value);
        sink.args = std::move(args), sink.in = {step.in[0]};
        break;
      }
    }
}

}  // namespace muster::plan
