// What the scheduler's machine says is done: workers are told what to run, stop and forget, clients what has become of their tasks. A worker has a range and a
// function before the first task that names it, once, until nothing names it any more.
#include <algorithm>

#include "base/error.hpp"
#include "cluster/hub.hpp"
#include "muster/error.hpp"
#include "schedule/priority.hpp"

namespace muster::cluster {
using namespace base;
using schedule::Action, schedule::State;
namespace {

constexpr size_t kFlush = 64 * 1024;
constexpr int64_t kInlineTasks = 4096;  // small results of larger ranges stay where they are made

uint64_t priority_of(const graph::Range& range, uint32_t number, TaskId task) {
  return schedule::order_of(range.options.priority, task.job, range.begins.empty() ? 255 - std::min<uint64_t>(number, 255) : 0, task.index);
}

bool are_neighbours(const Action& a, const Action& b) {
  return a.kind == b.kind && a.who == b.who && a.attempt == b.attempt && a.task.job == b.task.job && a.task.index + 1 == b.task.index;
}

PutRange announced(const graph::Range& range, uint32_t number, uint32_t depth) {
  PutRange out{.number = number, .function = range.function, .label = range.label, .args = range.args, .timeout_us = range.options.timeout_us};
  out.inlined = range.wanted || !range.begins.empty() || range.count <= kInlineTasks;
  for (const auto& d : range.inputs) out.outputs.push_back(d.slices() ? worker::kSlice : static_cast<uint32_t>(d.output));
  out.outputs.push_back(static_cast<uint32_t>(range.output));
  out.depth = depth;
  return out;
}

// An error that names the task by what the user called, which workers do not know of a range with many functions.
std::shared_ptr<const TaskError> of_task(const schedule::Scheduler& core, TaskId task, std::shared_ptr<const TaskError> error) {
  const bool ran_long = error && error->kind == TaskError::Kind::timed_out;
  if (!error || (!ran_long && error->kind != TaskError::Kind::killed) || !core.find(task)) return error;
  int64_t i = 0;
  const graph::Range& range = *core.range_of(task, &i);
  auto out = std::make_shared<TaskError>(*error);
  out->task = core.label_of(task);
  if (range.function.ends_with("pipeline") && range.count > 1)
    out->task += concat(", partition ", range.partition.empty() ? i : range.partition[static_cast<size_t>(i)]);
  if (ran_long) out->message = concat(out->task, " ", out->message);
  return out;
}
}  // namespace

bool Hub::keeps_note(TaskId task) const {
  const auto* t = core_.find(task);
  return t && (t->wanted || core_.range_of(task, nullptr)->reports);
}

News Hub::news_of(const Action& a) {
  News n{.kind = News::Kind::ended, .task = a.task};
  switch (a.kind) {
    case Action::Kind::done: n.kind = News::Kind::done; break;
    case Action::Kind::failed: n.kind = News::Kind::failed; break;
    case Action::Kind::cancelled: n.kind = News::Kind::cancelled; break;
    case Action::Kind::lost: n.kind = News::Kind::lost; break;
    case Action::Kind::reported: n.kind = News::Kind::reported; break;
    case Action::Kind::renew: n.kind = News::Kind::renew; break;
    default: break;
  }
  const auto* t = core_.find(a.task);
  if (a.kind == Action::Kind::done && t) {
    n.bytes = t->bytes, n.value = results_.value(a.task), n.type = results_.type(a.task);
    for (Slot s : core_.holders(a.task))
      if (peer(s)) n.holders.push_back(workers_[s].facts.info.address);
  }
  if (a.kind == Action::Kind::done || a.kind == Action::Kind::reported) n.note = results_.note(a.task);
  if (a.kind == Action::Kind::reported) n.cause = a.task, n.error = of_task(core_, a.task, results_.error(a.task));
  if (a.kind == Action::Kind::failed) n.cause = a.cause, n.error = error_of(a);
  return n;
}

// Of what died with its worker nobody wrote down an error.
std::shared_ptr<const TaskError> Hub::error_of(const Action& a) const {
  if (auto known = results_.error(a.cause)) return of_task(core_, a.cause, std::move(known));
  const auto* cause = core_.find(a.cause);
  TaskError error{.kind = TaskError::Kind::killed, .message = concat(cause ? int{cause->deaths} : 0, " workers died with it"), .task = "a task"};
  if (cause && cause->data) error = {.kind = TaskError::Kind::lost, .message = "data that was scattered is gone: every worker that had it died"};
  return of_task(core_, a.cause, std::make_shared<const TaskError>(std::move(error)));
}

uint32_t Hub::send_assign(const Action& a, uint32_t most) {
  WorkerPeer* w = peer(a.who);
  if (!w) return 1;
  const auto* t = core_.find(a.task);
  int64_t index = 0;
  const graph::Range& range = *core_.range_of(a.task, &index);
  auto [put, fresh] = ranges_.try_emplace({a.task.job, t->range});
  if (fresh) {
    put->second.number = range_numbers_++;
    for (const auto& f : range.functions) put->second.functions.push_back(functions_.use(f));
  }
  const RangePut& r = put->second;
  Assign out{.task = a.task, .attempt = a.attempt, .range = r.number, .index = index, .priority = priority_of(range, t->range, a.task)};
  if (!range.functions.empty()) {
    out.function = r.functions[range.function_of.empty() ? 0 : range.function_of[static_cast<size_t>(index)]];
    if (w->functions.size() <= out.function) w->functions.resize(out.function + 1);
    if (!w->functions[out.function]) {
      w->functions[out.function] = true;
      w->assign.send(*w->connection);
      send(*w->connection, PutFunction{out.function, functions_.bytes(out.function)});
    }
  }
  if (w->ranges.size() <= r.number) w->ranges.resize(r.number + 1);
  if (!w->ranges[r.number]) {
    w->ranges[r.number] = true;
    w->assign.send(*w->connection);
    send(*w->connection, announced(range, r.number, core_.depth_of(a.task)));
  }
  if (!range.partition.empty()) out.index = range.partition[static_cast<size_t>(index)];
  if (!range.arguments.empty()) out.arguments = *range.arguments[static_cast<size_t>(index)];
  std::vector<Blob> values;  // that `out` looks at
  const bool data = !range.begins.empty() || std::any_of(range.inputs.begin(), range.inputs.end(), [](const auto& d) { return d.output != -1; });
  const bool alike = !data && range.partition.empty() && range.arguments.empty() && range.function_of.empty();
  if (alike) out.count = static_cast<uint32_t>(std::min<int64_t>(std::min(most, kLongestRun), range.count - index));
  if (data) {
    out.groups = core_.group_sizes(a.task);
    core_.each_input(a.task, [&](TaskId in) {
      auto& input = out.inputs.emplace_back(AssignedInput{.object = in, .attempt = core_.find(in)->attempt});
      const auto holders = core_.holders(in);
      if (std::find(holders.begin(), holders.end(), a.who) != holders.end()) return;
      if (auto value = results_.value(in)) {
        input.inlined = true, input.value = *values.emplace_back(std::move(value));
        return;
      }
      for (Slot s : holders) input.holders.push_back(peer(s) ? std::string_view(workers_[s].facts.info.address) : std::string_view());
    });
  }
  w->assign.add(out);
  if (w->assign.size() > kFlush) w->assign.send(*w->connection);
  return out.count;
}

void Hub::drop_job(JobId job) {
  for (auto r = ranges_.lower_bound({job, 0}); r != ranges_.end() && r->first.first == job; r = ranges_.erase(r)) {
    const auto [number, functions] = r->second;
    for (auto& w : workers_)
      if (w.connection && number < w.ranges.size() && w.ranges[number]) w.dropped.add({number});
    for (uint32_t f : functions)
      for (uint32_t gone : functions_.leave(f))
        for (auto& w : workers_)
          if (w.connection && gone < w.functions.size() && w.functions[gone]) w.dropped_functions.add({gone});
  }
  results_.forget_job(job);
}

// Lets the machine place what is ready, and does what it says.
void Hub::act() {
  std::map<ClientId, std::vector<News>> news;
  for (bool again = true; again;) {
    again = false;
    std::vector<TaskId> settled;
    const std::vector<Action>& actions = core_.act();
    for (size_t n = 0; n < actions.size(); ++n) {
      const Action& a = actions[n];
      switch (a.kind) {
        case Action::Kind::assign: {
          size_t end = n + 1;
          while (end < actions.size() && are_neighbours(actions[end - 1], actions[end])) ++end;
          n += send_assign(a, static_cast<uint32_t>(end - n)) - 1;
          break;
        }
        case Action::Kind::cancel:
          if (WorkerPeer* w = peer(a.who)) w->assign.send(*w->connection), w->cancel.add({a.task, a.attempt});  // what was just assigned may be meant
          break;
        case Action::Kind::retract:
          if (WorkerPeer* w = peer(a.who)) send(*w->connection, Retract{a.count});
          break;
        case Action::Kind::free:
          if (WorkerPeer* w = peer(a.who)) w->free.add({a.task, a.attempt});
          if (const auto* t = core_.find(a.task); !t || t->state != State::done) results_.forget_result(a.task);
          if (!held_.empty() && !is_needed(a.task)) again |= let_go(a.task);
          break;
        case Action::Kind::gone:
          drop_job(a.task.job);
          for (TaskId holder : holders_in(a.task.job)) again |= let_go(holder);
          break;
        case Action::Kind::done:
        case Action::Kind::failed:
        case Action::Kind::cancelled:
          if (a.who == kHolder) break;
          if (a.who == 0) {
            settled.push_back(a.task);
            break;
          }
          [[fallthrough]];
        default: news[a.who].push_back(news_of(a));
      }
    }
    for (TaskId id : settled) leave(0, id), again = true;
  }
  send_batches();
  for (auto& [client, list] : news)
    if (auto c = clients_.find(client); c != clients_.end()) c->second->deliver(std::move(list));
}

// A worker is told what to stop and free before what to do.
void Hub::send_batches() {
  for (auto& w : workers_) {
    if (!w.connection) continue;
    w.cancel.send(*w.connection), w.free.send(*w.connection), w.assign.send(*w.connection);
    w.dropped.send(*w.connection), w.dropped_functions.send(*w.connection);
  }
}

}  // namespace muster::cluster
