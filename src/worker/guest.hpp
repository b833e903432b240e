// Tasks of a guest language that run in this process: functions, arguments and results stay on its side (Python: objects, under the GIL).
#pragma once
#include <pthread.h>

#include <cstdint>

namespace muster::worker {

class GuestTasks {
 public:
  virtual ~GuestTasks() = default;
  /// Whether run() is called through the door. C++ functions need none.
  virtual bool inside() const { return true; }
  /// Runs task `index`, whose inputs ran before. Called inside the guest. Throws what the function raised.
  virtual void run(int64_t index) = 0;
  /// Nobody needs the task's result any more. Called from any thread, inside the guest or not.
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
