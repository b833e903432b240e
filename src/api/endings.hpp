// What only puts together what tasks have made is done where the result is wanted: the rows travel once, and no worker is waited for alone.
#pragma once
#include <memory>
#include <vector>

#include "graph/graph.hpp"
#include "worker/local.hpp"

namespace muster::api {

/// The end of a graph that leads to one result: ranges of one task each. The first joins what all tasks of `parts` made, the last is wanted.
struct Ending {
  int parts;                // a range
  std::vector<int> ranges;  // in order
};

/// The endings of a graph whose tasks nobody else reads, and of which nobody asked where or how they run.
std::vector<Ending> endings_of(const graph::Graph& graph);

/// Outputs of tasks, by task.
using Made = std::vector<std::vector<kernels::Output>>;

/// Runs an ending on what its parts are. The result is that of the last range's only task.
std::shared_ptr<worker::Job> run_ending(const graph::Graph& graph, const Ending& ending, Made parts, int64_t threads);

}  // namespace muster::api
