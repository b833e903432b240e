// Of each part of a column's counted values those stay that are there most often in it; of these, the most frequent of all.
#include "kernels/modes.hpp"

#include <algorithm>
#include <numeric>

#include "data/dtype.hpp"
#include "kernels/column_groups.hpp"
#include "kernels/ordering.hpp"

namespace muster::kernels {
using namespace base;
using namespace data;
namespace {

Dict size() { return {{"function", "size"}, {"input", -1}, {"type", code(DType{Storage::int64})}, {"options", Value()}}; }

int64_t count_of(const Batch& counted, int64_t row) {
  const Column& counts = counted.columns[1];
  return counts.as<int64_t>()[counts.constant ? 0 : row];
}

// Of batches of values and how often they are there: those with the largest count, which is one for all.
Batch most_frequent(const Batches& counted) {
  int64_t most = 0;
  for (const auto& b : counted)
    for (int64_t i = 0; i < b.rows; ++i) most = std::max(most, count_of(b, i));
  Batch out;
  std::vector<Column> values;
  std::vector<int64_t> rows;
  for (const auto& b : counted) {
    rows.clear();
    for (int64_t i = 0; i < b.rows; ++i)
      if (count_of(b, i) == most) rows.push_back(i);
    out.rows += static_cast<int64_t>(rows.size());
    if (!rows.empty() || values.empty()) values.push_back(own_text(take(b.columns[0], rows)));
  }
  out.columns = {concatenate(values), constant_of(most, {Storage::int64})};
  return out;
}

// In pandas' order: missing times in front, as the smallest numbers.
Column in_order(const Batch& values, DType type) {
  const Column column = sorted({values.rows, {values.columns[0]}}, {{0}}).columns[0];
  if (!type.is_time() || values.rows < 2 || !column.is_missing(values.rows - 1)) return column;
  std::vector<int64_t> rows(static_cast<size_t>(values.rows));
  std::iota(rows.begin() + 1, rows.end(), 0);
  rows[0] = values.rows - 1;
  return take(column, rows);
}

class Modes : public ColumnGroups {
 public:
  explicit Modes(const Args& a) : ColumnGroups(a, {size()}), args_(a), types_(a["types"].list()), first_(a["first"].integer()) {}

 private:
  std::unique_ptr<Fold> empty() const override { return std::make_unique<Modes>(args_); }
  Batch keep(const Batches& groups) const override { return most_frequent(groups); }
  Batch result(Task& task, const std::vector<Batches>& columns) const override {
    Batch out;
    std::vector<Batch> all;
    for (const auto& kept : columns) {
      all.push_back(most_frequent(kept));
      out.rows = std::max(out.rows, all.back().rows);
    }
    std::vector<int64_t> rows(static_cast<size_t>(out.rows));
    for (size_t c = 0; c < all.size(); ++c) {
      const Column values = in_order(all[c], dtype_of(types_[c].integer()));
      const auto behind = rows.begin() + all[c].rows;
      std::iota(rows.begin(), behind, 0);
      std::fill(behind, rows.end(), -1);
      if (behind != rows.end()) task.report.missing.push_back(first_ + static_cast<int64_t>(c));
      out.columns.push_back(behind == rows.end() ? values : take(values, rows));
    }
    return out;
  }
  Args args_;
  List types_;
  int64_t first_;
};
}  // namespace

Kernel modes_kernel() {
  return {.name = "modes", .fold = [](const Args& a) -> std::unique_ptr<Fold> { return std::make_unique<Modes>(a); }};
}

}  // namespace muster::kernels
