#include "shared_memory.hpp"

#include "base/error.hpp"
#include "gil.hpp"

namespace muster::python {
namespace {

struct Mapped {
  std::shared_ptr<worker::Segment> segment;
};

int get_buffer(PyObject* self, Py_buffer* view, int flags) {
  auto& segment = *nb::inst_ptr<Mapped>(self)->segment;
  return PyBuffer_FillInfo(view, self, segment.data(), static_cast<Py_ssize_t>(segment.size()), 0, flags);
}

PyType_Slot slots[] = {{Py_bf_getbuffer, reinterpret_cast<void*>(get_buffer)}, {0, nullptr}};
}  // namespace

Buffers::Buffers(nb::list objects) {
  for (nb::handle o : objects) {
    Py_buffer buffer;
    if (PyObject_GetBuffer(o.ptr(), &buffer, PyBUF_SIMPLE) != 0) {
      for (auto& b : buffers_) PyBuffer_Release(&b);
      throw nb::python_error();
    }
    buffers_.push_back(buffer);
    bytes_ += static_cast<size_t>(buffer.len);
  }
}

Buffers::~Buffers() {
  for (auto& b : buffers_) PyBuffer_Release(&b);
}

std::vector<std::string_view> Buffers::views() const {
  std::vector<std::string_view> out;
  for (const auto& b : buffers_) out.emplace_back(static_cast<const char*>(b.buf), static_cast<size_t>(b.len));
  return out;
}

nb::object mapped(std::shared_ptr<worker::Segment> segment) {
  segment->data();  // what fails, fails here
  return nb::cast(Mapped{std::move(segment)});
}

void register_shared_memory(nb::module_& m) {
  nb::class_<Mapped>(m, "Mapped", nb::type_slots(slots));
  m.def("keep_shared", [](size_t bytes) {
    worker::slabs().set_limit(bytes);
    worker::keep_mappings(bytes);
  });
}

}  // namespace muster::python
