// What the generator reads out of the operators' forms: parameters with types and defaults, kinds of results.
#pragma once
#include <string>
#include <vector>

#include "expr/op.hpp"

namespace muster::generate {
using namespace muster::expr;

/// Of a Python signature: `name`, `type` and `value` (the default, empty: required) as text; a bare "*" has these empty. Of a C++ parameter the same.
struct Parameter {
  std::string stars, name, type, value;
};

/// "a, b: int | None = 1, *, c=(1, 2)" as parameters. Throws Error for one whose type neither an annotation nor its name tells; `where` names the method.
std::vector<Parameter> python_parameters(const std::string& signature, const std::string& where);
/// The C++ parameters of a method: those its form says, or the required ones.
std::vector<Parameter> cpp_parameters(const Method& m, const std::vector<Parameter>& python);

inline std::string name_of(const Op& op, const Method& m) { return m.name.empty() ? op.name : m.name; }
inline bool is_special(const std::string& name) { return name.starts_with("__"); }
/// The type of a method's result, in Python and, of frames and series, nearly so in C++ (where the row of a frame's reductions is a DataFrame).
std::string result_of(const Op& op, const Method& m);

/// The files, by their path below the generator's folder.
using Files = std::vector<std::pair<std::string, std::string>>;
Files python_files(const std::vector<Op>& ops);
Files cpp_files(const std::vector<Op>& ops);

}  // namespace muster::generate
