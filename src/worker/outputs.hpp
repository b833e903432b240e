// Outputs of a job's tasks, from when a task made them, counted in the budget, until nobody needs them. Rows may be spilled meanwhile. Not thread safe.
#pragma once
#include <map>
#include <memory>
#include <vector>

#include "kernels/pipeline.hpp"
#include "kernels/spill.hpp"

namespace muster::worker {

/// An output as a task gets it; where its rows were spilled they are still to be read.
struct Taken {
  kernels::Output output;
  std::shared_ptr<const kernels::Spilled> spilled;

  /// Reads what was spilled, against the task's memory. Throws what Task::reserve does.
  kernels::Output read(data::Task& task) const;
};

class Outputs {
 public:
  void resize(size_t tasks) { of_task_.resize(tasks); }
  void put(uint32_t task, std::vector<kernels::Output> outputs) { of_task_[task] = std::move(outputs); }
  Taken take(uint32_t task, size_t output) const;
  const std::vector<kernels::Output>& of(uint32_t task) const { return of_task_[task]; }
  /// Gives a task's outputs back to the budget, and to whoever destroys them.
  std::vector<kernels::Output> drop(uint32_t task);
  /// Rows that may be moved to the spill file: to be encoded and written while nothing here is locked.
  struct Rows {
    size_t output;
    std::shared_ptr<const data::Batches> batches;
    std::shared_ptr<const kernels::Spilled> write() const;
  };
  /// Those of a task that are worth it. Foreign objects stay.
  std::vector<Rows> worth_spilling(uint32_t task) const;
  /// They lie on disk. Returns the bytes that are free once `rows` are gone, too; 0 if the task does not have them any more.
  int64_t spilled(uint32_t task, const Rows& rows, std::shared_ptr<const kernels::Spilled> piece);

 private:
  std::vector<std::vector<kernels::Output>> of_task_;
  std::map<std::pair<uint32_t, size_t>, std::shared_ptr<const kernels::Spilled>> spilled_;
};

}  // namespace muster::worker
