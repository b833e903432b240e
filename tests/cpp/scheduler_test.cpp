// The scheduler under deterministic simulation: workers, clients, a network that keeps order per connection, and faults, all from one seed.
//
// The oracle: a task's value is a hash of its id and of its inputs' values, so a lost, stale or exchanged input shows as a wrong value.
#include "schedule/scheduler.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <functional>
#include <limits>
#include <map>
#include <random>
#include <set>

#include "base/error.hpp"
#include "muster/error.hpp"
#include "schedule/priority.hpp"

namespace muster::schedule {
namespace {
using graph::Dependency;
using graph::Graph;
using graph::Range;
using Rule = Dependency::Rule;
using Kind = Action::Kind;

std::shared_ptr<Graph> map_and_tree(int64_t partitions) {
  auto g = std::make_shared<Graph>();
  g->ranges.push_back({.count = partitions, .label = "map"});
  int from = 0;
  for (int64_t count = partitions; count > 1 || from == 0;) {
    count = (count + 3) / 4;
    g->ranges.push_back({.count = count, .inputs = {{from, Rule::block, 4, 0}}, .label = "tree"});
    from = static_cast<int>(g->ranges.size()) - 1;
  }
  g->ranges.push_back({.count = 1, .inputs = {{from, Rule::map, 1, 0}}, .wanted = true, .label = "last"});
  return g;
}

std::shared_ptr<Graph> broadcasts(int64_t width) {
  auto g = std::make_shared<Graph>();
  g->ranges.push_back({.count = width, .label = "a"});
  g->ranges.push_back({.count = 1, .inputs = {{0, Rule::all, 1, 0}}, .label = "b"});
  g->ranges.push_back({.count = width, .inputs = {{1, Rule::all, 1, 0}}, .label = "c"});
  g->ranges.push_back({.count = width, .inputs = {{2, Rule::map, 1, 0}, {1, Rule::all, 1, 0}}, .wanted = true, .label = "d"});
  return g;
}

// `count` explicit tasks; each reads up to three made before it, some of them of `others`.
std::shared_ptr<Graph> explicit_tasks(std::mt19937& random, JobId job, uint32_t first, int64_t count, const std::vector<TaskId>& others, bool wanted) {
  auto g = std::make_shared<Graph>();
  Range r{.count = count, .wanted = wanted, .label = "explicit"};
  r.options.retries = static_cast<int>(random() % 3);
  r.begins.push_back(0);
  for (int64_t i = 0; i < count; ++i) {
    for (unsigned n = random() % 4; n > 0; --n) {
      if (!others.empty() && random() % 4 == 0) r.needs.push_back(others[random() % others.size()]);
      else if (i > 0) r.needs.push_back({job, first + static_cast<uint32_t>(random() % static_cast<uint64_t>(i))});
    }
    r.begins.push_back(static_cast<uint32_t>(r.needs.size()));
  }
  g->ranges.push_back(std::move(r));
  if (!wanted) g->ranges.push_back({.count = 1, .inputs = {{0, Rule::all, 1, 0}}, .wanted = true, .label = "sum"});
  return g;
}

struct Faults {
  int kill = 0, raise = 0, cancel = 0, lose = 0, secede = 0, pause = 0, change = 0, retry = 0;  // per thousand steps; change: of what is wanted
};

class Simulation {
 public:
  Simulation(unsigned seed, int workers, Faults faults)
      : random_(seed),
        faults_(faults),
        scheduler_({.prefetch_us = seed % 3 ? 2000 : 0, .allowed_failures = 1000, .max_seceded = seed % 2 ? 16u : 2u, .seed = seed}) {
    for (int i = 0; i < workers; ++i) start_worker();
  }

  void submit(JobId job, std::shared_ptr<const Graph> g, ClientId client = 1) {
    const uint32_t first = next_index_[job];
    uint32_t at = first;
    std::vector<uint32_t> firsts;
    for (const auto& r : g->ranges) {
      firsts.push_back(at);
      for (uint32_t i : r.wanted_tasks) wanted_.insert({job, at + i});
      for (int64_t i = 0; i < r.count; ++i, ++at) {
        auto& inputs = inputs_[{job, at}];
        for (const auto& d : r.inputs) {
          const auto [begin, end] = d.needs(i, g->ranges[static_cast<size_t>(d.range)].count);
          for (int64_t s = begin; s < end; ++s) inputs.push_back({job, firsts[static_cast<size_t>(d.range)] + static_cast<uint32_t>(s)});
        }
        if (!r.begins.empty())
          inputs.insert(inputs.end(), r.needs.begin() + r.begins[static_cast<size_t>(i)], r.needs.begin() + r.begins[static_cast<size_t>(i) + 1]);
        if (r.wanted) wanted_.insert({job, at});
      }
    }
    next_index_[job] = at;
    scheduler_.submit(job, client, std::move(g));
    obey();
  }

  // Data that a client brings, on one worker.
  TaskId scatter(JobId job) {
    const TaskId id{job, next_index_[job]++};
    auto& w = workers_[random_() % workers_.size()];
    inputs_[id], wanted_.insert(id);
    w.store[id] = {0, value(id)};
    EXPECT_EQ(scheduler_.promise(job, 1, "data", false), id);
    scheduler_.give(id, {w.slot}, 100);
    results_[id] = {true, value(id)};
    obey();
    return id;
  }

  // Runs until nothing moves; then every wanted task must have its value, once.
  void run() {
    for (int step = 0;; ++step) {
      ASSERT_LT(step, 400'000) << "does not end";
      if (step < fault_steps) inject();
      if (!advance() && step >= fault_steps) break;
      if (step % 64 == 0 || step < 300) scheduler_.validate();
    }
    scheduler_.validate();
    for (TaskId id : wanted_) {
      auto got = results_.find(id);
      ASSERT_TRUE(got != results_.end()) << "no result of task " << id.index << " of job " << id.job << " (" << name_of(scheduler_.find(id)->state) << ")";
      if (!got->second.first) continue;  // failed or cancelled, as it may be
      EXPECT_EQ(got->second.second, value(id));
    }
    for (TaskId id : std::set<TaskId>(wanted_)) scheduler_.release(1, id);
    obey();
    while (advance()) {}
    scheduler_.validate();
    EXPECT_EQ(scheduler_.jobs(), 0u) << "jobs are left behind";
    for (const auto& w : workers_) EXPECT_TRUE(!w.alive || w.store.empty()) << w.store.size() << " objects are left behind";
  }

  int fault_steps = 0;
  int64_t ended = 0;
  std::function<size_t(size_t)> pick = [this](size_t n) { return random_() % n; };  // which of n things happens next
  int cancels = 0, kills = 0;                                                       // that may happen at any moment, as one of these things
  std::set<TaskId> wanted_;
  Scheduler& scheduler() { return scheduler_; }
  bool failures_allowed = false, kills_begun = false;

 private:
  struct Input { TaskId id; uint16_t attempt; std::vector<Slot> holders; };
  struct Message { Action action; std::vector<Input> holders; };
  struct Attempt { TaskId id; uint16_t attempt; std::vector<Input> inputs; bool running = false, seceded = false; };
  struct SimWorker {
    bool alive = true, paused = false;
    Slot slot = 0;
    int64_t threads = 1;
    std::deque<Message> inbox;
    std::deque<std::function<void()>> outbox;
    std::vector<Attempt> attempts;
    std::map<TaskId, std::pair<uint16_t, uint64_t>> store;
  };

  uint64_t value(TaskId id) {
    if (auto known = values_.find(id); known != values_.end()) return known->second;
    uint64_t h = id.bits() * 0x9E3779B97F4A7C15ull + 1;
    for (TaskId in : inputs_[id]) h = (h ^ value(in)) * 0xBF58476D1CE4E5B9ull + 7;
    return values_[id] = h;
  }

  void start_worker() {
    SimWorker w;
    w.threads = 1 + static_cast<int64_t>(random_() % 3);
    w.slot = scheduler_.join({.threads = w.threads, .address = concat("w", workers_.size())});
    of_slot_[w.slot] = workers_.size();
    workers_.push_back(std::move(w));
    obey();
  }
  static std::string concat(const char* a, size_t n) { return a + std::to_string(n); }

  void obey() {
    for (const auto& a : scheduler_.act()) {
      switch (a.kind) {
        case Kind::assign: {
          Message m{a, {}};
          const Scheduler::Task* t = scheduler_.find(a.task);
          ASSERT_TRUE(t && t->state == State::assigned);
          scheduler_.each_input(a.task, [&](TaskId in) {
            ASSERT_EQ(scheduler_.find(in)->state, State::done) << "runs before its input";
            m.holders.push_back({in, scheduler_.find(in)->attempt, scheduler_.holders(in)});
          });
          worker(a.who).inbox.push_back(std::move(m));
          break;
        }
        case Kind::cancel:
        case Kind::retract:
        case Kind::free: worker(a.who).inbox.push_back({a, {}}); break;
        case Kind::done: {
          auto holders = scheduler_.holders(a.task);
          ASSERT_FALSE(holders.empty());
          auto& store = worker(holders[0]).store;
          auto object = store.find(a.task);
          ASSERT_TRUE(object != store.end()) << "announced and not there";
          results_[a.task] = {true, object->second.second};
          break;
        }
        case Kind::failed:
          EXPECT_TRUE(failures_allowed);
          results_[a.task] = {false, 0};
          break;
        case Kind::cancelled: results_[a.task] = {false, 0}, wanted_.erase(a.task); break;
        case Kind::ended: ++ended; break;
        default: break;
      }
    }
  }
  SimWorker& worker(Slot s) { return workers_[of_slot_.at(s)]; }

  // Delivers one message or ends one task, wherever chance falls. False: nothing was left to do.
  bool advance() {
    struct Choice { size_t worker; int what; };
    std::vector<Choice> choices;
    for (size_t i = 0; i < workers_.size(); ++i) {
      auto& w = workers_[i];
      if (!w.alive) continue;
      if (!w.inbox.empty()) choices.push_back({i, 0});
      if (!w.outbox.empty()) choices.push_back({i, 1});
      int64_t running = 0;
      bool waiting = false;
      for (const auto& a : w.attempts) running += a.running && !a.seceded, waiting |= !a.running;
      for (const auto& a : w.attempts)
        if (a.running) { choices.push_back({i, 2}); break; }
      if (waiting && running < w.threads) choices.push_back({i, 3});
    }
    if (choices.empty()) {
      for (auto& w : workers_)
        if (w.alive && w.paused) {
          w.paused = false;
          scheduler_.pause(w.slot, false);
          obey();
          return true;
        }
      return false;
    }
    if (cancels) choices.push_back({0, 4});
    if (kills)
      for (size_t i = 0; i < workers_.size(); ++i)
        if (workers_[i].alive) choices.push_back({i, 5});
    const auto [i, what] = choices[pick(choices.size())];
    auto& w = workers_[i];
    if (what == 4) {
      --cancels;
      if (!wanted_.empty()) scheduler_.cancel(*wanted_.begin());
      obey();
      return true;
    }
    if (what == 5) {
      --kills, kills_begun = true;
      w.alive = false;
      scheduler_.worker_gone(w.slot);
      obey();
      start_worker();
      return true;
    }
    if (what == 0) {
      Message m = std::move(w.inbox.front());
      w.inbox.pop_front();
      receive(w, m);
    } else if (what == 1) {
      auto send = std::move(w.outbox.front());
      w.outbox.pop_front();
      send();
      obey();
    } else if (what == 2) {
      std::vector<size_t> running;
      for (size_t n = 0; n < w.attempts.size(); ++n)
        if (w.attempts[n].running) running.push_back(n);
      end(w, running[random_() % running.size()]);
    } else {
      for (auto& a : w.attempts)
        if (!a.running) {
          a.running = true;
          break;
        }
    }
    return true;
  }

  void receive(SimWorker& w, const Message& m) {
    const Slot s = w.slot;
    const Action a = m.action;
    if (a.kind == Kind::assign) {
      w.attempts.push_back({a.task, a.attempt, m.holders});
    } else if (a.kind == Kind::free) {
      if (auto found = w.store.find(a.task); found != w.store.end() && found->second.first == a.attempt) w.store.erase(found);
    } else if (a.kind == Kind::cancel) {
      for (size_t n = 0; n < w.attempts.size(); ++n)
        if (w.attempts[n].id == a.task && w.attempts[n].attempt == a.attempt) {
          if (w.attempts[n].running && random_() % 2) break;  // it does not listen, and runs to its end
          w.attempts.erase(w.attempts.begin() + static_cast<std::ptrdiff_t>(n));
          w.outbox.push_back([this, s, a] { scheduler_.failed(s, a.task, a.attempt, Failure::stopped); });
          break;
        }
    } else if (a.kind == Kind::retract) {
      uint32_t left = a.count;
      for (size_t n = w.attempts.size(); n-- > 0 && left;)
        if (!w.attempts[n].running) {
          const auto [id, attempt] = std::pair(w.attempts[n].id, w.attempts[n].attempt);
          w.attempts.erase(w.attempts.begin() + static_cast<std::ptrdiff_t>(n));
          w.outbox.push_back([this, s, id, attempt] { scheduler_.retracted(s, id, attempt); });
          --left;
        }
      w.outbox.push_back([this, s] { scheduler_.retract_ended(s); });
    }
  }

  // A task ends: its inputs are taken from where they were said to be, as far as they are still there.
  void end(SimWorker& w, size_t n) {
    Attempt a = std::move(w.attempts[n]);
    w.attempts.erase(w.attempts.begin() + static_cast<std::ptrdiff_t>(n));
    const Slot s = w.slot;
    std::vector<Lost> lost;
    uint64_t h = a.id.bits() * 0x9E3779B97F4A7C15ull + 1;
    for (const auto& [in, copy, holders] : a.inputs) {
      auto mine = w.store.find(in);
      if (mine == w.store.end())
        for (Slot holder : holders) {
          auto& other = worker(holder);
          auto found = other.alive && chance(faults_.lose) == false ? other.store.find(in) : other.store.end();
          if (found == other.store.end()) {
            lost.push_back({in, copy, holder});
            continue;
          }
          mine = w.store.emplace(in, found->second).first;
          w.outbox.push_back([this, s, in, attempt = found->second.first] { scheduler_.added(s, in, attempt); });
          break;
        }
      if (mine == w.store.end() && holders.empty()) lost.push_back({in, copy, kNone});
    }
    bool whole = true;
    for (const auto& [in, copy, holders] : a.inputs) {
      whole &= w.store.contains(in);
      if (whole) h = (h ^ w.store[in].second) * 0xBF58476D1CE4E5B9ull + 7;
    }
    if (!whole) {
      EXPECT_TRUE(faults_.kill || faults_.lose || kills_begun) << "an input of task " << a.id.index << " was freed before it had run";
      w.outbox.push_back([this, s, a, lost] { scheduler_.failed(s, a.id, a.attempt, Failure::inputs, lost); });
    } else if (chance(faults_.raise)) {
      w.outbox.push_back([this, s, a] { scheduler_.failed(s, a.id, a.attempt, random_() % 2 ? Failure::raised : Failure::died); });
    } else {
      w.store[a.id] = {a.attempt, h};
      const auto bytes = static_cast<int64_t>(random_() % 1'000'000);
      w.outbox.push_back([this, s, a, bytes] { scheduler_.finished(s, a.id, a.attempt, bytes, static_cast<int64_t>(random_() % 1000)); });
    }
  }

  bool chance(int per_mille) { return per_mille && static_cast<int>(random_() % 1000) < per_mille; }

  void inject() {
    if (chance(faults_.kill)) {
      std::vector<size_t> alive;
      for (size_t i = 0; i < workers_.size(); ++i)
        if (workers_[i].alive) alive.push_back(i);
      auto& w = workers_[alive[random_() % alive.size()]];
      w.alive = false;  // what it had said and nobody heard is lost with it
      scheduler_.worker_gone(w.slot);
      obey();
      start_worker();
    }
    if (chance(faults_.pause)) {
      auto& w = workers_[random_() % workers_.size()];
      if (w.alive) {
        w.paused = !w.paused;
        scheduler_.pause(w.slot, w.paused);
        obey();
      }
    }
    if (chance(faults_.secede))
      for (auto& w : workers_)
        for (auto& a : w.attempts)
          if (w.alive && a.running && !a.seceded) {
            a.seceded = true;
            w.outbox.push_back([this, s = w.slot, id = a.id, attempt = a.attempt] { scheduler_.seceded(s, id, attempt); });
            return;
          }
    if (chance(faults_.change)) {
      auto any = inputs_.begin();
      std::advance(any, static_cast<std::ptrdiff_t>(random_() % inputs_.size()));
      const TaskId id = any->first;
      if (wanted_.erase(id)) scheduler_.release(1, id);
      else if (scheduler_.find(id)) wanted_.insert(id), results_.erase(id), scheduler_.want(1, id);
      obey();
    }
    if (chance(faults_.retry) && !wanted_.empty()) {
      auto it = wanted_.begin();
      std::advance(it, static_cast<std::ptrdiff_t>(random_() % wanted_.size()));
      if (const auto* t = scheduler_.find(*it); t && t->state == State::failed) scheduler_.retry(*it);
      obey();
    }
    if (chance(faults_.cancel) && !wanted_.empty()) {
      auto it = wanted_.begin();
      std::advance(it, static_cast<std::ptrdiff_t>(random_() % wanted_.size()));
      if (random_() % 2) scheduler_.cancel(*it);
      else scheduler_.cancel(*it, 1);
      obey();
    }
  }

  std::mt19937 random_;
  Faults faults_;
  Scheduler scheduler_;
  std::deque<SimWorker> workers_;
  std::map<Slot, size_t> of_slot_;
  std::map<JobId, uint32_t> next_index_;
  std::map<TaskId, std::vector<TaskId>> inputs_;
  std::map<TaskId, uint64_t> values_;
  std::map<TaskId, std::pair<bool, uint64_t>> results_;
};

// MUSTER_SEED=n runs one seed again.
template <class F>
void seeds(unsigned count, F f) {
  if (const char* one = std::getenv("MUSTER_SEED")) return f(static_cast<unsigned>(std::atoi(one)));
  for (unsigned seed = 0; seed < count && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("MUSTER_SEED=" + std::to_string(seed));
    f(seed);
  }
}

void random_jobs(Simulation& s, unsigned seed) {
  std::mt19937 random(seed + 17);
  std::vector<TaskId> known;
  for (JobId job = 1; job <= 1 + random() % 3; ++job) {
    switch (random() % 4) {
      case 0: s.submit(job, map_and_tree(1 + static_cast<int64_t>(random() % 40))); break;
      case 1: s.submit(job, broadcasts(1 + static_cast<int64_t>(random() % 8))); break;
      default: {
        const auto count = 1 + static_cast<int64_t>(random() % 40);
        const bool wanted = random() % 2;
        s.submit(job, explicit_tasks(random, job, 0, count, known, wanted));
        if (wanted)
          for (uint32_t i = 0; i < count; ++i) known.push_back({job, i});
      }
    }
  }
}

TEST(Scheduler, RunsWithoutFaults) {
  seeds(600, [](unsigned seed) {
    Simulation s(seed, 1 + static_cast<int>(seed % 5), {});
    random_jobs(s, seed);
    s.run();
  });
}

TEST(Scheduler, WorkersThatDieLoseNothing) {
  seeds(1500, [](unsigned seed) {
    Simulation s(seed, 2 + static_cast<int>(seed % 4), {.kill = 15, .lose = 20, .pause = 5});
    s.fault_steps = 600;
    random_jobs(s, seed);
    s.run();
  });
}

TEST(Scheduler, WhatRunsKeepsItsInputs) {
  seeds(1500, [](unsigned seed) {
    Simulation s(seed, 1 + static_cast<int>(seed % 4), {.raise = 100, .cancel = 30, .secede = 10});
    s.fault_steps = 500;
    s.failures_allowed = true;
    random_jobs(s, seed);
    s.run();
  });
}

TEST(Scheduler, EverythingAtOnce) {
  seeds(1500, [](unsigned seed) {
    Simulation s(seed, 1 + static_cast<int>(seed % 4), {.kill = 10, .raise = 60, .cancel = 10, .lose = 20, .secede = 30, .pause = 5});
    s.fault_steps = 500;
    s.failures_allowed = true;
    random_jobs(s, seed);
    s.run();
  });
}

// Whoever is wanted again, above one that has failed meanwhile, is told.
TEST(Scheduler, WhatIsWantedChanges) {
  seeds(500, [](unsigned seed) {
    Simulation s(seed, 1 + static_cast<int>(seed % 4), {.kill = 10, .raise = 60, .lose = 10, .change = 60, .retry = 10});
    s.fault_steps = 500;
    s.failures_allowed = true;
    std::mt19937 random(seed + 5);
    std::vector<TaskId> known{s.scatter(9), s.scatter(9)};
    s.submit(1, explicit_tasks(random, 1, 0, 30, known, true));
    s.scheduler().close(9);
    s.submit(2, broadcasts(5));
    s.submit(3, map_and_tree(20));
    s.run();
  });
}

std::shared_ptr<Graph> all_to_all(int64_t width) {
  auto g = std::make_shared<Graph>();
  g->ranges.push_back({.count = width, .label = "split"});
  g->ranges.push_back({.count = width, .inputs = {{0, Rule::all, 1, 0}}, .label = "part"});
  g->ranges.push_back({.count = 1, .inputs = {{1, Rule::all, 1, 0}}, .wanted = true, .label = "join"});
  return g;
}

TEST(Scheduler, AllToAll) {
  seeds(100, [](unsigned seed) {
    Simulation s(seed, 3, {.kill = 10, .lose = 2, .pause = 5});
    s.fault_steps = 300;
    s.submit(1, all_to_all(20));
    s.run();
  });
}

TEST(Scheduler, AThousandToAThousand) {
  Simulation s(1, 4, {.kill = 1});
  s.fault_steps = 4000;
  s.submit(1, all_to_all(1000));
  s.run();
}

// Every order of the first events: choices are numbered like the digits of a counter, and each run is one number.
class EveryOrder {
 public:
  explicit EveryOrder(size_t depth) : depth_(depth) {}
  size_t pick(size_t n) {
    if (at_ >= depth_) return 0;
    if (at_ == digits_.size()) digits_.push_back({0, n});
    return digits_[at_++].first;
  }
  // False when all were seen.
  bool next() {
    at_ = 0;
    while (!digits_.empty() && ++digits_.back().first == digits_.back().second) digits_.pop_back();
    return !digits_.empty();
  }

 private:
  size_t depth_, at_ = 0;
  std::vector<std::pair<size_t, size_t>> digits_;
};

std::shared_ptr<Graph> four_tasks() {
  auto g = std::make_shared<Graph>();
  Range r{.count = 4, .label = "four"};
  r.begins = {0, 0, 0, 2, 3}, r.needs = {{1, 0}, {1, 1}, {1, 2}};
  r.wanted_tasks = {2, 3};
  g->ranges.push_back(r);
  return g;
}

// Two workers, four tasks, one cancel or one death at any moment: all orders of the first events.
void every_order(size_t depth, int cancels, int kills, std::shared_ptr<Graph> (*graph)()) {
  EveryOrder order(depth);
  int runs = 0;
  do {
    Simulation s(1, 2, {});
    s.pick = [&](size_t n) { return order.pick(n); };
    s.cancels = cancels, s.kills = kills, s.failures_allowed = true;
    s.submit(1, graph());
    s.run();
    ++runs;
  } while (order.next() && !::testing::Test::HasFailure());
  EXPECT_GT(runs, 50);
}

TEST(Scheduler, EveryOrderOfACancel) { every_order(11, 1, 0, four_tasks); }
TEST(Scheduler, EveryOrderOfADeath) { every_order(11, 0, 1, four_tasks); }
TEST(Scheduler, EveryOrderOfStealing) {
  every_order(7, 1, 0, [] {
    auto g = std::make_shared<Graph>();
    g->ranges.push_back({.count = 8, .wanted = true, .label = "many"});
    return g;
  });
}

TEST(Scheduler, FailureReachesAllThatDependsOnIt) {
  Scheduler s;
  s.join({.threads = 2});
  s.submit(1, 1, map_and_tree(5));
  s.act();
  s.failed(0, {1, 0}, 0, Failure::raised);
  std::vector<Action> failed;
  for (const auto& a : s.act())
    if (a.kind == Kind::failed) failed.push_back(a);
  ASSERT_EQ(failed.size(), 1u);
  EXPECT_EQ(failed[0].cause, (TaskId{1, 0}));
  s.validate();
}

// Only a few tasks go on without a thread; what these submit themselves still runs, and the others begin as they end.
TEST(Scheduler, SecededTasksAreFew) {
  Scheduler s({.max_seceded = 4});
  auto many = std::make_shared<Graph>(), one = std::make_shared<Graph>();
  many->ranges.push_back({.count = 50, .wanted = true, .label = "parent"});
  one->ranges.push_back({.count = 1, .wanted = true, .label = "child"});
  s.join({.threads = 1});
  s.submit(1, 1, many);
  s.nest(2, 1);
  std::deque<TaskId> parents;
  size_t most = 0;
  JobId child = 10;
  int ended = 0;
  for (int step = 0; step < 1000 && ended < 50; ++step) {
    std::vector<TaskId> begun;
    for (const auto& a : std::vector<Action>(s.act()))
      if (a.kind == Kind::assign) begun.push_back(a.task);
    for (TaskId t : begun) {
      if (t.job != 1) {
        s.finished(0, t, 0, 8, 100);
        s.finished(0, parents.front(), 0, 8, 100);
        parents.pop_front(), ++ended;
      } else {
        s.seceded(0, t, 0);
        parents.push_back(t);
        most = std::max(most, parents.size());
      }
    }
    if (begun.empty()) s.submit(child++, 2, one);
    s.validate();
  }
  EXPECT_EQ(ended, 50);
  EXPECT_EQ(most, 4u);
}

TEST(Scheduler, ASuspectRunsAloneUntilItIsTheCause) {
  Scheduler s({.prefetch_us = 2000, .allowed_failures = 2});
  auto g = std::make_shared<Graph>();
  g->ranges.push_back({.count = 3, .wanted = true, .label = "f"});
  s.join({.threads = 1});
  s.submit(1, 1, g);
  int failed = 0;
  for (int deaths = 0; deaths < 12 && failed == 0; ++deaths) {
    std::vector<Action> actions = s.act();
    bool poison = false;
    std::vector<TaskId> assigned;
    for (const auto& a : actions) {
      if (a.kind == Kind::assign) assigned.push_back(a.task), poison |= a.task.index == 0;
      failed += a.kind == Kind::failed;
    }
    if (poison) {
      s.worker_gone(0), s.join({.threads = 1});
    } else {
      for (TaskId id : assigned) s.finished(0, id, s.find(id)->attempt, 1, 1);
    }
  }
  for (const auto& a : s.act()) failed += a.kind == Kind::failed;
  EXPECT_EQ(failed, 1);
  EXPECT_EQ(s.find({1, 0})->state, State::failed);
  EXPECT_NE(s.find({1, 1})->state, State::failed);
  s.validate();
}

TEST(Scheduler, ResourcesAndRestrictions) {
  Scheduler s({.prefetch_us = 2000});
  s.join({.threads = 4, .address = "a"});
  s.join({.threads = 4, .address = "b", .resources = {{"GPU", 2}}});
  auto g = std::make_shared<Graph>();
  g->ranges.push_back({.count = 5, .wanted = true, .label = "gpu", .options = {.resources = {{"GPU", 1}}}});
  g->ranges.push_back({.count = 2, .wanted = true, .label = "here", .options = {.workers = {"a"}}});
  g->ranges.push_back({.count = 1, .wanted = true, .label = "nowhere", .options = {.workers = {"c"}}});
  s.submit(1, 1, g);
  int gpu = 0;
  for (const auto& a : s.act()) {
    if (a.kind != Kind::assign) continue;
    EXPECT_EQ(a.who, a.task.index < 5 ? 1u : 0u);
    EXPECT_LT(a.task.index, 7u);
    gpu += a.task.index < 5;
  }
  EXPECT_EQ(gpu, 2);
  s.finished(1, {1, 0}, 0, 1, 1);
  for (const auto& a : s.act()) gpu += a.kind == Kind::assign;
  EXPECT_EQ(gpu, 3);
  EXPECT_NE(s.unrunnable({1, 7}), "");
  s.join({.threads = 1, .address = "c"});
  int more = 0;
  for (const auto& a : s.act()) more += a.kind == Kind::assign;
  EXPECT_EQ(more, 1);
  s.validate();
}

TEST(Scheduler, HigherPriorityGoesFirst) {
  Scheduler s;
  auto g = std::make_shared<Graph>();
  g->ranges.push_back({.count = 3, .wanted = true, .label = "low"});
  g->ranges.push_back({.count = 1, .wanted = true, .label = "high", .options = {.priority = 5}});
  s.submit(1, 1, g);
  s.join({.threads = 1});
  ASSERT_EQ(s.act().front().task.index, 3u);
}

TEST(Scheduler, PrioritiesAreToldApart) {
  std::vector<int> user;  // in units of 1/256
  for (int i = 0; i <= 2048; ++i) user.push_back(i), user.push_back(256 * i);
  for (int64_t i = 2048 * 256; i < (int64_t{1} << 31); i += i / 1000) user.push_back(static_cast<int>(i));
  for (size_t i = user.size(); i-- > 0;) user.push_back(-user[i]);
  user.push_back(std::numeric_limits<int>::max()), user.push_back(std::numeric_limits<int>::min());
  std::sort(user.begin(), user.end());
  user.erase(std::unique(user.begin(), user.end()), user.end());
  for (size_t i = 1; i < user.size(); ++i) {
    const bool last = i + 1 == user.size() || i == 1;  // the ends of an int are like their neighbours
    if (!last) ASSERT_LT(order_of(user[i], 7, 255, 1 << 30), order_of(user[i - 1], 6, 0, 0)) << user[i];
    else ASSERT_LE(order_of(user[i], 7, 0, 0), order_of(user[i - 1], 7, 0, 0)) << user[i];
  }
  EXPECT_LT(order_of(0, 1, 255, 5), order_of(0, 2, 0, 0));
  EXPECT_LT(order_of(0, 1, 3, 1 << 30), order_of(0, 1, 4, 0));
  EXPECT_EQ(order_of(0, 1, 3, 6), order_of(0, 1, 3, 5) + 1);
}

TEST(Scheduler, DepthFirst) {
  Scheduler s;
  s.join({.threads = 1});
  s.submit(1, 1, map_and_tree(64));
  s.act();
  for (uint32_t i = 0; i < 3; ++i) s.finished(0, {1, i}, 0, 1, 1), s.act();
  s.finished(0, {1, 3}, 0, 1, 1);  // the first four are there: their merge goes before the fifth
  bool merge = false;
  for (const auto& a : s.act()) merge |= a.kind == Kind::assign && a.task.index >= 64;
  EXPECT_TRUE(merge);
}

// Partitions of two exchanges side by side: none lies there while the other exchange is not done, or waits for its partner longer than it must.
TEST(Scheduler, WhatATaskWaitsForGoesFirst) {
  auto g = std::make_shared<Graph>();
  for (const int of : {0, 2}) {
    g->ranges.push_back({.count = 3, .label = "read"});
    g->ranges.push_back({.count = 3, .inputs = {{of, Rule::slice}}, .label = "exchanged"});
  }
  g->ranges.push_back({.count = 3, .inputs = {{1, Rule::map}, {3, Rule::map}}, .wanted = true, .label = "joined"});
  Scheduler s;
  s.join({.threads = 1});
  s.submit(1, 1, g);
  std::vector<uint32_t> order;
  for (bool any = true; any;) {
    any = false;
    for (const auto& a : s.act())
      if (a.kind == Kind::assign) order.push_back(a.task.index), any = true, s.finished(0, a.task, a.attempt, 1, 1);
  }
  ASSERT_EQ(order.size(), 15U);
  std::sort(order.begin(), order.begin() + 6);
  EXPECT_EQ(order, (std::vector<uint32_t>{0, 1, 2, 6, 7, 8, 3, 9, 12, 4, 10, 13, 5, 11, 14}));
}

TEST(Scheduler, AnAbandonedJobGivesItsPlacesBack) {
  Scheduler s;
  s.join({.threads = 2});
  s.submit(1, 1, map_and_tree(5));
  s.act();
  EXPECT_EQ(s.workers()[0].running, 2);
  s.abandon(1);
  bool ended = false;
  for (const auto& a : s.act()) ended |= a.kind == Kind::ended;
  EXPECT_TRUE(ended);
  EXPECT_EQ(s.workers()[0].running, 0);
  s.validate();
  for (uint32_t i = 0; i < 2; ++i) s.finished(0, {1, i}, 0, 1, 1);  // late news of it change nothing
  EXPECT_EQ(s.workers()[0].running, 0);
  s.validate();
  bool gone = false;
  for (const auto& a : s.act()) gone |= a.kind == Kind::gone;
  EXPECT_TRUE(gone);
}

TEST(Scheduler, RetryStartsAtTheCause) {
  Scheduler s;
  s.join({.threads = 1});
  auto g = std::make_shared<Graph>();
  Range r{.count = 3, .wanted = true, .label = "chain"};
  r.begins = {0, 0, 1, 2};
  r.needs = {{1, 0}, {1, 1}};
  g->ranges.push_back(r);
  s.submit(1, 1, g);
  s.act();
  s.failed(0, {1, 0}, 0, Failure::raised);
  s.act();
  EXPECT_EQ(s.find({1, 2})->state, State::failed);
  s.retry({1, 2});
  s.validate();
  for (int i = 0; i < 3; ++i)
    for (const auto& a : std::vector<Action>(s.act()))
      if (a.kind == Kind::assign) s.finished(0, a.task, a.attempt, 1, 1);
  EXPECT_EQ(s.find({1, 2})->state, State::done);
  s.validate();
}

std::vector<Action> of_kind(Scheduler& s, Kind kind) {
  std::vector<Action> out;
  for (const auto& a : s.act())
    if (a.kind == kind) out.push_back(a);
  return out;
}

std::shared_ptr<Graph> one_task(std::vector<TaskId> needs, bool wanted = true) {
  auto g = std::make_shared<Graph>();
  Range r{.count = 1, .wanted = wanted, .label = "one"};
  r.begins = {0, static_cast<uint32_t>(needs.size())};
  r.needs = std::move(needs);
  g->ranges.push_back(std::move(r));
  return g;
}

std::vector<Action> run_all(Scheduler& s) {
  std::vector<Action> out;
  for (bool more = true; more;) {
    more = false;
    for (const auto& a : std::vector<Action>(s.act())) {
      if (a.kind == Kind::assign) s.finished(a.who, a.task, a.attempt, 1, 1), more = true;
      if (a.kind == Kind::cancel) s.failed(a.who, a.task, a.attempt, Failure::stopped), more = true;
      out.push_back(a);
    }
    s.validate();
  }
  return out;
}

// What one client cancels goes on as far as another one wants it, or what is made of it.
TEST(Scheduler, AClientCancelsForItself) {
  const auto told = [](const std::vector<Action>& actions, Kind kind, ClientId client) {
    std::vector<TaskId> out;
    for (const auto& a : actions)
      if (a.kind == kind && a.who == client) out.push_back(a.task);
    return out;
  };
  const TaskId first{1, 0}, between{2, 0}, last{3, 0}, own{4, 0};
  for (int who = 0; who < 4; ++who) {  // client 2 wants nothing, the first, the last, or only runs one of its own over it
    SCOPED_TRACE(who);
    Scheduler s;
    s.join({.threads = 1});
    s.submit(1, 1, one_task({}));
    s.submit(2, 1, one_task({first}, false));
    s.submit(3, 1, one_task({between}));
    if (who == 1) s.want(2, first);
    if (who == 2) s.want(2, last);
    if (who == 3) s.submit(4, 2, one_task({first}));
    s.act();  // the first runs
    s.validate();
    s.cancel(first, 1);
    s.validate();
    const auto cancelled = s.act();
    EXPECT_EQ(told(cancelled, Kind::cancelled, 1).size(), 2u);
    EXPECT_TRUE(told(cancelled, Kind::cancelled, 2).empty());
    EXPECT_EQ(std::count_if(cancelled.begin(), cancelled.end(), [](const auto& a) { return a.kind == Kind::cancel; }), who == 0);
    if (who == 0) continue;
    s.finished(0, first, 0, 1, 1);
    const auto after = run_all(s);
    EXPECT_TRUE(told(after, Kind::done, 1).empty());
    EXPECT_EQ(told(after, Kind::done, 2), std::vector<TaskId>{who == 1 ? first : who == 2 ? last : own});
    if (who == 3) continue;
    s.cancel(who == 1 ? first : last, 1);  // it has none of it any more
    EXPECT_TRUE(run_all(s).empty());
    s.cancel(who == 1 ? first : last);
    EXPECT_EQ(told(run_all(s), Kind::cancelled, 2).size(), 1u);
  }
}

// Tasks that need what is promised run when it is bound to a call and that has run.
TEST(Scheduler, WhatIsPromisedIsBoundToACall) {
  Scheduler s;
  s.join({.threads = 2});
  const TaskId later = s.promise(1, 1, "later", false), never = s.promise(1, 1, "never", false), nothing = s.promise(1, 1, "nothing", false);
  s.submit(2, 1, one_task({later}));
  s.submit(3, 1, one_task({never}));
  s.submit(4, 2, one_task({nothing}));
  s.submit(5, 1, map_and_tree(5));
  s.validate();
  const auto begun = of_kind(s, Kind::assign);
  EXPECT_EQ(begun.size(), 2u);  // of job 5
  s.bind(later, one_task({{5, 0}}));
  s.refuse(never);
  s.validate();
  EXPECT_EQ(s.find({3, 0})->state, State::failed);
  EXPECT_EQ(s.find({3, 0})->cause, never);
  for (const auto& a : begun) s.finished(a.who, a.task, a.attempt, 1, 1);
  for (int i = 0; i < 20; ++i)
    for (const auto& a : std::vector<Action>(s.act()))
      if (a.kind == Kind::assign) s.finished(a.who, a.task, a.attempt, 1, 1);
  EXPECT_EQ(s.find(later)->state, State::done);
  EXPECT_EQ(s.find({2, 0})->state, State::done);
  s.validate();
  s.worker_gone(0);  // the call is made again, with all that it needs
  s.join({.threads = 1});
  for (int i = 0; i < 40; ++i)
    for (const auto& a : std::vector<Action>(s.act()))
      if (a.kind == Kind::assign) s.finished(a.who, a.task, a.attempt, 1, 1);
  EXPECT_EQ(s.find({2, 0})->state, State::done);
  s.client_gone(1);  // who waits for its promises waits in vain
  s.validate();
  EXPECT_EQ(s.find({4, 0})->state, State::failed);
}

// What its client has a copy of is asked for again, as often as it is lost.
TEST(Scheduler, DataThatItsClientHasIsAskedForAgain) {
  Scheduler s;
  s.join({.threads = 1});
  s.join({.threads = 1});
  const TaskId table = s.promise(1, 1, "table", true);
  s.submit(2, 1, one_task({table}));
  s.give(table, {0}, 10);
  s.validate();
  for (int death = 0; death < 3; ++death) {
    const auto assigned = of_kind(s, Kind::assign);
    ASSERT_EQ(assigned.size(), 1u);
    s.worker_gone(s.find(table)->worker);
    if (s.find({2, 0})->state == State::assigned) s.worker_gone(assigned[0].who);
    s.validate();
    EXPECT_EQ(s.find(table)->state, State::waiting);
    const auto renew = of_kind(s, Kind::renew);
    ASSERT_EQ(renew.size(), 1u);
    EXPECT_EQ(renew[0].task, table);
    const Slot next = s.join({.threads = 1});
    s.give(table, {next}, 10);
    s.give(table, {next}, 10);  // said twice
    s.validate();
  }
  const auto assigned = of_kind(s, Kind::assign);
  ASSERT_EQ(assigned.size(), 1u);
  s.finished(assigned[0].who, {2, 0}, assigned[0].attempt, 1, 1);
  s.validate();
  s.release(1, table);
  const auto freed = of_kind(s, Kind::free);
  ASSERT_EQ(freed.size(), 1u);
  s.give(table, {freed[0].who}, 10);  // nobody waits for it any more
  EXPECT_EQ(of_kind(s, Kind::free).size(), 1u);
  s.validate();
}

TEST(Scheduler, RefusesAGraphThatIsNotOrdered) {
  Scheduler s;
  auto g = std::make_shared<Graph>();
  g->ranges.push_back({.count = 1, .inputs = {{0, Rule::map, 1, 0}}});
  EXPECT_THROW(s.submit(1, 1, g), Error);
  auto h = std::make_shared<Graph>();
  Range r{.count = 1};
  r.begins = {0, 1}, r.needs = {{1, 0}};
  h->ranges.push_back(r);
  EXPECT_THROW(s.submit(1, 1, h), Error);
  EXPECT_EQ(s.jobs(), 0u);
}
}  // namespace
}  // namespace muster::schedule
