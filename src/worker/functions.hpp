// What the tasks of a range call. A kind of task is a name in functions.cpp.
#pragma once
#include <memory>
#include <vector>

#include "kernels/pipeline.hpp"

namespace muster::worker {

using Inputs = std::vector<std::vector<kernels::Output>>;  // per dependency, the outputs of the tasks it names

/// Bound once per range, shared by the threads that run its tasks.
class Function {
 public:
  virtual ~Function() = default;
  /// `arguments`: of this task alone, as bytes.
  virtual std::vector<kernels::Output> run(data::Task& task, const Inputs& inputs, std::string_view arguments) const = 0;
};

/// Throws Error{internal} on a function nobody knows.
std::unique_ptr<Function> bind(const std::string& function, const base::Value& args);

/// Tasks whose outputs are there already, and their arguments.
constexpr char kGiven[] = "given";
base::Value given(std::vector<std::vector<kernels::Output>> outputs);

/// Whether the function only puts together what it reads.
bool puts_together(const std::string& function);

}  // namespace muster::worker
