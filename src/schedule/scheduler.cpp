#include "schedule/scheduler.hpp"

#include <algorithm>

#include "base/error.hpp"

namespace muster::schedule {
using namespace base;
using graph::Dependency;
using Rule = graph::Dependency::Rule;

std::vector<Action> Scheduler::step(const Event& event) {
  std::vector<Action> actions;
  auto found = jobs_.find(event.task.job);
  switch (event.kind) {
    case Event::Kind::slots: slots_ = event.slots; break;
    case Event::Kind::submit: submit(event); break;
    case Event::Kind::cancel:
      if (found == jobs_.end()) return actions;
      found->second.failed = true;
      break;
    case Event::Kind::abandon:
      if (found == jobs_.end()) return actions;
      running_ -= found->second.running;
      found->second.running = 0, found->second.failed = true;
      break;
    case Event::Kind::finished:
    case Event::Kind::failed: {
      if (found == jobs_.end()) return actions;
      Job& job = found->second;
      --job.running, --running_;
      if (event.kind == Event::Kind::failed) job.failed = true;
      finished(job, event.task, actions);
      break;
    }
  }
  for (auto job = jobs_.begin(); job != jobs_.end();) {
    if (job->second.running == 0 && (job->second.failed || job->second.left == 0)) {
      actions.push_back({Action::Kind::done, {job->first, 0, 0}});
      job = jobs_.erase(job);
    } else {
      ++job;
    }
  }
  assign(actions);
  return actions;
}

void Scheduler::submit(const Event& event) {
  Job job;
  job.graph = event.graph;
  job.slots = std::max<int64_t>(1, event.slots);
  const auto& ranges = event.graph->ranges;
  job.ranges.resize(ranges.size());
  for (size_t r = 0; r < ranges.size(); ++r) {
    auto& s = job.ranges[r];
    const auto count = static_cast<size_t>(ranges[r].count);
    s.state.assign(count, State::waiting);
    s.missing.assign(count, 0);
    s.consumers.assign(count, 0);
    s.roots = true;
    job.left += ranges[r].count;
    for (const auto& d : ranges[r].inputs) {
      if (d.range < 0 || static_cast<size_t>(d.range) >= r) throw invalid("graph: range ", r, " needs range ", d.range, ", which does not come before it");
      auto& source = job.ranges[static_cast<size_t>(d.range)];
      if (d.rule == Rule::all) {
        s.gate += 1, source.open_alls += 1;
        continue;
      }
      s.roots = false;
      for (int64_t i = 0; i < ranges[static_cast<size_t>(d.range)].count; ++i) {
        const int64_t task = dependents_of(d, i);
        if (task >= ranges[r].count) continue;
        ++s.missing[static_cast<size_t>(task)], ++source.consumers[static_cast<size_t>(i)];
      }
    }
  }
  jobs_.emplace(event.task.job, std::move(job));
}

void Scheduler::make_ready(Job& job, int range, int64_t index) {
  auto& s = job.ranges[static_cast<size_t>(range)];
  if (s.gate || s.missing[static_cast<size_t>(index)] || s.state[static_cast<size_t>(index)] != State::waiting || s.roots) return;
  s.state[static_cast<size_t>(index)] = State::ready;
  job.ready.push({range, index});
}

void Scheduler::release(Job& job, JobId id, int range, int64_t index, std::vector<Action>& actions) {
  auto& s = job.ranges[static_cast<size_t>(range)];
  if (s.state[static_cast<size_t>(index)] != State::done || s.consumers[static_cast<size_t>(index)] || s.open_alls || job.graph->ranges[static_cast<size_t>(range)].wanted) return;
  s.state[static_cast<size_t>(index)] = State::freed;
  actions.push_back({Action::Kind::free, {id, range, index}});
}

void Scheduler::finished(Job& job, TaskId task, std::vector<Action>& actions) {
  const auto& ranges = job.graph->ranges;
  auto& s = job.ranges[static_cast<size_t>(task.range)];
  s.state[static_cast<size_t>(task.index)] = State::done;
  ++s.done, --job.left;
  if (job.failed) return;
  const auto& mine = ranges[static_cast<size_t>(task.range)];
  // Inputs are used up.
  for (const auto& d : mine.inputs) {
    auto& source = job.ranges[static_cast<size_t>(d.range)];
    const int64_t count = ranges[static_cast<size_t>(d.range)].count;
    if (d.rule == Rule::all) {
      if (s.done < mine.count) continue;
      --source.open_alls;
      for (int64_t i = 0; i < count; ++i) release(job, task.job, d.range, i, actions);
    } else {
      const int64_t k = d.rule == Rule::block ? d.k : 1;
      for (int64_t i = task.index * k; i < std::min(count, task.index * k + k); ++i) {
        --source.consumers[static_cast<size_t>(i)];
        release(job, task.job, d.range, i, actions);
      }
    }
  }
  // Dependents may be ready.
  for (size_t r = static_cast<size_t>(task.range) + 1; r < ranges.size(); ++r)
    for (const auto& d : ranges[r].inputs) {
      if (d.range != task.range) continue;
      auto& dependent = job.ranges[r];
      if (d.rule == Rule::all) {
        if (s.done < mine.count || --dependent.gate) continue;
        for (int64_t i = 0; i < ranges[r].count; ++i) make_ready(job, static_cast<int>(r), i);
      } else if (const int64_t i = dependents_of(d, task.index); i < ranges[r].count) {
        --dependent.missing[static_cast<size_t>(i)];
        make_ready(job, static_cast<int>(r), i);
      }
    }
  release(job, task.job, task.range, task.index, actions);
}

// Tasks made ready by others go before roots, which are withheld: a new root only makes more data.
bool Scheduler::next(Job& job, Ready& out) {
  if (!job.ready.empty()) {
    out = job.ready.top();
    job.ready.pop();
    return true;
  }
  for (size_t r = job.ranges.size(); r-- > 0;) {
    auto& s = job.ranges[r];
    if (!s.roots || s.gate || s.next_root >= job.graph->ranges[r].count) continue;
    out = {static_cast<int>(r), s.next_root++};
    return true;
  }
  return false;
}

void Scheduler::assign(std::vector<Action>& actions) {
  for (auto& [id, job] : jobs_) {
    Ready task;
    while (!job.failed && running_ < slots_ && job.running < job.slots && next(job, task)) {
      job.ranges[static_cast<size_t>(task.range)].state[static_cast<size_t>(task.index)] = State::running;
      ++job.running, ++running_;
      actions.push_back({Action::Kind::assign, {id, task.range, task.index}});
    }
  }
}

void Scheduler::validate() const {
  int64_t all = 0;
  for (const auto& [id, job] : jobs_) {
    int64_t running = 0, left = 0;
    for (size_t r = 0; r < job.ranges.size(); ++r) {
      int64_t done = 0;
      for (auto s : job.ranges[r].state) running += s == State::running, done += s == State::done || s == State::freed;
      if (done != job.ranges[r].done) throw internal("scheduler: range ", r, " counts ", job.ranges[r].done, " done tasks of ", done);
      left += static_cast<int64_t>(job.ranges[r].state.size()) - done;
    }
    if (running != job.running || left != job.left) throw internal("scheduler: job ", id, " counts ", job.running, " running, ", job.left, " left; has ", running, ", ", left);
    all += running;
  }
  if (all != running_) throw internal("scheduler: counts ", running_, " running tasks of ", all);
}

}  // namespace muster::schedule
