#include "data/schema.hpp"

#include "base/error.hpp"

namespace muster::data {
using namespace base;

std::vector<std::string> Schema::names() const {
  std::vector<std::string> out;
  for (const auto& c : columns) out.push_back(c.label.label());
  return out;
}

int64_t Schema::find(const Label& label) const {
  for (size_t i = 0; i < columns.size(); ++i)
    if (columns[i].label == label) return static_cast<int64_t>(i);
  return -1;
}

int64_t Schema::position(const Label& label, const std::string& operation) const {
  if (auto found = find(label); found >= 0) return found;
  auto all = names();
  auto shown = all;
  if (shown.size() > 20) shown.resize(20), shown.push_back("...");
  throw missing(operation, ": column ", label.repr(), " not found", near_matches(label.label(), all), "; columns are ", join(shown, ", "));
}

}  // namespace muster::data
