// What an attempt reserved and held is given back when it ends, however it ends. An attempt that is refused memory leaves no result, and either waits or runs
// once more.
#include "worker/task_runner.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "data/memory.hpp"

namespace muster::worker {
using namespace base;
namespace {

// What was reserved for a task when it began counts, and what it holds beyond that.
class RunningTask : public data::Task {
 public:
  RunningTask(const Call& call, int64_t reserved) : call_(call), reserved_(reserved), counted_(reserved) {}
  ~RunningTask() override { release(); }
  void release() {
    if (const int64_t counted = std::exchange(counted_, 0)) budget().give_back(counted), data::freed_memory(counted);
  }
  void hold(int64_t bytes) override {
    held_ += bytes, peak_ = std::max(peak_, held_);
    const int64_t now = std::max(reserved_, held_);
    budget().hold(now - std::exchange(counted_, now));
  }
  void reserve(int64_t bytes) override {
    const int64_t more = held_ + bytes - counted_;  // what was reserved for one that runs alone may be more than there is
    if (more > 0 ? !budget().try_take(more) : held_ + bytes > budget().limit()) {
      short_of_ = held_ + bytes;
      throw Error(ErrorKind::memory, "the memory budget is used up");
    }
    counted_ += std::max<int64_t>(0, more);
    hold(bytes);
  }
  int64_t headroom() const override { return budget().limit() / 2 - budget().used() + counted_ - held_; }  // half is left to what comes behind: results
  bool stopped() const override { return call_.stop; }
  int64_t partition() const override { return call_.partition; }
  void progress(int64_t bytes) override {
    if (call_.progress) *call_.progress += bytes;
  }
  int64_t peak() const { return peak_; }
  int64_t short_of() const { return short_of_; }  // bytes it needed to go on, or more; 0 = it was refused nothing

 private:
  const Call& call_;
  int64_t reserved_, held_ = 0, peak_ = 0, counted_, short_of_ = 0;
};

Admission::Attempt waiting(const Attempt& a, int64_t need, Place& place) {
  return {a.owner, need, a.stage, [again = place.again(a), need] { again(need); }, a.which};
}
}  // namespace

bool TaskRunner::begin(const Attempt& a, int64_t need, Place& place) {
  if (admission_.begin(a.owner, need)) return true;
  admission_.wait(waiting(a, need, place));
  if (place.ending()) admission_.hurry(a.owner, a.which);
  return false;
}

bool TaskRunner::waits(const Attempt& a, int64_t short_of, Place& place) {
  const int64_t need = std::max<int64_t>(a.memory->need, short_of + short_of / 4);
  a.memory->learn(need);
  if (place.ending()) return false;
  if (admission_.postpone(waiting(a, need, place))) {
    if (place.ending()) admission_.hurry(a.owner, a.which);
    return true;
  }
  if (!place.spill_results() && budget().used() + need > budget().limit()) return false;
  budget().hold(need);
  place.again(a)(need);
  return true;
}

Outcome TaskRunner::run(const Attempt& a, const Call& call, Place* place) {
  Outcome out;
  RunningTask task(call, a.reserved);
  const auto where = [&] { return concat(call.label, ", partition ", call.partition); };
  try {
    if (call.stop) throw Error(ErrorKind::cancelled, "stopped");
    if (place && budget().used() > budget().limit()) place->spill_results();  // it goes alone, beside results that wait
    {
      const Inputs inputs = call.inputs(task);
      out.outputs = call.function.run(task, inputs, call.arguments);
    }
    for (const auto& o : out.outputs) out.bytes += o.bytes;
    budget().hold(out.bytes);
    a.memory->learn(std::max(task.peak(), out.bytes));
    task.release();
  } catch (const Error& e) {
    out.outputs.clear(), out.bytes = 0;
    const bool refused = task.short_of() && e.kind == ErrorKind::memory;
    try {
      if (refused) {
        task.release();
        out.short_of = task.short_of();
        if (!place || (out.waits = waits(a, task.short_of(), *place))) return out;
      }
      Error named = refused ? place->too_little(a, task.short_of()) : e;
      out.cancelled = e.kind == ErrorKind::cancelled;
      if (!out.cancelled) named.through(where());
      out.error = std::make_exception_ptr(named);
    } catch (const Error& of_spill) {
      Error named = of_spill;
      named.through(where());
      out.error = std::make_exception_ptr(named);
    }
  } catch (const std::bad_alloc&) {
    out.outputs.clear(), out.bytes = 0;
    out.error = std::make_exception_ptr(Error(ErrorKind::memory, concat("out of memory in ", where())));
  } catch (...) {
    out.outputs.clear(), out.bytes = 0;
    out.error = std::current_exception();
  }
  out.report = std::move(task.report), out.peak = task.peak();
  return out;
}

}  // namespace muster::worker
