// What a worker of a cluster does next: a pure state machine beside the scheduler's. Attempts (task, attempt number) and copies of objects are two
// machines: an attempt waits for its inputs, is queued, runs and ends; a copy is absent, being fetched, or here. Of an object with several outputs one may
// come alone: the scheduler does not hear of it, and it stays as long as attempts read it that are here. Attempts that read nothing and are assigned together
// are one entry, a run, until one of them is treated alone.
#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.hpp"
#include "base/attempt_table.hpp"
#include "worker/object_key.hpp"

namespace muster::worker {
using base::TaskId;

struct Input {
  TaskId object;
  uint16_t attempt = 0;
  std::vector<std::string> holders;  // addresses; empty when the value came along
  uint32_t output = kAllOutputs;     // that is read
  ObjectKey key() const { return {object, output}; }
};

struct LostInput {
  TaskId object;
  uint16_t attempt;
  std::string holder;
};

struct StateAction {
  enum class Kind : uint8_t {
    fetch,   // bring the object, or more of it than `output`, here from `holder`
    forget,  // an output that came alone, which nobody here reads any more
    stop,    // end the running attempt; it is told by ended()
    failed,  // tell the scheduler: inputs could not be had (`lost`)
    stopped, // tell the scheduler: cancelled before it began
    retracted, // tell the scheduler: given back
  } kind;
  TaskId task;
  uint16_t attempt = 0;
  std::string holder{};
  std::vector<LostInput> lost{};
  uint32_t output = kAllOutputs;
};

// Attempts of tasks that follow each other, which read nothing.
struct Run {
  TaskId first;
  uint16_t attempt = 0;
  uint32_t count = 0;
  uint64_t priority = 0;               // of the first; it goes up with the task
  std::shared_ptr<const void> said{};  // by whoever assigned it, for whoever takes it
  bool has(base::AttemptKey key) const { return key.second == attempt && key.first.job == first.job && key.first.index - first.index < count; }
};

class State {
 public:
  // ---- events
  void assign_run(bool guest, Run run);
  void assign(TaskId task, uint16_t attempt, uint64_t priority, bool guest, std::vector<Input> inputs);
  void cancel(TaskId task, uint16_t attempt);
  /// Gives back up to `count` attempts that have not begun, the last ones first; returns how many.
  uint32_t retract(uint32_t count);
  /// An object is here: made, fetched or put.
  void here(ObjectKey object, uint16_t attempt);
  void fetch_failed(ObjectKey object, uint16_t attempt, const std::string& holder);
  /// It is no longer here, if it is of this attempt.
  void gone(TaskId object, uint16_t attempt);
  /// The next attempt to run, natively or in a guest's executor: it is running from now on. False if there is none. `said`: of the run that it is from.
  bool take(bool guest, TaskId& task, uint16_t& attempt, std::shared_ptr<const void>* said = nullptr);
  /// What was said of the run whose attempts are the next to run natively; null if the next is from none.
  const void* next_run() const { return queued_[0].empty() ? nullptr : queued_[0].front().said.get(); }
  /// Up to `most` attempts of this run, which run from now on, until run_ended().
  Run take_run(uint32_t most);
  /// What take_run() gave out is over: its first `done` attempts have ended, the others did not begin and are queued again.
  void run_ended(const Run& run, uint32_t done);
  /// What take() gave out did not begin and is queued again.
  void give_back(TaskId task, uint16_t attempt);
  /// A running attempt is over.
  void ended(TaskId task, uint16_t attempt);

  std::vector<StateAction> act() { return std::exchange(actions_, {}); }

  bool knows(TaskId task, uint16_t attempt) const;
  bool has(TaskId object) const { return here_.contains(object); }
  size_t waiting() const { return attempts_.size() + in_runs_ - running_ - queues_[0] - queues_[1]; }
  size_t queued(bool guest) const { return queues_[guest]; }
  size_t running() const { return running_; }
  /// Recomputes counters and queues; throws Error{internal} if one is wrong.
  void validate() const;

 private:
  using Key = base::AttemptKey;
  enum class Phase : uint8_t { waiting, queued, running };
  struct Attempt {
    uint64_t priority = 0;
    bool guest = false;
    Phase phase = Phase::waiting;
    std::vector<Input> inputs{};      // those not here yet
    std::vector<ObjectKey> slices{};  // that it reads, here or not
  };
  struct Slice {  // an output that comes alone
    uint16_t attempt = 0;                 // that is wanted of its object
    std::optional<uint16_t> stored{};     // that is here
    uint32_t readers = 0;                 // attempts
  };
  struct Fetch {
    uint16_t attempt;
    std::vector<std::string> holders;  // left to try; the last is being asked
    std::vector<LostInput> failed;
    std::vector<Key> waiting;
  };
  using Queue = std::deque<Run>;  // by priority; what is in attempts_ stands alone there, and nothing is said of it
  static bool before(const Run& a, const Run& b) { return std::pair(a.priority, a.first) < std::pair(b.priority, b.first); }
  void check(Key key, Attempt& a);
  void queue(bool guest, Run run);
  void unqueue(const Attempt& a, Key key);
  bool cancel_queued(Key key);
  void fetch(ObjectKey object, Fetch& f);
  bool read(Attempt& a, const Input& in);
  void leave(ObjectKey slice);
  void drop(Key key);

  base::AttemptTable<Attempt> attempts_;
  base::TaskTable<uint16_t> here_;  // the attempt that made it
  std::map<ObjectKey, Fetch> fetches_;
  std::map<ObjectKey, Slice> slices_;
  Queue queued_[2];                 // in order: most come at the end
  std::vector<Run> runs_;           // that run: few
  size_t running_ = 0, queues_[2] = {0, 0};  // attempts
  size_t in_runs_ = 0;              // of these in no entry of attempts_
  std::vector<StateAction> actions_;
};

}  // namespace muster::worker
