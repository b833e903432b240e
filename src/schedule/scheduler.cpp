// The transitions. Long chains of tasks are walked with worklists, never by recursion.
#include "schedule/scheduler.hpp"

#include "base/error.hpp"

namespace muster::schedule {
using namespace base;
using graph::Dependency;
using Rule = Dependency::Rule;
using Kind = Action::Kind;

const char* name_of(State s) {
  static const char* const names[] = {"waiting", "ready", "assigned", "done", "failed", "released"};
  return names[static_cast<int>(s)];
}

Scheduler::Job& Scheduler::job_of(TaskId t) {
  if (t.job == last_id_ && last_) return *last_;
  auto found = jobs_.find(t.job);
  if (found == jobs_.end()) throw internal("scheduler: no job ", t.job);
  last_id_ = t.job, last_ = found->second.get();
  return *last_;
}

const graph::Range* Scheduler::range_of(TaskId t, int64_t* index) const {
  const Task* task = find(t);
  if (!task) return nullptr;
  const RangeState& r = job_known(t.job)->ranges[task->range];
  if (index) *index = t.index - r.first;
  return r.spec;
}

uint32_t Scheduler::depth_of(TaskId t) const {
  const Job& j = *jobs_.at(t.job);
  return j.ranges[j.tasks[t.index].range].depth;
}

std::vector<Slot> Scheduler::holders(TaskId t) const {
  const Task* task = find(t);
  if (!task || task->state != State::done || task->worker == kNone) return {};
  if (task->more)
    if (auto found = more_.find(t); found != more_.end()) {
      auto all = found->second;
      all.insert(all.begin(), task->worker);
      return all;
    }
  return {task->worker};
}

uint32_t Scheduler::function_number(const std::string& label) {
  auto [known, fresh] = function_named_.try_emplace(label, static_cast<uint32_t>(functions_.size()));
  if (fresh) functions_.push_back({label});
  return known->second;
}

uint32_t Scheduler::function_of(const Job& j, TaskId id) const {
  const RangeState& r = j.ranges[j.tasks[id.index].range];
  return r.functions[r.functions.size() == 1 || r.spec->function_of.empty() ? 0 : r.spec->function_of[id.index - r.first]];
}

uint32_t Scheduler::function_of(TaskId id) const { return function_of(*job_known(id.job), id); }

std::vector<uint32_t> Scheduler::group_sizes(TaskId id) const {
  const Job& j = *jobs_.at(id.job);
  const RangeState& r = j.ranges[j.tasks[id.index].range];
  const auto i = static_cast<int64_t>(id.index - r.first);
  std::vector<uint32_t> out;
  for (const auto& d : r.spec->inputs) {
    const auto [begin, end] = d.needs(i, j.ranges[r.base + static_cast<uint32_t>(d.range)].spec->count);
    out.push_back(static_cast<uint32_t>(end - begin));
  }
  out.push_back(r.spec->begins.empty() ? 0 : r.spec->begins[static_cast<size_t>(i) + 1] - r.spec->begins[static_cast<size_t>(i)]);
  return out;
}

// ---- submit

void Scheduler::submit(JobId id, ClientId client, std::shared_ptr<const graph::Graph> graph, bool open) {
  const auto& specs = graph->ranges;
  auto found = jobs_.find(id);
  const uint64_t before = found == jobs_.end() ? 0 : found->second->tasks.size();
  uint64_t end = before;
  for (size_t r = 0; r < specs.size(); ++r) {
    for (const auto& d : specs[r].inputs)
      if (d.range < 0 || static_cast<size_t>(d.range) >= r || d.k < 1)
        throw invalid("graph: range ", r, " needs range ", d.range, ", which does not come before it");
    for (uint32_t i : specs[r].wanted_tasks)
      if (i >= specs[r].count) throw invalid("graph: range ", r, " has no task ", i);
    if (!specs[r].begins.empty()) {
      check_needs(specs[r], id, end);
    }
    end += static_cast<uint64_t>(specs[r].count);
  }
  if (end >= kNone) throw invalid("graph: a job holds at most ", kNone - 1, " tasks");
  if (found == jobs_.end()) {
    found = jobs_.emplace(id, std::make_unique<Job>()).first;
    found->second->client = client, found->second->generation = generations_++;
    last_ = nullptr;
  }
  Job& j = *found->second;
  j.open = open;
  const auto base = static_cast<uint32_t>(j.ranges.size());
  j.tasks.resize(end);
  j.ended = false;
  auto first = static_cast<uint32_t>(before);
  const auto nested = depths_.find(client);
  const uint32_t depth = nested == depths_.end() ? 0 : nested->second;
  for (const auto& spec : specs) {
    RangeState& r = j.ranges.emplace_back();
    r.keep = graph, r.spec = &spec, r.job = id, r.base = base, r.first = first, r.depth = depth, r.kind = class_of(spec.options, depth);
    if (spec.labels.empty()) r.functions.push_back(function_number(spec.label));
    else for (const auto& l : spec.labels) r.functions.push_back(function_number(l));
    const auto number = static_cast<uint32_t>(j.ranges.size()) - 1;
    r.roots = spec.begins.empty();
    for (size_t d = 0; d < spec.inputs.size(); ++d) {
      RangeState& source = j.ranges[base + static_cast<uint32_t>(spec.inputs[d].range)];
      source.readers.push_back({number, d});
      r.level = std::max(r.level, source.level + 1);
      if (!spec.inputs[d].every()) {
        r.roots = false;
      } else if (source.spec->count) {
        ++r.gate;
      }
    }
    const bool of_job = !spec.needs.empty() && spec.needs.front().job == id;
    r.in_front = !spec.begins.empty() && (open || specs.size() == 1 || (!spec.needs.empty() && !of_job));
    for (const TaskId need : spec.needs)
      if (need.job == id && need.index < first) r.level = std::max(r.level, j.ranges[j.tasks[need.index].range].level + 1);
    r.unfinished = spec.count;
    if (spec.count) open_alls(j, r);
    const auto retries = static_cast<uint8_t>(std::clamp(spec.options.retries, 0, 255));
    for (int64_t i = 0; i < spec.count; ++i) {
      Task& t = j.tasks[first + static_cast<uint32_t>(i)];
      t.range = number, t.retries = retries;
      t.counted = true, ++j.needed;  // until it is known better
      if (spec.wanted) t.wanted = true, t.refs = 1;
    }
    for (uint32_t i : spec.wanted_tasks)
      if (Task& t = j.tasks[first + i]; !t.wanted) t.wanted = true, t.refs = 1;
    j.unfinished += spec.count;
    first += static_cast<uint32_t>(spec.count);
  }
  if (specs.size() > 1) set_levels(j, base);
  // Edges first, then readiness: whoever is ready may be assigned at once.
  for (uint32_t n = base; n < j.ranges.size(); ++n) {
    RangeState& r = j.ranges[n];
    if (r.roots) continue;
    for (int64_t i = 0; i < r.spec->count; ++i) take_inputs({id, r.first + static_cast<uint32_t>(i)});
    if (!r.spec->begins.empty()) add_edges(id, r);
  }
  revive();
  for (uint32_t n = static_cast<uint32_t>(j.ranges.size()); n-- > base;) {
    RangeState& r = j.ranges[n];
    if (r.roots && !r.gate) open_gate(id, n);
    for (int64_t i = r.spec->count; i-- > 0;) {
      const TaskId self{id, r.first + static_cast<uint32_t>(i)};
      Task& t = at(self);
      if (!needed(j, t)) {
        unneeded_.push_back(self);
      } else if (!r.roots && t.state == State::waiting) {
        if (const Task* broken = r.spec->begins.empty() ? nullptr : failed_input(self)) fail(self, broken->cause);
        else check_ready(self);
      }
    }
    settle_unneeded();
  }
  ends_.push_back(id);
}

void Scheduler::close(JobId id) {
  if (auto found = jobs_.find(id); found != jobs_.end()) found->second->open = false, ends_.push_back(id);
}

// The explicit inputs of a range's tasks, the first of which will be number `before` of the job.
void Scheduler::check_needs(const Range& spec, JobId id, uint64_t before) const {
  if (spec.begins.size() != static_cast<size_t>(spec.count) + 1 || spec.begins.back() > spec.needs.size())
    throw invalid("graph: ", spec.label, " does not list the inputs of all its tasks");
  for (int64_t i = 0; i < spec.count; ++i) {
    if (spec.begins[static_cast<size_t>(i)] > spec.begins[static_cast<size_t>(i) + 1]) throw invalid("graph: ", spec.label, " lists its inputs out of order");
    for (uint32_t e = spec.begins[static_cast<size_t>(i)]; e < spec.begins[static_cast<size_t>(i) + 1]; ++e) {
      const TaskId need = spec.needs[e];
      if (need.job == id ? need.index >= before + static_cast<uint64_t>(i) : !jobs_.contains(need.job) || need.index >= jobs_.at(need.job)->tasks.size())
        throw invalid("graph: task ", i, " of ", spec.label, " needs a task that was not made before it");
    }
  }
}

void Scheduler::add_edges(JobId id, RangeState& r) {
  Job& j = *jobs_.at(id);
  for (int64_t i = 0; i < r.spec->count; ++i) {
    const TaskId self{id, r.first + static_cast<uint32_t>(i)};
    for (uint32_t e = r.spec->begins[static_cast<size_t>(i)]; e < r.spec->begins[static_cast<size_t>(i) + 1]; ++e) {
      const TaskId need = r.spec->needs[e];
      Job& source = job_of(need);
      source.edges.push_back({self, source.tasks[need.index].edges});
      source.tasks[need.index].edges = static_cast<uint32_t>(source.edges.size()) - 1;
      if (need.job != id && std::find(j.imports.begin(), j.imports.end(), need.job) == j.imports.end()) j.imports.push_back(need.job), ++source.importers;
    }
  }
}

// ---- what clients give

TaskId Scheduler::promise(JobId id, ClientId client, const std::string& label, bool renewable) {
  graph::Graph g;
  graph::Range& spec = g.ranges.emplace_back();
  spec.count = 1, spec.function = "data", spec.wanted = true, spec.label = label, spec.begins = {0, 0};
  auto graph = std::make_shared<const graph::Graph>(std::move(g));
  auto& job = jobs_[id];
  if (!job) job = std::make_unique<Job>(), job->client = client, job->generation = generations_++, job->open = true, last_ = nullptr;
  const auto number = static_cast<uint32_t>(job->ranges.size());
  const TaskId self{id, static_cast<uint32_t>(job->tasks.size())};
  const auto nested = depths_.find(client);
  RangeState& r = job->ranges.emplace_back();
  r.keep = graph, r.spec = &graph->ranges[0], r.job = id, r.base = number,
      r.first = self.index, r.unfinished = 1, r.depth = nested == depths_.end() ? 0 : nested->second;
  r.functions.push_back(function_number(label));
  Task& t = job->tasks.emplace_back();
  t.range = number, t.data = true, t.renewable = renewable, t.wanted = t.counted = true, t.refs = 1;
  ++job->needed, ++job->unfinished, job->ended = false;
  return self;
}

void Scheduler::give(TaskId id, const std::vector<Slot>& holders, int64_t bytes) {
  const Task* known = find(id);
  if (known && known->data && known->state == State::done) {
    for (Slot s : holders) added(s, id, known->attempt);
    return;
  }
  if (!known || !known->data || known->state != State::waiting) {
    for (Slot s : holders) actions_.push_back({Kind::free, s, id, 0});  // nobody waits for it any more
    return;
  }
  Task& t = at(id);
  t.bytes = bytes, t.attempt = 0;
  for (Slot s : holders) {
    if (s >= workers_.size() || !workers_[s].alive) continue;
    if (t.worker == kNone) t.worker = s, workers_[s].held += bytes;
    else t.more = true, more_[id].push_back(s);
  }
  if (t.worker != kNone) {
    set_state(job_of(id), t, State::done);
    complete(id);
  } else if (t.renewable) {
    actions_.push_back({Kind::renew, job_of(id).client, id});
  } else {
    fail(id, id);
  }
  settle_unneeded();
}

void Scheduler::bind(TaskId id, std::shared_ptr<const graph::Graph> graph) {
  const Range& spec = graph->ranges.at(0);
  if (graph->ranges.size() != 1 || spec.count != 1 || !spec.inputs.empty() || spec.begins.empty())
    throw invalid("graph: what was promised is one task with explicit inputs");
  const Task* known = find(id);
  if (!known || !known->data || known->state != State::waiting) return;  // nobody waits for it any more
  Job& j = job_of(id);
  check_needs(spec, id.job, j.tasks.size());
  Task& t = at(id);
  RangeState& r = j.ranges[t.range];
  r.functions.clear();
  for (const auto& l : spec.labels) r.functions.push_back(function_number(l));
  if (spec.labels.empty()) r.functions.push_back(function_number(spec.label));
  r.keep = std::move(graph), r.spec = &spec, r.kind = class_of(spec.options, r.depth);
  t.data = t.renewable = false;
  t.retries = static_cast<uint8_t>(std::clamp(spec.options.retries, 0, 255));
  take_inputs(id);
  add_edges(id.job, r);
  revive();
  if (const Task* broken = failed_input(id)) fail(id, broken->cause);
  else check_ready(id);
  settle_unneeded();
}

void Scheduler::refuse(TaskId id) {
  const Task* known = find(id);
  if (!known || !known->data || known->state != State::waiting) return;
  fail(id, id);
  settle_unneeded();
}

// ---- clients

void Scheduler::want(ClientId client, TaskId id) {
  const Task* known = find(id);
  if (!known) {
    actions_.push_back({Kind::lost, client, id});
    return;
  }
  Job& j = job_of(id);
  Task& t = at(id);
  if (j.client == client) {
    if (!t.wanted) t.wanted = true, add_ref(id);
  } else if (wants_[client].try_emplace(id, true).second) {
    add_ref(id);
  }
  if (t.state == State::done) actions_.push_back({Kind::done, client, id, t.attempt});
  if (t.state == State::failed) actions_.push_back({Kind::failed, client, id, t.attempt, 0, t.cause});
  if (t.state != State::released) return;
  reviving_.push_back(id);
  revive();
  settle_unneeded();
}

void Scheduler::release(ClientId client, TaskId id) {
  if (!find(id)) return;
  Job& j = job_of(id);
  Task& t = at(id);
  if (j.client == client) {
    if (!t.wanted) return;
    t.wanted = false;
  } else {
    auto found = wants_.find(client);
    if (found == wants_.end() || !found->second.erase(id)) return;
  }
  drop_ref(id);
  settle_unneeded();
}

void Scheduler::cancel(TaskId first) {
  // Whoever reads a cancelled task is cancelled too.
  std::vector<TaskId> list{first};
  while (!list.empty()) {
    const TaskId id = list.back();
    list.pop_back();
    if (!find(id)) continue;
    Job& j = job_of(id);
    Task& t = at(id);
    if (unfinished(t.state)) each_dependent(id, [&](TaskId d) { if (unfinished(at(d).state)) list.push_back(d); });
    stop(id);
    if (t.wanted) {
      actions_.push_back({Kind::cancelled, j.client, id});
      t.wanted = false;
      drop_ref(id);
    }
    for (auto& [client, wants] : wants_)
      if (wants.erase(id)) actions_.push_back({Kind::cancelled, client, id}), drop_ref(id);
    ends_.push_back(id.job);
  }
  settle_unneeded();
}

void Scheduler::cancel(TaskId first, ClientId by) {
  // Readers come before what they read: it goes on if one of them does.
  std::vector<TaskId> order;
  std::unordered_map<TaskId, bool, TaskHash> goes_on;
  std::vector<std::pair<TaskId, bool>> list{{first, false}};
  while (!list.empty()) {
    const auto [id, read] = list.back();
    list.pop_back();
    if (read) {
      order.push_back(id);
    } else if (find(id) && goes_on.emplace(id, wanted_by_others(id, by)).second) {
      list.push_back({id, true});
      if (unfinished(at(id).state)) each_dependent(id, [&](TaskId d) { if (unfinished(at(d).state)) list.push_back({d, false}); });
    }
  }
  for (TaskId id : order) {
    bool& going = goes_on[id];
    if (unfinished(at(id).state))
      each_dependent(id, [&](TaskId d) {
        if (auto reader = goes_on.find(d); reader != goes_on.end() && unfinished(at(d).state)) going |= reader->second;
      });
    if (!going) stop(id);
    if (job_of(id).client == by ? at(id).wanted : wants_.contains(by) && wants_[by].contains(id)) {
      actions_.push_back({Kind::cancelled, by, id});
      release(by, id);
    }
    ends_.push_back(id.job);
  }
  settle_unneeded();
}

bool Scheduler::wanted_by_others(TaskId id, ClientId than) const {
  const Task* t = find(id);
  if (!t) return false;
  if (t->wanted && job_known(id.job)->client != than) return true;
  return std::any_of(wants_.begin(), wants_.end(), [&](const auto& w) { return w.first != than && w.second.contains(id); });
}

// Nothing of it comes any more.
void Scheduler::stop(TaskId id) {
  Task& t = at(id);
  if (!unfinished(t.state)) return;
  if (t.state == State::assigned) cut_off(id);
  set_state(job_of(id), t, State::released);
  drop_inputs(id);
}

void Scheduler::cancel_job(JobId id) {
  auto found = jobs_.find(id);
  if (found == jobs_.end()) return;
  for (uint32_t i = 0; i < found->second->tasks.size(); ++i) cancel({id, i});
  ends_.push_back(id);
}

void Scheduler::abandon(JobId id) {
  cancel_job(id);
  auto found = jobs_.find(id);
  if (found == jobs_.end()) return;
  for (Slot s = 0; s < workers_.size(); ++s) {
    Worker& w = workers_[s];
    for (auto& old : w.stale) {
      if (old.task.job != id || old.left) continue;
      if (old.seceded) count_seceded(w, range_at(old.task).depth, false);
      else --w.running;
      old.left = true;
      ++found->second->left;
    }
    reindex(s);
  }
  ends_.push_back(id);
}

void Scheduler::retry(TaskId first) {
  // From the failed inputs on, then what failed because of these.
  std::vector<TaskId> list{first}, order;
  std::unordered_map<TaskId, bool, TaskHash> seen;
  while (!list.empty()) {
    const TaskId id = list.back();
    list.pop_back();
    // Scattered data cannot be made again.
    if (!find(id) || at(id).state != State::failed || (at(id).data && !at(id).renewable) || !seen.emplace(id, true).second) continue;
    order.push_back(id);
    each_input(id, [&](TaskId in) { list.push_back(in); });
    each_dependent(id, [&](TaskId d) { list.push_back(d); });
  }
  for (TaskId id : order) {
    Job& j = job_of(id);
    Task& t = at(id);
    set_state(j, t, State::waiting);
    ++t.attempt, t.deaths = 0;
    if (!t.counted) t.counted = true, ++j.needed;  // until it is known better
    if (t.data) actions_.push_back({Kind::renew, job_of(id).client, id});
  }
  for (TaskId id : order) take_inputs(id);
  for (TaskId id : order)
    if (!needed(job_of(id), at(id))) unneeded_.push_back(id);
  for (TaskId id : order)
    if (const Task* broken = unfinished(at(id).state) ? failed_input(id) : nullptr) fail(id, broken->cause);
  settle_unneeded();
  revive();
  for (TaskId id : order) check_ready(id);
}

void Scheduler::nest(ClientId client, uint32_t depth) { depths_[client] = depth; }

void Scheduler::client_gone(ClientId client) {
  depths_.erase(client);
  if (auto found = wants_.find(client); found != wants_.end()) {
    const auto wants = std::move(found->second);
    wants_.erase(found);
    for (const auto& [id, w] : wants) drop_ref(id);
  }
  for (auto& [id, job] : jobs_) {
    if (job->client != client) continue;
    job->open = false;
    ends_.push_back(id);
    for (uint32_t i = 0; i < job->tasks.size(); ++i) {
      Task& t = job->tasks[i];
      t.renewable = false;
      if (t.wanted) t.wanted = false, drop_ref({id, i});
      if (t.data && t.state == State::waiting && t.refs) fail({id, i}, {id, i});  // others wait for what it promised
    }
  }
  settle_unneeded();
}

// ---- ends

void Scheduler::flush_ends() {
  while (!ends_.empty()) {
    const JobId id = ends_.back();
    ends_.pop_back();
    check_end(id);
  }
}

void Scheduler::check_end(JobId id) {
  auto found = jobs_.find(id);
  if (found == jobs_.end()) return;
  Job& j = *found->second;
  if (j.unfinished == 0 && j.running == j.left && !j.ended) {
    j.ended = true;
    actions_.push_back({Kind::ended, j.client, {id, 0}});
  }
  if (j.needed || j.importers || j.running || j.open) return;
  const auto imports = std::move(j.imports);
  actions_.push_back({Kind::gone, j.client, {id, 0}});
  jobs_.erase(found);
  if (last_id_ == id) last_ = nullptr;
  for (JobId source : imports)
    if (auto other = jobs_.find(source); other != jobs_.end() && --other->second->importers == 0) ends_.push_back(source);
}

const std::vector<Action>& Scheduler::act() {
  fill();
  flush_ends();
  out_.clear();
  out_.swap(actions_);
  return out_;
}

std::array<int64_t, kStates> Scheduler::counts() const {
  std::array<int64_t, kStates> out{};
  for (const auto& [id, job] : jobs_)
    for (const auto& t : job->tasks) ++out[static_cast<size_t>(t.state)];
  return out;
}

std::vector<Scheduler::Group> Scheduler::groups() const {
  std::map<std::string, std::array<int64_t, kStates>> by;
  for (const auto& [id, job] : jobs_)
    for (uint32_t i = 0; i < job->tasks.size(); ++i) ++by[functions_[function_of(*job, {id, i})].label][static_cast<size_t>(job->tasks[i].state)];
  std::vector<Group> out;
  for (auto& [label, states] : by) out.push_back({label, states});
  return out;
}

}  // namespace muster::schedule
