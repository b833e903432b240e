// Python's collector sees what a node holds. No walk recurses: programs make chains of any length.
#include "nodes.hpp"

#include <nanobind/stl/vector.h>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "muster/error.hpp"

namespace muster::python {
using namespace base;
namespace {

PyTypeObject* node_type = nullptr;

int traverse_node(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  return nb::inst_ready(self) ? nb::inst_ptr<TaskNode>(self)->traverse(visit, arg) : 0;
}
int clear_node(PyObject* self) {
  if (nb::inst_ready(self)) nb::inst_ptr<TaskNode>(self)->clear();
  return 0;
}
PyType_Slot node_slots[] = {{Py_tp_traverse, reinterpret_cast<void*>(traverse_node)}, {Py_tp_clear, reinterpret_cast<void*>(clear_node)}, {0, nullptr}};

template <class F>
void each_child(const TaskNode& n, F f) {
  PyObject* args = n.arguments.ptr();
  if (args && PyTuple_CheckExact(args))
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(args); ++i)
      if (PyObject* a = PyTuple_GET_ITEM(args, i); is_node(a)) f(a);
  if (n.nested.is_valid() && !n.nested.is_none())
    for (nb::handle c : n.nested) f(c.ptr());
}
}  // namespace

int TaskNode::traverse(visitproc visit, void* arg) {
  Py_VISIT(function.ptr());
  Py_VISIT(arguments.ptr());
  Py_VISIT(keywords.ptr());
  Py_VISIT(nested.ptr());
  return 0;
}

bool is_node(PyObject* o) { return PyObject_TypeCheck(o, node_type); }

Collected collect(nb::handle roots, const Results& made) {
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
    const bool is_made = !made.empty() && made.contains(node);
    if (!expanded) {
      auto [known, fresh] = number.try_emplace(node, kOpen);
      if (!fresh) continue;
      stack.emplace_back(node, true);
      children.clear();
      if (!is_made) each_child(n, [&](PyObject* c) { children.push_back(c); });
      for (auto c = children.rbegin(); c != children.rend(); ++c)
        if (auto seen = number.find(*c); seen == number.end()) stack.emplace_back(*c, false);
      continue;
    }
    if (!is_made)
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

bool Frames::has(PyObject* node) {
  PyObject* function = nb::inst_ptr<TaskNode>(node)->function.ptr();
  if (function != last_) {
    const auto [known, fresh] = known_.try_emplace(function, false);
    if (fresh) known->second = nb::hasattr(function, "of_collection");
    last_ = function, last_is_ = known->second;
  }
  return last_is_ && nb::hasattr(collection(node), "_expr");
}

void register_nodes(nb::module_& m) {
  nb::class_<TaskNode> node(m, "TaskNode", nb::type_slots(node_slots), "A call that is not made yet.");
  node.def("__init__", [](TaskNode* self, nb::object function, nb::object arguments, nb::object keywords, nb::object nested) {
        new (self) TaskNode{std::move(function), std::move(arguments), std::move(keywords), std::move(nested)};
      }, nb::arg("function"), nb::arg("arguments"), nb::arg("keywords").none(), nb::arg("nested").none())
      .def_prop_ro("_function", [](const TaskNode& n) { return n.function; })
      .def_prop_ro("_arguments", [](const TaskNode& n) { return n.arguments; })
      .def_prop_ro("_keywords", [](const TaskNode& n) { return n.keywords; })
      .def_prop_ro("_nested", [](const TaskNode& n) { return n.nested; })
      .def("_set", [](TaskNode& n, nb::object function, nb::object arguments, nb::object keywords, nb::object nested) {
        n = {std::move(function), std::move(arguments), std::move(keywords), std::move(nested)};
      }, nb::arg("function"), nb::arg("arguments"), nb::arg("keywords").none(), nb::arg("nested").none());
  node_type = reinterpret_cast<PyTypeObject*>(node.ptr());
  // (nodes in running order, begins, needs, positions of the roots)
  m.def("collect_nodes", [](nb::list roots) {
    Collected c = collect(roots);
    nb::list nodes;
    for (PyObject* n : c.nodes) nodes.append(nb::handle(n));
    return nb::make_tuple(nodes, c.begins, c.needs, c.roots);
  });
}

}  // namespace muster::python
