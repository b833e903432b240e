// Decides what runs next: a pure state machine, events in, actions out. No clock, thread or I/O; equal events give equal actions.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <queue>
#include <vector>

#include "graph/graph.hpp"

namespace muster::schedule {

using JobId = uint32_t;
struct TaskId {
  JobId job;
  int range;
  int64_t index;
  auto operator<=>(const TaskId&) const = default;
};

struct Event {
  enum class Kind : uint8_t { submit, finished, failed, cancel, abandon, slots } kind;  // abandon: the job's running tasks are not waited for
  TaskId task{};                                // job only, for submit and cancel
  std::shared_ptr<const graph::Graph> graph{};  // submit
  int64_t slots = 0;                            // submit: at most that many at once; slots: threads of the worker
};

struct Action {
  enum class Kind : uint8_t {
    assign,  // run the task
    free,    // nobody needs the task's results any more
    done,    // the job ended: all results wanted are there, or it failed or was cancelled and nothing of it runs
  } kind;
  TaskId task;
  auto operator<=>(const Action&) const = default;
};

class Scheduler {
 public:
  /// Applies one event. Events of unknown jobs are ignored (they ended).
  std::vector<Action> step(const Event& event);
  int64_t running() const { return running_; }
  /// Recomputes what the counters should be; throws Error{internal} if one is wrong.
  void validate() const;

 private:
  enum class State : uint8_t { waiting, ready, running, done, freed };
  struct RangeState {
    std::vector<State> state;
    std::vector<uint32_t> missing;   // inputs not yet done, rules map and block
    std::vector<uint32_t> consumers; // tasks that still need the result, rules map and block
    int64_t gate = 0;                // ranges of rule `all` that are not done
    int64_t open_alls = 0;           // ranges that read all of this one and are not done
    int64_t done = 0;
    int64_t next_root = 0;           // of a range without per-task inputs: tasks from here on were never ready
    bool roots = false;
  };
  // The later stage first, then in order: depth first, so that results are used up before new ones are made.
  struct Ready {
    int range;
    int64_t index;
    bool operator<(const Ready& o) const { return range != o.range ? range < o.range : index > o.index; }
  };
  struct Job {
    std::shared_ptr<const graph::Graph> graph;
    std::vector<RangeState> ranges;
    std::priority_queue<Ready> ready;
    int64_t slots = 1, running = 0, left = 0;
    bool failed = false;
  };

  void submit(const Event& event);
  void finished(Job& job, TaskId task, std::vector<Action>& actions);
  void release(Job& job, JobId id, int range, int64_t index, std::vector<Action>& actions);
  void make_ready(Job& job, int range, int64_t index);
  bool next(Job& job, Ready& out);
  void assign(std::vector<Action>& actions);
  static int64_t dependents_of(const graph::Dependency& d, int64_t index) { return d.rule == graph::Dependency::Rule::block ? index / d.k : index; }

  std::map<JobId, Job> jobs_;
  int64_t slots_ = 0, running_ = 0;
};

}  // namespace muster::schedule
