// Python objects to Values and back.
#pragma once
#include <nanobind/nanobind.h>

#include "base/value.hpp"
#include "expr/node.hpp"

namespace muster::python {
namespace nb = nanobind;

/// None, bool, int, float, str, Moment, Object, Expr, list, tuple and dict of these. An Expr becomes an input.
base::Value to_value(nb::handle object, std::vector<expr::Expr>& inputs);
/// As to_value, where an Expr makes no sense.
base::Value to_value(nb::handle object);
/// A list becomes a tuple (labels), a Moment a pandas-free (ns) Moment.
nb::object from_value(const base::Value& value);
/// One of a node's arguments: inputs are expressions, what the engine carries stays wrapped.
nb::object argument_of(const expr::Node& node, const base::Value& value);

/// A Python object the engine carries: equal tokens mean equal objects.
std::shared_ptr<const base::Opaque> opaque_of(nb::object object, std::string token);
/// The object itself; of one that came as bytes, what these are of.
nb::object object_of(const base::Opaque& opaque);
/// What these bytes of a pickle are of.
nb::object unpickled(const std::string& bytes);

}  // namespace muster::python
