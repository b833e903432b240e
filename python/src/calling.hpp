// Calling a Python function from a thread of ours.
#pragma once
#include <nanobind/nanobind.h>

#include <array>
#include <utility>

#include "gil.hpp"

namespace muster::python {
namespace nb = nanobind;

/// `function(arguments...)` by way of call_python. Throws nb::python_error.
template <class... A>
nb::object call(nb::handle function, A&&... arguments) {
  std::array<nb::object, sizeof...(A)> objects{nb::cast(std::forward<A>(arguments))...};
  std::array<PyObject*, sizeof...(A)> pointers;
  for (size_t i = 0; i < objects.size(); ++i) pointers[i] = objects[i].ptr();
  PyObject* result = call_python(function.ptr(), pointers.data(), pointers.size(), nullptr);
  if (!result) throw nb::python_error();
  return nb::steal(result);
}

}  // namespace muster::python
