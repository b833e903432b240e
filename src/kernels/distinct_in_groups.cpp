// For each column a group-by of the keys and the value, without aggregates: its groups are the distinct pairs. A part of them is counted by key where it
// is merged, and the parts' counts are added up.
#include <algorithm>

#include "data/dtype.hpp"
#include "kernels/aggregate.hpp"
#include "kernels/distinct_counts.hpp"
#include "kernels/ordering.hpp"
#include "kernels/parted_state.hpp"

namespace muster::kernels {
using namespace base;
using namespace data;
namespace {

class DistinctInGroups : public Fold, public PartedState {
 public:
  explicit DistinctInGroups(const Args& a)
      : args_(a),
        keys_(a["keys"].list()),
        values_(a["values"].list()),
        skips_missing_(a["skips_missing"].boolean()),
        drops_keys_(a["dropna"].boolean()),
        in_appearance_(a["sort"].is_bool() && !a["sort"].boolean()),
        sort_(a["sort"]) {
    for (const auto& type : values_) {
      List both = keys_;
      both.push_back(type);
      pairs_.push_back(group_by_kernel().fold(
          Dict{{"keys", both}, {"aggregates", List{}}, {"dropna", false}, {"sort", in_appearance_ ? Value(false) : Value()}, {"parts", a["parts"]}}));
    }
  }

  void add(Task& task, Columns in, int64_t rows) override {
    std::vector<Column> both(in.begin(), in.begin() + static_cast<std::ptrdiff_t>(keys_.size() + 1));
    for (size_t v = 0; v < pairs_.size(); ++v) {
      both.back() = in[keys_.size() + v];
      pairs_[v]->add(task, both, rows);
    }
  }
  void merge(Task& task, Fold& later) override {
    for (size_t v = 0; v < pairs_.size(); ++v) pairs_[v]->merge(task, *of(later)[v]);
  }
  void seal(Task& task) override {
    for (auto& p : pairs_) p->seal(task);
  }
  // A batch for each value: the keys, how many distinct ones there are, and where keys stand in order of appearance the first row.
  Batches merge_part(Task& task, const std::vector<Fold*>& states, int64_t part) override {
    Batches out;
    for (size_t v = 0; v < pairs_.size(); ++v) {
      std::vector<Fold*> of_value;
      for (auto* s : states) of_value.push_back(of(*s)[v].get());
      const auto counts = by_key(skips_missing_ ? "count" : "size", dtype_of(values_[v].integer()), Value());
      for (const auto& b : pairs_[v]->merge_part(task, of_value, part)) counts->add(task, b.columns, b.rows);
      out.push_back(counts->finish(task).at(0));
    }
    return out;
  }
  Batches join_parts(Task& task, const std::vector<std::shared_ptr<const Batches>>& parts) override {
    Batch all;
    for (size_t v = 0; v < pairs_.size(); ++v) {
      const auto sums = by_key("sum", {Storage::int64}, in_appearance_ ? Value() : sort_);
      for (const auto& p : parts) sums->add(task, p->at(v).columns, p->at(v).rows);
      Batch one = sums->finish(task).at(0);
      if (in_appearance_) one = sorted(one, {{one.columns.size() - 1}});
      if (v == 0) all = {one.rows, {one.columns.begin(), one.columns.begin() + static_cast<std::ptrdiff_t>(keys_.size())}};
      all.columns.push_back(one.columns[keys_.size()]);  // each value has the same groups
    }
    return {std::move(all)};
  }
  Batches finish(Task& task) override {
    seal(task);
    std::vector<Fold*> state{this};
    DistinctInGroups one(Dict{{"keys", keys_}, {"values", values_}, {"skips_missing", skips_missing_}, {"dropna", drops_keys_}, {"sort", sort_}, {"parts", 1}});
    return one.join_parts(task, {std::make_shared<const Batches>(one.merge_part(task, state, 0))});
  }

  int64_t bytes() const override {
    int64_t total = 0;
    for (const auto& p : pairs_) total += p->bytes();
    return total;
  }
  int64_t all_bytes() const override {
    int64_t total = 0;
    for (const auto& p : pairs_) total += kernels::all_bytes(*p);
    return total;
  }
  std::unique_ptr<Fold> parts(int64_t begin, int64_t end) const override {
    auto out = std::make_unique<DistinctInGroups>(args_);
    for (size_t v = 0; v < pairs_.size(); ++v) out->pairs_[v] = parts_of(*pairs_[v], begin, end);
    return out;
  }
  void encode(Encoder& out) const override {
    for (const auto& p : pairs_) p->encode(out);
  }
  void decode(base::Decoder& in) override {
    for (auto& p : pairs_) p->decode(in);
  }

 private:
  static std::vector<std::unique_ptr<Fold>>& of(Fold& fold) { return static_cast<DistinctInGroups&>(fold).pairs_; }
  // Of keys, a value and perhaps the first row: the function of the value, and the smallest first row.
  std::unique_ptr<Fold> by_key(const std::string& function, DType value, Value sort) const {
    const auto aggregate = [](const std::string& name, int64_t input, DType type) {
      return Dict{{"function", name}, {"input", input}, {"type", code(type)}, {"options", Value()}};
    };
    List aggregates{aggregate(function, function == "size" ? -1 : 0, value)};
    if (in_appearance_) aggregates.push_back(aggregate("min", 1, {Storage::int64}));
    return group_by_kernel().fold(Dict{{"keys", keys_}, {"aggregates", aggregates}, {"dropna", drops_keys_}, {"sort", std::move(sort)}, {"parts", 1}});
  }

  Args args_;
  List keys_, values_;
  bool skips_missing_, drops_keys_, in_appearance_;
  Value sort_;
  std::vector<std::unique_ptr<Fold>> pairs_;
};
}  // namespace

Kernel distinct_in_groups_kernel() {
  return {.name = "distinct_in_groups", .fold = [](const Args& a) -> std::unique_ptr<Fold> { return std::make_unique<DistinctInGroups>(a); }};
}

}  // namespace muster::kernels
