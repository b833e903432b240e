// Hooks are set when the Python module is loaded, before any task runs, and read by every thread.
#include "kernels/python_call.hpp"

#include "base/error.hpp"
#include "data/pickled.hpp"

namespace muster::kernels {
namespace {
struct Hooks {
  PythonApply apply;
  PythonDtypes common;
  PythonPickle pickle;
  PythonUnpickle unpickle;
  PythonObjects objects;
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
data::Column python_text(data::Task& task, const base::Opaque& function, const data::Column& text, int64_t rows) {
  using namespace data;
  Writable index(Storage::int64, rows);
  for (int64_t i = 0; i < rows; ++i) index.as<int64_t>()[i] = i;
  const Schema in{Kind::frame, {{0, {Storage::text}}}, {{Label(), {Storage::int64}}}, false}, out{Kind::series, {{Label(), {Storage::text}}}, {}, false};
  return python_apply()(task, function, {{rows, {std::move(index).finish(), text}}}, in, out, false).rows.columns.at(0);
}

void set_python_dtypes(PythonDtypes common) { hooks().common = std::move(common); }
data::DType common_dtype(data::DType one, data::DType other) {
  if (one == other) return one;
  return hooks().common ? hooks().common(one, other) : data::DType{data::Storage::object};
}

void set_python_border(PythonPickle pickle, PythonUnpickle unpickle, PythonObjects objects) {
  hooks().pickle = std::move(pickle), hooks().unpickle = std::move(unpickle), hooks().objects = std::move(objects);
}
std::string pickle_of(const base::Opaque& object) {
  const auto* pickled = data::pickled_in(object);
  if (const auto bytes = pickled ? pickled->bytes() : nullptr) return *bytes;
  if (!hooks().pickle) throw base::internal("there is no Python in this program");
  return hooks().pickle(object);
}
std::shared_ptr<const base::Opaque> unpickled(const std::string& bytes, const std::string& token) {
  if (!hooks().unpickle) throw base::internal("there is no Python in this program");
  return hooks().unpickle(bytes, token);
}
const PythonObjects& python_objects() {
  if (!hooks().objects) throw base::internal("there is no Python in this program");
  return hooks().objects;
}

}  // namespace muster::kernels
