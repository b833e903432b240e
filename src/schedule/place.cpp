// Placement and stealing. Never O(workers) per task: candidates are the holders of a task's largest inputs and two workers drawn from those that
// take more; idle workers, deep queues and waiting work are indexes.
#include <numeric>

#include "base/error.hpp"
#include "schedule/scheduler.hpp"

namespace muster::schedule {
using namespace base;
using Kind = Action::Kind;

// PCG: the upper bits of a 64-bit congruential generator, permuted (O'Neill, 2014).
uint32_t Scheduler::random(uint32_t below) {
  random_ = random_ * 6364136223846793005ull + 1442695040888963407ull;
  const auto x = static_cast<uint32_t>(((random_ >> 18) ^ random_) >> 27);
  const auto turn = static_cast<uint32_t>(random_ >> 59);
  const uint32_t bits = x >> turn | x << (-turn & 31);
  return static_cast<uint32_t>(uint64_t{bits} * below >> 32);
}

bool Scheduler::open(const Worker& w) const {
  if (!w.alive || w.paused || w.alone) return false;
  if (w.running < w.info.threads) return true;
  return settings_.prefetch_us && w.running < w.info.threads + settings_.max_prefetch &&
         (w.backlog < settings_.prefetch_us * w.info.threads || w.running <= w.info.threads);
}

bool Scheduler::fits(const Worker& w, const graph::Options& o) const {
  for (const auto& [name, amount] : o.resources) {
    auto has = w.info.resources.find(name);
    auto used = w.used.find(name);
    if (has == w.info.resources.end() || has->second - (used == w.used.end() ? 0 : used->second) < amount - 1e-9) return false;
  }
  return true;
}

bool Scheduler::eligible(const Worker& w, const graph::Options& o) const {
  for (const auto& [name, amount] : o.resources) {
    auto has = w.info.resources.find(name);
    if (has == w.info.resources.end() || has->second < amount - 1e-9) return false;
  }
  if (o.workers.empty() || o.allow_other_workers) return true;
  for (const auto& name : o.workers)
    if (name == w.info.address || name == w.info.name || name == w.info.host) return true;
  return false;
}

// A task that gave its thread back keeps its process. Where many of one depth wait so, no more of this depth begin, but what they started themselves does:
// that is what they may wait for.
void Scheduler::count_seceded(Worker& w, uint32_t depth, bool one_more) {
  if (w.seceded.size() <= depth) w.seceded.resize(depth + 1);
  w.seceded[depth] += one_more ? 1 : -1;
}

// Tasks with equal restrictions share a heap; workers know which heaps they serve.
uint32_t Scheduler::class_of(const graph::Options& o, uint32_t depth) {
  if (o.workers.empty() && o.resources.empty() && depth == 0) return 0;
  for (uint32_t c = 1; c < classes_.size(); ++c)
    if (classes_[c].options.workers == o.workers && classes_[c].options.resources == o.resources &&
        classes_[c].options.allow_other_workers == o.allow_other_workers && classes_[c].depth == depth)
      return c;
  classes_.push_back({o, depth, {}, {}});
  const auto c = static_cast<uint32_t>(classes_.size()) - 1;
  for (Slot s = 0; s < workers_.size(); ++s)
    if (workers_[s].alive && eligible(workers_[s], o)) classes_[c].eligible.push_back(s), workers_[s].classes.push_back(c);
  return c;
}

// `place` is the worker's position in the list; removal swaps with the last.
void Scheduler::index(std::vector<Slot>& list, std::vector<Worker>& workers, uint32_t Worker::*place, Slot s, bool in) {
  uint32_t& here = workers[s].*place;
  if (in) {
    here = static_cast<uint32_t>(list.size());
    list.push_back(s);
  } else {
    workers[list.back()].*place = here;
    list[here] = list.back();
    list.pop_back();
    here = kNone;
  }
}

void Scheduler::reindex(Slot s) {
  const Worker& w = workers_[s];
  const bool opens = open(w) && takes(w, 0), deep = w.alive && !w.retracting && w.running > w.info.threads, queued = w.alive && !queues_[s].empty();
  if (opens != (w.open_at != kNone)) index(open_, workers_, &Worker::open_at, s, opens);
  if (deep != (w.deep_at != kNone)) index(deep_, workers_, &Worker::deep_at, s, deep);
  if (queued != (w.queued_at != kNone)) index(queued_, workers_, &Worker::queued_at, s, queued);
}

// A ready task: to the worker where it starts earliest, if its data lie somewhere; else to the heap of its class.
void Scheduler::place(TaskId id) {
  Job& j = job_of(id);
  const Task& t = j.tasks[id.index];
  const RangeState& r = j.ranges[t.range];
  const Ready item{priority_of(j, id), id, false};
  if (t.deaths) {
    suspects_.push(item);
    return;
  }
  constexpr int kLargest = 4;
  struct Input { TaskId id; Slot worker; int64_t bytes; } largest[kLargest];
  int n = 0;
  int64_t all = 0;
  if (workers_.size() > 1 && r.depth == 0)  // others must not stand in a queue behind what may have to wait
    each_own_input(id, [&](TaskId in) {
      const Task& i = at(in);
      if (i.worker == kNone || i.state != State::done) return;
      all += i.bytes;
      if (n < kLargest) {
        largest[n++] = {in, i.worker, i.bytes};
      } else {
        auto* least = std::min_element(largest, largest + n, [](const Input& a, const Input& b) { return a.bytes < b.bytes; });
        if (least->bytes < i.bytes) *least = {in, i.worker, i.bytes};
      }
    });
  if (n == 0) {
    classes_[r.kind].heap.push(item);
    return;
  }
  Slot best = kNone;
  int64_t best_cost = 0;
  auto consider = [&](Slot s) {
    const Worker& w = workers_[s];
    if (!w.alive || w.paused) return;
    if (r.kind && (!eligible(w, r.spec->options) || !fits(w, r.spec->options))) return;
    int64_t here = 0;
    for (int i = 0; i < n; ++i) {
      bool held = largest[i].worker == s;
      if (!held && at(largest[i].id).more) {
        const auto& list = more_[largest[i].id];
        held = std::find(list.begin(), list.end(), s) != list.end();
      }
      if (held) here += largest[i].bytes;
    }
    const int64_t cost = w.backlog / w.info.threads + (all - here) / settings_.bytes_per_us + (w.running >= w.info.threads ? 1 : 0);
    if (best == kNone || cost < best_cost) best = s, best_cost = cost;
  };
  for (int i = 0; i < n; ++i) consider(largest[i].worker);
  if (!r.kind) {
    for (int i = 0; i < 2 && !open_.empty(); ++i) consider(open_[random(static_cast<uint32_t>(open_.size()))]);
  } else if (const auto& list = classes_[r.kind].eligible; !list.empty()) {
    for (int i = 0; i < 2; ++i) consider(list[random(static_cast<uint32_t>(list.size()))]);
  }
  if (best == kNone) {
    classes_[r.kind].heap.push(item);
  } else if (open(workers_[best]) && takes(workers_[best], 0) && queues_[best].empty()) {
    assign(best, id);
  } else {
    queues_[best].push(item);
    reindex(best);
  }
}

void Scheduler::assign(Slot s, TaskId id) {
  Job& j = job_of(id);
  Task& t = j.tasks[id.index];
  Worker& w = workers_[s];
  const RangeState& r = j.ranges[t.range];
  set_state(j, t, State::assigned);
  const int64_t us = functions_[function_of(j, id)].us;
  t.worker = s;
  t.estimate = static_cast<uint32_t>(std::min<int64_t>(us < 0 ? settings_.unknown_us : us, INT32_MAX));
  w.backlog += t.estimate;
  ++w.running, ++j.running;
  for (const auto& [name, amount] : r.spec->options.resources) w.used[name] += amount;
  if (t.deaths) w.alone = true;
  actions_.push_back({Kind::assign, s, id, t.attempt});
  reindex(s);
}

// The next task of a heap; entries whose task is not ready any more are skipped.
bool Scheduler::pop(Heap& heap, TaskId& out) {
  while (!heap.empty()) {
    const Ready item = heap.top();
    heap.pop();
    if (!find(item.task)) continue;
    Job& j = job_of(item.task);
    Task& t = j.tasks[item.task.index];
    if (!item.cursor) {
      if (t.state != State::ready) continue;
      out = item.task;
      return true;
    }
    RangeState& r = j.ranges[t.range];
    if (r.gate) continue;  // opened again, it comes back
    while (r.next_root < r.spec->count && j.tasks[r.first + static_cast<uint32_t>(r.next_root)].state != State::waiting) ++r.next_root;
    if (r.next_root == r.spec->count) continue;
    out = {item.task.job, r.first + static_cast<uint32_t>(r.next_root++)};
    if (r.next_root < r.spec->count) {
      const TaskId next{item.task.job, r.first + static_cast<uint32_t>(r.next_root)};
      heap.push({priority_of(j, next), next, true});
    }
    return true;
  }
  return false;
}

// Gives an open worker the best task that waits for it or for anybody.
bool Scheduler::serve(Slot s) {
  Worker& w = workers_[s];
  if (!open(w)) return false;
  TaskId id;
  if (!suspects_.empty() && w.running == 0) {
    const Ready top = suspects_.top();
    if (!find(top.task) || at(top.task).state != State::ready) {
      suspects_.pop();
      return serve(s);
    }
    const auto& options = range_at(top.task).spec->options;
    if (eligible(w, options) && fits(w, options) && pop(suspects_, id)) {
      assign(s, id);
      return true;
    }
  }
  Heap* best = queues_[s].empty() || !takes(w, 0) ? nullptr : &queues_[s];
  for (uint32_t c : w.classes) {
    Heap& h = classes_[c].heap;
    if (h.empty() || !takes(w, classes_[c].depth) || (c && !fits(w, classes_[c].options))) continue;
    if (!best || best->top() < h.top()) best = &h;
  }
  if (!best || !pop(*best, id)) {
    reindex(s);
    return best != nullptr && open(w) && (!queues_[s].empty() || !best->empty()) ? serve(s) : false;
  }
  if (best == &queues_[s] && range_at(id).kind && !fits(w, range_at(id).spec->options)) {
    classes_[range_at(id).kind].heap.push({priority_of(job_of(id), id), id, false});
    reindex(s);
    return false;
  }
  assign(s, id);
  return true;
}

// Roots of one range, one behind the other, if what waits begins with these and nothing else may come before them.
size_t Scheduler::serve_roots(Slot s, size_t most) {
  const Worker& w = workers_[s];
  Heap& heap = classes_[0].heap;
  if (heap.empty() || !heap.top().cursor || !find(heap.top().task) || !suspects_.empty() || !queues_[s].empty() || !takes(w, 0)) return 0;
  if (std::any_of(w.classes.begin(), w.classes.end(), [&](uint32_t c) { return c && !classes_[c].heap.empty(); })) return 0;
  TaskId next = heap.top().task;
  Job& j = job_of(next);
  RangeState& r = j.ranges[j.tasks[next.index].range];
  if (r.gate) return 0;
  heap.pop();
  size_t given = 0;
  next.index = r.first + static_cast<uint32_t>(r.next_root);
  if (r.next_root == r.spec->count) return 0;
  uint64_t priority = priority_of(j, next);
  const uint64_t end = heap.empty() ? UINT64_MAX : heap.top().priority;
  for (; given < most && priority < end && r.next_root < r.spec->count && open(w); ++priority, ++next.index, ++r.next_root)
    if (j.tasks[next.index].state == State::waiting) assign(s, next), ++given;
  if (r.next_root < r.spec->count) heap.push({priority, next, true});
  return given;
}

void Scheduler::fill() {
  // Workers with data of their own first.
  for (size_t i = queued_.size(); i-- > 0;)
    if (i < queued_.size()) {
      const Slot s = queued_[i];
      while (open(workers_[s]) && !queues_[s].empty() && serve(s)) {}
      reindex(s);
    }
  if (!suspects_.empty())
    for (Slot s = 0; s < workers_.size() && !suspects_.empty(); ++s)
      if (workers_[s].running == 0) serve(s);
  // Work for anybody: the less busy of two, a run of neighbours at a time.
  while (!open_.empty() && !classes_[0].heap.empty()) {
    Slot s = open_[random(static_cast<uint32_t>(open_.size()))];
    const Slot other = open_[random(static_cast<uint32_t>(open_.size()))];
    auto load = [&](Slot x) { return std::pair(workers_[x].running / workers_[x].info.threads, workers_[x].backlog / workers_[x].info.threads); };
    if (load(other) < load(s)) s = other;
    const Ready& top = classes_[0].heap.top();
    size_t waiting = classes_[0].heap.size();
    if (top.cursor && find(top.task)) waiting += static_cast<size_t>(range_at(top.task).spec->count - range_at(top.task).next_root);
    const size_t chunk = std::max<size_t>(1, waiting / static_cast<size_t>(4 * std::max<int64_t>(1, threads_)));
    size_t given = 0;
    while (given < chunk && open(workers_[s])) {
      const size_t roots = serve_roots(s, chunk - given);
      if (roots == 0 && !serve(s)) break;
      given += std::max<size_t>(1, roots);
    }
    if (!given && classes_[0].heap.empty()) break;
  }
  // What a task submitted it may wait for with its thread in hand: free threads first, only then the queue behind running tasks.
  for (uint32_t c = 1; c < classes_.size(); ++c)
    for (const bool free : {true, false})
      for (size_t i = 0; i < classes_[c].eligible.size() && !classes_[c].heap.empty(); ++i) {
        const Slot s = classes_[c].eligible[i];
        const Worker& w = workers_[s];
        while (!classes_[c].heap.empty() && open(w) && (!free || w.running < w.info.threads) && fits(w, classes_[c].options) && serve(s)) {}
      }
  if (!open_.empty() && (!queued_.empty() || !deep_.empty())) balance();
}

// A starving worker takes what waits for another, or has another give back what it has not begun.
void Scheduler::balance() {
  for (size_t i = open_.size(); i-- > 0;) {
    if (i >= open_.size()) continue;
    const Slot thief = open_[i];
    while (idle(workers_[thief]) && !queued_.empty()) {
      const Slot a = queued_[random(static_cast<uint32_t>(queued_.size()))], b = queued_[random(static_cast<uint32_t>(queued_.size()))];
      const Slot victim = queues_[a].size() < queues_[b].size() ? b : a;
      TaskId id;
      if (!pop(queues_[victim], id)) {
        reindex(victim);
        continue;
      }
      const RangeState& r = range_at(id);
      if (r.kind && (!eligible(workers_[thief], r.spec->options) || !fits(workers_[thief], r.spec->options))) {
        queues_[victim].push({priority_of(job_of(id), id), id, false});
        break;
      }
      reindex(victim);
      assign(thief, id);
    }
    if (deep_.empty() || !idle(workers_[thief])) continue;
    const Slot a = deep_[random(static_cast<uint32_t>(deep_.size()))], b = deep_[random(static_cast<uint32_t>(deep_.size()))];
    const Slot victim = workers_[a].backlog < workers_[b].backlog ? b : a;
    Worker& v = workers_[victim];
    // Moving less than a millisecond's work costs more than it brings.
    if (v.backlog / v.info.threads < 1000 && v.running - v.info.threads < 2) break;
    v.retracting = true;
    actions_.push_back({Kind::retract, victim, {}, 0, static_cast<uint32_t>((v.running - v.info.threads + 1) / 2)});
    reindex(victim);
  }
}

std::string Scheduler::unrunnable(TaskId id) const {
  const Task* t = find(id);
  if (!t || (t->state != State::ready && t->state != State::waiting)) return "";
  const RangeState& r = jobs_.at(id.job)->ranges[t->range];
  if (t->data || t->missing || r.gate) return "";
  if (auto why = nobody_for(r); !why.empty()) return why;
  const auto& may = classes_[r.kind].eligible;
  if (std::any_of(may.begin(), may.end(), [&](Slot s) { return takes(workers_[s], r.depth); })) return "";
  return concat(settings_.max_seceded, " tasks of each worker have given their thread back (secede) and go on: others begin when one of these ends");
}

std::string Scheduler::unrunnable(JobId id) const {
  std::vector<JobId> jobs{id};
  for (size_t n = 0; n < jobs.size(); ++n) {
    const Job* job = job_known(jobs[n]);
    if (!job) continue;
    for (const auto& r : job->ranges)
      if (r.unfinished)
        if (auto why = nobody_for(r); !why.empty()) return why;
    for (JobId other : job->imports)
      if (std::find(jobs.begin(), jobs.end(), other) == jobs.end()) jobs.push_back(other);
  }
  return "";
}

std::string Scheduler::nobody_for(const RangeState& r) const {
  if (threads_ == 0) return "there is no worker; it waits until one comes, or until it is cancelled";
  if (!classes_[r.kind].eligible.empty()) return "";
  std::string who, what;
  for (const auto& w : r.spec->options.workers) who += concat(who.empty() ? " is one of " : ", ", w);
  for (const auto& [name, amount] : r.spec->options.resources) what += concat(what.empty() ? " has " : ", ", amount, " ", name);
  return concat("no worker", who, who.empty() || what.empty() ? "" : " and", what, "; it waits until such a one comes, or until it is cancelled");
}

void Scheduler::validate() const {
  std::vector<int64_t> running(workers_.size()), backlog(workers_.size()), held(workers_.size()), seceded(workers_.size());
  std::unordered_map<TaskId, uint32_t, TaskHash> refs, pins;
  for (const auto& w : workers_)
    for (const auto& old : w.stale) each_input(old.task, [&](TaskId in) { ++pins[in]; });
  for (const auto& [client, wants] : wants_)
    for (const auto& [id, w] : wants) ++refs[id];
  for (const auto& [id, job] : jobs_)
    for (uint32_t i = 0; i < job->tasks.size(); ++i) {
      const Task& t = job->tasks[i];
      if (t.wanted) ++refs[{id, i}];
      if (unfinished(t.state)) each_own_input({id, i}, [&](TaskId in) { ++refs[in]; });
    }
  for (const auto& [id, job] : jobs_) {
    int64_t needs = 0, left = 0, out = 0, left_behind = 0;
    for (size_t n = 0; n < job->ranges.size(); ++n) {
      const RangeState& r = job->ranges[n];
      int64_t done = 0, open = 0, gate = 0, alls = 0, failed = 0;
      for (int64_t i = 0; i < r.spec->count; ++i) {
        const State s = job->tasks[r.first + static_cast<uint32_t>(i)].state;
        done += s == State::done, open += unfinished(s), failed += s == State::failed;
      }
      for (const auto& d : r.spec->inputs) {
        const RangeState& source = job->ranges[r.base + static_cast<uint32_t>(d.range)];
        if (d.every()) gate += source.done != source.spec->count;
      }
      for (const auto& reader : r.readers)
        alls +=
            r.spec->count && job->ranges[reader.range].unfinished && job->ranges[reader.range].spec->inputs[reader.input].every();
      if (open != r.unfinished) throw internal("scheduler: range ", n, " counts ", r.unfinished, " unfinished tasks of ", open);
      if (alls != r.open_alls && r.spec->count) throw internal("scheduler: range ", n, " is read by ", alls, " ranges, not ", r.open_alls);
      if (failed != r.failed) throw internal("scheduler: range ", n, " counts ", r.failed, " failed tasks of ", failed);
      if (gate != r.gate) throw internal("scheduler: range ", n, " waits for ", gate, " ranges, not ", r.gate);
    }
    for (uint32_t i = 0; i < job->tasks.size(); ++i) {
      const Task& t = job->tasks[i];
      auto counted = refs.find({id, i});
      if (t.refs != (counted == refs.end() ? 0 : counted->second))
        throw internal("scheduler: task ", i, " of job ", id, " (", name_of(t.state), ") has ", t.refs, " references, not ",
                       counted == refs.end() ? 0 : counted->second);
      if (auto held_by = pins.find({id, i}); t.pins != (held_by == pins.end() ? 0 : held_by->second))
        throw internal("scheduler: task ", i, " of job ", id, " (", name_of(t.state), ") is pinned ", t.pins, " times wrongly");
      if (t.counted != (needed(*job, t) || pinned(t)))
        throw internal("scheduler: task ", i, " of job ", id, " (", name_of(t.state), ") is counted as needed wrongly: ", t.refs, " refs, ", t.pins,
                       " pins, counted ", int{t.counted});
      if (unfinished(t.state) && !t.counted) throw internal("scheduler: task ", i, " runs for nobody");
      if (unfinished(t.state) && failed_input({id, i})) throw internal("scheduler: task ", i, " of job ", id, " waits for one that has failed");
      needs += t.counted, left += unfinished(t.state);
      if (t.state == State::assigned) {
        if (!workers_[t.worker].alive) throw internal("scheduler: task ", i, " is assigned to a dead worker");
        ++out, backlog[t.worker] += t.estimate, running[t.worker] += !t.seceded, seceded[t.worker] += t.seceded;
      }
      if (t.state == State::done) {
        if (t.worker == kNone && !t.inlined) throw internal("scheduler: task ", i, " is done and nowhere");
        if (t.worker != kNone) {
          if (!workers_[t.worker].alive) throw internal("scheduler: task ", i, " lies on a dead worker");
          held[t.worker] += t.bytes;
        }
      }
      if (t.state == State::waiting) {
        uint32_t missing = 0;
        each_own_input({id, i}, [&](TaskId in) { missing += at(in).state != State::done; });
        if (missing != t.missing) throw internal("scheduler: task ", i, " of job ", id, " waits for ", missing, " inputs, not ", t.missing);
        const RangeState& r = job->ranges[t.range];
        if (!missing && !r.gate && !r.roots && !t.data) throw internal("scheduler: task ", i, " of job ", id, " could run");
      }
    }
    for (Slot s = 0; s < workers_.size(); ++s)
      for (const auto& old : workers_[s].stale)
        if (old.task.job == id) ++out, left_behind += old.left, running[s] += !old.seceded && !old.left, seceded[s] += old.seceded && !old.left;
    if (needs != job->needed || left != job->unfinished || out != job->running || left_behind != job->left)
      throw internal("scheduler: job ", id, " counts ", job->needed, " needed, ", job->unfinished, " unfinished, ", job->running, " running; has ", needs, ", ",
                     left, ", ", out);
  }
  for (Slot s = 0; s < workers_.size(); ++s) {
    const Worker& w = workers_[s];
    if (std::accumulate(w.seceded.begin(), w.seceded.end(), int64_t{0}) != seceded[s])
      throw internal("scheduler: worker ", s, " does not count its ", seceded[s], " seceded tasks");
    if (w.running != running[s] || w.backlog != backlog[s] || w.held != held[s])
      throw internal("scheduler: worker ", s, " counts ", w.running, " running, ", w.backlog, " us, ", w.held, " bytes; has ", running[s], ", ", backlog[s],
                     ", ", held[s]);
    if ((w.open_at != kNone) != (open(w) && takes(w, 0)) || (w.queued_at != kNone) != (w.alive && !queues_[s].empty()))
      throw internal("scheduler: worker ", s, " stands in the wrong index");
  }
}

}  // namespace muster::schedule
