// Clusters and clients for the Python package: ids are integers, objects bytes.
#pragma once
#include <nanobind/nanobind.h>

namespace muster::python {
namespace nb = nanobind;

void register_cluster(nb::module_& m);

}  // namespace muster::python
