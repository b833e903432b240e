// Who needs whom: references, inputs that must be there, and what becomes of a task that nobody needs any more or somebody needs again. A state changes in
// set_state alone, with all that is counted of states.
#include "schedule/scheduler.hpp"

#include "base/error.hpp"
#include "schedule/priority.hpp"

namespace muster::schedule {
using namespace base;
using graph::Dependency;
using Rule = Dependency::Rule;
using Kind = Action::Kind;

void Scheduler::set_state(Job& j, Task& t, State s) {
  const bool before = unfinished(t.state), after = unfinished(s);
  RangeState& r = j.ranges[t.range];
  if ((t.state == State::done) != (s == State::done)) {
    const bool was_complete = r.done == r.spec->count;
    r.done += s == State::done ? 1 : -1;
    if (was_complete != (r.done == r.spec->count))
      for (const auto& reader : r.readers)
        if (j.ranges[reader.range].spec->inputs[reader.input].every()) j.ranges[reader.range].gate += was_complete ? 1 : -1;
  }
  r.failed += (s == State::failed) - (t.state == State::failed);
  t.state = s;
  if (before == after) return;
  j.unfinished += after ? 1 : -1;
  if (after) {
    j.ended = false;
    if (r.unfinished++ == 0) open_alls(j, r);
  } else if (--r.unfinished == 0) {
    close_alls(j, r);
  }
}

// ---- needs

void Scheduler::open_alls(Job& j, RangeState& r) {
  for (const auto& d : r.spec->inputs) {
    if (!d.every()) continue;
    RangeState& source = j.ranges[r.base + static_cast<uint32_t>(d.range)];
    if (source.open_alls++) continue;
    for (int64_t i = 0; i < source.spec->count; ++i) {
      Task& t = j.tasks[source.first + static_cast<uint32_t>(i)];
      if (!t.counted) t.counted = true, ++j.needed;
      if (t.state == State::released) reviving_.push_back({source.job, source.first + static_cast<uint32_t>(i)});
    }
  }
}

void Scheduler::close_alls(Job& j, RangeState& r) {
  for (const auto& d : r.spec->inputs) {
    if (!d.every()) continue;
    RangeState& source = j.ranges[r.base + static_cast<uint32_t>(d.range)];
    if (--source.open_alls) continue;
    for (int64_t i = source.spec->count; i-- > 0;)  // the last that is put there is freed first: neighbours go together
      if (!j.tasks[source.first + static_cast<uint32_t>(i)].refs) unneeded_.push_back({source.job, source.first + static_cast<uint32_t>(i)});
  }
}

void Scheduler::add_ref(TaskId id) {
  Job& j = job_of(id);
  Task& t = j.tasks[id.index];
  if (!t.counted) t.counted = true, ++j.needed;
  ++t.refs;
}

void Scheduler::drop_ref(TaskId id) {
  Job& j = job_of(id);
  Task& t = j.tasks[id.index];
  if (--t.refs == 0 && !needed(j, t)) unneeded_.push_back(id);
}

// What nobody needs is freed, cancelled or forgotten; that may leave its inputs unneeded.
void Scheduler::settle_unneeded() {
  while (!unneeded_.empty()) {
    const TaskId id = unneeded_.back();
    unneeded_.pop_back();
    Job& j = job_of(id);
    Task& t = j.tasks[id.index];
    if (needed(j, t) || pinned(t) || !t.counted) continue;
    t.counted = false, --j.needed;
    if (t.state == State::done) free_copies(id);
    if (t.state == State::assigned) cut_off(id);
    const bool had_inputs = unfinished(t.state);
    set_state(j, t, State::released);
    if (had_inputs) drop_inputs(id);
    if (j.needed == 0 || j.unfinished == 0) ends_.push_back(id.job);
  }
}

void Scheduler::cut_off(TaskId id) {
  Task& t = at(id);
  Worker& w = workers_[t.worker];
  actions_.push_back({Kind::cancel, t.worker, id, t.attempt});
  w.backlog -= t.estimate;
  w.stale.push_back({id, t.attempt, t.seceded});
  each_input(id, [&](TaskId in) { ++at(in).pins; });
  reindex(t.worker);
  ++t.attempt, t.worker = kNone, t.seceded = false;
}

void Scheduler::unpin_inputs(TaskId id) {
  each_input(id, [&](TaskId in) {
    if (--at(in).pins == 0) unneeded_.push_back(in);
  });
}

void Scheduler::free_copies(TaskId id) {
  Task& t = at(id);
  if (t.worker != kNone) {
    workers_[t.worker].held -= t.bytes;
    actions_.push_back({Kind::free, t.worker, id, t.attempt});
  }
  if (t.more) {
    for (Slot s : more_[id]) actions_.push_back({Kind::free, s, id, t.attempt});
    more_.erase(id);
    t.more = false;
  }
  t.worker = kNone, t.inlined = false;
}

// An unfinished task needs its inputs. Those that are gone are made again: `reviving_` is worked off by revive().
void Scheduler::take_inputs(TaskId id) {
  Task& t = at(id);
  t.missing = 0;
  each_own_input(id, [&](TaskId in) {
    add_ref(in);
    Task& i = at(in);
    if (i.state != State::done) ++t.missing;
    if (i.state == State::released) reviving_.push_back(in);
  });
}

void Scheduler::drop_inputs(TaskId id) {
  each_own_input(id, [&](TaskId in) { drop_ref(in); });
}

void Scheduler::revive() {
  if (reviving_.empty()) return;
  std::vector<TaskId> revived;
  while (!reviving_.empty()) {
    const TaskId id = reviving_.back();
    reviving_.pop_back();
    Job& j = job_of(id);
    Task& t = j.tasks[id.index];
    if (t.state != State::released || !needed(j, t)) continue;
    if (t.data && !t.renewable) {
      fail(id, id);
      continue;
    }
    if (t.data) {
      set_state(j, t, State::waiting);
      actions_.push_back({Kind::renew, j.client, id});
      continue;
    }
    set_state(j, t, State::waiting);
    ++t.attempt;
    take_inputs(id);
    if (const Task* broken = failed_input(id)) fail(id, broken->cause);  // whoever failed says so once: this one hears of it only here
    else revived.push_back(id);
  }
  settle_unneeded();
  for (TaskId id : revived) check_ready(id);  // not before it is known which of them failed: what these need is not wanted any more
}

const Scheduler::Task* Scheduler::failed_input(TaskId id) const {
  const Task* found = nullptr;
  const auto look = [&](TaskId in) {
    if (const Task& t = at(in); t.state == State::failed) found = &t;
  };
  each_own_input(id, look);
  const Job& j = *jobs_.at(id.job);
  const RangeState& r = j.ranges[j.tasks[id.index].range];
  for (const auto& d : r.spec->inputs) {
    const RangeState& source = j.ranges[r.base + static_cast<uint32_t>(d.range)];
    if (found || !d.every() || !source.failed) continue;
    for (int64_t i = 0; i < source.spec->count && !found; ++i) look({id.job, source.first + static_cast<uint32_t>(i)});
  }
  return found;
}

uint64_t Scheduler::priority_of(const Job& j, TaskId id) const {
  // Later stages first, then in order: depth first, so that results are used up before new ones are made. What begins anew, as each of several
  // partitions that were asked for one by one, and explicit tasks come in the order of their numbers, which a client gives depth first.
  const Task& t = j.tasks[id.index];
  const RangeState& r = j.ranges[t.range];
  const bool planned = r.spec->begins.empty();  // by their place among those of a level, so that inputs of one task are made one after the other
  return order_of(r.spec->options.priority, j.generation, r.in_front ? 0 : 255 - std::min<uint32_t>(r.level, 255), planned ? id.index - r.first : id.index);
}

void Scheduler::check_ready(TaskId id) {
  Job& j = job_of(id);
  Task& t = j.tasks[id.index];
  if (t.state != State::waiting || t.missing || t.data) return;
  const RangeState& r = j.ranges[t.range];
  if (r.gate || (r.roots && static_cast<int64_t>(id.index - r.first) >= r.next_root)) return;
  ready(id);
}

void Scheduler::ready(TaskId id) {
  Job& j = job_of(id);
  set_state(j, j.tasks[id.index], State::ready);
  place(id);
}

// A range's inputs by rule `all` are there: its tasks, or if it has no other inputs its first root, may run.
void Scheduler::open_gate(JobId id, uint32_t range) {
  Job& j = *jobs_.at(id);
  RangeState& r = j.ranges[range];
  if (r.roots) {
    if (r.next_root < r.spec->count) {
      const TaskId next{id, r.first + static_cast<uint32_t>(r.next_root)};
      classes_[r.kind].heap.push({priority_of(j, next), next, true});
    }
    for (int64_t i = 0; i < r.next_root; ++i) check_ready({id, r.first + static_cast<uint32_t>(i)});
    return;
  }
  for (int64_t i = 0; i < r.spec->count; ++i) check_ready({id, r.first + static_cast<uint32_t>(i)});
}

}  // namespace muster::schedule
