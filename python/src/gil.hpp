// Taking the GIL while the interpreter may be ending.
//
// Python throws whoever asks for the GIL of an ending interpreter out of its thread (pthread_exit), through C++ frames that cannot be left that way:
// the process aborts. So the engine asks only through these classes. Once the end has begun, a user's thread (a daemon that computes) sleeps instead, a
// thread of ours gets an error, and a thread inside a Python function is stopped where it would be thrown out: in call_python.
#pragma once
#include <Python.h>

#include <cstddef>

namespace muster::python {

/// Says that a thread is inside a function of ours that may run Python code: the end waits a moment for it to come out, or to sleep.
class Inside {
 public:
  Inside();
  ~Inside();
};

/// Gives the GIL away while it lives, in a thread of the user's that is Inside.
class GilReleased {
 public:
  GilReleased();
  ~GilReleased();

 private:
  PyThreadState* state_;
};

/// Takes the GIL for a moment inside GilReleased.
class GilBack {
 public:
  explicit GilBack();
  ~GilBack();

 private:
  PyGILState_STATE state_;
};

/// While it lives a thread of ours may ask for the GIL: the end waits for it. False when the interpreter is ending: whoever asks then is lost.
class Asking {
 public:
  Asking();
  ~Asking();
  Asking(const Asking&) = delete;
  Asking& operator=(const Asking&) = delete;
  explicit operator bool() const { return granted_; }
  /// Throws Error{cancelled} if not granted.
  void must() const;

 private:
  bool granted_ = true, counted_ = false;
};

/// Gives a thread of the pool a Python thread state for life, which takes longer to make than a short call, and takes it away when the thread ends.
void keep_thread_state();
void drop_thread_state();

/// Has the GIL while it lives, in any thread, also one that had it before. `kept`: the thread is the pool's. Throws Error{cancelled} when the interpreter is
/// ending.
class Gil {
 public:
  explicit Gil(bool kept = false);
  ~Gil() { PyGILState_Release(state_); }
  Gil(const Gil&) = delete;
  Gil& operator=(const Gil&) = delete;

 private:
  PyGILState_STATE state_;
};

/// True once the interpreter has begun to end: objects may be left alone from then on.
bool interpreter_is_ending();

/// Runs `f` with the GIL, or not at all when the interpreter is ending: for destructors, whose objects the end takes along.
template <class F>
void with_gil_unless_ending(F f) noexcept {
  if (interpreter_is_ending()) return;
  const Asking asking;
  if (!asking) return;
  const Gil gil;
  f();
}

/// As PyObject_VectorcallDict. Every call of a user's function in a thread of ours goes through it.
PyObject* call_python(PyObject* function, PyObject* const* arguments, size_t count, PyObject* keywords);

/// Called by the thread that ends the interpreter, with the GIL. `finish` runs without it and ends what runs; then user's threads get the time to
/// come out.
void end_interpreter(void (*finish)());

}  // namespace muster::python
