// muster::Error as the Python exception of its kind; errors of tasks on their way between processes.
#pragma once
#include <nanobind/nanobind.h>

#include <exception>

namespace muster::python {

void register_errors(nanobind::module_& m);
/// What Python would catch, with the GIL.
nanobind::object exception_object(const std::exception_ptr& error);

}  // namespace muster::python
