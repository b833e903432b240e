// What clients want of the hub: jobs, results, promises, and what results mention. A result that is mentioned by others is wanted, by the hub itself, as long
// as one of these is needed.
#include <algorithm>

#include "base/error.hpp"
#include "cluster/hub.hpp"
#include "muster/error.hpp"

namespace muster::cluster {
using namespace base;
using schedule::State;

void Hub::submit(ClientId client, JobId job, std::shared_ptr<const graph::Graph> graph, bool open) {
  std::lock_guard lock(mutex_);
  core_.submit(job, client, std::move(graph), open);
  act();
}

void Hub::close_job(JobId job) {
  std::lock_guard lock(mutex_);
  core_.close(job);
  act();
}

void Hub::want(ClientId client, const std::vector<TaskId>& tasks) {
  std::lock_guard lock(mutex_);
  for (TaskId id : tasks) core_.want(client, id);
  act();
}

void Hub::release(ClientId client, const std::vector<TaskId>& tasks) {
  std::lock_guard lock(mutex_);
  for (TaskId id : tasks) leave(client, id);
  act();
}

void Hub::cancel(ClientId client, const std::vector<TaskId>& tasks, bool force) {
  std::lock_guard lock(mutex_);
  for (TaskId id : tasks) {
    if (force) {
      core_.cancel(id);
    } else {
      let_go_of_own(client, id);
      core_.cancel(id, client);
    }
  }
  act();
}

void Hub::retry(ClientId, const std::vector<TaskId>& tasks) {
  std::lock_guard lock(mutex_);
  for (TaskId id : tasks) core_.retry(id);
  act();
}

// The scheduler itself wants these until they ended: client 0.
void Hub::keep(const std::vector<TaskId>& tasks) {
  std::lock_guard lock(mutex_);
  for (TaskId id : tasks) {
    const auto* t = core_.find(id);
    if (!t || t->state == State::done || t->state == State::failed) continue;
    core_.want(0, id);
  }
  act();
}

void Hub::hold(TaskId holder, const std::vector<TaskId>& tasks) {
  std::lock_guard lock(mutex_);
  if (!is_needed(holder)) return;
  for (TaskId id : tasks) {
    if (!core_.find(id)) continue;
    held_[holder].push_back(id);
    if (holds_[id]++ == 0) core_.want(kHolder, id);
  }
  act();
}

bool Hub::is_needed(TaskId task) const {
  const auto* t = core_.find(task);
  return t && t->refs;
}

void Hub::leave(ClientId client, TaskId task) {
  core_.release(client, task);
  if (!is_needed(task)) let_go(task);
}

bool Hub::let_go(TaskId holder) {
  if (held_.empty()) return false;
  auto found = held_.extract(holder);
  if (found.empty()) return false;
  for (TaskId id : found.mapped()) {
    auto count = holds_.find(id);
    if (--count->second > 0) continue;
    holds_.erase(count);
    core_.release(kHolder, id);
  }
  return true;
}

// What only this client's results mention is wanted by nobody else.
void Hub::let_go_of_own(ClientId client, TaskId task) {
  if (!holds_.contains(task)) return;
  std::vector<TaskId> holders;
  for (const auto& [holder, tasks] : held_)
    if (std::find(tasks.begin(), tasks.end(), task) != tasks.end()) holders.push_back(holder);
  if (std::any_of(holders.begin(), holders.end(), [&](TaskId holder) { return core_.wanted_by_others(holder, client); })) return;
  for (TaskId holder : holders) std::erase(held_[holder], task);
  holds_.erase(task);
  core_.release(kHolder, task);
}

std::vector<TaskId> Hub::holders_in(JobId job) const {
  std::vector<TaskId> out;
  for (const auto& [holder, tasks] : held_)
    if (holder.job == job) out.push_back(holder);
  return out;
}

void Hub::promise_locked(ClientId client, TaskId id, const std::string& label, bool renewable) {
  const TaskId made = core_.promise(id.job, client, label, renewable);
  if (made != id) throw internal("a client counts its tasks as ", id.index, ", the scheduler as ", made.index);
}

void Hub::scatter(ClientId client, TaskId id, int64_t bytes, const std::vector<std::string>& holders, const std::string& type, bool renewable) {
  std::lock_guard lock(mutex_);
  std::vector<Slot> slots;
  for (const auto& h : holders)
    if (const Slot s = slot_at(h); s != kNone) slots.push_back(s);
  if (!core_.find(id)) promise_locked(client, id, type, renewable);
  results_.keep_type(id, type);
  core_.give(id, slots, bytes);
  act();
}

void Hub::promise(ClientId client, TaskId id, const std::string& label, bool renewable) {
  std::lock_guard lock(mutex_);
  promise_locked(client, id, label, renewable);
  act();
}

void Hub::bind(TaskId id, std::shared_ptr<const graph::Graph> graph) {
  std::lock_guard lock(mutex_);
  core_.bind(id, std::move(graph));
  act();
}

void Hub::refuse(TaskId id, std::shared_ptr<const TaskError> error) {
  std::lock_guard lock(mutex_);
  results_.keep_error(id, std::move(error));
  core_.refuse(id);
  act();
}

}  // namespace muster::cluster
