// Entered before tasks run, read by every thread.
#include "worker/native.hpp"

#include <map>
#include <mutex>

#include "base/error.hpp"
#include "base/text.hpp"
#include "muster/error.hpp"

namespace muster::worker {
namespace {
struct Registry {
  std::mutex mutex;
  std::map<std::string, Native> functions;
};
Registry& registry() {
  static Registry one;  // registered from static objects of other files: made on first use
  return one;
}
}  // namespace

void register_native(const std::string& name, Native function) {
  std::lock_guard lock(registry().mutex);
  registry().functions[name] = std::move(function);
}

const Native& native(const std::string& name) {
  std::lock_guard lock(registry().mutex);
  auto found = registry().functions.find(name);
  if (found == registry().functions.end())
    throw Error(ErrorKind::missing, base::concat("this worker does not know the function '", name,
                                                 "'; start workers from the program that registers it, or load its library with --load"));
  return found->second;
}

}  // namespace muster::worker
