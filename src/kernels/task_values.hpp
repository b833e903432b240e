// The source of rows that tasks of a guest language have made: a row a partition, whose one column is the value.
#pragma once
#include "data/kernel.hpp"

namespace muster::kernels {

/// Values of tasks that have run, in a source's arguments as an Opaque.
class TaskValues {
 public:
  virtual ~TaskValues() = default;
  /// The index and the value, of one row.
  virtual data::Batch row(int64_t partition) = 0;
};
base::Value values_of_tasks(std::shared_ptr<TaskValues> values);
/// Begins the token of what stands for them in a plan: the guest's tasks.
inline constexpr const char* kTaskValues = "values-";
inline bool names_task_values(const base::Opaque& object) { return object.token.starts_with(kTaskValues); }

/// "task.values" {rows, columns}: the wanted columns, index first.
data::Kernel task_values_kernel();

}  // namespace muster::kernels
