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

void State::check(Key key, Attempt& a) {
  if (a.phase != Phase::waiting || !a.inputs.empty()) return;
  queue(a, key);
  a.phase = Phase::queued;
}

void State::queue(const Attempt& a, Key key) {
  auto& queue = queued_[a.guest];
  const Queued item(a.priority, key);
  if (queue.empty() || queue.back() < item) queue.push_back(item);
  else queue.insert(std::lower_bound(queue.begin(), queue.end(), item), item);
}

void State::unqueue(const Attempt& a, Key key) {
  auto& queue = queued_[a.guest];
  queue.erase(std::lower_bound(queue.begin(), queue.end(), Queued(a.priority, key)));
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

void State::gone(TaskId object) { here_.erase(object); }

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
  if (!a) return;  // it ended, the news are on their way
  if (a->phase == Phase::running) {
    actions_.push_back({Kind::stop, task, attempt, {}, {}});
    return;
  }
  drop(key);
  actions_.push_back({Kind::stopped, task, attempt, {}, {}});
}

uint32_t State::retract(uint32_t count) {
  uint32_t given = 0;
  for (int guest = 1; guest >= 0; --guest)
    while (given < count && !queued_[guest].empty()) {
      const Key key = queued_[guest].back().second;
      drop(key);
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

bool State::take(bool guest, TaskId& task, uint16_t& attempt) {
  auto& queue = queued_[guest];
  if (queue.empty()) return false;
  const Key key = queue.front().second;
  queue.pop_front();
  attempts_.find(key)->phase = Phase::running;
  ++running_;
  task = key.first, attempt = key.second;
  return true;
}

void State::give_back(TaskId task, uint16_t attempt) {
  Attempt* a = attempts_.find({task, attempt});
  if (!a || a->phase != Phase::running) return;
  a->phase = Phase::queued;
  --running_;
  queue(*a, {task, attempt});
}

void State::ended(TaskId task, uint16_t attempt) { drop({task, attempt}); }

void State::validate() const {
  size_t running = 0, queued[2] = {0, 0};
  std::map<ObjectKey, uint32_t> readers;
  attempts_.each([&](Key key, const Attempt& a) {
    running += a.phase == Phase::running;
    queued[a.guest] += a.phase == Phase::queued;
    if ((a.phase == Phase::waiting) == a.inputs.empty()) throw internal("worker: attempt ", key.second, " of task ", key.first.index, " waits for ", a.inputs.size(), " inputs");
    for (const ObjectKey& slice : a.slices) ++readers[slice];
    for (const auto& in : a.inputs) {
      auto f = fetches_.find(in.key());
      if (f == fetches_.end() || std::find(f->second.waiting.begin(), f->second.waiting.end(), key) == f->second.waiting.end()) throw internal("worker: task ", key.first.index, " waits for an object nobody fetches");
    }
  });
  if (readers.size() != slices_.size()) throw internal("worker: ", slices_.size(), " outputs that came alone, ", readers.size(), " that are read");
  for (const auto& [key, slice] : slices_)
    if (readers[key] != slice.readers) throw internal("worker: ", slice.readers, " attempts read an output of task ", key.task.index, ", not ", readers[key]);
  if (running != running_ || queued[0] != queued_[0].size() || queued[1] != queued_[1].size()) throw internal("worker: counts ", running_, " running attempts of ", running);
}

}  // namespace muster::worker
