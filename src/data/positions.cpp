// Tables are made when more than a few questions have come, once, and then only read: several threads may ask.
#include "data/positions.hpp"

#include <algorithm>

namespace muster::data {
using namespace base;

size_t LabelHash::operator()(const Label& label) const {
  if (label.is_string()) return std::hash<std::string>()(label.string());
  return label.is_integer() ? std::hash<int64_t>()(label.integer()) : hash_of(label).low;
}

bool Positions::few_questions() const {
  constexpr int kFew = 8;
  if (questions_.fetch_add(1, std::memory_order_relaxed) < kFew) return true;
  std::call_once(asked_often_, [&] {
    const size_t n = levels();
    for (size_t i = 0; i < schema_.columns.size(); ++i) {
      const Label& label = schema_.columns[i].label;
      table_[label].push_back(static_cast<int64_t>(i));
      for (size_t k = 1; k < n; ++k)
        beginnings_[List(label.list().begin(), label.list().begin() + static_cast<std::ptrdiff_t>(k))].push_back(static_cast<int64_t>(i));
    }
  });
  return false;
}

std::vector<int64_t> Positions::all(const Label& label) const {
  if (few_questions()) return schema_.all(label);
  const auto found = table_.find(label);
  return found == table_.end() ? std::vector<int64_t>() : found->second;
}

int64_t Positions::first(const Label& label) const {
  if (few_questions()) return schema_.find(label);
  const auto found = table_.find(label);
  return found == table_.end() ? -1 : found->second[0];
}

std::vector<int64_t> Positions::meant(const Label& label) const {
  auto out = all(label);
  if (!out.empty() || levels() == 1) return out;
  const List start = label.is_list() ? label.list() : List{label};
  if (start.size() >= levels()) return out;
  if (!few_questions()) {
    const auto found = beginnings_.find(start);
    return found == beginnings_.end() ? out : found->second;
  }
  for (size_t i = 0; i < schema_.columns.size(); ++i)
    if (std::equal(start.begin(), start.end(), schema_.columns[i].label.list().begin())) out.push_back(static_cast<int64_t>(i));
  return out;
}

size_t Positions::levels() const {
  std::call_once(asked_levels_, [&] { levels_ = schema_.levels(); });
  return levels_;
}

}  // namespace muster::data
