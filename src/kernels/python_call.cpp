#include "kernels/python_call.hpp"

#include "base/error.hpp"

namespace muster::kernels {
namespace {
PythonApply& hook() {
  static PythonApply apply;
  return apply;
}
}  // namespace

void set_python_apply(PythonApply apply) { hook() = std::move(apply); }
const PythonApply& python_apply() {
  if (!hook()) throw base::unsupported("a Python function needs the Python package; this program runs without it");
  return hook();
}

}  // namespace muster::kernels
