// The one place where a task of the engine runs: its memory against the budget, errors that say where, progress, and what it is refused. Who schedules
// it, a job of this process or a worker of a cluster, keeps its results. A worker's executors run pipelines through it too: the worker begins and ends
// them, and says what waits, as it knows the memory of all.
#pragma once
#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "muster/error.hpp"
#include "worker/admission.hpp"
#include "worker/functions.hpp"
#include "worker/range_memory.hpp"

namespace muster::worker {

/// An attempt, as whoever waits for memory knows it.
struct Attempt {
  const void* owner = nullptr;    // what is left behind as one
  int64_t stage = 0;
  RangeMemory* memory = nullptr;  // of its range
  int64_t reserved = 0;           // bytes, for one that has begun
  uint32_t task = 0;              // which of the owner's
  uint16_t number = 0;
  const void* which = nullptr;    // the same, where each is cancelled by itself
};

/// Where an attempt runs: what may be done there for one that is short of memory.
class Place {
 public:
  virtual ~Place() = default;
  /// No further task is wanted: nobody waits.
  virtual bool ending() const = 0;
  /// Moves results that wait for other tasks to the spill file; returns the bytes that are free. Throws Error{io} where the disk is full.
  virtual int64_t spill_results() = 0;
  /// What queues the attempt once more, begun and with so much reserved. Called for those alone that must wait.
  virtual std::function<void(int64_t reserved)> again(const Attempt& attempt) = 0;
  /// Why an attempt that needs so much cannot run at all.
  virtual Error too_little(const Attempt& attempt, int64_t need) = 0;
};

struct Call {
  const Function& function;
  std::function<Inputs(data::Task&)> inputs;  // std::ref of what lives as long: it is made for each task
  std::string_view arguments;
  int64_t partition;
  std::string_view label;
  const std::atomic<bool>& stop;
  std::atomic<int64_t>* progress = nullptr;
};

struct Outcome {
  bool waits = false;                    // it was refused memory, and is queued again once there is some
  std::vector<kernels::Output> outputs;  // held in the budget
  int64_t bytes = 0;                     // of these
  std::exception_ptr error;
  bool cancelled = false;
  data::Report report;
  int64_t peak = 0;                      // bytes that it held at once
  int64_t short_of = 0;                  // bytes that it needed to go on, or more, where it was refused memory
};

class TaskRunner {
 public:
  explicit TaskRunner(Admission& admission) : admission_(admission) {}
  /// Reserves what the attempt is known to need. False: it waits, and is queued again.
  bool begin(const Attempt& attempt, int64_t need, Place& place);
  /// Runs an attempt that has begun. Never throws.
  Outcome run(const Attempt& attempt, const Call& call, Place& place) { return run(attempt, call, &place); }
  /// The same, of one that is not to wait: where it was refused memory it has neither outputs nor error, and `short_of` says so.
  Outcome run(const Attempt& attempt, const Call& call) { return run(attempt, call, nullptr); }
  /// An attempt that has begun was refused memory, and has given back what it held. True: it is queued again. Throws what Place::spill_results() does.
  bool waits(const Attempt& attempt, int64_t short_of, Place& place);
  /// One that has begun is over, and waits for nothing.
  void end(const void* owner) { admission_.end(owner); }

 private:
  Outcome run(const Attempt& attempt, const Call& call, Place* place);
  Admission& admission_;
};

}  // namespace muster::worker
