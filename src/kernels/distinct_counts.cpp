// One group-by without aggregates for each column: its groups are the values.
#include "kernels/distinct_counts.hpp"

#include <memory>

#include "kernels/aggregate.hpp"

namespace muster::kernels {
using namespace base;
using namespace data;
namespace {

class DistinctCounts : public Fold {
 public:
  explicit DistinctCounts(const Args& a) {
    for (const auto& type : a["types"].list())
      columns_.push_back(group_by_kernel().fold(Dict{{"keys", List{type}}, {"aggregates", List{}}, {"dropna", a["dropna"]}, {"sort", Value()}, {"parts", a["parts"]}}));
  }

  void add(Task& task, Columns in, int64_t rows) override {
    for (size_t c = 0; c < columns_.size(); ++c) columns_[c]->add(task, in.subspan(c, 1), rows);
  }
  void merge(Task& task, Fold& later) override {
    for (size_t c = 0; c < columns_.size(); ++c) columns_[c]->merge(task, *of(later)[c]);
  }
  void seal(Task& task) override {
    for (auto& c : columns_) c->seal(task);
  }
  Batches merge_part(Task& task, const std::vector<Fold*>& states, int64_t part) override {
    std::vector<int64_t> counts;
    for (size_t c = 0; c < columns_.size(); ++c) {
      std::vector<Fold*> column;
      for (auto* s : states) column.push_back(of(*s)[c].get());
      counts.push_back(rows_of(columns_[c]->merge_part(task, column, part)));
    }
    return one_row(counts);
  }
  Batches join_parts(Task&, const std::vector<std::shared_ptr<const Batches>>& parts) override {
    std::vector<int64_t> counts(columns_.size());
    for (const auto& p : parts)
      for (size_t c = 0; c < counts.size(); ++c) counts[c] += p->at(0).columns[c].as<int64_t>()[0];
    return one_row(counts);
  }
  Batches finish(Task& task) override {
    std::vector<int64_t> counts;
    for (auto& c : columns_) counts.push_back(rows_of(c->finish(task)));
    return one_row(counts);
  }

  int64_t bytes() const override {
    int64_t total = 0;
    for (const auto& c : columns_) total += c->bytes();
    return total;
  }
  void encode(Encoder& out) const override {
    for (const auto& c : columns_) c->encode(out);
  }
  void decode(base::Decoder& in) override {
    for (auto& c : columns_) c->decode(in);
  }

 private:
  static std::vector<std::unique_ptr<Fold>>& of(Fold& fold) { return static_cast<DistinctCounts&>(fold).columns_; }
  static int64_t rows_of(const Batches& batches) {
    int64_t rows = 0;
    for (const auto& b : batches) rows += b.rows;
    return rows;
  }
  static Batches one_row(const std::vector<int64_t>& counts) {
    Batch out{1, {}};
    for (int64_t n : counts) {
      Writable w(Storage::int64, 1);
      w.as<int64_t>()[0] = n;
      out.columns.push_back(std::move(w).finish());
    }
    return {std::move(out)};
  }

  std::vector<std::unique_ptr<Fold>> columns_;
};
}  // namespace

Kernel distinct_counts_kernel() {
  return {.name = "distinct_counts", .fold = [](const Args& a) -> std::unique_ptr<Fold> { return std::make_unique<DistinctCounts>(a); }};
}

}  // namespace muster::kernels
