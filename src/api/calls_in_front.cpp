#include "api/calls_in_front.hpp"

#include <algorithm>

#include "data/program.hpp"
#include "data/source_rows.hpp"
#include "kernels/task_values.hpp"

namespace muster::api {
using namespace base;

void put_in_front(Calls& calls, const plan::Plan& plan, plan::Expanded& expanded) {
  std::vector<std::shared_ptr<const Opaque>> values;
  std::vector<std::pair<size_t, size_t>> reads;  // range, number of its values
  auto& ranges = expanded.graph.ranges;
  for (size_t s = 0; s < plan.stages.size(); ++s) {
    const auto& source = plan.stages[s].source;
    const auto named = source && expanded.range_of_stage[s] >= 0 ? data::rows_of(source->args) : nullptr;
    if (!named || !kernels::names_task_values(*named)) continue;
    const auto known = std::find(values.begin(), values.end(), named);
    reads.emplace_back(static_cast<size_t>(expanded.range_of_stage[s]), static_cast<size_t>(known - values.begin()));
    if (known == values.end()) values.push_back(named);
  }
  graph::Range in_front = calls.range(values);
  if (!in_front.count) return;
  for (const auto& [at, number] : reads) {
    auto& r = ranges[at];
    auto program = data::Program::decode(r.args);
    program.source_args = Dict{{"rows", calls.source(number)}, {"columns", program.source_args["columns"]}};
    r.args = program.encode();
    const auto tasks = calls.tasks(number);
    r.begins = {0};
    for (int64_t i = 0; i < r.count; ++i) {
      r.needs.push_back({worker::kLocalJob, tasks.at(static_cast<size_t>(r.partition.empty() ? i : r.partition[static_cast<size_t>(i)]))});
      r.begins.push_back(static_cast<uint32_t>(r.needs.size()));
    }
  }
  for (auto& r : ranges)
    for (auto& d : r.inputs) ++d.range;
  for (auto& r : expanded.results) ++r.range;
  for (auto& r : expanded.range_of_stage)
    if (r >= 0) ++r;
  ranges.insert(ranges.begin(), std::move(in_front));
}

}  // namespace muster::api
