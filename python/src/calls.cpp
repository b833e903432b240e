// Results lie by the task's number and are dropped when the last that needs them has run.
#include "calls.hpp"

#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <mutex>
#include <unordered_map>

#include "api/session.hpp"
#include "base/error.hpp"
#include "calling.hpp"
#include "columns.hpp"
#include "gil.hpp"
#include "graph/graph.hpp"
#include "kernels/task_values.hpp"
#include "nodes.hpp"
#include "results.hpp"
#include "values.hpp"
#include "waiting.hpp"
#include "worker/guest.hpp"
#include "worker/local.hpp"

namespace muster::python {
using namespace base;
namespace {

class PythonTasks : public worker::GuestTasks {
 public:
  PythonTasks(Collected c, nb::object roots, nb::object fill, nb::object before, nb::object after)
      : c_(std::move(c)), roots_(std::move(roots)), fill_(std::move(fill)), before_(std::move(before)), after_(std::move(after)), results_(c_.nodes.size()) {}

  ~PythonTasks() override {
    // A pool thread that was late may be the last owner.
    with_gil_unless_ending([&] {
      results_.clear();
      for (auto* o : {&roots_, &fill_, &before_, &after_}) o->reset();
    });
    for (auto* o : {&roots_, &fill_, &before_, &after_}) o->release();
    for (auto& r : results_) r.release();
  }

  void run(int64_t index, worker::Beside&) override {
    drain();
    const auto i = static_cast<size_t>(index);
    if (results_[i].is_valid()) return;  // known from before
    const TaskNode& n = *nb::inst_ptr<TaskNode>(c_.nodes[i]);
    const uint32_t* needs = c_.needs.data() + c_.begins[i];
    PyObject* args = n.arguments.ptr();
    const Py_ssize_t size = PyTuple_GET_SIZE(args);
    nb::object filled;  // keeps what the placeholders were replaced with
    nb::object keywords = n.keywords;
    begin(i);
    if (n.nested.is_valid() && !n.nested.is_none()) {
      // The last inputs are those of `nested`.
      const size_t count = c_.begins[i + 1] - c_.begins[i], deep = nb::len(n.nested);
      nb::list inputs;
      for (size_t k = count - deep; k < count; ++k) inputs.append(results_[needs[k]]);
      nb::object both = call(fill_, n.arguments, n.keywords, inputs);
      filled = both[0], keywords = both[1];
      args = filled.ptr();
    }
    std::vector<PyObject*> values(static_cast<size_t>(size) + 1);
    size_t next = 0;
    for (Py_ssize_t k = 0; k < size; ++k) {
      PyObject* a = PyTuple_GET_ITEM(args, k);
      values[static_cast<size_t>(k) + 1] = is_node(a) ? results_[needs[next++]].ptr() : a;
    }
    PyObject* result = call_python(n.function.ptr(), values.data() + 1, static_cast<size_t>(size) | PY_VECTORCALL_ARGUMENTS_OFFSET,
                                   keywords.is_valid() && !keywords.is_none() ? keywords.ptr() : nullptr);
    if (!result) throw nb::python_error();
    end(i, nb::steal(result));
  }
  void free(int64_t index) override {
    std::lock_guard lock(mutex_);
    dead_.push_back(static_cast<uint32_t>(index));
  }
  // What a call that run() does not make is.
  template <class Make>
  void make(size_t i, Make make) {
    drain();
    if (results_[i].is_valid()) return;
    begin(i);
    end(i, make(c_.nodes[i]));
  }
  const Collected& collected() const { return c_; }
  nb::object& result(size_t i) { return results_[i]; }
  nb::object taken(size_t i) {
    drain();
    return results_[i];
  }

 private:
  void begin(size_t i) {
    if (!before_.is_none()) call(before_, nb::borrow(c_.nodes[i]));
  }
  void end(size_t i, nb::object result) {
    results_[i] = std::move(result);
    if (!after_.is_none()) call(after_, nb::borrow(c_.nodes[i]), results_[i]);
  }
  void drain() {
    std::vector<uint32_t> dead;
    {
      std::lock_guard lock(mutex_);
      dead.swap(dead_);
    }
    for (uint32_t i : dead) results_[i].reset();
  }
  Collected c_;
  nb::object roots_, fill_, before_, after_;
  std::vector<nb::object> results_;
  std::mutex mutex_;
  std::vector<uint32_t> dead_;
};

// Some of these tasks as a range, with those that take expressions.
class SomeTasks : public worker::GuestTasks {
 public:
  SomeTasks(std::shared_ptr<PythonTasks> tasks, std::vector<uint32_t> numbers, std::unordered_map<uint32_t, size_t> frames, api::Calls::Take take,
            std::shared_ptr<const Opaque> value)
      : tasks_(std::move(tasks)), numbers_(std::move(numbers)), frames_(std::move(frames)), take_(std::move(take)), value_(std::move(value)) {}

  bool inside(int64_t index) const override { return !frames_.contains(at(index)); }
  void run(int64_t index, worker::Beside& job) override {
    const uint32_t i = at(index);
    const auto frame = frames_.find(i);
    if (frame == frames_.end()) return tasks_->run(i, job);
    api::Computed computed = take_(frame->second, job);
    const auto gathered = api::gather(computed);
    const Gil gil(worker::in_pool_thread());
    tasks_->make(i, [&](PyObject* node) { return call(object_of(*value_), Frames::collection(node), to_python(computed, gathered)); });
  }
  void free(int64_t index) override { tasks_->free(at(index)); }

 private:
  uint32_t at(int64_t index) const { return numbers_[static_cast<size_t>(index)]; }
  std::shared_ptr<PythonTasks> tasks_;
  std::vector<uint32_t> numbers_;
  std::unordered_map<uint32_t, size_t> frames_;  // of tasks
  api::Calls::Take take_;
  std::shared_ptr<const Opaque> value_;
};

// Values of tasks as a source of a plan in the same job reads them.
class ValuesOf : public kernels::TaskValues {
 public:
  ValuesOf(std::shared_ptr<PythonTasks> tasks, std::vector<uint32_t> numbers) : tasks_(std::move(tasks)), numbers_(std::move(numbers)) {}
  data::Batch row(int64_t partition) override {
    const Gil gil(worker::in_pool_thread());
    return row_of_value(tasks_->taken(numbers_.at(static_cast<size_t>(partition))));
  }

 private:
  std::shared_ptr<PythonTasks> tasks_;
  std::vector<uint32_t> numbers_;
};

// Calls beside a plan, and those whose values it reads. Where it is planned again, what they have made is there.
class PythonCalls : public api::Calls {
 public:
  PythonCalls(nb::list beside, nb::object fill, nb::object value, nb::object before, nb::object after)
      : beside_(std::move(beside)), fill_(std::move(fill)), before_(std::move(before)), after_(std::move(after)), value_(opaque_of(std::move(value), "")) {}

  Numbered number(const std::vector<std::shared_ptr<const Opaque>>& values) override {
    const Gil gil;
    nb::list roots;
    for (nb::handle n : beside_) roots.append(n);
    for (const auto& v : values)
      for (nb::handle n : object_of(*v)) roots.append(n);
    Results made;
    if (tasks_)
      for (size_t i = 0; i < tasks_->collected().nodes.size(); ++i)
        if (nb::object known = tasks_->taken(i); known.is_valid()) made[tasks_->collected().nodes[i]] = std::move(known);
    const Collected c = collect(roots, made);
    tasks_ = std::make_shared<PythonTasks>(c, roots, fill_, before_, after_);
    for (size_t i = 0; i < c.nodes.size(); ++i)
      if (const auto known = made.find(c.nodes[i]); known != made.end()) tasks_->result(i) = known->second;
    Numbered out{c.begins, c.needs, {}, {}, {}};
    auto at = c.roots.begin() + static_cast<std::ptrdiff_t>(nb::len(beside_));
    out.wanted.assign(c.roots.begin(), at);
    for (const auto& v : values) {
      const auto count = static_cast<std::ptrdiff_t>(nb::len(object_of(*v)));
      out.values.emplace_back(at, at + count);
      at += count;
    }
    Frames frames;
    for (size_t i = 0; i < c.nodes.size(); ++i)
      if (frames.has(c.nodes[i]) && !made.contains(c.nodes[i])) out.frames.emplace_back(static_cast<uint32_t>(i), expression_of(c.nodes[i]));
    wanted_ = out.wanted, values_ = out.values, frames_ = out.frames;
    return out;
  }

  Value tasks(std::vector<uint32_t> calls, Take take) override {
    std::unordered_map<uint32_t, size_t> frames;
    for (size_t f = 0; f < frames_.size(); ++f) frames.emplace(frames_[f].first, f);
    auto some = std::make_shared<SomeTasks>(tasks_, std::move(calls), std::move(frames), std::move(take), value_);
    return std::make_shared<const Opaque>(Opaque{"", std::static_pointer_cast<worker::GuestTasks>(std::move(some))});
  }
  Value source(size_t number) const override { return kernels::values_of_tasks(std::make_shared<ValuesOf>(tasks_, values_.at(number))); }

  nb::list results() {
    nb::list out;
    for (uint32_t i : wanted_) out.append(tasks_->result(i));
    return out;
  }
  // The expressions that calls took in the last run, and what they take instead in the next.
  std::vector<std::shared_ptr<expr::Node>> expressions() const {
    std::vector<std::shared_ptr<expr::Node>> out;
    for (const auto& [call, e] : frames_) out.push_back(std::const_pointer_cast<expr::Node>(e));
    return out;
  }
  void exchange(const std::vector<std::shared_ptr<expr::Node>>& by) {
    for (size_t f = 0; f < frames_.size(); ++f) instead_[tasks_->collected().nodes[frames_[f].first]] = by.at(f);
  }
  // Whoever was told to begin is told that it has failed.
  void give_up() {
    for (nb::handle function : begun_) function.attr("give_up")();
  }

 private:
  expr::Expr expression_of(PyObject* node) {
    const nb::object function = nb::inst_ptr<TaskNode>(node)->function;
    if (nb::hasattr(function, "begin") && !nb::cast<bool>(begun_.attr("__contains__")(function))) {
      function.attr("begin")();
      begun_.append(function);
    }
    if (const auto other = instead_.find(node); other != instead_.end()) return other->second;
    return nb::cast<std::shared_ptr<expr::Node>>(Frames::collection(node).attr("_expr"));
  }

  nb::list beside_, begun_;
  nb::object fill_, before_, after_;
  std::shared_ptr<const Opaque> value_;
  std::shared_ptr<PythonTasks> tasks_;
  // As numbered last.
  std::vector<uint32_t> wanted_;
  std::vector<std::vector<uint32_t>> values_;
  std::vector<std::pair<uint32_t, expr::Expr>> frames_;
  std::unordered_map<PyObject*, expr::Expr> instead_;
};

// None where some take expressions.
nb::object run_nodes(nb::list roots, int64_t threads, nb::object tick, nb::object fill, nb::object before, nb::object after) {
  Inside inside;
  Collected c = collect(roots);
  Frames frames;
  if (std::any_of(c.nodes.begin(), c.nodes.end(), [&](PyObject* node) { return frames.has(node); })) return nb::none();
  auto tasks = std::make_shared<PythonTasks>(c, roots, std::move(fill), std::move(before), std::move(after));
  auto graph = std::make_shared<graph::Graph>();
  graph::Range range;
  range.count = static_cast<int64_t>(c.nodes.size());
  range.function = "guest", range.label = "python";
  range.begins = c.begins;
  range.needs.reserve(c.needs.size());
  for (uint32_t n : c.needs) range.needs.push_back({worker::kLocalJob, n});
  range.args = std::make_shared<const Opaque>(Opaque{"", std::static_pointer_cast<worker::GuestTasks>(tasks)});
  range.wanted_tasks = c.roots;
  graph->ranges.push_back(std::move(range));
  Waiting waiting(std::move(tick));
  without_gil(waiting, [&] {
    auto job = worker::run(graph, threads, nullptr);
    worker::wait_for(*job, waiting.options(threads).tick);
    if (auto error = job->error()) std::rethrow_exception(error);
    return 0;
  });
  nb::list out;
  for (uint32_t r : c.roots) out.append(tasks->result(r));
  return out;
}

// ---- the door
void enter() {
  const Asking asking;
  asking.must();
  keep_thread_state();
  PyEval_RestoreThread(PyGILState_GetThisThreadState());
}
void leave() { PyEval_SaveThread(); }
// Sent as the thread's next step of Python: a call that blocks in C ends first.
void interrupt(pthread_t thread) {
  const Gil gil;
  PyThreadState_SetAsyncExc(reinterpret_cast<unsigned long>(thread), PyExc_KeyboardInterrupt);
}
}  // namespace

void register_calls(nb::module_& m) {
  nb::class_<api::Calls>(m, "AnyCalls");
  nb::class_<PythonCalls, api::Calls>(m, "Calls", "Nodes that are computed beside expressions, in one job.")
      .def(nb::init<nb::list, nb::object, nb::object, nb::object, nb::object>(), nb::arg("beside"), nb::arg("fill"), nb::arg("value"),
           nb::arg("before").none(), nb::arg("after").none())
      .def("results", &PythonCalls::results)
      .def("expressions", &PythonCalls::expressions)
      .def("exchange", &PythonCalls::exchange)
      .def("give_up", &PythonCalls::give_up);
  m.def("run_nodes", &run_nodes, nb::arg("roots"), nb::arg("threads"), nb::arg("tick").none(), nb::arg("fill"), nb::arg("before").none(),
        nb::arg("after").none());
  worker::set_guest_door({enter, leave, drop_thread_state, interrupt});
}

}  // namespace muster::python
