#include "texts.hpp"

#include <algorithm>
#include <limits>
#include <string_view>
#include <vector>

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

// Short texts that were made a moment ago, to be handed out again: pieces repeat, and to make an object takes longer than to find one.
class Known {
 public:
  Known() : known_(size_t{1} << kBits) {}
  ~Known() {
    for (const auto& k : known_) Py_XDECREF(k.text);
  }
  Known(const Known&) = delete;
  Known& operator=(const Known&) = delete;

  /// A new reference.
  PyObject* operator()(std::string_view text) {
    if (text.size() > 16 || !pays_) return python_text(text);
    const auto [low, high] = words(text);
    Text& k = known_[(low * 0x9E3779B97F4A7C15u ^ (high + text.size()) * 0xC2B2AE3D27D4EB4Fu) >> (64 - kBits)];
    if (++asked_ == kTrial) pays_ = found_ > kTrial / 4, asked_ = found_ = 0;
    if (k.text && k.low == low && k.high == high && k.size == text.size()) return ++found_, Py_NewRef(k.text);
    PyObject* made = python_text(text);
    if (!made) return nullptr;
    Py_XDECREF(k.text);
    k = {low, high, text.size(), Py_NewRef(made)};
    return made;
  }

 private:
  static constexpr int kBits = 15;
  static constexpr int64_t kTrial = 1 << 16;
  struct Text {
    uint64_t low, high;
    size_t size;
    PyObject* text;
  };
  template <class W>
  static uint64_t word(const char* bytes) {
    W w;
    std::memcpy(&w, bytes, sizeof w);
    return w;
  }
  // With the size, all there is to say of a text of up to 16 bytes.
  static std::pair<uint64_t, uint64_t> words(std::string_view t) {
    const char* end = t.data() + t.size();
    if (t.size() >= 8) return {word<uint64_t>(t.data()), word<uint64_t>(end - 8)};
    if (t.size() >= 4) return {word<uint32_t>(t.data()), word<uint32_t>(end - 4)};
    if (t.size() >= 2) return {word<uint16_t>(t.data()), word<uint8_t>(end - 1)};
    return {t.empty() ? 0 : word<uint8_t>(t.data()), 0};
  }

  std::vector<Text> known_;
  int64_t asked_ = 0, found_ = 0;
  bool pays_ = true;
};

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

// Making objects does not call the collector meanwhile.
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
  Known known;
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
      PyObject* text = known(pieces[p]);
      if (!text) throw nb::python_error();
      PyList_SET_ITEM(list, static_cast<Py_ssize_t>(p), text);
    }
    PyObject_GC_UnTrack(list);  // texts refer to nothing: the collector need not look through millions of lists of them, now and ever again
  }
}

}  // namespace muster::python
