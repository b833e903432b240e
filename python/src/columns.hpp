// Columns across the border: NumPy arrays over the engine's memory, and back.
#pragma once
#include <nanobind/nanobind.h>

#include "data/column.hpp"
#include "data/schema.hpp"

namespace muster::python {
namespace nb = nanobind;

/// (label, dtype name, payload): payload is (values, present or None) for fixed width, (offsets, bytes, bitmap or None) for text as Arrow's
/// large_utf8 has them, (positions, object) for object columns. Needs the GIL.
nb::tuple column_to_python(const data::Column& column, const data::Field& field);
/// The reverse: a payload of the dtype with this name.
data::Column column_from_python(data::DType type, nb::handle payload);

nb::list fields_to_python(const std::vector<data::Field>& fields);
std::vector<data::Field> fields_from_python(nb::handle list);

}  // namespace muster::python
