// What is dropped gives its bytes back, in memory or on disk; what was spilled is read again where a task takes it.
#include "worker/outputs.hpp"

#include "base/error.hpp"
#include "kernels/wire.hpp"
#include "worker/store.hpp"

namespace muster::worker {
using namespace base;
using kernels::Output;
namespace {
constexpr int64_t kWorthSpilling = 16 << 10;  // bytes
}

Output Taken::read(data::Task& task) const {
  if (!spilled) return output;
  task.reserve(output.bytes);
  const std::string bytes = spilled->read();
  Decoder in(bytes);
  Output out = output;
  out.batches = std::make_shared<const data::Batches>(kernels::decode_batches(in));
  return out;
}

Taken Outputs::take(uint32_t task, size_t output) const {
  const auto found = spilled_.find({task, output});
  return {of_task_[task].at(output), found == spilled_.end() ? nullptr : found->second};
}

std::vector<Output> Outputs::drop(uint32_t task) {
  auto outputs = std::exchange(of_task_[task], {});
  for (size_t i = 0; i < outputs.size(); ++i)
    if (!spilled_.erase({task, i})) budget().give_back(outputs[i].bytes);
  return outputs;
}

std::shared_ptr<const kernels::Spilled> Outputs::Rows::write() const {
  Encoder out;
  kernels::encode(out, *batches);
  return kernels::spill(out.take());
}

std::vector<Outputs::Rows> Outputs::worth_spilling(uint32_t task) const {
  std::vector<Rows> out;
  const auto& outputs = of_task_[task];
  for (size_t i = 0; i < outputs.size(); ++i)
    if (const auto& o = outputs[i]; o.batches && o.bytes >= kWorthSpilling && !kernels::hold_objects(*o.batches)) out.push_back({i, o.batches});
  return out;
}

int64_t Outputs::spilled(uint32_t task, const Rows& rows, std::shared_ptr<const kernels::Spilled> piece) {
  auto& outputs = of_task_[task];
  if (rows.output >= outputs.size() || outputs[rows.output].batches != rows.batches) return 0;
  auto& o = outputs[rows.output];
  spilled_[{task, rows.output}] = std::move(piece);
  o.batches.reset();
  budget().give_back(o.bytes);
  return o.bytes;
}

}  // namespace muster::worker
