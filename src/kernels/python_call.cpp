#include "kernels/python_call.hpp"

#include "base/error.hpp"

namespace muster::kernels {
namespace {
struct Hooks {
  PythonApply apply;
  PythonPickle pickle;
  PythonError error;
};
Hooks& hooks() {
  static Hooks all;
  return all;
}
}  // namespace

void set_python_apply(PythonApply apply) { hooks().apply = std::move(apply); }
const PythonApply& python_apply() {
  if (!hooks().apply) throw base::internal("there is no Python in this program");
  return hooks().apply;
}
void set_python_border(PythonPickle pickle, PythonError error) { hooks().pickle = std::move(pickle), hooks().error = std::move(error); }
const PythonPickle& python_pickle() {
  if (!hooks().pickle) throw base::internal("there is no Python in this program");
  return hooks().pickle;
}
const PythonError& python_error() { return hooks().error; }

}  // namespace muster::kernels
