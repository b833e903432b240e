// Tasks of a guest language that run in this process: functions, arguments and results stay on its side (Python: objects, under the GIL).
#pragma once
#include <pthread.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "data/column.hpp"

namespace muster::worker {
struct TaskResult;

/// The native tasks of the job that a guest task runs in.
class Beside {
 public:
  virtual ~Beside() = default;
  /// What a task has made that the running one needs.
  virtual std::shared_ptr<const data::Batches> rows(int range, int64_t index, int output) = 0;
  /// What the tasks of a range have said until now.
  virtual std::vector<TaskResult> told(int range) = 0;
};

/// Thrown by a guest task that cannot run in this job: neither can what needs it; what it needs stays until the rest has ended.
struct Postponed {};

class GuestTasks {
 public:
  virtual ~GuestTasks() = default;
  /// Whether task `index` runs inside the guest: C++ functions need not.
  virtual bool inside(int64_t) const { return true; }
  /// Runs it; its inputs ran before. Throws what the function raised.
  virtual void run(int64_t index, Beside& job) = 0;
  /// Nobody needs the task's result any more; never told of a job that is given up. Called from any thread, inside the guest or not.
  virtual void free(int64_t index) = 0;
};

/// What a thread does before and after it runs guest tasks (Python: takes the GIL, gives it back). A thread stays inside for a run of tasks.
struct GuestDoor {
  void (*enter)() = nullptr;             // throws when the guest is ending
  void (*leave)() = nullptr;
  void (*thread_ends)() = nullptr;
  void (*interrupt)(pthread_t) = nullptr;  // makes what the thread runs inside raise; only when the guest is ending
};
void set_guest_door(GuestDoor door);
/// Whether this is a thread of the pool, which calls thread_ends.
bool in_pool_thread();
const GuestDoor& guest_door();

}  // namespace muster::worker
