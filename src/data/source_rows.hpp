// What sources that read no files have instead: an object, which says itself what it is, so that nobody asks for their names.
#pragma once
#include <memory>

#include "base/value.hpp"

namespace muster::data {

/// Of the arguments of a source, or of the operator it belongs to: the object that its rows are, or that says where they lie. Null of what reads files.
inline std::shared_ptr<const base::Opaque> rows_of(const base::Value& args) {
  const base::Value& rows = args["rows"];
  return rows.is_opaque() ? rows.opaque() : nullptr;
}

}  // namespace muster::data
