// For each of some columns a group-by of its own, whose keys are the column's values: what folds share that look at each column by itself. Its groups are
// never all there: they are made in the smallest parts there are, and what is kept of one is less.
#pragma once
#include <memory>
#include <vector>

#include "kernels/aggregate.hpp"
#include "kernels/parted_state.hpp"
#include "kernels/row_parts.hpp"

namespace muster::kernels {

class ColumnGroups : public data::Fold, public PartedState {
 public:
  /// `args`: types, dropna, parts; `aggregates`: of each group.
  ColumnGroups(const data::Args& args, const base::List& aggregates) : parts_(args["parts"].integer()) {
    for (const auto& type : args["types"].list())
      columns_.push_back(group_by_kernel().fold(
          base::Dict{{"keys", base::List{type}}, {"aggregates", aggregates}, {"dropna", args["dropna"]}, {"sort", base::Value()}, {"parts", kRowParts}}));
  }

  void add(data::Task& task, data::Columns in, int64_t rows) override {
    for (size_t c = 0; c < columns_.size(); ++c) columns_[c]->add(task, in.subspan(c, 1), rows);
  }
  void merge(data::Task& task, data::Fold& later) override {
    for (size_t c = 0; c < columns_.size(); ++c) columns_[c]->merge(task, *of(later)[c]);
  }
  void seal(data::Task& task) override {
    for (auto& c : columns_) c->seal(task);
  }
  data::Batches merge_part(data::Task& task, const std::vector<data::Fold*>& states, int64_t part) override {
    data::Batches out;
    std::vector<data::Fold*> of_column;
    for (int64_t p = part * kRowParts / parts_; p < (part + 1) * kRowParts / parts_; ++p)
      for (size_t c = 0; c < columns_.size(); ++c) {
        of_column.clear();
        for (auto* s : states) of_column.push_back(of(*s)[c].get());
        out.push_back(keep(columns_[c]->merge_part(task, of_column, p)));
      }
    return out;
  }
  data::Batches join_parts(data::Task& task, const std::vector<std::shared_ptr<const data::Batches>>& parts) override {
    std::vector<data::Batches> columns(columns_.size());
    for (const auto& p : parts)
      for (size_t i = 0; i < p->size(); ++i) columns[i % columns.size()].push_back(p->at(i));
    return {result(task, columns)};
  }
  data::Batches finish(data::Task& task) override {
    std::vector<data::Batches> columns;
    for (auto& c : columns_) columns.push_back({keep(c->finish(task))});
    return {result(task, columns)};
  }

  int64_t bytes() const override {
    int64_t total = 0;
    for (const auto& c : columns_) total += c->bytes();
    return total;
  }
  int64_t all_bytes() const override {
    int64_t total = 0;
    for (const auto& c : columns_) total += kernels::all_bytes(*c);
    return total;
  }
  std::unique_ptr<data::Fold> parts(int64_t begin, int64_t end) const override {
    auto out = empty();
    auto& columns = of(*out);
    for (size_t c = 0; c < columns_.size(); ++c) columns[c] = parts_of(*columns_[c], begin, end);
    return out;
  }
  void encode(base::Encoder& out) const override {
    for (const auto& c : columns_) c->encode(out);
  }
  void decode(base::Decoder& in) override {
    for (auto& c : columns_) c->decode(in);
  }

 protected:
  /// A new one of the same arguments.
  virtual std::unique_ptr<data::Fold> empty() const = 0;
  /// What is kept of some of a column's groups.
  virtual data::Batch keep(const data::Batches& groups) const = 0;
  /// The result of what was kept, by column.
  virtual data::Batch result(data::Task& task, const std::vector<data::Batches>& columns) const = 0;

 private:
  static std::vector<std::unique_ptr<data::Fold>>& of(data::Fold& fold) { return static_cast<ColumnGroups&>(fold).columns_; }
  int64_t parts_;
  std::vector<std::unique_ptr<data::Fold>> columns_;
};

}  // namespace muster::kernels
