// Python tasks in the calling interpreter: nothing is pickled.
#pragma once
#include <nanobind/nanobind.h>

namespace muster::python {
namespace nb = nanobind;

/// Adds TaskNode and what walks and runs graphs of them to the module.
void register_tasks(nb::module_& m);

}  // namespace muster::python
