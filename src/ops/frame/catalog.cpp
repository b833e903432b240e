// catalog.def is read twice, for declarations and for the list: a line there is all that enters an operator, whatever the order in which static objects are
// made.
#include "ops/frame/catalog.hpp"

namespace muster::ops::frame {

#define OP(name) std::vector<expr::Op> name##_ops();
#include "ops/frame/catalog.def"
#undef OP

std::vector<expr::Op> catalog() {
  std::vector<expr::Op> all;
#define OP(name) \
  for (auto& op : name##_ops()) all.push_back(std::move(op));
#include "ops/frame/catalog.def"
#undef OP
  return all;
}

}  // namespace muster::ops::frame
