// Results lie by the task's number and are dropped when the last that needs them has run; Python's collector sees what a node holds.
#include "tasks.hpp"

#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <mutex>
#include <unordered_map>

#include "api/session.hpp"
#include "base/error.hpp"
#include "calling.hpp"
#include "columns.hpp"
#include "gil.hpp"
#include "graph/graph.hpp"
#include "kernels/task_values.hpp"
#include "values.hpp"
#include "waiting.hpp"
#include "worker/guest.hpp"
#include "worker/local.hpp"

namespace muster::python {
using namespace base;
namespace {

/// A call that is not made yet: muster.delayed.Delayed derives from it. Arguments that are TaskNodes stand for their results; nodes deeper inside
/// stand in `nested`, and there are placeholders in their places (muster._base.tasks.Input).
struct TaskNode {
  nb::object function, arguments, keywords, nested;
  int traverse(visitproc visit, void* arg) {
    Py_VISIT(function.ptr());
    Py_VISIT(arguments.ptr());
    Py_VISIT(keywords.ptr());
    Py_VISIT(nested.ptr());
    return 0;
  }
  void clear() { function.reset(), arguments.reset(), keywords.reset(), nested.reset(); }
};

int traverse_node(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  return nb::inst_ready(self) ? nb::inst_ptr<TaskNode>(self)->traverse(visit, arg) : 0;
}
int clear_node(PyObject* self) {
  if (nb::inst_ready(self)) nb::inst_ptr<TaskNode>(self)->clear();
  return 0;
}
PyType_Slot node_slots[] = {{Py_tp_traverse, reinterpret_cast<void*>(traverse_node)}, {Py_tp_clear, reinterpret_cast<void*>(clear_node)}, {0, nullptr}};

PyTypeObject* node_type = nullptr;
bool is_node(PyObject* o) { return PyObject_TypeCheck(o, node_type); }

// Nodes in the order they can run, inputs first, depth first; and for each the numbers of its inputs.
struct Collected {
  std::vector<PyObject*> nodes;      // borrowed: the roots keep them
  std::vector<uint32_t> begins{0}, needs;
  std::vector<uint32_t> roots;
};

template <class F>
void each_child(const TaskNode& n, F f) {
  PyObject* args = n.arguments.ptr();
  if (args && PyTuple_CheckExact(args))
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(args); ++i)
      if (PyObject* a = PyTuple_GET_ITEM(args, i); is_node(a)) f(a);
  if (n.nested.is_valid() && !n.nested.is_none())
    for (nb::handle c : n.nested) f(c.ptr());
}

Collected collect(nb::handle roots) {
  Collected out;
  std::unordered_map<PyObject*, uint32_t> number;
  constexpr uint32_t kOpen = kNone;
  std::vector<std::pair<PyObject*, bool>> stack;
  std::vector<PyObject*> children;
  std::vector<PyObject*> given;
  for (nb::handle r : roots) given.push_back(r.ptr());
  for (auto r = given.rbegin(); r != given.rend(); ++r) stack.emplace_back(*r, false);
  while (!stack.empty()) {
    auto [node, expanded] = stack.back();
    stack.pop_back();
    const TaskNode& n = *nb::inst_ptr<TaskNode>(node);
    if (!expanded) {
      auto [known, fresh] = number.try_emplace(node, kOpen);
      if (!fresh) continue;
      stack.emplace_back(node, true);
      children.clear();
      each_child(n, [&](PyObject* c) { children.push_back(c); });
      for (auto c = children.rbegin(); c != children.rend(); ++c)
        if (auto seen = number.find(*c); seen == number.end()) stack.emplace_back(*c, false);
      continue;
    }
    each_child(n, [&](PyObject* c) {
      const uint32_t at = number.at(c);
      if (at == kOpen) throw invalid("the graph has a cycle");
      out.needs.push_back(at);
    });
    out.begins.push_back(static_cast<uint32_t>(out.needs.size()));
    number[node] = static_cast<uint32_t>(out.nodes.size());
    out.nodes.push_back(node);
  }
  for (PyObject* r : given) out.roots.push_back(number.at(r));
  return out;
}

class PythonTasks : public worker::GuestTasks {
 public:
  PythonTasks(Collected c, nb::object roots, nb::object fill, nb::object before, nb::object after) : c_(std::move(c)), roots_(std::move(roots)), fill_(std::move(fill)), before_(std::move(before)), after_(std::move(after)), results_(c_.nodes.size()), kept_(c_.nodes.size()) {}

  ~PythonTasks() override {
    // A pool thread that was late may be the last owner.
    with_gil_unless_ending([&] {
      results_.clear();
      for (auto* o : {&roots_, &fill_, &before_, &after_}) o->reset();
    });
    for (auto* o : {&roots_, &fill_, &before_, &after_}) o->release();
    for (auto& r : results_) r.release();
  }

  void run(int64_t index) override {
    drain();
    const auto i = static_cast<size_t>(index);
    if (results_[i].is_valid()) return;  // known from before
    const TaskNode& n = *nb::inst_ptr<TaskNode>(c_.nodes[i]);
    if (!before_.is_none()) call(before_, index);
    const uint32_t* needs = c_.needs.data() + c_.begins[i];
    PyObject* args = n.arguments.ptr();
    const Py_ssize_t size = PyTuple_GET_SIZE(args);
    nb::object filled;  // keeps what the placeholders were replaced with
    nb::object keywords = n.keywords;
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
    PyObject* result = call_python(n.function.ptr(), values.data() + 1, static_cast<size_t>(size) | PY_VECTORCALL_ARGUMENTS_OFFSET, keywords.is_valid() && !keywords.is_none() ? keywords.ptr() : nullptr);
    if (!result) throw nb::python_error();
    results_[i] = nb::steal(result);
    if (!after_.is_none()) call(after_, index, results_[i]);
  }
  void free(int64_t index) override {
    std::lock_guard lock(mutex_);
    dead_.push_back(static_cast<uint32_t>(index));
  }
  nb::object result(size_t i) { return results_[i]; }
  nb::object taken(size_t i) {
    drain();
    return results_[i];
  }
  void keep(size_t i, nb::object result) { kept_[i] = true, results_[i] = std::move(result); }

 private:
  void drain() {
    std::vector<uint32_t> dead;
    {
      std::lock_guard lock(mutex_);
      dead.swap(dead_);
    }
    for (uint32_t i : dead)
      if (!kept_[i]) results_[i].reset();
  }
  Collected c_;
  nb::object roots_, fill_, before_, after_;
  std::vector<nb::object> results_;
  std::vector<bool> kept_;  // also when the job they were wanted of has ended
  std::mutex mutex_;
  std::vector<uint32_t> dead_;
};

graph::Range range_of(const Collected& c, std::shared_ptr<PythonTasks> tasks) {
  graph::Range range;
  range.count = static_cast<int64_t>(c.nodes.size());
  range.function = "guest", range.label = "python";
  range.begins = c.begins;
  range.needs.reserve(c.needs.size());
  for (uint32_t n : c.needs) range.needs.push_back({worker::kLocalJob, n});
  range.args = std::make_shared<const Opaque>(Opaque{"", std::move(tasks)});
  return range;
}

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

// Calls beside a plan, and those whose values it reads. Where it is planned again, the results of the former are there.
class PythonCalls : public api::Calls {
 public:
  PythonCalls(nb::list beside, nb::object fill) : beside_(std::move(beside)), fill_(std::move(fill)) {}

  graph::Range range(const std::vector<std::shared_ptr<const Opaque>>& values) override {
    const Gil gil;
    nb::list roots;
    for (nb::handle n : beside_) roots.append(n);
    for (const auto& v : values)
      for (nb::handle n : object_of(*v)) roots.append(n);
    const Collected c = collect(roots);
    const auto before = std::exchange(tasks_, std::make_shared<PythonTasks>(c, roots, fill_, nb::none(), nb::none()));
    const size_t wanted = nb::len(beside_);
    std::vector<bool> known(c.nodes.size());
    for (size_t i = 0; i < wanted; ++i) {
      if (before && before->result(wanted_[i]).is_valid()) known[c.roots[i]] = true;
      tasks_->keep(c.roots[i], before ? before->result(wanted_[i]) : nb::object());
    }
    wanted_.assign(c.roots.begin(), c.roots.begin() + static_cast<std::ptrdiff_t>(wanted));
    numbers_.clear();
    auto at = c.roots.begin() + static_cast<std::ptrdiff_t>(wanted);
    for (const auto& v : values) {
      const auto count = static_cast<std::ptrdiff_t>(nb::len(object_of(*v)));
      numbers_.emplace_back(at, at + count);
      at += count;
    }
    Collected open = c;  // what is known needs nothing
    open.begins = {0}, open.needs.clear();
    for (size_t i = 0; i < c.nodes.size(); ++i) {
      if (!known[i]) open.needs.insert(open.needs.end(), c.needs.begin() + c.begins[i], c.needs.begin() + c.begins[i + 1]);
      open.begins.push_back(static_cast<uint32_t>(open.needs.size()));
    }
    auto range = range_of(open, tasks_);
    range.wanted_tasks = wanted_;
    return range;
  }
  std::vector<uint32_t> tasks(size_t number) const override { return numbers_.at(number); }
  Value source(size_t number) const override { return kernels::values_of_tasks(std::make_shared<ValuesOf>(tasks_, numbers_.at(number))); }

  nb::list results() {
    nb::list out;
    for (uint32_t i : wanted_) out.append(tasks_->result(i));
    return out;
  }

 private:
  nb::list beside_;
  nb::object fill_;
  std::shared_ptr<PythonTasks> tasks_;
  std::vector<uint32_t> wanted_;                // of beside_, the numbers
  std::vector<std::vector<uint32_t>> numbers_;  // of each of the values
};

nb::list run_nodes(nb::list roots, int64_t threads, nb::object tick, nb::object fill, nb::object before, nb::object after) {
  Inside inside;
  Collected c = collect(roots);
  auto tasks = std::make_shared<PythonTasks>(c, roots, std::move(fill), std::move(before), std::move(after));
  auto graph = std::make_shared<graph::Graph>();
  graph::Range range = range_of(c, tasks);
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

void register_tasks(nb::module_& m) {
  nb::class_<TaskNode> node(m, "TaskNode", nb::type_slots(node_slots), "A call that is not made yet.");
  node.def("__init__", [](TaskNode* self, nb::object function, nb::object arguments, nb::object keywords, nb::object nested) { new (self) TaskNode{std::move(function), std::move(arguments), std::move(keywords), std::move(nested)}; },
           nb::arg("function"), nb::arg("arguments"), nb::arg("keywords").none(), nb::arg("nested").none())
      .def_prop_ro("_function", [](const TaskNode& n) { return n.function; })
      .def_prop_ro("_arguments", [](const TaskNode& n) { return n.arguments; })
      .def_prop_ro("_keywords", [](const TaskNode& n) { return n.keywords; })
      .def_prop_ro("_nested", [](const TaskNode& n) { return n.nested; })
      .def("_set", [](TaskNode& n, nb::object function, nb::object arguments, nb::object keywords, nb::object nested) { n = {std::move(function), std::move(arguments), std::move(keywords), std::move(nested)}; },
           nb::arg("function"), nb::arg("arguments"), nb::arg("keywords").none(), nb::arg("nested").none());
  node_type = reinterpret_cast<PyTypeObject*>(node.ptr());
  nb::class_<api::Calls>(m, "AnyCalls");
  nb::class_<PythonCalls, api::Calls>(m, "Calls", "Nodes that are computed beside expressions, in one job.")
      .def(nb::init<nb::list, nb::object>(), nb::arg("beside"), nb::arg("fill"))
      .def("results", &PythonCalls::results);
  m.def("run_nodes", &run_nodes, nb::arg("roots"), nb::arg("threads"), nb::arg("tick").none(), nb::arg("fill"), nb::arg("before").none(), nb::arg("after").none());
  // (nodes in running order, begins, needs, positions of the roots)
  m.def("collect_nodes", [](nb::list roots) {
    Collected c = collect(roots);
    nb::list nodes;
    for (PyObject* n : c.nodes) nodes.append(nb::handle(n));
    return nb::make_tuple(nodes, c.begins, c.needs, c.roots);
  });
  worker::set_guest_door({enter, leave, drop_thread_state, interrupt});
}

}  // namespace muster::python
