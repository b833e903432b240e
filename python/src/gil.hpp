// Taking the GIL back while the interpreter may be ending.
//
// Whoever asks for the GIL of an ending interpreter is thrown out of the thread by Python, through C++ frames that cannot be left that way: the
// process aborts. So a user's thread (a daemon that computes) that comes back from the engine sleeps instead once the end has begun, and the end
// waits for those that were already asking.
#pragma once
#include <Python.h>

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

/// True once the interpreter has begun to end: objects may be left alone from then on.
bool interpreter_is_ending();

/// Called by the thread that ends the interpreter, with the GIL: `finish` runs without it; then user's threads get
/// the time to come out.
void end_interpreter(void (*finish)());

}  // namespace muster::python
