// Kernels by name, in each process. Filled once at start (src/api/catalog.cpp), read by every thread.
#pragma once
#include "data/kernel.hpp"

namespace muster::kernels {

void register_kernels(std::vector<data::Kernel> kernels);
/// Throws Error{internal} naming an unknown kernel.
const data::Kernel& kernel(const std::string& name);
/// The engine's own kernels: those that several operators use.
std::vector<data::Kernel> builtin_kernels();

}  // namespace muster::kernels
