// Clusters and clients for the Python package: ids are integers, objects bytes.
#pragma once
#include <nanobind/nanobind.h>

#include "graph/graph.hpp"

namespace muster::python {
namespace nb = nanobind;

void register_cluster(nb::module_& m);
/// {priority, retries, workers, allow_other_workers, resources, timeout in seconds}, as far as they are there.
graph::Options options_of(nb::dict options);

}  // namespace muster::python
