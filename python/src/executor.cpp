#include "executor.hpp"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <map>

#include "base/error.hpp"
#include "calling.hpp"
#include "columns.hpp"
#include "gil.hpp"
#include "kernels/wire.hpp"
#include "shared_memory.hpp"
#include "values.hpp"
#include "worker/task_runner.hpp"

namespace muster::python {
using namespace base;
namespace nb = nanobind;
namespace {

// What Pickling in api/on_cluster.cpp wrote. `objects`: those in front.
Value with_objects(const Value& v, std::vector<std::shared_ptr<const Opaque>>& objects) {
  if (v.is_dict() && v.dict().size() == 1 && v.has("pickle")) {
    const auto& bytes = v["pickle"].string();
    objects.push_back(opaque_of(unpickled(bytes), ""));
    return objects.back();
  }
  if (v.is_dict() && v.dict().size() == 1 && v.has("pickled")) return objects.at(static_cast<size_t>(v["pickled"].integer()));
  if (v.is_list()) {
    List out;
    for (const auto& x : v.list()) out.push_back(with_objects(x, objects));
    return out;
  }
  if (v.is_dict()) {
    Dict out;
    for (const auto& [key, x] : v.dict()) out.emplace_back(key, with_objects(x, objects));
    return out;
  }
  return v;
}

struct Bound {
  std::unique_ptr<worker::Function> function;
  worker::RangeMemory memory;
  bool of_values = false;  // the last input is what a task of Python's has made: the one row that the first would have
};
std::map<uint32_t, Bound> bound_pipelines;  // with the GIL

Bound& bound(uint32_t number, nb::bytes args) {
  auto& b = bound_pipelines[number];
  if (!b.function) {
    std::string_view bytes(args.c_str(), args.size());
    std::vector<std::shared_ptr<const Opaque>> objects;
    const Value program = with_objects(Value::decode(bytes), objects);
    b.of_values = program.has("of_values");
    b.function = worker::bind("pipeline", b.of_values ? program["of_values"] : program);
  }
  return b;
}

// Whoever is refused memory here waits at the worker, which can make room and knows when there is some.
class AtTheWorker : public worker::Place {
  bool ending() const override { return true; }
  int64_t spill_results() override { return 0; }
  Error too_little(const worker::Attempt&, int64_t) override { return Error(ErrorKind::memory, "the worker has no more memory for the task"); }
};

// `groups`: how many inputs each dependency has, then which output of each. What the task reports is appended to `notes`, and the bytes that it held at
// once, or that it was refused; also when it fails. Returns a view of the encoded outputs, and what keeps them.
nb::object run_pipeline(uint32_t number, nb::bytes args, int64_t index, const std::string& label, const std::vector<uint32_t>& groups, nb::list inputs, int64_t limit, int64_t reserved, nb::list notes) {
  static const std::atomic<bool> never{false};  // a signal interrupts it
  const Bound& of = bound(number, args);
  const Buffers buffers(inputs);
  const auto views = buffers.views();
  std::shared_ptr<const data::Batches> value;
  if (of.of_values) {
    const auto made = call(nb::module_::import_("muster._base.serialize").attr("loads"), inputs[nb::len(inputs) - 1]);
    value = std::make_shared<const data::Batches>(data::Batches{row_of_value(made)});
  }
  const auto opened = [&](data::Task& task) {
    worker::Inputs out;
    const size_t count = groups.size() / 2;
    for (size_t g = 0, at = 0; g < count; ++g) {
      if ((groups[g] == 0 || value) && g + 1 == count) continue;
      auto& group = out.emplace_back();
      if (value && g == 0) group.push_back({.batches = value});
      for (uint32_t i = 0; i < groups[g]; ++i, ++at) {
        task.reserve(static_cast<int64_t>(views[at].size()));
        group.push_back(kernels::decode_outputs(views[at]).at(groups[count + g]));
      }
    }
    return out;
  };
  auto& budget = worker::budget();
  if (budget.limit() != limit) budget.set_limit(limit);
  worker::Admission alone(budget);
  worker::TaskRunner runner(alone);
  AtTheWorker place;
  worker::Outcome outcome;
  auto encoded = std::make_unique<std::string>();
  {
    GilReleased release;
    worker::Attempt attempt{&place, 0, &bound_pipelines.at(number).memory, {}, reserved};
    runner.begin(attempt, reserved, place);
    outcome = runner.run(attempt, {*of.function, opened, {}, index, label, never}, place);
    try {
      if (!outcome.error) *encoded = kernels::encode(outcome.outputs);
    } catch (...) {
      outcome.error = std::current_exception();
    }
    outcome.outputs.clear();
    budget.give_back(outcome.bytes);
    runner.end(&place);
  }
  const std::string report = kernels::encode(outcome.report);
  notes.append(nb::bytes(report.data(), report.size()));
  notes.append(outcome.error ? outcome.short_of : std::max(outcome.peak, outcome.bytes));
  if (outcome.error) std::rethrow_exception(outcome.error);
  const std::string_view bytes = *encoded;
  nb::capsule owner(encoded.release(), [](void* p) noexcept { delete static_cast<std::string*>(p); });
  nb::object view = nb::steal(PyMemoryView_FromMemory(const_cast<char*>(bytes.data()), static_cast<Py_ssize_t>(bytes.size()), PyBUF_READ));
  return nb::make_tuple(view, owner);
}
}  // namespace

void register_executor(nb::module_& m) {
  m.def("run_pipeline", &run_pipeline);
  m.def("forget_pipeline", [](uint32_t number) { bound_pipelines.erase(number); });
}

}  // namespace muster::python
