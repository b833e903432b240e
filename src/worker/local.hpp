// The worker of this process: a pool of threads that runs the scheduler's assignments, and the store of their results.
#pragma once
#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <vector>

#include "graph/graph.hpp"
#include "kernels/pipeline.hpp"

namespace muster::worker {

/// A task that ended, as the caller sees it.
struct TaskResult {
  std::vector<kernels::Output> outputs;  // of a wanted range; else empty
  data::Report report;
  bool ran = false;
  std::exception_ptr error;              // why the task failed
};

struct Progress {
  int64_t done = 0, tasks = 0, bytes = 0;
};

/// A graph being run.
class Job {
 public:
  virtual ~Job() = default;
  /// True when the job ended. Never throws; errors stand in the results.
  virtual bool wait(std::chrono::milliseconds timeout) = 0;
  /// No further task starts; running ones stop at their next batch.
  virtual void cancel() = 0;
  /// Leaves running tasks behind: their threads are replaced, what they hold is freed when they end.
  virtual void abandon() = 0;
  virtual Progress progress() const = 0;
  /// Per range and task. Only after wait() said true.
  virtual std::vector<std::vector<TaskResult>>& results() = 0;
  /// Once the run has ended: what tasks made is kept by results() alone.
  virtual void let_go() {}
  /// What the first task that failed threw; null if none did.
  virtual std::exception_ptr error() = 0;
  /// Whether that was a guest's.
  virtual bool guest_failed() { return false; }
};

constexpr uint32_t kLocalJob = 1;  // the job's id in the explicit inputs of a graph to run

/// Waits until the job ended. `tick` is called about every 20 ms; true cancels, and leaves behind what does not end soon. Throws Error{cancelled} then.
void wait_for(Job& job, const std::function<bool(const Progress&)>& tick);

/// Starts a graph on at most `threads` threads of the pool; 0 = in this thread, before the call returns, as also when a task of the pool
/// calls it.
/// `on_result`, if set, is called after each task, one call at a time; true means that the job cannot succeed: no further task starts.
std::shared_ptr<Job> run(std::shared_ptr<const graph::Graph> graph, int64_t threads,
                         std::function<bool(int range, int64_t index, const TaskResult&)> on_result);

/// At the end of the process: cancels all jobs and waits for the pool's threads, those left behind too, to end. Guest tasks that do not are interrupted;
/// after a moment the rest is left to the process' end. The next job starts new threads.
void stop_pool();

}  // namespace muster::worker
