// Objects in shared memory, for Python: written from buffers, read through one that keeps the mapping.
#pragma once
#include <nanobind/nanobind.h>

#include <memory>
#include <vector>

#include "worker/objects.hpp"

namespace muster::python {
namespace nb = nanobind;

/// Buffers of Python objects while they are looked at without the GIL. Needs it itself.
class Buffers {
 public:
  explicit Buffers(nb::list objects);
  ~Buffers();
  Buffers(const Buffers&) = delete;
  std::vector<std::string_view> views() const;
  size_t bytes() const { return bytes_; }

 private:
  std::vector<Py_buffer> buffers_;
  size_t bytes_ = 0;
};

/// An object that exports a segment as a buffer, writable by whoever asks: others do not see it. The mapping lives as long as something looks at it.
nb::object mapped(std::shared_ptr<worker::Segment> segment);

void register_shared_memory(nb::module_& m);

}  // namespace muster::python
