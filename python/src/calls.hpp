// Python tasks in the calling interpreter: nothing is pickled.
#pragma once
#include <nanobind/nanobind.h>

namespace muster::python {
namespace nb = nanobind;

/// Adds what runs graphs of nodes, alone or beside expressions, to the module.
void register_calls(nb::module_& m);

}  // namespace muster::python
