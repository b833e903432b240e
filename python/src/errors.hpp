// muster::Error as the Python exception of its kind; errors of tasks on their way between processes.
#pragma once
#include <nanobind/nanobind.h>

namespace muster::python {

void register_errors(nanobind::module_& m);

}  // namespace muster::python
