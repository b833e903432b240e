// Functions of C++ programs by name: what "native" tasks call.
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace muster::worker {

using Native = std::function<std::string(std::string_view arguments, const std::vector<std::string_view>& inputs)>;
void register_native(const std::string& name, Native function);
/// Throws Error{missing} on a name this process does not know.
const Native& native(const std::string& name);

}  // namespace muster::worker
