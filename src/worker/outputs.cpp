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

int64_t Outputs::spill(uint32_t task) {
  int64_t freed = 0;
  auto& outputs = of_task_[task];
  for (size_t i = 0; i < outputs.size(); ++i) {
    auto& o = outputs[i];
    if (!o.batches || o.bytes < kWorthSpilling || kernels::hold_objects(*o.batches)) continue;
    Encoder out;
    kernels::encode(out, *o.batches);
    spilled_[{task, i}] = kernels::spill(out.take());
    o.batches.reset();
    budget().give_back(o.bytes);
    freed += o.bytes;
  }
  return freed;
}

}  // namespace muster::worker
