// The class is the one that the error names, else its kind's. A message may quote bytes of a file, which need not be UTF-8.
#include "errors.hpp"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "calling.hpp"
#include "cluster/messages.hpp"
#include "gil.hpp"
#include "muster/error.hpp"

namespace muster::python {
using cluster::TaskError;
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

// It may quote bytes of a file that are no UTF-8.
nb::object text(std::string_view bytes) { return nb::steal(PyUnicode_DecodeUTF8(bytes.data(), static_cast<Py_ssize_t>(bytes.size()), "replace")); }

nb::object type_of(const Error& e) {
  const std::string named = e.kind == ErrorKind::cancelled ? "concurrent.futures.CancelledError" : e.python;
  if (auto dot = named.rfind('.'); dot != std::string::npos) {
    PyObject* module = PyImport_ImportModule(named.substr(0, dot).c_str());
    PyObject* found = module ? PyObject_GetAttrString(module, named.substr(dot + 1).c_str()) : nullptr;
    PyErr_Clear();
    Py_XDECREF(module);
    if (found) return nb::steal(found);
  }
  return nb::borrow(class_of(e));
}

const char* name_of(TaskError::Kind kind) {
  switch (kind) {
    case TaskError::Kind::guest: return "guest";
    case TaskError::Kind::engine: return "engine";
    case TaskError::Kind::timed_out: return "timed_out";
    case TaskError::Kind::killed: return "killed";
    case TaskError::Kind::lost: return "lost";
    default: return "disconnected";
  }
}
}  // namespace

void register_errors(nb::module_& m) {
  nb::register_exception_translator([](const std::exception_ptr& p, void*) {
    try {
      std::rethrow_exception(p);
    } catch (const Error& e) {
      PyErr_SetObject(type_of(e).ptr(), text(e.what()).ptr());
    }
  });
  nb::class_<TaskError>(m, "TaskError", "Why a task has no result, as it travels between processes.")
      // of an exception of Python's
      .def("__init__", [](TaskError* self, std::string type, std::string message, std::string traceback, nb::bytes pickled, std::vector<std::string> notes) {
        new (self) TaskError{.kind = TaskError::Kind::guest, .type = std::move(type), .message = std::move(message), .traceback = std::move(traceback),
                             .pickled = {pickled.c_str(), pickled.size()}, .notes = std::move(notes)};
      }, nb::arg("type"), nb::arg("message"), nb::arg("traceback"), nb::arg("pickled"), nb::arg("notes"))
      .def_prop_ro("kind", [](const TaskError& e) { return name_of(e.kind); })
      .def_prop_ro("type", [](const TaskError& e) { return text(e.type); })
      .def_prop_ro("message", [](const TaskError& e) { return text(e.message); })
      .def_prop_ro("task", [](const TaskError& e) { return text(e.task); })
      .def_prop_ro("traceback", [](const TaskError& e) { return text(e.traceback); })
      .def_prop_ro("pickled", [](const TaskError& e) { return nb::bytes(e.pickled.data(), e.pickled.size()); })
      .def_prop_ro("notes", [](const TaskError& e) {
        nb::list notes;
        for (const auto& note : e.notes) notes.append(text(note));
        return notes;
      })
      .def("of_engine", [](const TaskError& e) {  // the exception of an error of the engine's
        const Error error = cluster::opened(e);
        return call(type_of(error), text(error.what()));
      });
  cluster::set_guest_errors([](const TaskError& e) {
    const Gil gil;
    try {
      call(nb::module_::import_("muster._base.serialize").attr("raise_error"), nb::cast(e));
    } catch (...) {
      return std::current_exception();
    }
    return std::exception_ptr();
  });
}

nb::object exception_object(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const nb::python_error& e) {
    return nb::borrow(e.value());
  } catch (const Error& e) {
    return call(type_of(e), text(e.what()));
  } catch (const std::exception& e) {
    PyErr_SetString(PyExc_RuntimeError, e.what());
  }
  const nb::python_error raised;
  return nb::borrow(raised.value());
}

}  // namespace muster::python
