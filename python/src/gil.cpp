#include "gil.hpp"

#include <atomic>
#include <chrono>
#include <thread>

namespace muster::python {
namespace {
std::atomic<bool> ending{false};
std::atomic<int> asking{0}, inside{0};
constexpr int kPatience = 500;  // milliseconds the end waits for threads that are inside
std::atomic<std::thread::id> ending_thread;

void ask() {
  ++asking;
  if (!ending || std::this_thread::get_id() == ending_thread) return;
  --asking, --inside;
  for (;;) std::this_thread::sleep_for(std::chrono::seconds(1));  // the process takes this thread along
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
