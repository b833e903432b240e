// Everything here is called with the GIL; what it makes are plain str, also where they come from the cache.
#include "texts.hpp"

#include <algorithm>
#include <array>
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

  struct Text {
    uint64_t low, high;
    size_t size;
    PyObject* text;
  };

  /// Where a text would be, and its memory on the way; nullptr: it is not worth looking.
  Text* place(std::string_view text) {
    if (text.size() > 16 || !pays_) return nullptr;
    const auto [low, high] = words(text);
    Text* place = &known_[(low * 0x9E3779B97F4A7C15u ^ (high + text.size()) * 0xC2B2AE3D27D4EB4Fu) >> (64 - kBits)];
    __builtin_prefetch(place);
    return place;
  }
  /// A new reference.
  PyObject* operator()(std::string_view text, Text* place) {
    if (!place) return python_text(text);
    const auto [low, high] = words(text);
    Text& k = *place;
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
  PyObject* get(int64_t i) const { return static_cast<PyObject**>(view_.buf)[i]; }
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
  const Column texts = column_from_python({{}, {Storage::text}}, payload);
  Objects objects(out);
  NoCollection paused;
  if (objects.size() < texts.length) throw base::internal("the array is too short");
  if (most < 0) most = std::numeric_limits<int64_t>::max();
  // Some texts at a time: while they are cut, what is known of their pieces comes into the cache.
  constexpr int64_t kTogether = 64;
  std::vector<std::string_view> pieces;
  std::vector<Known::Text*> places;
  std::array<size_t, kTogether> ends;
  Known known;
  for (int64_t begin = 0; begin < texts.length; begin += kTogether) {
    const int64_t count = std::min(kTogether, texts.length - begin);
    pieces.clear(), places.clear();
    for (int64_t i = 0; i < count; ++i) {
      if (const Text& text = texts.as<Text>()[begin + i]; text.data) {
        std::string_view rest = text.view();
        const size_t before = pieces.size();
        for (size_t end; static_cast<int64_t>(pieces.size() - before) < most && (end = rest.find(mark)) != std::string_view::npos;
             rest.remove_prefix(end + mark.size()))
          pieces.push_back(rest.substr(0, end));
        pieces.push_back(rest);
      }
      ends[static_cast<size_t>(i)] = pieces.size();
    }
    for (const auto& piece : pieces) places.push_back(known.place(piece));
    for (const auto* place : places)
      if (place && place->text) __builtin_prefetch(place->text, 1);
    for (size_t i = 0, at = 0; i < static_cast<size_t>(count); ++i) {
      const size_t size = ends[i] - at;
      if (!size) continue;  // missing
      PyObject* list = PyList_New(static_cast<Py_ssize_t>(size));
      if (!list) throw nb::python_error();
      objects.set(begin + static_cast<int64_t>(i), list);
      for (size_t p = 0; p < size; ++p, ++at) {
        PyObject* text = known(pieces[at], places[at]);
        if (!text) throw nb::python_error();
        PyList_SET_ITEM(list, static_cast<Py_ssize_t>(p), text);
      }
      PyObject_GC_UnTrack(list);  // texts refer to nothing: the collector need not look through millions of lists of them, now and ever again
    }
  }
}

bool all_are_present(nb::handle array) {
  Objects objects(array);
  for (Py_ssize_t i = 0; i < objects.size(); ++i) {
    const PyObject* o = objects.get(i);
    if (!o || !(PyList_CheckExact(o) || PyUnicode_CheckExact(o) || PyTuple_CheckExact(o) || PyDict_CheckExact(o) || PyLong_CheckExact(o))) return false;
  }
  return true;
}

}  // namespace muster::python
