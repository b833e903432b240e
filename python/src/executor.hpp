// Pipelines that call Python, in an executor of a worker.
#pragma once
#include <nanobind/nanobind.h>

namespace muster::python {

void register_executor(nanobind::module_& m);

}  // namespace muster::python
