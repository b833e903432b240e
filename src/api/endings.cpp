// An ending reads one range and is read by none, so that the rest of the graph is whole without it.
#include "api/endings.hpp"

#include <algorithm>

#include "data/program.hpp"
#include "worker/functions.hpp"

namespace muster::api {
using graph::Dependency, graph::Graph, graph::Range;
namespace {

bool is_anybodys(const Range& r) { return r.count == 1 && r.inputs.size() == 1 && r.begins.empty() && r.options == graph::Options{}; }

// Moves or changes the rows of one input, by kernels alone.
bool passes_rows(const Range& r) {
  if (r.function != "pipeline") return false;
  const auto program = data::Program::decode(r.args);
  const auto runs_python = [](const auto& step) { return data::traits(step.kernel).runs_python; };
  return program.from == data::Program::From::batches && program.streams == 1 && program.broadcasts.empty() && program.whole.empty() &&
         std::none_of(program.steps.begin(), program.steps.end(), runs_python);
}
}  // namespace

std::vector<Ending> endings_of(const Graph& graph) {
  std::vector<int> readers(graph.ranges.size(), 0);
  for (const auto& r : graph.ranges)
    for (const auto& d : r.inputs) ++readers[static_cast<size_t>(d.range)];
  std::vector<Ending> out;
  for (size_t last = 0; last < graph.ranges.size(); ++last) {
    if (!graph.ranges[last].wanted || readers[last]) continue;
    Ending ending{-1, {}};
    for (auto at = static_cast<int>(last); at >= 0;) {
      const Range& r = graph.ranges[static_cast<size_t>(at)];
      const bool is_last = ending.ranges.empty();
      if (!is_anybodys(r) || (!is_last && (r.wanted || readers[static_cast<size_t>(at)] != 1))) break;
      const bool joins = worker::puts_together(r.function);
      if (!joins && !passes_rows(r)) break;
      ending.ranges.insert(ending.ranges.begin(), at);
      at = r.inputs[0].range;
      if (joins) {
        ending.parts = at;
        break;
      }
    }
    if (ending.parts >= 0 && graph.ranges[static_cast<size_t>(ending.parts)].begins.empty()) out.push_back(std::move(ending));
  }
  return out;
}

std::shared_ptr<worker::Job> run_ending(const Graph& graph, const Ending& ending, Made parts, int64_t threads) {
  auto here = std::make_shared<Graph>();
  Range given;
  given.count = static_cast<int64_t>(parts.size()), given.function = worker::kGiven, given.args = worker::given(std::move(parts));
  given.label = graph.ranges[static_cast<size_t>(ending.parts)].label;
  here->ranges.push_back(std::move(given));
  for (const int range : ending.ranges) {
    Range r = graph.ranges[static_cast<size_t>(range)];
    r.inputs[0].range = static_cast<int>(here->ranges.size()) - 1;
    here->ranges.push_back(std::move(r));
  }
  return worker::run(here, threads, nullptr);
}

}  // namespace muster::api
