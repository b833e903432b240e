// The worker's state machine under random events: every attempt is answered exactly once, whatever the order of fetches, cancels and retracts.
#include "worker/state.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

namespace muster::worker {
namespace {
using Kind = StateAction::Kind;

TEST(WorkerState, EveryAttemptIsAnsweredOnce) {
  for (unsigned seed = 0; seed < 2000 && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    State s;
    using Key = std::pair<TaskId, uint16_t>;
    std::set<Key> open, running;
    std::vector<worker::Run> runs;  // that run
    size_t in_runs = 0;
    std::vector<std::pair<ObjectKey, std::string>> fetches;
    std::set<ObjectKey> alone;  // outputs that are here
    std::vector<uint16_t> copies(20, 0);
    uint32_t next = 100;
    auto answered = [&](Key k) { EXPECT_EQ(open.erase(k), 1u) << "answered twice, or never asked"; };
    auto obey = [&] {
      for (const auto& a : s.act()) {
        switch (a.kind) {
          case Kind::fetch: fetches.emplace_back(ObjectKey(a.task, a.output), a.holder); break;
          case Kind::forget: EXPECT_EQ(alone.erase({a.task, a.output}), 1u) << "forgotten, and not there"; break;
          case Kind::stop:
            EXPECT_TRUE(running.contains({a.task, a.attempt}) ||
                        std::any_of(runs.begin(), runs.end(), [&](const worker::Run& r) { return r.has({a.task, a.attempt}); }));
            break;
          case Kind::failed:
          case Kind::stopped:
          case Kind::retracted: answered({a.task, a.attempt}); break;
        }
      }
      s.validate();
      EXPECT_EQ(s.running(), running.size() + in_runs);
      for (const Key& k : open) EXPECT_TRUE(s.knows(k.first, k.second));
    };
    auto end_run = [&](size_t i, uint32_t done) {
      const worker::Run run = runs[i];
      runs.erase(runs.begin() + static_cast<std::ptrdiff_t>(i));
      in_runs -= run.count;
      s.run_ended(run, done);
      for (uint32_t n = 0; n < done; ++n) answered({{run.first.job, run.first.index + n}, run.attempt});
    };
    auto take = [&](bool guest) {
      TaskId task;
      uint16_t attempt;
      std::shared_ptr<const void> said;
      if (!guest && s.next_run() && random() % 2) {
        const void* of = s.next_run();
        const worker::Run run = s.take_run(1 + random() % 4);
        EXPECT_EQ(run.said.get(), of);
        in_runs += run.count;
        for (uint32_t n = 0; n < run.count; ++n) EXPECT_TRUE(open.contains({{run.first.job, run.first.index + n}, run.attempt}));
        runs.push_back(run);
      } else if (s.take(guest, task, attempt, &said)) {
        EXPECT_TRUE(running.insert({task, attempt}).second);
        if (said) EXPECT_LE(*static_cast<const uint32_t*>(said.get()), task.index);
      }
    };
    for (int step = 0; step < 400; ++step) {
      const bool ending = step > 300;
      switch (random() % 8) {
        case 0:
        case 1: {
          if (ending) break;
          if (random() % 4 == 0) {
            const auto count = static_cast<uint32_t>(1 + random() % 6);
            const auto attempt = static_cast<uint16_t>(random() % 3);
            for (uint32_t n = 0; n < count; ++n) open.insert({{1, next + n}, attempt});
            s.assign_run(random() % 2, {{1, next}, attempt, count, random() % 5, std::make_shared<const uint32_t>(next)});
            next += count;
            break;
          }
          const TaskId task{1, next++};
          std::vector<Input> inputs;
          for (unsigned n = random() % 4; n > 0; --n) {
            const uint32_t object = random() % 20;
            Input in{{1, object}, copies[object], {}};
            for (unsigned h = random() % 3; h > 0; --h) in.holders.push_back("w" + std::to_string(random() % 3));
            if (random() % 2) in.output = random() % 3;
            inputs.push_back(in);
          }
          const auto attempt = static_cast<uint16_t>(random() % 3);
          open.insert({task, attempt});
          s.assign(task, attempt, random() % 5, random() % 2, inputs);
          break;
        }
        case 2:
        case 3:
          if (!fetches.empty()) {
            const size_t i = random() % fetches.size();
            const auto [object, holder] = fetches[i];
            fetches.erase(fetches.begin() + static_cast<std::ptrdiff_t>(i));
            const ObjectKey came = random() % 4 ? object : ObjectKey(object.task);  // more than was asked for
            const uint16_t copy = copies[object.task.index];
            if (random() % 3 == 0) {
              s.fetch_failed(object, copy, holder);
            } else {
              if (!came.whole()) alone.insert(came);
              s.here(came, copy);
            }
          }
          break;
        case 4: take(random() % 2); break;
        case 5:
          if (!runs.empty() && random() % 2) {
            const size_t i = random() % runs.size();
            end_run(i, static_cast<uint32_t>(random() % (runs[i].count + 1)));
            break;
          }
          if (!running.empty()) {
            const Key k = *running.begin();
            running.erase(running.begin());
            if (random() % 4 == 0) {
              s.give_back(k.first, k.second);
            } else {
              s.ended(k.first, k.second);
              answered(k);
            }
          }
          break;
        case 6:
          if (!open.empty() && random() % 4 == 0) {
            auto k = open.begin();
            std::advance(k, static_cast<std::ptrdiff_t>(random() % open.size()));
            s.cancel(k->first, k->second);
          }
          break;
        default:
          if (random() % 8 == 0) s.retract(1 + random() % 3);
          if (random() % 8 == 0) {
            const uint32_t object = random() % 20;
            s.gone({1, object}, copies[object]);
            ++copies[object];
          }
      }
      obey();
    }
    // Fetches end, what is queued runs: nothing is left.
    for (int rounds = 0; !open.empty() && rounds < 10'000; ++rounds) {
      if (!fetches.empty()) {
        const auto [object, holder] = fetches.back();
        fetches.pop_back();
        s.fetch_failed(object, copies[object.task.index], holder);
      }
      for (bool guest : {false, true}) take(guest);
      while (!runs.empty()) end_run(0, runs[0].count);
      for (const Key& k : std::set<Key>(running)) s.ended(k.first, k.second), answered(k);
      running.clear();
      obey();
    }
    EXPECT_TRUE(open.empty());
    EXPECT_TRUE(alone.empty()) << "outputs that nobody reads";
    EXPECT_EQ(s.waiting() + s.queued(false) + s.queued(true) + s.running(), 0u);
  }
}

TEST(WorkerState, BetterPrioritiesRunFirst) {
  State s;
  s.assign({1, 1}, 0, 5, false, {});
  s.assign({1, 2}, 0, 3, false, {});
  s.assign({1, 3}, 0, 4, true, {});
  TaskId task;
  uint16_t attempt;
  ASSERT_TRUE(s.take(false, task, attempt));
  EXPECT_EQ(task.index, 2u);
  ASSERT_TRUE(s.take(true, task, attempt));
  EXPECT_EQ(task.index, 3u);
  EXPECT_FALSE(s.take(true, task, attempt));
}

TEST(WorkerState, ARunIsCutWhereOneOfItsAttemptsIsTreatedAlone) {
  State s;
  const auto said = std::make_shared<const int>(0);
  s.assign_run(false, {{1, 10}, 0, 10, 100, said});
  s.assign({1, 5}, 0, 103, false, {});  // between two of them
  s.cancel({1, 12}, 0);
  EXPECT_EQ(s.retract(1), 1u);
  EXPECT_EQ(s.act().size(), 2u);
  EXPECT_EQ(s.queued(false), 9u);
  const worker::Run first = s.take_run(64);
  EXPECT_EQ(first.count, 2u);
  TaskId task;
  uint16_t attempt;
  std::shared_ptr<const void> of;
  ASSERT_TRUE(s.take(false, task, attempt, &of));
  EXPECT_EQ(task.index, 5u);
  EXPECT_FALSE(of);
  ASSERT_TRUE(s.take(false, task, attempt, &of));
  EXPECT_EQ(task.index, 13u);
  EXPECT_EQ(of, said);
  s.give_back(task, attempt);
  s.run_ended(first, 1);
  s.validate();
  std::vector<uint32_t> order;
  while (s.take(false, task, attempt)) order.push_back(task.index);
  EXPECT_EQ(order, (std::vector<uint32_t>{11, 13, 14, 15, 16, 17, 18}));
  for (uint32_t i : order) s.ended({1, i}, 0);
  s.ended({1, 5}, 0);
  s.validate();
  EXPECT_EQ(s.running() + s.queued(false) + s.waiting(), 0u);
}

TEST(WorkerState, AnOutputIsFetchedOnceForAllThatReadItAndForgottenWithTheLast) {
  State s;
  const TaskId object{1, 9};
  s.assign({1, 1}, 0, 1, false, {{object, 0, {"a"}, 3}});
  s.assign({1, 2}, 0, 1, false, {{object, 0, {"a"}, 3}});
  s.assign({1, 3}, 0, 1, false, {{object, 0, {"a"}, 4}});
  auto asked = s.act();
  ASSERT_EQ(asked.size(), 2u) << "two outputs";
  EXPECT_EQ(asked[0].output + asked[1].output, 7u);
  s.here({object, 3}, 0);
  s.assign({1, 4}, 0, 1, false, {{object, 0, {"a"}, 3}});
  EXPECT_TRUE(s.act().empty()) << "it is here";
  TaskId task;
  uint16_t attempt;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(s.take(false, task, attempt));
    s.ended(task, attempt);
    EXPECT_EQ(s.act().size(), i == 2 ? 1u : 0u);
  }
  EXPECT_FALSE(s.take(false, task, attempt));
  s.here(object, 0);  // all of it, in place of one output
  ASSERT_TRUE(s.take(false, task, attempt));
  EXPECT_EQ(task.index, 3u);
  s.ended(task, attempt);
  EXPECT_TRUE(s.act().empty());
  s.assign({1, 5}, 0, 1, false, {{object, 0, {}, 5}});
  EXPECT_TRUE(s.take(false, task, attempt)) << "the object has it";
  s.here({object, 4}, 0);  // late
  ASSERT_EQ(s.act().size(), 1u);
  s.validate();
}

TEST(WorkerState, AnObjectIsFetchedOnceForAll) {
  State s;
  s.assign({1, 1}, 0, 1, false, {{{1, 9}, 0, {"a", "b"}}});
  s.assign({1, 2}, 0, 1, false, {{{1, 9}, 0, {"a"}}});
  EXPECT_EQ(s.act().size(), 1u);
  s.fetch_failed(TaskId{1, 9}, 0, "b");
  auto again = s.act();
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0].holder, "a");
  s.fetch_failed(TaskId{1, 9}, 0, "a");
  auto over = s.act();
  ASSERT_EQ(over.size(), 2u);
  EXPECT_EQ(over[0].kind, Kind::failed);
  EXPECT_EQ(over[0].lost.size(), 2u);
}
}  // namespace
}  // namespace muster::worker
