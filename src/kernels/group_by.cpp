// The group-by fold. A state is a table of groups, and behind it rows: once most rows are groups of their own, or the memory ends, a table gains
// nothing, and the rows are kept, sorted into parts by the hash of their keys. States are merged part by part, side by side.
// Without keys all rows are one group, there even when there is no row.
#include <algorithm>
#include <limits>
#include <mutex>
#include <numeric>

#include "base/error.hpp"
#include "data/dispatch.hpp"
#include "kernels/aggregate.hpp"
#include "kernels/key_table.hpp"
#include "kernels/ordering.hpp"
#include "kernels/row_parts.hpp"
#include "kernels/wire.hpp"
#include "muster/error.hpp"

namespace muster::kernels {
using namespace base;
using namespace data;
namespace {
constexpr int64_t kManyGroups = 128 << 10;    // from here on it is asked whether a table gains anything; earlier where memory is short
constexpr int64_t kSmallTable = 256 << 10;     // bytes
constexpr int64_t kChecked = 32 << 10;        // rows
constexpr int64_t kCheckedShort = 4 << 10;    // where memory is short: less than so many bytes of it for a row of a batch
constexpr int64_t kShort = 4 << 10;
constexpr int64_t kUnlimited = int64_t{1} << 60;
constexpr int64_t kHeldBytes = 256 << 10;      // rows that are kept in memory in any case

class GroupBy : public Fold {
 public:
  explicit GroupBy(const Args& a) : args_(a), key_count_(a["keys"].list().size()), parts_(a["parts"].is_integer() ? a["parts"].integer() : 1), in_appearance_(a["sort"].is_bool() && !a["sort"].boolean()), keep_missing_(!a["dropna"].boolean()), hasher_(key_count_) {
    for (const auto& k : a["keys"].list()) storages_.push_back(dtype_of(k.integer()).storage);
    for (const auto& g : a["aggregates"].list()) {
      inputs_.push_back(g["input"].integer());
      keeps_values_ |= keeps_values(g["function"].string());
    }
    if (in_appearance_) order_ = {key_count_ + inputs_.size()};
    else if (a["sort"].is_bool())
      for (size_t k = 0; k < key_count_; ++k) order_.push_back(k);
    reset();
  }

  void add(Task& task, Columns in, int64_t rows) override {
    if (!keys_) return add_to(nullptr, in, rows, 0);
    if (rows_seen_ == 0) partition_ = task.partition();
    if (tabled_ && keeps_values_) tabled_ = false;
    int64_t done = 0;
    while (tabled_ && done < rows) {
      // Where memory is short, it is asked soon whether the table gains anything.
      const bool is_short = task.headroom() < rows * kShort;
      const int64_t more = is_short ? std::min(kCheckedShort, rows - done) : rows - done;
      add_to_table(task, part_of(in, done, more, rows), more, is_short ? kCheckedShort : kChecked);
      done += more;
    }
    if (done < rows) keep(task, part_of(in, done, rows - done, rows), rows - done);
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
    if (too_much(task)) kept_.shed();
    sealed_ = false;
  }

  // For each part the groups of the table in it.
  void seal(Task& task) override {
    std::lock_guard lock(sealing_);  // several tasks that read the state may ask for it at once
    if (std::exchange(sealed_, true)) return;
    hasher_ = RowHasher(key_count_);  // it holds dictionaries
    slices_.clear();
    if (keys_ && keys_->bytes() > task.headroom() / 64) keys_->compact();
    if (kept_.bytes() > task.headroom() / 32) task.hold(-kept_.shed());  // as long as others are made, it only lies there
    if (!keys_) return;
    of_part_.assign(kRowParts, {}), part_of_.assign(keys_->size() + 1, 0);
    const auto all = numbers(keys_->size());
    const auto values = keys_->values(all);
    hasher_.hash(values, static_cast<int64_t>(all.size()), hashes_, gone_);
    for (size_t i = 0; i < all.size(); ++i) of_part_[part_of_[all[i]] = static_cast<uint8_t>(hashes_[i] >> 56)].push_back(all[i]);
  }

  Batches merge_part(Task& task, const std::vector<Fold*>& states, int64_t part) override {
    // A fold's own state is not looked at: it is new, and what is merged is collected in it.
    const int64_t begin = part * kRowParts / parts_, end = (part + 1) * kRowParts / parts_;
    bool any_rows = false;
    for (const auto* s : states) any_rows |= !static_cast<const GroupBy*>(s)->kept_.empty();
    if (!any_rows) return {merge_tables(states, begin, end)};
    Batches out;
    for (int64_t p = begin; p < end; ++p) {
      if (task.stopped()) throw Error(ErrorKind::cancelled, "stopped");
      Batch b = merge_rows(states, static_cast<int>(p));
      if (b.rows || out.empty()) out.push_back(std::move(b));
    }
    return out;
  }

  Batches join_parts(Task&, const std::vector<std::shared_ptr<const Batches>>& parts) override {
    std::vector<const Batch*> all;
    for (const auto& p : parts)
      for (const auto& b : *p)
        if (b.rows || all.empty()) all.push_back(&b);
    if (all.size() > 1 && all[0]->rows == 0) all.erase(all.begin());
    return {merge_sorted(all, order_, all.at(0)->columns.size() - (in_appearance_ ? 1 : 0))};
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
    return size_of_table() + kept_.bytes();
  }

 private:
  int64_t size_of_table() const {
    int64_t total = (keys_ ? keys_->bytes() : 0) + static_cast<int64_t>(first_rows_.capacity() * 8);
    for (const auto& a : aggregates_) total += a->bytes();
    return total;
  }
  bool too_much(Task& task) const { return kept_.bytes() > kHeldBytes && kept_.bytes() > task.headroom() / 32; }
  // Rows of a batch; all of them, or those in a scratch place.
  Columns part_of(Columns in, int64_t begin, int64_t rows, int64_t all) {
    if (rows == all) return in;
    slices_.clear();
    for (const auto& c : in) slices_.push_back(slice(c, begin, rows));
    return slices_;
  }
  void add_to_table(Task& task, Columns in, int64_t rows, int64_t checked) {
    keys_->encode(in.first(key_count_), rows, groups_);
    number_new_groups(rows, partition_ << 32 | rows_seen_);
    rows_seen_ += rows;
    for (auto& a : aggregates_) a->grow(keys_->size());
    add_to(groups_.data(), in, rows, key_count_);
    const int64_t groups = keys_->size(), before = std::exchange(table_bytes_, size_of_table()), room = std::min(task.headroom(), kUnlimited) + before;
    task.hold(table_bytes_ - before);
    if (groups < kManyGroups && table_bytes_ < std::max(kSmallTable, room / 64)) {
      checked_groups_ = groups, checked_rows_ = rows_seen_;
    } else if (rows_seen_ - checked_rows_ >= checked) {  // how many of the last rows were groups of their own
      tabled_ = (groups - checked_groups_) * 4 < (rows_seen_ - checked_rows_) * 3 && table_bytes_ < room / 4;
      checked_groups_ = groups, checked_rows_ = rows_seen_;
    }
  }
  void keep(Task& task, Columns in, int64_t rows) {
    hasher_.hash(in.first(key_count_), rows, hashes_, gone_);
    if (keep_missing_) gone_.clear();
    task.hold(kept_.add(in, rows, hashes_, gone_, partition_ << 32 | rows_seen_));
    rows_seen_ += rows;
    if (too_much(task)) task.hold(-kept_.shed());
  }
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
  // In the order that was asked for; where that is the groups' first rows, these are the last column.
  Batch results(std::vector<Column> keys, uint32_t groups, const std::vector<int64_t>& first_rows) {
    const auto all = numbers(groups);
    Batch b{static_cast<int64_t>(groups), std::move(keys)};
    for (auto& a : aggregates_) b.columns.push_back(a->finish(all));
    if (in_appearance_) {
      Writable first(Storage::int64, b.rows);
      std::copy(first_rows.begin() + 1, first_rows.end(), first.as<int64_t>());
      b.columns.push_back(std::move(first).finish());
    }
    return sorted(b, order_);
  }
  // The groups of tables in these parts: such tables are small, all parts are done at once.
  Batch merge_tables(const std::vector<Fold*>& states, int64_t begin, int64_t end) {
    for (auto* s : states) {
      auto& state = *static_cast<GroupBy*>(s);
      std::vector<uint32_t> theirs(state.part_of_.size());
      size_t n = 0;
      for (uint32_t g = 1; g < state.part_of_.size(); ++g) theirs[n] = g, n += state.part_of_[g] >= begin && state.part_of_[g] < end;
      theirs.resize(n);
      if (!theirs.empty()) merge_groups(state, theirs);
    }
    auto keys = keys_->values(numbers(keys_->size()));
    return results(std::move(keys), keys_->size(), first_rows_);
  }
  // The groups of one part, of tables and rows: the keys of all beside each other, then a number for each, in a table that stays in the cache.
  Batch merge_rows(const std::vector<Fold*>& states, int part) {
    struct Piece {
      GroupBy* table;  // null: rows
      std::vector<uint32_t> groups;
      Batch rows;
    };
    std::vector<Piece> pieces;
    Batches keys;
    std::vector<uint64_t> hashes;
    std::vector<int64_t> seen;
    for (auto* s : states) {
      auto& state = *static_cast<GroupBy*>(s);
      if (const auto& theirs = state.of_part_[static_cast<size_t>(part)]; !theirs.empty()) {
        keys.push_back({static_cast<int64_t>(theirs.size()), state.keys_->values(theirs)});
        hasher_.hash(keys.back().columns, keys.back().rows, hashes_, gone_);
        hashes.insert(hashes.end(), hashes_.begin(), hashes_.end());
        for (uint32_t g : theirs) seen.push_back(state.first_rows_[g]);
        pieces.push_back({&state, theirs, {}});
      }
      Batch rows = state.kept_.part(part);
      if (!rows.rows) continue;
      const size_t width = rows.columns.size();
      const auto* h = rows.columns[width - 2].as<uint64_t>();
      const auto* n = rows.columns[width - 1].as<int64_t>();
      hashes.insert(hashes.end(), h, h + rows.rows), seen.insert(seen.end(), n, n + rows.rows);
      keys.push_back({rows.rows, {rows.columns.begin(), rows.columns.begin() + static_cast<std::ptrdiff_t>(key_count_)}});
      pieces.push_back({nullptr, {}, std::move(rows)});
    }
    Batch all = concatenate(keys);
    if (pieces.empty()) {
      for (auto storage : storages_) all.columns.push_back(Writable(storage, 0).finish());
    }
    std::vector<int64_t> first;
    table_.encode(all.columns, all.rows, hashes.data(), groups_, first);
    const auto groups = static_cast<uint32_t>(first.size() - 1);
    for (size_t i = 0; i < aggregates_.size(); ++i) {
      const auto& g = args_["aggregates"].list()[i];
      aggregates_[i] = make_aggregate(g["function"].string(), dtype_of(g["type"].integer()), g["options"]);
      aggregates_[i]->grow(groups);
    }
    size_t at = 0;
    for (auto& piece : pieces) {
      const uint32_t* mine = groups_.data() + at;
      if (piece.table) {
        for (size_t i = 0; i < aggregates_.size(); ++i) aggregates_[i]->merge(*piece.table->aggregates_[i], piece.groups, {mine, piece.groups.size()});
        at += piece.groups.size();
      } else {
        add_to(mine, piece.rows.columns, piece.rows.rows, key_count_);
        at += static_cast<size_t>(piece.rows.rows);
      }
    }
    std::vector<int64_t> first_rows(first.size(), std::numeric_limits<int64_t>::max());
    for (size_t i = 0; i < seen.size(); ++i) first_rows[groups_[i]] = std::min(first_rows[groups_[i]], seen[i]);
    std::vector<Column> values;
    for (const auto& c : all.columns) {
      Column taken = groups == all.rows ? c : take(c, std::span(first).subspan(1));
      taken.text_kept = c.text_kept;
      values.push_back(own_text(taken));
    }
    return results(std::move(values), groups, first_rows);
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
  Args args_;
  size_t key_count_;
  int64_t parts_;
  std::mutex sealing_;
  bool in_appearance_, keep_missing_, keeps_values_ = false, tabled_ = true, sealed_ = false;
  std::vector<Storage> storages_;
  SortColumns order_;                           // of the results' columns
  RowHasher hasher_;
  std::unique_ptr<KeyTable> keys_;
  std::vector<int64_t> inputs_;
  std::vector<std::unique_ptr<Aggregate>> aggregates_;
  std::vector<int64_t> first_rows_;             // by group: partition << 32 | row of its first row
  int64_t partition_ = 0, rows_seen_ = 0, checked_groups_ = 0, checked_rows_ = 0, table_bytes_ = 0;
  RowTable table_;
  RowParts kept_;                               // rows behind those in the table
  std::vector<std::vector<uint32_t>> of_part_;  // once sealed: the groups of each part
  std::vector<uint8_t> part_of_;                // and the part of each group
  std::vector<Column> slices_;
  std::vector<uint32_t> groups_;
  std::vector<uint64_t> hashes_;
  std::vector<uint8_t> gone_;
};
}  // namespace

Kernel group_by_kernel() {
  return {.name = "group_by", .fold = [](const Args& a) -> std::unique_ptr<Fold> { return std::make_unique<GroupBy>(a); }};
}

}  // namespace muster::kernels
