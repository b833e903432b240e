// A thread counts as inside from asking to giving back; the end waits for those that are inside, for a while.
#include "gil.hpp"

#include <cxxabi.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "base/error.hpp"

namespace muster::python {
namespace {
std::atomic<bool> ending{false};
std::atomic<int> asking{0}, inside{0};
constexpr int kPatience = 500;  // milliseconds the end waits for threads that are inside
std::atomic<std::thread::id> ending_thread;

[[noreturn]] void sleep_till_the_end() {
  for (;;) std::this_thread::sleep_for(std::chrono::seconds(1));  // the process takes this thread along
}

// In a thread of the user's, which is Inside.
void ask() {
  ++asking;
  if (!ending || std::this_thread::get_id() == ending_thread) return;
  --asking, --inside;
  sleep_till_the_end();
}
}  // namespace

Inside::Inside() { ++inside; }
Inside::~Inside() { --inside; }

GilReleased::GilReleased() : state_(PyEval_SaveThread()) {
  ask();  // nothing new is begun at the end
  --asking;
}
GilReleased::~GilReleased() {
  ask();
  PyEval_RestoreThread(state_);
  --asking;
}

GilBack::GilBack() {
  ask();
  state_ = PyGILState_Ensure();
  --asking;
}
GilBack::~GilBack() { PyGILState_Release(state_); }

Asking::Asking() {
  if (!Py_IsInitialized()) {
    granted_ = false;
    return;
  }
  if (PyGILState_Check()) return;  // it asks for nothing
  ++asking, counted_ = true;
  granted_ = !ending || std::this_thread::get_id() == ending_thread;
}
Asking::~Asking() {
  if (counted_) --asking;
}
void Asking::must() const {
  if (!granted_) throw Error(ErrorKind::cancelled, "the interpreter is ending");
}

namespace {
thread_local PyThreadState* own_state = nullptr;
}
void keep_thread_state() {
  if (!PyGILState_GetThisThreadState()) own_state = PyThreadState_New(PyInterpreterState_Main());
}
void drop_thread_state() {
  const Asking asking;
  if (!own_state || !asking) return;
  PyEval_RestoreThread(own_state);
  PyThreadState_Clear(own_state);
  PyThreadState_DeleteCurrent();
  own_state = nullptr;
}

Gil::Gil(bool kept) {
  const Asking asking;
  asking.must();
  if (kept) keep_thread_state();
  state_ = PyGILState_Ensure();
}

[[gnu::no_sanitize("null")]]  // what the C library throws to end a thread is no object that the handler could refer to
PyObject* call_python(PyObject* function, PyObject* const* arguments, size_t count, PyObject* keywords) {
  try {
    return PyObject_VectorcallDict(function, arguments, count, keywords);
  } catch (abi::__forced_unwind&) {  // Python throws this thread out. No frame further out may be unwound: it would touch objects without the GIL
    sleep_till_the_end();
  }
}

bool interpreter_is_ending() { return ending || !Py_IsInitialized(); }

void end_interpreter(void (*finish)()) {
  ending_thread = std::this_thread::get_id();
  ending = true;
  GilReleased release;
  finish();  // cancels what runs, so that waiting threads come back
  for (int waited = 0; (asking || inside) && waited < kPatience; ++waited) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  finish();  // what was begun at the last moment
}

}  // namespace muster::python
