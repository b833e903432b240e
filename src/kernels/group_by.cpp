// The group-by fold: a key table and one state per group and aggregate. Without keys all rows are one group, there even when there is no row.
#include <algorithm>
#include <numeric>

#include "base/error.hpp"
#include "data/dispatch.hpp"
#include "kernels/aggregate.hpp"
#include "kernels/key_table.hpp"
#include "kernels/wire.hpp"
#include "muster/error.hpp"

namespace muster::kernels {
using namespace base;
using namespace data;
namespace {

class GroupBy : public Fold {
 public:
  explicit GroupBy(const Args& a) : args_(a), key_count_(a["keys"].list().size()), sort_(a["sort"].boolean()) {
    std::vector<Storage> storages;
    for (const auto& k : a["keys"].list()) storages.push_back(dtype_of(k.integer()).storage);
    if (key_count_) keys_ = std::make_unique<KeyTable>(storages, !a["dropna"].boolean());
    for (const auto& g : a["aggregates"].list()) {
      inputs_.push_back(g["input"].integer());
      aggregates_.push_back(make_aggregate(g["function"].string(), dtype_of(g["type"].integer()), g["options"]));
    }
  }

  void add(Task&, Columns in, int64_t rows) override {
    const uint32_t* groups = nullptr;
    if (keys_) {
      keys_->encode(in.first(key_count_), rows, groups_);
      groups = groups_.data();
      for (auto& a : aggregates_) a->grow(keys_->size());
    }
    static const Column none;
    for (size_t i = 0; i < aggregates_.size(); ++i) aggregates_[i]->add(groups, inputs_[i] < 0 ? none : in[key_count_ + static_cast<size_t>(inputs_[i])], rows);
  }

  void merge(Task&, Fold& fold) override {
    auto& later = static_cast<GroupBy&>(fold);
    std::vector<uint32_t> to{0, 1};
    if (keys_) {
      auto all = numbers(later.keys_->size());
      auto values = later.keys_->values(all);
      std::vector<uint32_t> mine;
      keys_->encode(values, static_cast<int64_t>(all.size()), mine);
      to.assign(1, 0);
      to.insert(to.end(), mine.begin(), mine.end());
      for (auto& a : aggregates_) a->grow(keys_->size());
    }
    for (size_t i = 0; i < aggregates_.size(); ++i) aggregates_[i]->merge(*later.aggregates_[i], to);
  }

  Batches finish(Task&) override {
    auto groups = numbers(keys_ ? keys_->size() : 1);
    Batch out{static_cast<int64_t>(groups.size()), {}};
    if (keys_) {
      auto columns = keys_->values(groups);
      if (sort_) {
        order(columns, groups);
        columns = keys_->values(groups);
      }
      out.columns = std::move(columns);
    }
    for (auto& a : aggregates_) out.columns.push_back(a->finish(groups));
    return {std::move(out)};
  }

  void encode(Encoder& out) const override {
    auto groups = numbers(keys_ ? keys_->size() : 1);
    out << static_cast<uint32_t>(groups.size());
    if (keys_) kernels::encode(out, Batches{{static_cast<int64_t>(groups.size()), keys_->values(groups)}});
    for (const auto& a : aggregates_) a->encode(out, groups.size());
  }
  void decode(base::Decoder& in) override {
    const auto groups = in.get<uint32_t>();
    if (keys_) {
      const Batches keys = decode_batches(in);
      if (keys.size() != 1 || keys[0].rows != groups || keys[0].columns.size() != key_count_) throw Error(ErrorKind::io, "the keys of a group-by do not fit");
      keys_->encode(keys[0].columns, keys[0].rows, groups_);  // new keys get the same numbers again
    }
    for (auto& a : aggregates_) {
      a->grow(groups);
      a->decode(in, groups);
    }
  }
  int64_t bytes() const override {
    int64_t total = keys_ ? keys_->bytes() : 0;
    for (const auto& a : aggregates_) total += a->bytes();
    return total;
  }

 private:
  static std::vector<uint32_t> numbers(uint32_t count) {
    std::vector<uint32_t> out(count);
    std::iota(out.begin(), out.end(), 1);
    return out;
  }
  // By key, missing last, the first key foremost.
  static void order(const std::vector<Column>& columns, std::vector<uint32_t>& groups) {
    std::vector<int64_t> at(groups.size());
    std::iota(at.begin(), at.end(), 0);
    for (size_t k = columns.size(); k-- > 0;)
      visit(columns[k].storage, [&](auto tag) {
        using T = typename decltype(tag)::type;
        const Column& c = columns[k];
        std::stable_sort(at.begin(), at.end(), [&](int64_t a, int64_t b) {
          const bool gone_a = c.is_missing(a), gone_b = c.is_missing(b);
          if (gone_a || gone_b) return !gone_a;
          if constexpr (std::is_same_v<T, Text>) return c.as<T>()[a].view() < c.as<T>()[b].view();
          else return c.as<T>()[a] < c.as<T>()[b];
        });
      });
    std::vector<uint32_t> sorted;
    for (auto i : at) sorted.push_back(groups[static_cast<size_t>(i)]);
    groups = std::move(sorted);
  }

  Args args_;
  size_t key_count_;
  bool sort_;
  std::unique_ptr<KeyTable> keys_;
  std::vector<int64_t> inputs_;
  std::vector<std::unique_ptr<Aggregate>> aggregates_;
  std::vector<uint32_t> groups_;
};
}  // namespace

Kernel group_by_kernel() {
  return {.name = "group_by", .fold = [](const Args& a) -> std::unique_ptr<Fold> { return std::make_unique<GroupBy>(a); }};
}

}  // namespace muster::kernels
