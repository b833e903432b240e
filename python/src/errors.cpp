#include "errors.hpp"

#include <nanobind/nanobind.h>

#include "muster/error.hpp"

namespace nb = nanobind;

namespace muster::python {
namespace {
PyObject* class_of(const Error& e) {
  switch (e.kind) {
    case ErrorKind::invalid: return PyExc_ValueError;
    case ErrorKind::type: return PyExc_TypeError;
    case ErrorKind::missing: return PyExc_KeyError;
    case ErrorKind::io: return PyExc_OSError;
    case ErrorKind::memory: return PyExc_MemoryError;
    case ErrorKind::unsupported: return PyExc_NotImplementedError;
    default: return PyExc_RuntimeError;
  }
}

void raise(const Error& e) {
  nb::object type = nb::borrow(class_of(e));
  std::string named = e.kind == ErrorKind::cancelled ? "concurrent.futures.CancelledError" : e.python;
  if (auto dot = named.rfind('.'); dot != std::string::npos) {
    PyObject* module = PyImport_ImportModule(named.substr(0, dot).c_str());
    PyObject* found = module ? PyObject_GetAttrString(module, named.substr(dot + 1).c_str()) : nullptr;
    PyErr_Clear();
    if (found) type = nb::steal(found);
    Py_XDECREF(module);
  }
  // The message may quote bytes of a file that are no UTF-8.
  const char* what = e.what();
  nb::object text = nb::steal(PyUnicode_DecodeUTF8(what, static_cast<Py_ssize_t>(std::string_view(what).size()), "replace"));
  PyErr_SetObject(type.ptr(), text.ptr());
}
}  // namespace

void register_errors() {
  nb::register_exception_translator([](const std::exception_ptr& p, void*) {
    try {
      std::rethrow_exception(p);
    } catch (const Error& e) {
      raise(e);
    }
  });
}

}  // namespace muster::python
