#include "cluster/results.hpp"

namespace muster::cluster {
namespace {
constexpr int64_t kValues = 256 << 20;  // bytes
}  // namespace

void Results::keep_value(TaskId task, std::string_view value) {
  values_[task] = std::make_shared<const std::string>(value);
  order_.emplace_back(task, static_cast<int64_t>(value.size()));
  bytes_ += static_cast<int64_t>(value.size());
}

std::vector<TaskId> Results::make_room() {
  std::vector<TaskId> gone;
  while (bytes_ > kValues && !order_.empty()) {
    const auto [task, bytes] = order_.front();
    order_.pop_front();
    bytes_ -= bytes;
    if (values_.erase(task)) gone.push_back(task);
  }
  if (order_.size() > 4096 + 2 * values_.size()) {  // one that stays keeps the others from being popped
    std::erase_if(order_, [this](const auto& v) { return !values_.contains(v.first); });
    bytes_ = 0;
    for (const auto& v : order_) bytes_ += v.second;
  }
  // Those whose values are gone already are only counted.
  while (!order_.empty() && !values_.contains(order_.front().first)) bytes_ -= order_.front().second, order_.pop_front();
  return gone;
}

void Results::forget_job(JobId job) {
  std::erase_if(errors_, [job](const auto& e) { return e.first.job == job; });
  std::erase_if(notes_, [job](const auto& e) { return e.first.job == job; });
}

}  // namespace muster::cluster
