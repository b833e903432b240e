// Results across the border: what muster._border.pandas makes pandas objects of.
#pragma once
#include <nanobind/nanobind.h>

#include <string>
#include <vector>

#include "api/gather.hpp"

namespace muster::python {
namespace nb = nanobind;

const char* kind_name(data::Kind kind);
data::Kind kind_named(const std::string& name);
/// {kind, index, columns, rows, labels_integer, partition_rows} of a result and its columns.
nb::dict to_python(const api::Computed& computed, const std::vector<api::Gathered>& gathered);

}  // namespace muster::python
