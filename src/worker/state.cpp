// Every event leaves each attempt in one of its states and each answer is given once; actions are collected, and carried out by the caller. No clock, thread
// or socket is used here.
#include "worker/state.hpp"

#include <algorithm>

#include "base/error.hpp"

namespace muster::worker {
using namespace base;
using Kind = StateAction::Kind;

void State::assign(TaskId task, uint16_t attempt, uint64_t priority, bool guest, std::vector<Input> inputs) {
  const Key key{task, attempt};
  auto [a, fresh] = attempts_.try_emplace(key);
  if (!fresh) return;  // said twice
  a->priority = priority, a->guest = guest;
  for (auto& in : inputs) {
    if (const uint16_t* made = here_.find(in.object); made && *made == in.attempt) continue;
    if (!in.key().whole() && read(*a, in)) continue;
    a->inputs.push_back(in);
    auto [f, first] = fetches_.try_emplace(in.key(), Fetch{in.attempt, in.holders, {}, {}});
    if (std::find(f->second.waiting.begin(), f->second.waiting.end(), key) == f->second.waiting.end()) f->second.waiting.push_back(key);
    if (first) {
      fetch(in.key(), f->second);
    } else if (f->second.attempt != in.attempt) {  // a newer copy of what is being fetched: from its holders
      f->second.attempt = in.attempt;
      f->second.holders.insert(f->second.holders.begin(), in.holders.begin(), in.holders.end());
    }
    if (!attempts_.contains(key)) return;  // there was no holder to ask
  }
  check(key, *a);
}

void State::assign_run(bool guest, Run run) {
  if (!run.said) throw internal("worker: a run that nothing is said of");
  in_runs_ += run.count;
  queue(guest, std::move(run));
}

void State::check(Key key, Attempt& a) {
  if (a.phase != Phase::waiting || !a.inputs.empty()) return;
  queue(a.guest, {key.first, key.second, 1, a.priority});
  a.phase = Phase::queued;
}

void State::queue(bool guest, Run run) {
  auto& queue = queued_[guest];
  queues_[guest] += run.count;
  if (queue.empty() || before(queue.back(), run)) queue.push_back(std::move(run));
  else queue.insert(std::lower_bound(queue.begin(), queue.end(), run, before), std::move(run));
}

void State::unqueue(const Attempt& a, Key key) {
  auto& queue = queued_[a.guest];
  const Run item{key.first, key.second, 1, a.priority};
  auto found = std::lower_bound(queue.begin(), queue.end(), item, before);
  while (found->attempt != key.second) ++found;
  queue.erase(found);
  --queues_[a.guest];
}

// Those before and behind it in its run stay.
bool State::cancel_queued(Key key) {
  for (const bool guest : {false, true}) {
    auto& queue = queued_[guest];
    const auto found = std::find_if(queue.begin(), queue.end(), [&](const Run& run) { return run.said && run.has(key); });
    if (found == queue.end()) continue;
    const uint32_t in_front = key.first.index - found->first.index;
    Run behind = *found;
    behind.first.index += in_front + 1, behind.priority += in_front + 1, behind.count -= in_front + 1;
    queues_[guest] -= 1 + behind.count;
    --in_runs_;
    found->count = in_front;
    if (in_front == 0) queue.erase(found);
    if (behind.count) this->queue(guest, std::move(behind));
    return true;
  }
  return false;
}

bool State::knows(TaskId task, uint16_t attempt) const {
  const Key key{task, attempt};
  const auto in = [&](const auto& runs) { return std::any_of(runs.begin(), runs.end(), [&](const Run& run) { return run.said && run.has(key); }); };
  return attempts_.contains(key) || in(runs_) || in(queued_[0]) || in(queued_[1]);
}

// An output that comes alone is read by one more attempt; true if it is here.
bool State::read(Attempt& a, const Input& in) {
  Slice& slice = slices_[in.key()];
  slice.attempt = in.attempt;
  if (std::find(a.slices.begin(), a.slices.end(), in.key()) == a.slices.end()) a.slices.push_back(in.key()), ++slice.readers;
  return slice.stored == slice.attempt;
}

void State::leave(ObjectKey key) {
  const auto slice = slices_.find(key);
  if (--slice->second.readers) return;
  if (slice->second.stored) actions_.push_back({Kind::forget, key.task, *slice->second.stored, {}, {}, key.output});
  slices_.erase(slice);
}

void State::fetch(ObjectKey object, Fetch& f) {
  if (!f.holders.empty()) {
    actions_.push_back({Kind::fetch, object.task, f.attempt, f.holders.back(), {}, object.output});
    return;
  }
  // Nobody is left to ask: whoever waits for it cannot run.
  Fetch over = std::move(f);
  fetches_.erase(object);
  for (const Key& key : over.waiting) {
    if (!attempts_.contains(key)) continue;
    drop(key);
    actions_.push_back({Kind::failed, key.first, key.second, {}, over.failed});
  }
}

// A whole object ends the fetches of its outputs too; what comes of these later is forgotten with its last reader.
void State::here(ObjectKey object, uint16_t attempt) {
  if (object.whole()) {
    here_[object.task] = attempt;
  } else if (const auto slice = slices_.find(object); slice != slices_.end()) {
    slice->second.stored = attempt;
  } else {
    actions_.push_back({Kind::forget, object.task, attempt, {}, {}, object.output});
  }
  auto found = fetches_.lower_bound(object.whole() ? ObjectKey(object.task, 0) : object);
  while (found != fetches_.end() && (object.whole() ? found->first.task == object.task : found->first == object)) {
    const ObjectKey fetched = found->first;
    const auto waiting = std::move(found->second.waiting);
    found = fetches_.erase(found);
    for (const Key& key : waiting) {
      Attempt* a = attempts_.find(key);
      if (!a) continue;
      std::erase_if(a->inputs, [&](const Input& in) { return in.key() == fetched; });
      check(key, *a);
    }
  }
}

void State::fetch_failed(ObjectKey object, uint16_t attempt, const std::string& holder) {
  auto found = fetches_.find(object);
  if (found == fetches_.end()) return;
  Fetch& f = found->second;
  f.failed.push_back({object.task, attempt, holder});
  std::erase(f.holders, holder);
  fetch(object, f);
}

void State::gone(TaskId object, uint16_t attempt) {
  if (const uint16_t* made = here_.find(object); made && *made == attempt) here_.erase(object);
}

// Takes an attempt out, wherever it is; a fetch nobody waits for goes on and is freed when the scheduler says so.
void State::drop(Key key) {
  const Attempt* a = attempts_.find(key);
  if (!a) return;
  if (a->phase == Phase::queued) unqueue(*a, key);
  if (a->phase == Phase::running) --running_;
  for (const ObjectKey& slice : a->slices) leave(slice);
  attempts_.erase(key);
}

void State::cancel(TaskId task, uint16_t attempt) {
  const Key key{task, attempt};
  const Attempt* a = attempts_.find(key);
  const bool running = a ? a->phase == Phase::running : std::any_of(runs_.begin(), runs_.end(), [&](const Run& run) { return run.has(key); });
  if (running) {
    actions_.push_back({Kind::stop, task, attempt, {}, {}});
    return;
  }
  if (!a && !cancel_queued(key)) return;  // it ended, the news are on their way
  drop(key);
  actions_.push_back({Kind::stopped, task, attempt, {}, {}});
}

uint32_t State::retract(uint32_t count) {
  uint32_t given = 0;
  for (int guest = 1; guest >= 0; --guest)
    while (given < count && !queued_[guest].empty()) {
      Run& last = queued_[guest].back();
      const Key key{{last.first.job, last.first.index + last.count - 1}, last.attempt};
      if (!last.said) {
        drop(key);
      } else {
        --queues_[guest], --in_runs_;
        if (--last.count == 0) queued_[guest].pop_back();
      }
      actions_.push_back({Kind::retracted, key.first, key.second, {}, {}});
      ++given;
    }
  std::vector<Key> waiting;
  if (given < count)
    attempts_.each([&](Key key, const Attempt& a) {
      if (a.phase == Phase::waiting) waiting.push_back(key);
    });
  std::sort(waiting.begin(), waiting.end());
  for (; given < count && !waiting.empty(); ++given, waiting.pop_back()) {
    drop(waiting.back());
    actions_.push_back({Kind::retracted, waiting.back().first, waiting.back().second, {}, {}});
  }
  return given;
}

bool State::take(bool guest, TaskId& task, uint16_t& attempt, std::shared_ptr<const void>* said) {
  auto& queue = queued_[guest];
  if (queue.empty()) return false;
  Run run = std::move(queue.front());
  queue.pop_front();
  queues_[guest] -= run.count;
  ++running_;
  task = run.first, attempt = run.attempt;
  const auto [a, fresh] = attempts_.try_emplace({task, attempt});
  a->phase = Phase::running;
  if (said) *said = run.said;
  if (!fresh) return true;
  a->priority = run.priority, a->guest = guest;
  --in_runs_;
  ++run.first.index, ++run.priority;
  if (--run.count) this->queue(guest, std::move(run));
  return true;
}

Run State::take_run(uint32_t most) {
  Run rest = std::move(queued_[0].front());
  queued_[0].pop_front();
  queues_[0] -= rest.count;
  Run& taken = runs_.emplace_back(rest);
  taken.count = std::min(most, rest.count);
  running_ += taken.count;
  Run out = taken;
  rest.first.index += out.count, rest.priority += out.count, rest.count -= out.count;
  if (rest.count) queue(false, std::move(rest));
  return out;
}

void State::run_ended(const Run& run, uint32_t done) {
  std::erase_if(runs_, [&](const Run& r) { return r.first == run.first && r.attempt == run.attempt; });
  running_ -= run.count, in_runs_ -= done;
  Run rest = run;
  rest.first.index += done, rest.priority += done, rest.count -= done;
  if (rest.count) queue(false, std::move(rest));
}

void State::give_back(TaskId task, uint16_t attempt) {
  Attempt* a = attempts_.find({task, attempt});
  if (!a || a->phase != Phase::running) return;
  a->phase = Phase::queued;
  --running_;
  queue(a->guest, {task, attempt, 1, a->priority});
}

void State::ended(TaskId task, uint16_t attempt) { drop({task, attempt}); }

void State::validate() const {
  size_t running = 0, queued[2] = {0, 0}, in_runs = 0;
  std::map<ObjectKey, uint32_t> readers;
  attempts_.each([&](Key key, const Attempt& a) {
    running += a.phase == Phase::running;
    queued[a.guest] += a.phase == Phase::queued;
    if ((a.phase == Phase::waiting) == a.inputs.empty())
      throw internal("worker: attempt ", key.second, " of task ", key.first.index, " waits for ", a.inputs.size(), " inputs");
    for (const ObjectKey& slice : a.slices) ++readers[slice];
    for (const auto& in : a.inputs) {
      auto f = fetches_.find(in.key());
      if (f == fetches_.end() || std::find(f->second.waiting.begin(), f->second.waiting.end(), key) == f->second.waiting.end())
        throw internal("worker: task ", key.first.index, " waits for an object nobody fetches");
    }
  });
  if (readers.size() != slices_.size()) throw internal("worker: ", slices_.size(), " outputs that came alone, ", readers.size(), " that are read");
  for (const auto& [key, slice] : slices_)
    if (readers[key] != slice.readers) throw internal("worker: ", slice.readers, " attempts read an output of task ", key.task.index, ", not ", readers[key]);
  for (const Run& run : runs_) running += run.count, in_runs += run.count;
  for (const bool guest : {false, true}) {
    if (!std::is_sorted(queued_[guest].begin(), queued_[guest].end(), before)) throw internal("worker: a queue out of order");
    for (const Run& run : queued_[guest])
      if (run.said) queued[guest] += run.count, in_runs += run.count;
      else if (!attempts_.contains({run.first, run.attempt}) || run.count != 1) throw internal("worker: task ", run.first.index, " is queued, and not here");
  }
  if (running != running_ || queued[0] != queues_[0] || queued[1] != queues_[1]) throw internal("worker: counts ", running_, " running attempts of ", running);
  if (in_runs != in_runs_) throw internal("worker: counts ", in_runs_, " attempts in runs of ", in_runs);
}

}  // namespace muster::worker
