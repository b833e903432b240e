// What the scheduler keeps of results beside its machine: small values (copies, which give way beyond a limit), types, tasks' reports, errors.
#pragma once
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/ids.hpp"
#include "cluster/task_error.hpp"
#include "graph/graph.hpp"

namespace muster::cluster {
using base::JobId, base::TaskId;
using graph::Blob;

class Results {
 public:
  void keep_value(TaskId task, std::string_view value);
  void keep_type(TaskId task, std::string_view type) { types_[task] = type; }
  void keep_note(TaskId task, std::string_view note) { notes_[task] = std::make_shared<const std::string>(note); }
  void keep_error(TaskId task, std::shared_ptr<const TaskError> error) { errors_[task] = std::move(error); }

  // Null or "" where there is none.
  Blob value(TaskId task) const { return found(values_, task); }
  Blob note(TaskId task) const { return found(notes_, task); }
  std::string type(TaskId task) const { return found(types_, task); }
  std::shared_ptr<const TaskError> error(TaskId task) const { return found(errors_, task); }

  /// Values beyond their limit give way, the oldest first. Returns whose.
  std::vector<TaskId> make_room();
  void forget_error(TaskId task) { errors_.erase(task); }
  void forget_result(TaskId task) { values_.erase(task), notes_.erase(task), types_.erase(task); }
  void forget_job(JobId job);

 private:
  template <class T>
  using ByTask = std::unordered_map<TaskId, T, base::TaskHash>;
  template <class T>
  static T found(const ByTask<T>& in, TaskId task) {
    const auto at = in.find(task);
    return at == in.end() ? T() : at->second;
  }
  ByTask<Blob> values_, notes_;
  ByTask<std::string> types_;
  ByTask<std::shared_ptr<const TaskError>> errors_;
  std::deque<std::pair<TaskId, int64_t>> order_;  // of values; some are gone already
  int64_t bytes_ = 0;                             // of all in `order_`
};

}  // namespace muster::cluster
