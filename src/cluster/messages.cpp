#include "cluster/messages.hpp"

#include <algorithm>

#include "base/error.hpp"

namespace muster::cluster {

std::string versions_differ(const std::string& one, uint32_t of_one, const std::string& other, uint32_t of_other) {
  return base::concat(one, " speaks version ", of_one, " of muster's protocol, ", other, " version ", of_other, "; install the same muster for both");
}

}  // namespace muster::cluster

namespace muster::net {
using namespace base;

const char* Fields<graph::Range>::complaint(const graph::Range& r) {
  const auto count = static_cast<uint64_t>(r.count);
  const auto one_each = [&](const auto& list) { return list.empty() || list.size() == count; };
  const auto all = [](const auto& list, auto right) { return std::all_of(list.begin(), list.end(), right); };
  const auto given = [](const graph::Blob& bytes) { return bytes != nullptr; };
  const bool rising = std::is_sorted(r.begins.begin(), r.begins.end()) && !r.begins.empty() && r.begins.front() == 0 && r.begins.back() == r.needs.size();
  const bool begins = r.begins.empty() ? r.needs.empty() : r.begins.size() == count + 1 && rising;
  const bool lists = one_each(r.partition) && one_each(r.function_of) && one_each(r.arguments) && (r.labels.empty() || r.labels.size() == r.functions.size());
  const bool numbers = all(r.wanted_tasks, [&](uint32_t t) { return t < count; }) && all(r.function_of, [&](uint32_t f) { return f < r.functions.size(); });
  const bool right = r.count >= 0 && r.count < kNone && begins && lists && numbers && all(r.functions, given) && all(r.arguments, given);
  return right ? nullptr : "a graph whose lists do not fit its tasks";
}

}  // namespace muster::net
