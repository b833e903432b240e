// Waiting for the engine without the GIL: progress goes to the waiting thread, an exception raised there stops the work.
#pragma once
#include <nanobind/nanobind.h>

#include <exception>
#include <string>
#include <utility>
#include <vector>

#include "api/session.hpp"
#include "gil.hpp"

namespace muster::python {
namespace nb = nanobind;

// tick(done, tasks, bytes) runs in the calling thread; an exception it raises (KeyboardInterrupt) stops the computation.
struct Waiting {
  explicit Waiting(nb::object tick_) : tick(std::move(tick_)) {}
  nb::object tick;
  std::exception_ptr raised;
  std::vector<std::string> warnings, notes;
  void give_warnings() {
    for (const auto& w : std::exchange(warnings, {}))
      if (PyErr_WarnEx(PyExc_UserWarning, w.c_str(), 2) != 0) throw nb::python_error();
  }
  api::RunOptions options(int64_t threads) {
    api::RunOptions o;
    o.threads = threads;
    o.tick = [this](const worker::Progress& p) {
      if (raised) return true;
      GilBack gil;
      try {
        if (PyErr_CheckSignals() != 0) throw nb::python_error();
        give_warnings();
        if (!tick.is_none()) tick(p.done, p.tasks, p.bytes);
      } catch (...) {
        raised = std::current_exception();
        return true;
      }
      return false;
    };
    o.warn = [this](const std::string& w) { warnings.push_back(w); };
    o.note = [this](const std::string& n) { notes.push_back(n); };
    return o;
  }
};

// Runs `work` without the GIL; what the tick raised goes before what the work threw.
template <class F>
auto without_gil(Waiting& waiting, F work) {
  std::exception_ptr failed;
  decltype(work()) result{};
  {
    GilReleased release;
    try {
      result = work();
    } catch (...) {
      failed = std::current_exception();
    }
  }
  if (waiting.raised) std::rethrow_exception(waiting.raised);
  if (failed) std::rethrow_exception(failed);
  if (!waiting.notes.empty()) {
    nb::object logger = nb::module_::import_("logging").attr("getLogger")("muster");
    for (const auto& n : waiting.notes) logger.attr("info")(n.c_str());
  }
  waiting.give_warnings();
  return result;
}

}  // namespace muster::python
