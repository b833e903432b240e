// One call at a time; the GIL is given away while an executor waits and while a pipeline runs.
#include "executor.hpp"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <map>

#include "base/error.hpp"
#include "calling.hpp"
#include "cluster/executor_end.hpp"
#include "columns.hpp"
#include "gil.hpp"
#include "kernels/wire.hpp"
#include "shared_memory.hpp"
#include "values.hpp"
#include "worker/task_runner.hpp"

namespace muster::python {
using namespace base;
using cluster::ExecutorEnd, cluster::TaskError;
namespace nb = nanobind;
namespace {
constexpr size_t kMostInline = 1 << 20;  // bytes; larger results lie in shared memory

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

Bound& bound(uint32_t number, std::string_view program) {
  auto& b = bound_pipelines[number];
  if (!b.function) {
    std::vector<std::shared_ptr<const Opaque>> objects;
    const Value decoded = with_objects(Value::decode(program), objects);
    b.of_values = decoded.has("of_values");
    b.function = worker::bind("pipeline", b.of_values ? decoded["of_values"] : decoded);
  }
  return b;
}

// Whoever is refused memory here waits at the worker, which can make room and knows when there is some.
class AtTheWorker : public worker::Place {
  bool ending() const override { return true; }
  int64_t spill_results() override { return 0; }
  std::function<void(int64_t)> again(const worker::Attempt&) override { return {}; }
  Error too_little(const worker::Attempt&, int64_t) override { return Error(ErrorKind::memory, "the worker has no more memory for the task"); }
};

// The executor's end of its sockets, and what the task at hand leaves for its answer.
struct Channel {
  ExecutorEnd end;
  nb::dict functions{};      // by number: those that are forgotten are taken out
  std::string note{};        // what a pipeline reports, also when it fails
  int64_t memory = 0;        // bytes that it held at once, or that it was refused

  void forget(const cluster::Forget& said) {
    if (said.thing == cluster::Forget::Thing::pipeline) bound_pipelines.erase(said.number);
    else if (const nb::int_ number(said.number); functions.contains(number)) nb::del(functions[number]);
  }
  // Waits for the next call; false once the worker is gone.
  bool next() {
    note.clear(), memory = 0;
    for (;;) {
      const auto found = end.next([this](const cluster::Forget& said) { forget(said); });
      if (found != ExecutorEnd::Next::nothing) return found == ExecutorEnd::Next::call;
      end.flush();
      {
        const GilReleased release;
        end.wait();
      }
      if (PyErr_CheckSignals() != 0) throw nb::python_error();
    }
  }
  struct Inputs {
    nb::list buffers;
    std::vector<std::shared_ptr<worker::Segment>> segments;  // those that lie in one
  };
  // Once: the descriptors are given to who looks at the objects.
  Inputs take_inputs() {
    Inputs out;
    const auto& call = end.call();
    size_t fd = 0;
    std::shared_ptr<worker::Segment> pack;
    std::string_view packed;
    if (call.pack && !end.fds().empty()) {
      pack = std::make_shared<worker::Segment>(std::move(end.fds().back()), call.pack);
      end.fds().pop_back();
      packed = pack->view();
    }
    for (const auto& in : call.inputs) {
      if (in.place != cluster::ExecutorInput::Place::descriptor) {
        const bool lies = in.place == cluster::ExecutorInput::Place::pack;
        if (lies && in.size > packed.size()) throw Error(ErrorKind::io, "a call came without its inputs");
        const auto bytes = lies ? packed.substr(0, in.size) : in.value;
        if (lies) packed.remove_prefix(in.size);
        out.buffers.append(nb::bytes(bytes.data(), bytes.size()));
        out.segments.emplace_back();
        continue;
      }
      if (fd == end.fds().size()) throw Error(ErrorKind::io, "a call came without the descriptors of its inputs");
      auto segment = std::make_shared<worker::Segment>(std::move(end.fds()[fd++]), in.size);
      segment->close_fd();
      out.buffers.append(mapped(segment));
      out.segments.push_back(std::move(segment));
    }
    return out;
  }
  nb::list inputs() { return take_inputs().buffers; }
  void done(bool native, const std::string& type, nb::list parts) {
    const Buffers buffers(parts);
    if (buffers.bytes() <= kMostInline) return end.done(native, type, note, memory, buffers.views());
    Fd fd;
    {
      const GilReleased release;
      worker::SegmentWriter out(buffers.bytes());
      for (const auto& view : buffers.views()) out.append(view);
      fd = out.finish_fd();
    }
    end.done(native, type, note, memory, buffers.bytes(), std::move(fd));
  }
  void failed(schedule::Failure why, const TaskError* error) { end.failed(why, error ? std::make_shared<const TaskError>(*error) : nullptr, note, memory); }
  nb::object run_pipeline();
};

// Returns a view of the encoded outputs, and what keeps them.
nb::object Channel::run_pipeline() {
  static const std::atomic<bool> never{false};  // a signal interrupts it
  const auto& call = end.call();
  const Bound& of = bound(call.number, call.code);
  const auto [held, segments] = take_inputs();
  const Buffers buffers(held);
  const auto views = buffers.views();
  const auto& groups = call.groups;
  std::shared_ptr<const data::Batches> value;
  if (of.of_values) {
    const auto made = python::call(nb::module_::import_("muster._base.serialize").attr("loads"), held[nb::len(held) - 1]);
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
        task.reserve(static_cast<int64_t>(kernels::encoded_output(views[at], groups[count + g]).size()));
        group.push_back(kernels::decode_output(views[at], groups[count + g], segments[at]));
      }
    }
    return out;
  };
  auto& budget = worker::budget();
  if (budget.limit() != call.limit) budget.set_limit(call.limit);
  worker::Admission alone(budget);
  worker::TaskRunner runner(alone);
  AtTheWorker place;
  worker::Outcome outcome;
  auto encoded = std::make_unique<std::string>();
  {
    GilReleased release;
    const worker::Attempt attempt{.owner = &place, .memory = &bound_pipelines.at(call.number).memory, .reserved = call.reserved};
    runner.begin(attempt, call.reserved, place);
    outcome = runner.run(attempt, {*of.function, std::ref(opened), {}, call.index, call.label, never}, place);
    try {
      if (!outcome.error) *encoded = kernels::encode(outcome.outputs);
    } catch (...) {
      outcome.error = std::current_exception();
    }
    outcome.outputs.clear();
    budget.give_back(outcome.bytes);
    runner.end(&place);
  }
  note = kernels::encode(outcome.report);
  memory = outcome.error ? outcome.short_of : std::max(outcome.peak, outcome.bytes);
  if (outcome.error) std::rethrow_exception(outcome.error);
  const std::string_view bytes = *encoded;
  nb::capsule owner(encoded.release(), [](void* p) noexcept { delete static_cast<std::string*>(p); });
  nb::object view = nb::steal(PyMemoryView_FromMemory(const_cast<char*>(bytes.data()), static_cast<Py_ssize_t>(bytes.size()), PyBUF_READ));
  return nb::make_tuple(view, owner);
}

nb::bytes bytes_of(std::string_view text) { return nb::bytes(text.data(), text.size()); }
}  // namespace

void register_executor(nb::module_& m) {
  using schedule::Failure;
  nb::class_<Channel>(m, "Channel", "An executor's end of its sockets: the call at hand, and its answer.")
      .def("__init__", [](Channel* self, int requests, int replies, int cancels) { new (self) Channel{ExecutorEnd(Fd(requests), Fd(replies), Fd(cancels))}; })
      .def("ready", [](Channel& c) { c.end.ready(); })
      .def("next", &Channel::next)
      .def("flush", [](Channel& c) { c.end.flush(); })
      .def_ro("functions", &Channel::functions)
      .def_prop_ro("task", [](const Channel& c) { return c.end.running() ? nb::object(nb::int_(c.end.task().bits())) : nb::none(); })
      .def_prop_ro("pipeline", [](const Channel& c) { return c.end.call().pipeline; })
      .def_prop_ro("number", [](const Channel& c) { return c.end.call().number; })
      .def_prop_ro("code", [](const Channel& c) { return bytes_of(c.end.call().code); })
      .def_prop_ro("depth", [](const Channel& c) { return c.end.call().depth; })
      .def_prop_ro("arguments", [](const Channel& c) { return bytes_of(c.end.call().arguments); })
      .def("inputs", &Channel::inputs)
      .def("run_pipeline", &Channel::run_pipeline)
      .def("over", [](Channel& c) { c.end.over(); })
      .def("interrupted", [](Channel& c) { return c.end.interrupted(); })
      .def("seceded", [](Channel& c) { c.end.seceded(); })
      .def("not_begun", [](Channel& c) { c.end.not_begun(); })
      .def("done", &Channel::done)
      .def("raised", [](Channel& c, const TaskError& error) { c.failed(Failure::raised, &error); })
      .def("refused", [](Channel& c, const TaskError& error) { c.failed(Failure::refused, &error); })
      .def("rescheduled", [](Channel& c, const TaskError& error) { c.failed(Failure::rescheduled, &error); })
      .def("stopped", [](Channel& c) { c.failed(Failure::stopped, nullptr); });
}

}  // namespace muster::python
