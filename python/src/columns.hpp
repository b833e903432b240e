// Columns across the border: NumPy arrays over the engine's memory, and back.
#pragma once
#include <nanobind/nanobind.h>

#include "api/gather.hpp"
#include "data/column.hpp"
#include "data/schema.hpp"

namespace muster::python {
namespace nb = nanobind;

/// (label, dtype name, payload): payload is (values, present or None) for fixed width, (offsets, bytes, bitmap or None) for text as Arrow's
/// large_utf8 has them, (positions, list of objects) for object columns. Needs the GIL.
nb::tuple column_to_python(const api::Gathered& column, const data::Field& field);
/// The same of the only index column; the payload of row numbers one after the other is the first.
nb::tuple index_to_python(const api::Gathered& column, const data::Field& field);
/// The reverse: a payload of this field; of an object column (positions, object).
data::Column column_from_python(const data::Field& field, nb::handle payload);
/// A row whose index is 0 and whose value is the object, as the source of "from_values" has them.
data::Batch row_of_value(nb::object value);
/// An array of its own with these numbers.
nb::object numbers(const std::vector<int64_t>& values);

/// A dtype's name in Python: the engine's, "object:n" for foreign dtype n. And back.
std::string python_name(data::DType type);
data::DType python_dtype(const std::string& name);

nb::list fields_to_python(const std::vector<data::Field>& fields);
std::vector<data::Field> fields_from_python(nb::handle list);

}  // namespace muster::python
