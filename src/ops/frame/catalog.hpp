// Every operator of this folder, by the lines of catalog.def.
#pragma once
#include "expr/op.hpp"

namespace muster::ops::frame {

std::vector<expr::Op> catalog();
/// The arguments of a read_csv node from those of the Python call.
base::Value resolve_read_csv(const base::Value& arguments);
/// The same of read_parquet.
base::Value resolve_read_parquet(const base::Value& arguments);

}  // namespace muster::ops::frame
