// The group-by fold. A state is a table of groups, and behind it rows: once most rows are groups of their own, or the memory ends, a table gains
// nothing, and the rows are kept, sorted into parts by the hash of their keys. States are merged part by part, side by side.
// Without keys all rows are one group, there even when there is no row.
#include <algorithm>
#include <numeric>

#include "base/error.hpp"
#include "data/dispatch.hpp"
#include "kernels/aggregate.hpp"
#include "kernels/key_table.hpp"
#include "kernels/row_parts.hpp"
#include "kernels/wire.hpp"
#include "muster/error.hpp"

namespace muster::kernels {
using namespace base;
using namespace data;
namespace {
constexpr uint32_t kManyGroups = 128 << 10;   // from here on it is asked whether a table gains anything
constexpr int64_t kHeldBytes = 8 << 20;       // rows that are kept in memory in any case

class GroupBy : public Fold {
 public:
  explicit GroupBy(const Args& a) : args_(a), key_count_(a["keys"].list().size()), parts_(a["parts"].is_integer() ? a["parts"].integer() : 1), sort_(a["sort"].boolean()), keep_missing_(!a["dropna"].boolean()), hasher_(key_count_) {
    for (const auto& k : a["keys"].list()) storages_.push_back(dtype_of(k.integer()).storage);
    for (const auto& g : a["aggregates"].list()) {
      inputs_.push_back(g["input"].integer());
      keeps_values_ |= keeps_values(g["function"].string());
    }
    reset();
  }

  void add(Task& task, Columns in, int64_t rows) override {
    if (!keys_) return add_to(nullptr, in, rows, 0);
    if (rows_seen_ == 0) partition_ = task.partition();
    const int64_t first = partition_ << 32 | rows_seen_;
    rows_seen_ += rows;
    if (tabled_ && keeps_values_) tabled_ = false;
    if (tabled_) {
      keys_->encode(in.first(key_count_), rows, groups_);
      number_new_groups(rows, first);
      for (auto& a : aggregates_) a->grow(keys_->size());
      add_to(groups_.data(), in, rows, key_count_);
      tabled_ = keys_->size() < kManyGroups ? keys_->size() * 512 < task.headroom() : static_cast<int64_t>(keys_->size()) * 2 < rows_seen_;
      return;
    }
    hasher_.hash(in.first(key_count_), rows, hashes_, gone_);
    if (keep_missing_) gone_.clear();
    task.hold(kept_.add(in, rows, hashes_, gone_, first));
    if (kept_.bytes() > kHeldBytes && kept_.bytes() > task.headroom() / 4) task.hold(-kept_.shed());
  }

  void merge(Task& task, Fold& fold) override {
    auto& later = static_cast<GroupBy&>(fold);
    if (!keys_) {
      const uint32_t one = 1;
      for (size_t i = 0; i < aggregates_.size(); ++i) aggregates_[i]->merge(*later.aggregates_[i], {&one, 1}, {&one, 1});
      return;
    }
    merge_groups(later, numbers(later.keys_->size()));
    tabled_ &= later.tabled_;
    kept_.append(later.kept_);
    if (kept_.bytes() > kHeldBytes && kept_.bytes() > task.headroom() / 4) kept_.shed();
    of_part_.clear();
  }

  // For each part the groups of the table in it.
  void seal(Task&) override {
    if (!keys_ || !of_part_.empty()) return;
    of_part_.resize(kRowParts);
    const auto all = numbers(keys_->size());
    const auto values = keys_->values(all);
    hasher_.hash(values, static_cast<int64_t>(all.size()), hashes_, gone_);
    for (size_t i = 0; i < all.size(); ++i) of_part_[hashes_[i] >> 56].push_back(all[i]);
  }

  Batches merge_part(Task& task, const std::vector<Fold*>& states, int64_t part) override {
    const int64_t begin = part * kRowParts / parts_, end = (part + 1) * kRowParts / parts_;
    bool any_rows = false;
    for (const auto* s : states) any_rows |= !static_cast<const GroupBy*>(s)->kept_.empty();
    Batches out;
    // Tables alone are small: all of the parts at once. Rows are grouped part by part, in tables that stay in the cache.
    for (int64_t from = begin; from < end; from += any_rows ? 1 : end - begin) {
      const int64_t to = any_rows ? from + 1 : end;
      if (task.stopped()) throw Error(ErrorKind::cancelled, "stopped");
      reset();
      for (auto* s : states) {
        auto& state = *static_cast<GroupBy*>(s);
        std::vector<uint32_t> theirs;
        for (int64_t p = from; p < to; ++p) theirs.insert(theirs.end(), state.of_part_[static_cast<size_t>(p)].begin(), state.of_part_[static_cast<size_t>(p)].end());
        if (to - from > 1) std::sort(theirs.begin(), theirs.end());
        if (!theirs.empty()) merge_groups(state, theirs);
        for (int64_t p = from; p < to && !state.kept_.empty(); ++p) {
          Batch rows = state.kept_.part(static_cast<int>(p));
          if (!rows.rows) continue;
          keys_->encode(Columns(rows.columns).first(key_count_), rows.rows, groups_);
          const int64_t* their_numbers = rows.columns.back().as<int64_t>();
          for (int64_t i = 0; i < rows.rows; ++i)
            if (groups_[static_cast<size_t>(i)] == first_rows_.size()) first_rows_.push_back(their_numbers[i]);
          for (auto& a : aggregates_) a->grow(keys_->size());
          add_to(groups_.data(), rows.columns, rows.rows, key_count_);
        }
      }
      if (keys_->size() == 0 && !out.empty()) continue;
      const auto groups = numbers(keys_->size());
      Batch b{static_cast<int64_t>(groups.size()), keys_->values(groups)};
      for (auto& a : aggregates_) b.columns.push_back(a->finish(groups));
      Writable first(Storage::int64, b.rows);
      std::copy(first_rows_.begin() + 1, first_rows_.end(), first.as<int64_t>());
      b.columns.push_back(std::move(first).finish());
      out.push_back(std::move(b));
    }
    reset();
    return out;
  }

  Batches join_parts(Task&, const std::vector<std::shared_ptr<const Batches>>& parts) override {
    Batches all;
    for (const auto& p : parts)
      for (const auto& b : *p)
        if (b.rows || all.empty()) all.push_back(b);
    if (all.size() > 1 && all[0].rows == 0) all.erase(all.begin());
    Batch joined = concatenate(all);
    const Column first = joined.columns.back();
    joined.columns.pop_back();
    std::vector<int64_t> order(static_cast<size_t>(joined.rows));
    if (sort_) {
      std::iota(order.begin(), order.end(), 0);
      sort_by(Columns(joined.columns).first(key_count_), order);
    } else {
      appearance(first, order);
    }
    Batch out{joined.rows, {}};
    for (auto& c : joined.columns) {
      Column taken = take(c, order);
      taken.text_kept = c.text_kept;
      out.columns.push_back(std::move(taken));
      c = {};
    }
    return {std::move(out)};
  }

  Batches finish(Task& task) override {
    if (keys_) {
      seal(task);
      GroupBy one(args_);
      one.parts_ = 1;
      auto rows = std::make_shared<const Batches>(one.merge_part(task, {this}, 0));
      return one.join_parts(task, {rows});
    }
    Batch out{1, {}};
    for (auto& a : aggregates_) out.columns.push_back(a->finish({1}));
    return {std::move(out)};
  }

  void encode(Encoder& out) const override {
    auto groups = numbers(keys_ ? keys_->size() : 1);
    out << static_cast<uint32_t>(groups.size()) << static_cast<uint8_t>(tabled_) << partition_ << rows_seen_;
    if (keys_) {
      kernels::encode(out, Batches{{static_cast<int64_t>(groups.size()), keys_->values(groups)}});
      out << first_rows_;
    }
    for (const auto& a : aggregates_) a->encode(out, groups.size());
    kept_.encode(out);
  }
  void decode(base::Decoder& in) override {
    const auto groups = in.get<uint32_t>();
    tabled_ = in.get<uint8_t>() != 0, partition_ = in.get<int64_t>(), rows_seen_ = in.get<int64_t>();
    if (keys_) {
      const Batches keys = decode_batches(in);
      if (keys.size() != 1 || keys[0].rows != groups || keys[0].columns.size() != key_count_) throw Error(ErrorKind::io, "the keys of a group-by do not fit");
      keys_->encode(keys[0].columns, keys[0].rows, groups_);  // new keys get the same numbers again
      first_rows_ = in.list<int64_t>();
      if (keys_->size() != groups || first_rows_.size() != groups + size_t{1}) throw Error(ErrorKind::io, "the keys of a group-by do not fit");
    }
    for (auto& a : aggregates_) {
      a->grow(groups);
      a->decode(in, groups);
    }
    kept_.decode(in);
  }
  int64_t bytes() const override {
    int64_t total = (keys_ ? keys_->bytes() : 0) + kept_.bytes() + static_cast<int64_t>(first_rows_.capacity() * 8);
    for (const auto& a : aggregates_) total += a->bytes();
    return total;
  }

 private:
  void reset() {
    keys_ = key_count_ ? std::make_unique<KeyTable>(storages_, keep_missing_) : nullptr;
    first_rows_.assign(1, 0);
    aggregates_.clear();
    for (const auto& g : args_["aggregates"].list()) aggregates_.push_back(make_aggregate(g["function"].string(), dtype_of(g["type"].integer()), g["options"]));
  }
  static std::vector<uint32_t> numbers(uint32_t count) {
    std::vector<uint32_t> out(count);
    std::iota(out.begin(), out.end(), 1);
    return out;
  }
  void add_to(const uint32_t* groups, Columns in, int64_t rows, size_t keys) {
    static const Column none;
    for (size_t i = 0; i < aggregates_.size(); ++i) aggregates_[i]->add(groups, inputs_[i] < 0 ? none : in[keys + static_cast<size_t>(inputs_[i])], rows);
  }
  // Groups are numbered as they appear: a row of a new group has the next number.
  void number_new_groups(int64_t rows, int64_t first) {
    for (int64_t i = 0; i < rows && first_rows_.size() <= keys_->size(); ++i)
      if (groups_[static_cast<size_t>(i)] == first_rows_.size()) first_rows_.push_back(first + i);
  }
  void merge_groups(GroupBy& later, const std::vector<uint32_t>& theirs) {
    const auto values = later.keys_->values(theirs);
    std::vector<uint32_t> mine;
    keys_->encode(values, static_cast<int64_t>(theirs.size()), mine);
    for (size_t i = 0; i < theirs.size(); ++i) {
      const int64_t seen = later.first_rows_[theirs[i]];
      if (mine[i] == first_rows_.size()) first_rows_.push_back(seen);
      else first_rows_[mine[i]] = std::min(first_rows_[mine[i]], seen);
    }
    for (auto& a : aggregates_) a->grow(keys_->size());
    for (size_t i = 0; i < aggregates_.size(); ++i) aggregates_[i]->merge(*later.aggregates_[i], theirs, mine);
  }
  // Orders by first appearance: where groups are many among the rows, by an array over the rows.
  static void appearance(const Column& first, std::vector<int64_t>& order) {
    const int64_t* at = first.as<int64_t>();
    const auto n = static_cast<int64_t>(order.size());
    std::vector<int64_t> most;  // largest row number by partition
    for (int64_t i = 0; i < n; ++i) {
      const auto p = static_cast<size_t>(at[i] >> 32);
      if (p >= 1 << 20) break;
      if (most.size() <= p) most.resize(p + 1, -1);
      most[p] = std::max(most[p], at[i] & 0xFFFFFFFF);
    }
    int64_t rows = 0;
    for (auto& m : most) rows += std::exchange(m, rows) + 1;
    if (rows < 16 * n && rows < (int64_t{1} << 31)) {
      std::vector<uint32_t> place(static_cast<size_t>(rows), UINT32_MAX);
      for (int64_t i = 0; i < n; ++i) place[static_cast<size_t>(most[static_cast<size_t>(at[i] >> 32)] + (at[i] & 0xFFFFFFFF))] = static_cast<uint32_t>(i);
      int64_t k = 0;
      for (uint32_t i : place)
        if (i != UINT32_MAX) order[static_cast<size_t>(k++)] = i;
      if (k == n) return;
    }
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [at](int64_t a, int64_t b) { return at[a] < at[b]; });
  }
  // By key, missing last, the first key foremost.
  static void sort_by(Columns columns, std::vector<int64_t>& at) {
    for (size_t k = columns.size(); k-- > 0;)
      visit(columns[k].storage, [&](auto tag) {
        using T = typename decltype(tag)::type;
        const Column& c = columns[k];
        std::stable_sort(at.begin(), at.end(), [&](int64_t a, int64_t b) {
          const bool gone_a = c.is_missing(a), gone_b = c.is_missing(b);
          if (gone_a || gone_b) return !gone_a && gone_b;
          if constexpr (std::is_same_v<T, Text>) return c.as<T>()[a].view() < c.as<T>()[b].view();
          else return c.as<T>()[a] < c.as<T>()[b];
        });
      });
  }

  Args args_;
  size_t key_count_;
  int64_t parts_;
  bool sort_, keep_missing_, keeps_values_ = false, tabled_ = true;
  std::vector<Storage> storages_;
  RowHasher hasher_;
  std::unique_ptr<KeyTable> keys_;
  std::vector<int64_t> inputs_;
  std::vector<std::unique_ptr<Aggregate>> aggregates_;
  std::vector<int64_t> first_rows_;             // by group: partition << 32 | row of its first row
  int64_t partition_ = 0, rows_seen_ = 0;
  RowParts kept_;                               // rows behind those in the table
  std::vector<std::vector<uint32_t>> of_part_;  // once sealed
  std::vector<uint32_t> groups_;
  std::vector<uint64_t> hashes_;
  std::vector<uint8_t> gone_;
};
}  // namespace

Kernel group_by_kernel() {
  return {.name = "group_by", .fold = [](const Args& a) -> std::unique_ptr<Fold> { return std::make_unique<GroupBy>(a); }};
}

}  // namespace muster::kernels
