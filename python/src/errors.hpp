// muster::Error as the Python exception of its kind.
#pragma once

namespace muster::python {

void register_errors();

}  // namespace muster::python
