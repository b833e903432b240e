// A plan's graph on a cluster, as the same kind of job as in this process.
#pragma once
#include <functional>
#include <memory>

#include "cluster/client.hpp"
#include "graph/graph.hpp"
#include "muster/error.hpp"
#include "worker/local.hpp"

namespace muster::api {

/// Submits the graph and brings its wanted results. Tables in memory go to workers once; functions of the guest language go as bytes.
/// `on_result` as of worker::run, for tasks of ranges with `reports`.
std::shared_ptr<worker::Job> run_on(cluster::Client& client, const graph::Graph& graph, std::function<bool(int range, int64_t index, const worker::TaskResult&)> on_result);

/// The error a worker wrote down.
Error error_of(const std::string& bytes);

}  // namespace muster::api
