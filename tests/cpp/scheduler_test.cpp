// The scheduler as a state machine: random graphs run to the end in every order of completion, nothing runs before its inputs, everything is freed once.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "base/error.hpp"
#include "schedule/scheduler.hpp"

namespace muster::schedule {
namespace {
using graph::Dependency;
using graph::Graph;
using graph::Range;
using Rule = Dependency::Rule;
using Kind = Event::Kind;

std::shared_ptr<Graph> map_and_tree(int64_t partitions) {
  auto g = std::make_shared<Graph>();
  g->ranges.push_back({.count = partitions});
  int from = 0;
  for (int64_t count = partitions; count > 1 || from == 0;) {
    count = (count + 3) / 4;
    g->ranges.push_back({.count = count, .inputs = {{from, Rule::block, 4, 0}}});
    from = static_cast<int>(g->ranges.size()) - 1;
  }
  g->ranges.push_back({.count = 1, .inputs = {{from, Rule::map, 1, 0}}, .wanted = true});
  return g;
}

// Runs a graph by finishing assigned tasks in random order; checks what must hold at each step.
void run(std::shared_ptr<const Graph> g, int64_t slots, unsigned seed) {
  Scheduler s;
  std::mt19937 random(seed);
  std::vector<TaskId> running;
  std::set<TaskId> done, freed;
  bool ended = false;
  auto obey = [&](const std::vector<Action>& actions) {
    for (const auto& a : actions) {
      if (a.kind == Action::Kind::done) { ended = true; continue; }
      if (a.kind == Action::Kind::free) {
        EXPECT_TRUE(done.contains(a.task));
        EXPECT_TRUE(freed.insert(a.task).second) << "freed twice";
        continue;
      }
      for (const auto& d : g->ranges[static_cast<size_t>(a.task.range)].inputs) {
        const int64_t count = g->ranges[static_cast<size_t>(d.range)].count;
        int64_t begin = a.task.index, end = begin + 1;
        if (d.rule == Rule::all) begin = 0, end = count;
        if (d.rule == Rule::block) begin = a.task.index * d.k, end = std::min(count, begin + d.k);
        for (int64_t i = begin; i < end; ++i) {
          EXPECT_TRUE(done.contains({a.task.job, d.range, i})) << "runs before its input";
          EXPECT_FALSE(freed.contains({a.task.job, d.range, i})) << "its input is freed";
        }
      }
      running.push_back(a.task);
    }
    s.validate();
    EXPECT_LE(static_cast<int64_t>(running.size()), slots);
  };
  obey(s.step({.kind = Kind::slots, .slots = slots}));
  obey(s.step({Kind::submit, {1, 0, 0}, g, slots}));
  while (!running.empty()) {
    const size_t i = random() % running.size();
    const TaskId task = running[i];
    running.erase(running.begin() + static_cast<std::ptrdiff_t>(i));
    done.insert(task);
    obey(s.step({Kind::finished, task}));
  }
  EXPECT_TRUE(ended);
  EXPECT_EQ(static_cast<int64_t>(done.size()), g->tasks());
  for (size_t r = 0; r < g->ranges.size(); ++r)
    for (int64_t t = 0; t < g->ranges[r].count; ++t) EXPECT_EQ(freed.contains({1, static_cast<int>(r), t}), !g->ranges[r].wanted);
}

TEST(Scheduler, RunsEveryTaskOnceInAnyOrder) {
  for (unsigned seed = 0; seed < 60; ++seed)
    for (int64_t partitions : {1, 2, 5, 16, 17, 65}) run(map_and_tree(partitions), 1 + seed % 5, seed);
}

TEST(Scheduler, BroadcastWaitsForTheWholeRange) {
  auto g = std::make_shared<Graph>();
  g->ranges.push_back({.count = 5});
  g->ranges.push_back({.count = 1, .inputs = {{0, Rule::all, 1, 0}}});
  g->ranges.push_back({.count = 7, .inputs = {{1, Rule::all, 1, 0}}});
  g->ranges.push_back({.count = 7, .inputs = {{2, Rule::map, 1, 0}, {1, Rule::all, 1, 0}}, .wanted = true});
  for (unsigned seed = 0; seed < 40; ++seed) run(g, 3, seed);
}

TEST(Scheduler, FailureStopsTheJobOnly) {
  Scheduler s;
  s.step({.kind = Kind::slots, .slots = 1});
  s.step({Kind::submit, {1, 0, 0}, map_and_tree(5), 1});
  s.step({Kind::submit, {2, 0, 0}, map_and_tree(2), 1});
  auto actions = s.step({Kind::failed, {1, 0, 0}});
  ASSERT_EQ(actions.size(), 2u);
  EXPECT_EQ(actions[0].kind, Action::Kind::done);
  EXPECT_EQ(actions[0].task.job, 1u);
  EXPECT_EQ(actions[1].kind, Action::Kind::assign);
  EXPECT_EQ(actions[1].task.job, 2u);
  EXPECT_TRUE(s.step({Kind::cancel, {1, 0, 0}}).empty());
  s.validate();
}

TEST(Scheduler, AnAbandonedJobGivesItsSlotsBack) {
  Scheduler s;
  s.step({.kind = Kind::slots, .slots = 2});
  s.step({Kind::submit, {1, 0, 0}, map_and_tree(5), 2});
  EXPECT_EQ(s.running(), 2);
  auto actions = s.step({Kind::abandon, {1, 0, 0}});
  ASSERT_EQ(actions.size(), 1u);
  EXPECT_EQ(actions[0].kind, Action::Kind::done);
  EXPECT_EQ(s.running(), 0);
  EXPECT_TRUE(s.step({Kind::finished, {1, 0, 0}}).empty());  // late news of it is ignored
  EXPECT_EQ(s.running(), 0);
  s.validate();
}

TEST(Scheduler, DepthFirst) {
  Scheduler s;
  s.step({.kind = Kind::slots, .slots = 1});
  s.step({Kind::submit, {1, 0, 0}, map_and_tree(64), 1});
  for (int64_t i = 0; i < 3; ++i) s.step({Kind::finished, {1, 0, i}});
  auto actions = s.step({Kind::finished, {1, 0, 3}});  // the first four are there: their merge goes before the fifth
  bool merge = false;
  for (const auto& a : actions) merge |= a.kind == Action::Kind::assign && a.task.range == 1;
  EXPECT_TRUE(merge);
}

TEST(Scheduler, RefusesAGraphThatIsNotOrdered) {
  Scheduler s;
  auto g = std::make_shared<Graph>();
  g->ranges.push_back({.count = 1, .inputs = {{0, Rule::map, 1, 0}}});
  EXPECT_THROW(s.step({Kind::submit, {1, 0, 0}, g, 1}), Error);
}
}  // namespace
}  // namespace muster::schedule
