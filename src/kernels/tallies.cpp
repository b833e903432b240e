// Counts of groups: rows, truths, different values.
#include "data/dispatch.hpp"
#include "kernels/aggregate_states.hpp"
#include "kernels/blocks.hpp"
#include "kernels/key_table.hpp"
#include "kernels/wire.hpp"

namespace muster::kernels {
using namespace base;
using namespace data;
namespace {

struct Tally {
  int64_t count = 0;
  void merge(const Tally& o) { count += o.count; }
};
class Count : public States<Tally> {
 public:
  explicit Count(DType type, bool all_rows) : type_(type), all_rows_(all_rows) {}
  void add(const uint32_t* groups, const Column& c, int64_t rows) override {
    auto* s = states_.data();
    if (!groups && (all_rows_ || (!c.valid && !c.constant && !type_.is_float() && !type_.is_text() && !type_.is_object()))) {
      s[1].count += rows;
      return;
    }
    if (!groups && type_.storage == Storage::float64 && !c.constant) {
      s[1].count += count_of(c.as<double>(), rows);
      return;
    }
    for (int64_t i = 0; i < rows; ++i) s[groups ? groups[i] : 1].count += all_rows_ || !c.is_missing(i);
  }
  Column finish(const std::vector<uint32_t>& groups) override {
    Writable out(Storage::int64, static_cast<int64_t>(groups.size()));
    for (size_t i = 0; i < groups.size(); ++i) out.as<int64_t>()[i] = states_[groups[i]].count;
    return std::move(out).finish();
  }

 private:
  DType type_;
  bool all_rows_;
};

struct Truth {
  bool any = false, all = true;
  void merge(const Truth& o) { any |= o.any, all &= o.all; }
};
template <class T>
class AnyAll : public States<Truth> {
 public:
  AnyAll(bool any, AggregateOptions o) : any_(any), o_(o) {}
  void add(const uint32_t* groups, const Column& c, int64_t rows) override {
    auto* s = states_.data();
    each_row<T>(groups, c, rows, [s](uint32_t g, T v) {
      bool truth;
      if constexpr (std::is_same_v<T, Text>) truth = v.size > 0;
      else truth = v != T{};
      s[g].any |= truth, s[g].all &= truth;
    }, [s, this](uint32_t g) { if (!o_.skipna) s[g].any = true; });
  }
  Column finish(const std::vector<uint32_t>& groups) override {
    Writable out(Storage::boolean, static_cast<int64_t>(groups.size()));
    for (size_t i = 0; i < groups.size(); ++i) out.as<uint8_t>()[i] = any_ ? states_[groups[i]].any : states_[groups[i]].all;
    return std::move(out).finish();
  }

 private:
  bool any_;
  AggregateOptions o_;
};

// Distinct (group, value) pairs.
class Distinct : public Aggregate {
 public:
  Distinct(DType type, bool keep_missing) : values_(type.storage, keep_missing) {}
  void grow(uint32_t groups) override {
    if (counts_.size() <= groups) counts_.resize(groups + 1);
  }
  void add(const uint32_t* groups, const Column& c, int64_t rows) override {
    numbers_.resize(static_cast<size_t>(rows));
    values_.encode(c, rows, numbers_.data());
    const auto n = static_cast<size_t>(rows);
    for (size_t i = 0; i < n; ++i) {
      if (i + kAhead < n) pairs_.prefetch(pair(groups ? groups[i + kAhead] : 1, numbers_[i + kAhead]));
      if (numbers_[i]) see(groups ? groups[i] : 1, numbers_[i]);
    }
  }
  void merge(Aggregate& later, Groups from, Groups to) override {
    auto& other = static_cast<Distinct&>(later);
    std::vector<uint32_t> all(other.values_.size()), mine(all.size() + 1);
    for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<uint32_t>(i + 1);
    Column values = other.values_.values(all);
    values_.encode(values, values.length, mine.data() + 1);
    std::vector<uint32_t> place(other.counts_.size());
    for (size_t i = 0; i < from.size(); ++i) place[from[i]] = to[i];
    for (size_t i = 0; i < other.seen_.size(); ++i) {
      if (i + kAhead < other.seen_.size()) pairs_.prefetch(pair(place[other.seen_[i + kAhead].first], mine[other.seen_[i + kAhead].second]));
      const auto [group, number] = other.seen_[i];
      if (place[group]) see(place[group], mine[number]);
    }
  }
  Column finish(const std::vector<uint32_t>& groups) override {
    Writable out(Storage::int64, static_cast<int64_t>(groups.size()));
    for (size_t i = 0; i < groups.size(); ++i) out.as<int64_t>()[i] = counts_[groups[i]];
    return std::move(out).finish();
  }
  void encode(Encoder& out, size_t) const override {
    std::vector<uint32_t> all(values_.size()), flat;
    for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<uint32_t>(i + 1);
    kernels::encode(out, Batches{{static_cast<int64_t>(all.size()), {values_.values(all)}}});
    for (auto [group, number] : seen_) flat.push_back(group), flat.push_back(number);
    out << flat;
  }
  void decode(base::Decoder& in, size_t groups) override {
    const Batches values = decode_batches(in);
    const auto flat = in.list<uint32_t>();
    if (values.size() != 1 || values[0].columns.size() != 1) throw Error(ErrorKind::io, "the values of a count of distinct ones do not fit");
    std::vector<uint32_t> mine(static_cast<size_t>(values[0].rows) + 1);
    values_.encode(values[0].columns[0], values[0].rows, mine.data() + 1);
    for (size_t i = 0; i + 1 < flat.size(); i += 2)
      if (flat[i] <= groups && flat[i + 1] < mine.size()) see(flat[i], mine[flat[i + 1]]);
  }
  int64_t bytes() const override { return values_.bytes() + pairs_.bytes() + static_cast<int64_t>(seen_.capacity() * 8 + counts_.capacity() * 8); }

 private:
  static constexpr size_t kAhead = 24;  // rows whose slots are fetched before they are looked at
  static uint64_t pair(uint32_t group, uint32_t number) { return static_cast<uint64_t>(group) << 32 | number; }
  void see(uint32_t group, uint32_t number) {
    const auto next = static_cast<uint32_t>(seen_.size() + 1);
    if (pairs_.find_or_add(pair(group, number), next) != next) return;
    seen_.emplace_back(group, number), ++counts_[group];
  }
  KeyColumn values_;
  WordTable pairs_;
  std::vector<std::pair<uint32_t, uint32_t>> seen_;
  std::vector<int64_t> counts_ = std::vector<int64_t>(2);
  std::vector<uint32_t> numbers_;
};
}  // namespace

std::unique_ptr<Aggregate> count_aggregate(DType type, bool all_rows) { return std::make_unique<Count>(type, all_rows); }

std::unique_ptr<Aggregate> truth_aggregate(bool any, DType type, const AggregateOptions& o) {
  return visit(type.storage, [&](auto tag) -> std::unique_ptr<Aggregate> { return std::make_unique<AnyAll<typename decltype(tag)::type>>(any, o); });
}

std::unique_ptr<Aggregate> distinct_aggregate(DType type, bool keep_missing) { return std::make_unique<Distinct>(type, keep_missing); }

}  // namespace muster::kernels
