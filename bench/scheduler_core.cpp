// What the scheduler costs: CPU per task of graphs whose tasks do nothing, with workers that answer at once. No socket, no thread but this one.
// Prints lines "question tasks microseconds-per-task".
#include <chrono>
#include <cstdio>
#include <ctime>
#include <deque>
#include <memory>
#include <string>

#include "graph/graph.hpp"
#include "schedule/scheduler.hpp"
#include "worker/local.hpp"

using namespace muster;
using graph::Dependency;
using graph::Graph;
using graph::Range;
using Clock = std::chrono::steady_clock;

namespace {

// n explicit tasks without inputs, and one that reads them all.
std::shared_ptr<Graph> merge(uint32_t n) {
  auto g = std::make_shared<Graph>();
  Range leaves{.count = n, .label = "leaf"};
  leaves.begins.assign(n + 1, 0);
  Range sum{.count = 1, .wanted = true, .label = "sum"};
  sum.begins = {0, n};
  for (uint32_t i = 0; i < n; ++i) sum.needs.push_back({1, i});
  g->ranges = {std::move(leaves), std::move(sum)};
  return g;
}

// Explicit pairwise sums.
std::shared_ptr<Graph> tree(uint32_t leaves) {
  auto g = std::make_shared<Graph>();
  Range r{.count = 0, .label = "add"};
  r.begins = {0};
  for (uint32_t i = 0; i < leaves; ++i) r.begins.push_back(0);
  uint32_t from = 0, made = leaves;
  for (uint32_t level = leaves; level > 1; level /= 2) {
    for (uint32_t i = 0; i + 1 < level; i += 2) {
      r.needs.push_back({1, from + i}), r.needs.push_back({1, from + i + 1});
      r.begins.push_back(static_cast<uint32_t>(r.needs.size()));
      ++made;
    }
    from += level;
  }
  r.count = made;
  r.wanted_tasks = {made - 1};
  g->ranges.push_back(std::move(r));
  return g;
}

// A map and a tree of merges of eight, as ranges: what a group-by is.
std::shared_ptr<Graph> groupby(int64_t partitions) {
  auto g = std::make_shared<Graph>();
  g->ranges.push_back({.count = partitions, .label = "map"});
  for (int64_t count = partitions; count > 1;) {
    const int from = static_cast<int>(g->ranges.size()) - 1;
    count = (count + 7) / 8;
    g->ranges.push_back({.count = count, .inputs = {{from, Dependency::Rule::block, 8, 0}}, .label = "merge"});
  }
  g->ranges.back().wanted = true;
  return g;
}

double run(std::shared_ptr<Graph> g, int workers, int64_t* tasks) {
  *tasks = g->tasks();
  schedule::Scheduler s({.prefetch_us = 2000});
  for (int i = 0; i < workers; ++i) s.join({.threads = 2, .address = std::to_string(i)});
  const auto begun = std::clock();
  s.submit(1, 1, std::move(g));
  std::deque<schedule::Action> queue;
  bool done = false;
  while (!done) {
    for (const auto& a : s.act()) {
      if (a.kind == schedule::Action::Kind::assign) queue.push_back(a);
      if (a.kind == schedule::Action::Kind::ended) done = true;
    }
    // News come in batches, as over a socket.
    for (int i = 0; i < 64 && !queue.empty(); ++i) {
      const auto a = queue.front();
      queue.pop_front();
      s.finished(a.who, a.task, a.attempt, 28, 1);
    }
  }
  return static_cast<double>(std::clock() - begun) / CLOCKS_PER_SEC * 1e6 / static_cast<double>(*tasks);
}

double in_process(int64_t n, int64_t threads) {
  auto g = std::make_shared<Graph>();
  g->ranges.push_back({.count = n, .function = "nothing", .label = "nothing"});
  g->ranges.push_back({.count = 1, .function = "nothing", .inputs = {{0, Dependency::Rule::all, 1, 0}}, .wanted = true, .label = "all"});
  const auto begun = Clock::now();
  auto job = worker::run(g, threads, nullptr);
  worker::wait_for(*job, nullptr);
  return std::chrono::duration<double, std::micro>(Clock::now() - begun).count() / static_cast<double>(n);
}
}  // namespace

int main() {
  int64_t tasks = 0;
  for (uint32_t n : {10'000u, 100'000u, 1'000'000u}) {
    double best = run(merge(n), 24, &tasks);
    std::printf("merge %lld %.3f\n", static_cast<long long>(tasks), best);
    best = run(tree(1u << (n == 10'000 ? 12 : n == 100'000 ? 16 : 19)), 24, &tasks);
    std::printf("tree %lld %.3f\n", static_cast<long long>(tasks), best);
    best = run(groupby(n), 24, &tasks);
    std::printf("groupby %lld %.3f\n", static_cast<long long>(tasks), best);
  }
  std::printf("workers-1000 %lld %.3f\n", 1'000'001ll, run(merge(1'000'000), 1000, &tasks));
  for (int64_t threads : {0, 1, 2}) {
    double best = 1e9;
    for (int i = 0; i < 3; ++i) best = std::min(best, in_process(200'000, threads));
    std::printf("in-process-%lld-threads 200000 %.3f\n", static_cast<long long>(threads), best);
  }
  worker::stop_pool();
}
