// A name is entered once; what is bound to a kernel's traits is entered with it, before any program is planned or run.
#include "kernels/registry.hpp"

#include <map>

#include "base/error.hpp"
#include "kernels/aggregate.hpp"
#include "kernels/elementwise.hpp"
#include "kernels/join.hpp"
#include "kernels/memory.hpp"
#include "kernels/row_numbers.hpp"
#include "kernels/settling.hpp"
#include "kernels/sorted_rows.hpp"
#include "kernels/task_values.hpp"

namespace muster::kernels {
using namespace base;
using data::Kernel;
namespace {
std::map<std::string, Kernel>& table() {
  static std::map<std::string, Kernel> kernels;
  return kernels;
}
}  // namespace

void register_kernels(std::vector<Kernel> kernels) {
  for (auto& k : kernels) {
    auto name = k.name;
    data::declare_traits(name, k.traits);
    if (!table().emplace(name, std::move(k)).second) throw internal("kernel ", name, " is registered twice");
  }
}

const Kernel& kernel(const std::string& name) {
  auto found = table().find(name);
  if (found == table().end()) throw internal("unknown kernel ", name);
  return found->second;
}

std::vector<Kernel> builtin_kernels() {
  std::vector<Kernel> all;
  for (auto part : {elementwise_kernels(), selection_kernels(), row_number_kernels(), join_kernels(), sort_kernels()})
    all.insert(all.end(), part.begin(), part.end());
  all.push_back(group_by_kernel());
  all.push_back(memory_kernel());
  all.push_back(row_counts_kernel());
  all.push_back(settle_kernel());
  all.push_back(task_values_kernel());
  return all;
}

}  // namespace muster::kernels
