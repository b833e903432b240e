// Where labels stand among columns, for many questions about one schema.
#pragma once
#include <atomic>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "data/schema.hpp"

namespace muster::data {

struct LabelHash {
  size_t operator()(const Label& label) const;
};

/// Of a schema that lives longer than this. The first questions look through the columns; for more there is a table.
class Positions {
 public:
  explicit Positions(const Schema& schema) : schema_(schema) {}
  /// Of all columns with this label, in order.
  std::vector<int64_t> all(const Label& label) const;
  /// Of the first of them, or -1.
  int64_t first(const Label& label) const;
  /// Of what a label means: all columns that have it; where labels have levels and none has it, all that begin with it. May be empty.
  std::vector<int64_t> meant(const Label& label) const;
  /// As Schema::levels.
  size_t levels() const;

 private:
  using Table = std::unordered_map<Label, std::vector<int64_t>, LabelHash>;
  bool few_questions() const;
  const Schema& schema_;
  mutable std::atomic<int> questions_{0};
  mutable std::once_flag asked_often_, asked_levels_;
  mutable Table table_, beginnings_;  // by label, and by the first levels of labels that have several
  mutable size_t levels_ = 1;
};

}  // namespace muster::data
