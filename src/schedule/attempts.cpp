// Attempts and workers: how they end, and what is done about those that end badly. An attempt that no longer counts has its place and pins its inputs until it
// is answered or its worker is gone, and changes nothing else.
#include "schedule/scheduler.hpp"

#include "base/error.hpp"

namespace muster::schedule {
using namespace base;
using graph::Dependency;
using Rule = Dependency::Rule;
using Kind = Action::Kind;

// The attempt is answered: its place is free again.
bool Scheduler::end_attempt(Slot s, TaskId id, uint16_t attempt) {
  if (s >= workers_.size() || !workers_[s].alive || !find(id)) return false;
  Worker& w = workers_[s];
  Job& j = job_of(id);
  Task& t = j.tasks[id.index];
  const bool valid = t.state == State::assigned && t.attempt == attempt && t.worker == s;
  bool seceded = t.seceded, left = false;
  if (valid) {
    w.backlog -= t.estimate;
    t.seceded = false;
  } else {
    auto old = std::find_if(w.stale.begin(), w.stale.end(), [&](const Worker::Stale& o) { return o.task == id && o.attempt == attempt; });
    if (old == w.stale.end()) return false;  // said twice
    seceded = old->seceded, left = old->left;
    j.left -= old->left;
    w.stale.erase(old);
    unpin_inputs(id);
  }
  --j.running;
  if (!left) {  // else its place was given back before
    if (seceded) count_seceded(w, j.ranges[t.range].depth, false);
    else --w.running;
  }
  w.alone = false;
  for (const auto& [name, amount] : j.ranges[t.range].spec->options.resources) w.used[name] -= amount;
  reindex(s);
  if (ends_.empty() || ends_.back() != id.job) ends_.push_back(id.job);
  settle_unneeded();
  return valid;
}

void Scheduler::finished(Slot s, TaskId id, uint16_t attempt, int64_t bytes, int64_t us, bool inlined) {
  if (!end_attempt(s, id, attempt)) {
    actions_.push_back({Kind::free, s, id, attempt});
    return;
  }
  Job& j = job_of(id);
  Task& t = j.tasks[id.index];
  RangeState& r = j.ranges[t.range];
  int64_t& known = functions_[function_of(j, id)].us;
  known = known < 0 ? us : known + (us - known) / 4;
  t.bytes = bytes, t.inlined = inlined;
  workers_[s].held += bytes;
  set_state(j, t, State::done);
  if (r.spec->reports) actions_.push_back({Kind::reported, j.client, id, attempt});
  complete(id);
  drop_inputs(id);
  settle_unneeded();
}

void Scheduler::complete(TaskId id) {
  Job& j = job_of(id);
  Task& t = j.tasks[id.index];
  const uint32_t number = t.range;
  if (t.wanted) actions_.push_back({Kind::done, j.client, id, t.attempt});
  if (!wants_.empty())
    for (auto& [client, wants] : wants_)
      if (wants.contains(id)) actions_.push_back({Kind::done, client, id, t.attempt});
  const bool all_done = j.ranges[number].done == j.ranges[number].spec->count;
  for (size_t n = 0; n < j.ranges[number].readers.size(); ++n) {
    const Reader reader = j.ranges[number].readers[n];
    RangeState& r = j.ranges[reader.range];
    const Dependency& d = r.spec->inputs[reader.input];
    if (d.every()) {
      if (all_done && r.gate == 0) open_gate(id.job, reader.range);
      continue;
    }
    const int64_t i = d.reader(id.index - j.ranges[number].first);
    if (i >= r.spec->count) continue;
    const TaskId dependent{id.job, r.first + static_cast<uint32_t>(i)};
    Task& x = j.tasks[dependent.index];
    if (x.state == State::waiting && x.missing && --x.missing == 0) check_ready(dependent);
  }
  for (uint32_t e = j.tasks[id.index].edges; e != kNone; e = j.edges[e].next) {
    const TaskId dependent = j.edges[e].dependent;
    if (dependent.job != id.job && !jobs_.contains(dependent.job)) continue;
    Task& x = at(dependent);
    if (x.state == State::waiting && x.missing && --x.missing == 0) check_ready(dependent);
  }
}

void Scheduler::failed(Slot s, TaskId id, uint16_t attempt, Failure why, const std::vector<Lost>& lost) {
  const bool valid = end_attempt(s, id, attempt);
  for (const auto& l : lost) {
    const Task* o = find(l.object);
    if (!o || o->state != State::done || o->attempt != l.attempt) continue;  // old news
    if (l.holder < workers_.size() && workers_[l.holder].alive) actions_.push_back({Kind::free, l.holder, l.object, l.attempt});  // should it have it after all
    remove_copy(l.object, l.holder);
  }
  if (!valid) {
    revive();
    settle_unneeded();
    return;
  }
  Job& j = job_of(id);
  Task& t = j.tasks[id.index];
  if (why == Failure::raised && t.retries) {
    --t.retries;
    again(id);
  } else if (why == Failure::rescheduled || why == Failure::inputs) {
    again(id);
  } else if (why == Failure::died && ++t.deaths <= settings_.allowed_failures) {
    again(id);
  } else {
    if (j.ranges[t.range].spec->reports) actions_.push_back({Kind::reported, j.client, id, attempt});
    fail(id, id);
  }
  revive();
  settle_unneeded();
}

void Scheduler::again(TaskId id) {
  Job& j = job_of(id);
  Task& t = j.tasks[id.index];
  ++t.attempt, t.worker = kNone;
  set_state(j, t, State::waiting);
  t.missing = 0;
  each_own_input(id, [&](TaskId in) { t.missing += at(in).state != State::done; });
  if (t.missing || j.ranges[t.range].gate) return;
  ready(id);
}

void Scheduler::fail(TaskId first, TaskId cause) {
  std::vector<TaskId> list{first};
  while (!list.empty()) {
    const TaskId id = list.back();
    list.pop_back();
    Job& j = job_of(id);
    Task& t = j.tasks[id.index];
    if (t.state == State::failed || t.state == State::done || (t.state == State::released && !needed(j, t))) continue;
    const bool had_inputs = unfinished(t.state);
    if (t.state == State::assigned && id != first) cut_off(id);  // it lost an input while it ran
    else ++t.attempt, t.worker = kNone;
    t.cause = cause;
    set_state(j, t, State::failed);
    if (had_inputs) drop_inputs(id);
    if (t.wanted) actions_.push_back({Kind::failed, j.client, id, t.attempt, 0, cause});
    for (auto& [client, wants] : wants_)
      if (wants.contains(id)) actions_.push_back({Kind::failed, client, id, t.attempt, 0, cause});
    each_dependent(id, [&](TaskId d) { if (unfinished(at(d).state)) list.push_back(d); });
    ends_.push_back(id.job);
  }
}

void Scheduler::retracted(Slot s, TaskId id, uint16_t attempt) {
  if (end_attempt(s, id, attempt)) again(id);
}

void Scheduler::retract_ended(Slot s) {
  if (s >= workers_.size()) return;
  workers_[s].retracting = false;
  reindex(s);
}

void Scheduler::seceded(Slot s, TaskId id, uint16_t attempt) {
  const Task* known = find(id);
  if (!known || known->state != State::assigned || known->attempt != attempt || known->worker != s || known->seceded) return;
  at(id).seceded = true;
  --workers_[s].running;
  if (known->deaths) workers_[s].alone = false;  // a suspect, and what it waits for must be able to run
  count_seceded(workers_[s], range_at(id).depth, true);
  reindex(s);
}

void Scheduler::added(Slot s, TaskId id, uint16_t attempt) {
  if (s >= workers_.size() || !workers_[s].alive) return;
  const Task* known = find(id);
  if (!known || known->state != State::done || known->attempt != attempt) {
    actions_.push_back({Kind::free, s, id, attempt});
    return;
  }
  Task& t = at(id);
  if (t.worker == kNone) {
    t.worker = s, workers_[s].held += t.bytes;
  } else if (t.worker != s) {
    auto& list = more_[id];
    t.more = true;
    if (std::find(list.begin(), list.end(), s) == list.end()) list.push_back(s);
  }
}

void Scheduler::dropped(Slot s, TaskId id) {
  remove_copy(id, s);
  revive();
  settle_unneeded();
}

void Scheduler::not_inlined(TaskId id) {
  if (!find(id)) return;
  Task& t = at(id);
  if (!t.inlined) return;
  t.inlined = false;
  if (t.state == State::done && t.worker == kNone) lose(id);
  revive();
  settle_unneeded();
}

void Scheduler::remove_copy(TaskId id, Slot s) {
  const Task* known = find(id);
  if (!known || known->state != State::done) return;
  Task& t = at(id);
  if (t.more) {
    auto& list = more_[id];
    std::erase(list, s);
    if (t.worker == s && !list.empty()) {
      workers_[s].held -= t.bytes;
      t.worker = list.back(), list.pop_back();
      workers_[t.worker].held += t.bytes;
    }
    if (list.empty()) more_.erase(id), t.more = false;
  }
  if (t.worker != s) return;
  workers_[s].held -= t.bytes;
  t.worker = kNone;
  if (!t.inlined) lose(id);
}

// The last copy of a done task is gone. Who still waits for it waits again, and so do its own inputs.
void Scheduler::lose(TaskId id) {
  Job& j = job_of(id);
  Task& t = j.tasks[id.index];
  set_state(j, t, State::released);
  if (!needed(j, t)) {
    unneeded_.push_back(id);  // it was only pinned
    return;
  }
  // Readers that have not finished count it as missing; those that are assigned report it themselves.
  each_dependent(id, [&](TaskId d) {
    Task& x = at(d);
    const bool by_gate = job_of(d).ranges[x.range].gate != 0;
    if (x.state == State::ready) set_state(job_of(d), x, State::waiting);
    if (x.state == State::waiting) {
      x.missing = 0;
      each_own_input(d, [&](TaskId in) { x.missing += at(in).state != State::done; });
      if (!x.missing && !by_gate) check_ready(d);
    }
  });
  reviving_.push_back(id);
}

Slot Scheduler::join(WorkerInfo info) {
  Slot s = 0;
  while (s < workers_.size() && workers_[s].alive) ++s;
  if (s == workers_.size()) workers_.emplace_back(), queues_.emplace_back();
  Worker& w = workers_[s];
  w = Worker{};
  w.info = std::move(info), w.incarnation = ++incarnations_, w.alive = true;
  threads_ += w.info.threads;
  for (uint32_t c = 0; c < classes_.size(); ++c)
    if (eligible(w, classes_[c].options)) classes_[c].eligible.push_back(s), w.classes.push_back(c);
  reindex(s);
  return s;
}

void Scheduler::worker_gone(Slot s) {
  if (s >= workers_.size() || !workers_[s].alive) return;
  Worker& w = workers_[s];
  w.alive = false;
  threads_ -= w.info.threads;
  for (auto& c : classes_) std::erase(c.eligible, s);
  reindex(s);
  Heap queue;
  queue.swap(queues_[s]);
  // Copies first: an attempt that starts again must know which of its inputs are gone.
  std::vector<TaskId> held, running;
  for (auto& [id, job] : jobs_)
    for (uint32_t i = 0; i < job->tasks.size(); ++i) {
      const Task& t = job->tasks[i];
      if (t.state == State::done && (t.worker == s || t.more)) held.push_back({id, i});
      if (t.state == State::assigned && t.worker == s) running.push_back({id, i});
    }
  for (TaskId id : held) remove_copy(id, s);
  for (TaskId id : running) {
    Job& j = job_of(id);
    Task& t = j.tasks[id.index];
    if (t.state != State::assigned || t.worker != s) continue;
    --j.running;
    t.seceded = false;
    if (++t.deaths > settings_.allowed_failures) fail(id, id);
    else again(id);
    ends_.push_back(id.job);
  }
  for (const auto& old : w.stale) {  // will never be answered
    Job& j = job_of(old.task);
    --j.running, j.left -= old.left;
    unpin_inputs(old.task);
    ends_.push_back(old.task.job);
  }
  w.stale.clear();
  w.running = 0, w.backlog = 0, w.held = 0, w.seceded.clear();
  for (; !queue.empty(); queue.pop())
    if (const Ready item = queue.top(); find(item.task) && at(item.task).state == State::ready) place(item.task);
  revive();
  settle_unneeded();
}

void Scheduler::pause(Slot s, bool paused) {
  if (s >= workers_.size() || !workers_[s].alive) return;
  workers_[s].paused = paused;
  reindex(s);
}

}  // namespace muster::schedule
