// Of those that fit, later stages start first: they use up what earlier ones have made. Where nothing fits and nobody runs, one starts alone. Who may start
// is chosen under the mutex and started behind it.
#include "worker/admission.hpp"

#include <algorithm>

namespace muster::worker {

void Admission::count(const void* owner) {
  ++total_;
  const auto found = std::find_if(running_.begin(), running_.end(), [&](const auto& of) { return of.first == owner; });
  if (found == running_.end()) running_.emplace_back(owner, 1);
  else ++found->second;
}

void Admission::uncount(const void* owner) {
  const auto found = std::find_if(running_.begin(), running_.end(), [&](const auto& of) { return of.first == owner; });
  if (found == running_.end()) return;
  --total_;
  if (--found->second == 0) running_.erase(found);
}

bool Admission::begin(const void* owner, int64_t need) {
  std::lock_guard lock(mutex_);
  if (total_ > 0 && budget_.used() + need > budget_.limit()) return false;
  budget_.hold(need);
  count(owner);
  return true;
}

void Admission::wait(Attempt attempt) {
  Resumed resumed;
  {
    std::lock_guard lock(mutex_);
    waiting_.push_back({std::move(attempt), 0});
    choose(resumed);  // all others may have ended meanwhile
  }
  for (auto& resume : resumed) resume();
}

void Admission::begin_giving(const void* owner) {
  std::lock_guard lock(mutex_);
  count(owner);
}

void Admission::room() {
  Resumed resumed;
  {
    std::lock_guard lock(mutex_);
    choose(resumed);
  }
  for (auto& resume : resumed) resume();
}

int64_t Admission::wanted() const {
  std::lock_guard lock(mutex_);
  const auto least = std::min_element(waiting_.begin(), waiting_.end(), [](const Waiting& a, const Waiting& b) { return a.attempt.need < b.attempt.need; });
  return least == waiting_.end() ? 0 : least->attempt.need;
}

bool Admission::postpone(Attempt attempt) {
  Resumed resumed;
  {
    std::lock_guard lock(mutex_);
    const bool alone = total_ == 1;
    if (alone && std::none_of(waiting_.begin(), waiting_.end(), [&](const Waiting& w) { return w.tried != ended_; })) return false;
    uncount(attempt.owner);
    waiting_.push_back({std::move(attempt), alone ? ended_ : 0});
    choose(resumed);
  }
  for (auto& resume : resumed) resume();
  return true;
}

void Admission::end(const void* owner) {
  Resumed resumed;
  {
    std::lock_guard lock(mutex_);
    uncount(owner);
    ++ended_;
    if (!waiting_.empty()) choose(resumed);
  }
  for (auto& resume : resumed) resume();
}

void Admission::hurry(const void* owner, const void* which) {
  Resumed resumed;
  {
    std::lock_guard lock(mutex_);
    std::erase_if(waiting_, [&](Waiting& w) {
      if (w.attempt.owner != owner || (which && w.attempt.which != which)) return false;
      start(w.attempt, resumed);
      return true;
    });
  }
  for (auto& resume : resumed) resume();
}

void Admission::forget(const void* owner) {
  Resumed resumed;
  std::vector<Waiting> dropped;  // may be the last owners of a job: destroyed without the lock
  {
    std::lock_guard lock(mutex_);
    auto behind = std::stable_partition(waiting_.begin(), waiting_.end(), [&](const Waiting& w) { return w.attempt.owner != owner; });
    dropped.assign(std::make_move_iterator(behind), std::make_move_iterator(waiting_.end()));
    waiting_.erase(behind, waiting_.end());
    std::erase_if(running_, [&](const auto& of) {
      if (of.first == owner) total_ -= of.second;
      return of.first == owner;
    });
    ++ended_;
    choose(resumed);
  }
  for (auto& resume : resumed) resume();
}

void Admission::start(Attempt& attempt, Resumed& resumed) {
  budget_.hold(attempt.need);
  count(attempt.owner);
  resumed.push_back(std::move(attempt.resume));
}

void Admission::choose(Resumed& resumed) {
  while (!waiting_.empty()) {
    auto best = waiting_.end();
    for (auto w = waiting_.begin(); w != waiting_.end(); ++w) {
      if (budget_.used() + w->attempt.need > budget_.limit()) continue;
      if (best == waiting_.end() || w->attempt.stage > best->attempt.stage) best = w;
    }
    if (best == waiting_.end()) {
      if (total_ > 0) return;
      // Nothing fits and nobody runs: one goes alone, and those that could not be run alone since something ended come last.
      best = std::min_element(waiting_.begin(), waiting_.end(), [&](const Waiting& a, const Waiting& b) {
        return std::pair(a.tried == ended_, -a.attempt.stage) < std::pair(b.tried == ended_, -b.attempt.stage);
      });
    }
    start(best->attempt, resumed);
    waiting_.erase(best);
  }
}

}  // namespace muster::worker
