// What a worker of a cluster does next: a pure state machine beside the scheduler's. Attempts (task, attempt number) and copies of objects are two
// machines: an attempt waits for its inputs, is queued, runs and ends; a copy is absent, being fetched, or here. Of an object with several outputs one may
// come alone: the scheduler does not hear of it, and it stays as long as attempts read it that are here.
#pragma once
#include <cstdint>
#include <deque>
#include <map>
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

class State {
 public:
  // ---- events
  void assign(TaskId task, uint16_t attempt, uint64_t priority, bool guest, std::vector<Input> inputs);
  void cancel(TaskId task, uint16_t attempt);
  /// Gives back up to `count` attempts that have not begun, the last ones first; returns how many.
  uint32_t retract(uint32_t count);
  /// An object is here: made, fetched or put.
  void here(ObjectKey object, uint16_t attempt);
  void fetch_failed(ObjectKey object, uint16_t attempt, const std::string& holder);
  void gone(TaskId object);
  /// The next attempt to run, natively or in a guest's executor: it is running from now on. False if there is none.
  bool take(bool guest, TaskId& task, uint16_t& attempt);
  /// What take() gave out did not begin and is queued again.
  void give_back(TaskId task, uint16_t attempt);
  /// A running attempt is over.
  void ended(TaskId task, uint16_t attempt);

  std::vector<StateAction> act() { return std::exchange(actions_, {}); }

  bool knows(TaskId task, uint16_t attempt) const { return attempts_.contains({task, attempt}); }
  bool has(TaskId object) const { return here_.contains(object); }
  size_t waiting() const { return attempts_.size() - running_ - queued_[0].size() - queued_[1].size(); }
  size_t queued(bool guest) const { return queued_[guest].size(); }
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
  using Queued = std::pair<uint64_t, Key>;  // by priority
  void check(Key key, Attempt& a);
  void queue(const Attempt& a, Key key);
  void unqueue(const Attempt& a, Key key);
  void fetch(ObjectKey object, Fetch& f);
  bool read(Attempt& a, const Input& in);
  void leave(ObjectKey slice);
  void drop(Key key);

  base::AttemptTable<Attempt> attempts_;
  base::TaskTable<uint16_t> here_;  // the attempt that made it
  std::map<ObjectKey, Fetch> fetches_;
  std::map<ObjectKey, Slice> slices_;
  std::deque<Queued> queued_[2];    // in order: most come at the end
  size_t running_ = 0;
  std::vector<StateAction> actions_;
};

}  // namespace muster::worker
