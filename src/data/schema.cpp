// Labels are looked up one by one, in the order of the columns; for many questions there is Positions.
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

std::vector<int64_t> Schema::all(const Label& label) const {
  std::vector<int64_t> out;
  for (size_t i = 0; i < columns.size(); ++i)
    if (columns[i].label == label) out.push_back(static_cast<int64_t>(i));
  return out;
}

size_t Schema::levels() const {
  if (columns.empty() || !columns[0].label.is_list()) return 1;
  const size_t n = columns[0].label.list().size();
  for (const auto& c : columns)
    if (!c.label.is_list() || c.label.list().size() != n) return 1;
  return n;
}

int64_t Schema::position(const Label& label, const std::string& operation) const {
  if (auto found = find(label); found >= 0) return found;
  auto all = names();
  auto shown = all;
  if (shown.size() > 20) shown.resize(20), shown.push_back("...");
  throw missing(operation, ": column ", label.repr(), " not found", near_matches(label.label(), all), "; columns are ", join(shown, ", "));
}

int64_t Schema::only(const Label& label, const std::string& operation) const {
  const auto at = position(label, operation);
  if (const auto n = all(label).size(); n > 1) throw invalid(operation, ": ", n, " columns are labelled ", label.repr(), "; give them labels of their own");
  return at;
}

}  // namespace muster::data
