// Calls that are not made yet, and the order in which a graph of them can run.
#pragma once
#include <nanobind/nanobind.h>

#include <cstdint>
#include <unordered_map>
#include <vector>

namespace muster::python {
namespace nb = nanobind;

/// A call that is not made yet: muster.delayed.Delayed derives from it. Arguments that are TaskNodes stand for their results; nodes deeper inside
/// stand in `nested`, and there are placeholders in their places (muster._base.tasks.Input).
struct TaskNode {
  nb::object function, arguments, keywords, nested;
  int traverse(visitproc visit, void* arg);
  void clear() { function.reset(), arguments.reset(), keywords.reset(), nested.reset(); }
};
bool is_node(PyObject* o);

/// Nodes in the order they can run, inputs first, depth first; and for each the numbers of its inputs.
struct Collected {
  std::vector<PyObject*> nodes;  // borrowed: the roots keep them
  std::vector<uint32_t> begins{0}, needs;
  std::vector<uint32_t> roots;
};
using Results = std::unordered_map<PyObject*, nb::object>;  // of nodes
/// What stands in `made` needs nothing. Throws Error{invalid} on a cycle.
Collected collect(nb::handle roots, const Results& made = {});

/// Nodes that stand for the value of an expression: their functions have the attribute "of_collection", their argument is a collection.
class Frames {
 public:
  bool has(PyObject* node);
  static nb::object collection(PyObject* node) { return nb::inst_ptr<TaskNode>(node)->arguments[0]; }

 private:
  std::unordered_map<PyObject*, bool> known_;
  PyObject* last_ = nullptr;
  bool last_is_ = false;
};

/// Adds TaskNode and what walks graphs of them to the module.
void register_nodes(nb::module_& m);

}  // namespace muster::python
