#include "texts.hpp"

#include <algorithm>
#include <limits>
#include <string_view>

#include "base/error.hpp"
#include "columns.hpp"

namespace muster::python {
using namespace data;
namespace {

// A new reference. ASCII, which most texts are, needs no decoder.
PyObject* python_text(std::string_view text) {
  unsigned char bits = 0;
  for (char c : text) bits |= static_cast<unsigned char>(c);
  if (bits >= 0x80) return PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), nullptr);
  PyObject* made = PyUnicode_New(static_cast<Py_ssize_t>(text.size()), 127);
  if (made && !text.empty()) std::memcpy(PyUnicode_1BYTE_DATA(made), text.data(), text.size());
  return made;
}

// The elements of a one-dimensional array of objects.
class Objects {
 public:
  explicit Objects(nb::handle array) {
    if (PyObject_GetBuffer(array.ptr(), &view_, PyBUF_FORMAT | PyBUF_WRITABLE | PyBUF_C_CONTIGUOUS)) throw nb::python_error();
    if (view_.itemsize != sizeof(PyObject*) || std::string_view(view_.format) != "O") {
      PyBuffer_Release(&view_);
      throw base::internal("an array of objects is needed");
    }
  }
  ~Objects() { PyBuffer_Release(&view_); }
  Objects(const Objects&) = delete;
  Objects& operator=(const Objects&) = delete;
  Py_ssize_t size() const { return view_.len / view_.itemsize; }
  void set(int64_t i, PyObject* owned) {
    PyObject*& slot = static_cast<PyObject**>(view_.buf)[i];
    PyObject* before = std::exchange(slot, owned);
    Py_XDECREF(before);
  }

 private:
  Py_buffer view_;
};
// Lists that are made do not count as possible garbage: looking through all of them over and over takes longer than making them.
class NoCollection {
 public:
  NoCollection() : was_enabled_(PyGC_Disable()) {}
  ~NoCollection() {
    if (was_enabled_) PyGC_Enable();
  }
  NoCollection(const NoCollection&) = delete;
  NoCollection& operator=(const NoCollection&) = delete;

 private:
  int was_enabled_;
};
}  // namespace

void split_texts(nb::tuple payload, const std::string& mark, int64_t most, nb::handle out) {
  const Column texts = column_from_python({Storage::text}, payload);
  Objects objects(out);
  NoCollection paused;
  if (objects.size() < texts.length) throw base::internal("the array is too short");
  if (most < 0) most = std::numeric_limits<int64_t>::max();
  std::vector<std::string_view> pieces;
  for (int64_t i = 0; i < texts.length; ++i) {
    if (!texts.as<Text>()[i].data) continue;
    std::string_view rest = texts.as<Text>()[i].view();
    pieces.clear();
    for (size_t end; static_cast<int64_t>(pieces.size()) < most && (end = rest.find(mark)) != std::string_view::npos; rest.remove_prefix(end + mark.size())) pieces.push_back(rest.substr(0, end));
    pieces.push_back(rest);
    PyObject* list = PyList_New(static_cast<Py_ssize_t>(pieces.size()));
    if (!list) throw nb::python_error();
    objects.set(i, list);
    for (size_t p = 0; p < pieces.size(); ++p) {
      PyObject* text = python_text(pieces[p]);
      if (!text) throw nb::python_error();
      PyList_SET_ITEM(list, static_cast<Py_ssize_t>(p), text);
    }
  }
}

}  // namespace muster::python
