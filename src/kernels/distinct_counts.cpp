// One group-by without aggregates for each column: its groups are the values.
#include "kernels/distinct_counts.hpp"

#include "kernels/column_groups.hpp"

namespace muster::kernels {
using namespace base;
using namespace data;
namespace {

class DistinctCounts : public ColumnGroups {
 public:
  explicit DistinctCounts(const Args& a) : ColumnGroups(a, {}), args_(a) {}

 private:
  std::unique_ptr<Fold> empty() const override { return std::make_unique<DistinctCounts>(args_); }
  Batch keep(const Batches& groups) const override {
    int64_t rows = 0;
    for (const auto& b : groups) rows += b.rows;
    return {1, {count(rows)}};
  }
  Batch result(Task&, const std::vector<Batches>& columns) const override {
    Batch out{1, {}};
    for (const auto& kept : columns) {
      int64_t sum = 0;
      for (const auto& b : kept) sum += b.columns[0].as<int64_t>()[0];
      out.columns.push_back(count(sum));
    }
    return out;
  }
  static Column count(int64_t n) {
    Writable w(Storage::int64, 1);
    w.as<int64_t>()[0] = n;
    return std::move(w).finish();
  }
  Args args_;
};
}  // namespace

Kernel distinct_counts_kernel() {
  return {.name = "distinct_counts", .fold = [](const Args& a) -> std::unique_ptr<Fold> { return std::make_unique<DistinctCounts>(a); }};
}

}  // namespace muster::kernels
