// The group-by fold. A state is a table of groups, and behind it rows: once most rows are groups of their own, or the memory ends, a table gains
// nothing, and the rows are kept, sorted into parts by the hash of their keys. Once a state is complete its table may be spilled, in the same parts.
// States that gain nothing from being one stay beside each other, in order; all are merged part by part, side by side.
// Without keys all rows are one group, there even when there is no row.
#include <algorithm>
#include <deque>
#include <limits>
#include <memory>
#include <mutex>
#include <numeric>

#include "base/error.hpp"
#include "data/dispatch.hpp"
#include "kernels/aggregate.hpp"
#include "kernels/distinct_sketch.hpp"
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
constexpr int64_t kFewGroups = 4 << 10;        // not worth a sketch
constexpr int64_t kLeftBytes = 64 << 10;       // a table, or rows, of a complete state that stay so

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
    if (!tabled_ && done > 0 && done == rows_seen_) {  // the table gained nothing from all it saw, which is here: these rows are kept like others
      reset();
      done = rows_seen_ = table_bytes_ = 0;
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
    sealed_ = false, told_ = -1;
    std::vector<std::unique_ptr<GroupBy>> behind = std::move(later.behind_);
    auto& last = behind_.empty() ? *this : *behind_.back();
    if (!last.absorb(task, later)) behind_.push_back(later.moved());
    for (auto& state : behind) behind_.push_back(std::move(state));
  }

  // For each part the groups of the table in it.
  void seal(Task& task) override {
    std::lock_guard lock(sealing_);  // several tasks that read the state may ask for it at once
    if (std::exchange(sealed_, true)) return;
    for (auto& state : behind_) state->seal(task);
    hasher_ = RowHasher(key_count_);  // it holds dictionaries
    slices_.clear();
    if (!keys_) return;
    if (keys_->bytes() > task.headroom() / 64) keys_->compact();
    if (kept_.bytes() > std::max(kLeftBytes, task.headroom() / 32)) kept_.shed();  // as long as others are made, it only lies there
    of_part_ = {}, part_of_.assign(keys_->size() + 1, 0);
    if (keys_->size()) split_table(task);
    groups_ = {}, hashes_ = {}, gone_ = {};  // scratch; there may be thousands of states
    if (told_ >= 0) tell(task);
  }

  Batches merge_part(Task& task, const std::vector<Fold*>& folds, int64_t part) override {
    std::vector<GroupBy*> states;
    for (auto* fold : folds) {
      auto* first = static_cast<GroupBy*>(fold);
      states.push_back(first);
      for (auto& state : first->behind_) states.push_back(state.get());
    }
    // A fold's own state is not looked at: it is new, or the last part's, and what is merged is collected in it.
    if (keys_->size()) reset();
    const int64_t begin = part * kRowParts / parts_, end = (part + 1) * kRowParts / parts_;
    bool any_rows = false;
    for (const auto* s : states) any_rows |= !s->kept_.empty() || s->spilled_;
    if (!any_rows) return {merge_tables(states, begin, end)};
    Batches out;
    for (int64_t p = begin; p < end; ++p) {
      if (task.stopped()) throw Error(ErrorKind::cancelled, "stopped");
      Batch b = merge_rows(task, states, static_cast<int>(p));
      if (b.rows || out.empty()) out.push_back(std::move(b));
    }
    return out;
  }

  Batches join_parts(Task& task, const std::vector<std::shared_ptr<const Batches>>& parts) override {
    std::vector<const Batch*> all;
    int64_t bytes = 0;
    for (const auto& p : parts)
      for (const auto& b : *p)
        if (b.rows || all.empty()) all.push_back(&b), bytes += size_of(b);
    task.reserve(bytes);
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
    const auto whole = spilled_ ? unspilled() : nullptr;
    const GroupBy& table = whole ? *whole : *this;
    auto groups = numbers(keys_ ? table.keys_->size() : 1);
    out << static_cast<uint32_t>(groups.size()) << static_cast<uint8_t>(tabled_) << partition_ << rows_seen_;
    if (keys_) {
      kernels::encode(out, Batches{{static_cast<int64_t>(groups.size()), table.keys_->values(groups)}});
      out << table.first_rows_;
    }
    for (const auto& a : table.aggregates_) a->encode(out, groups.size());
    kept_.encode(out);
    out << static_cast<uint32_t>(behind_.size());
    for (const auto& state : behind_) state->encode(out);
  }
  void decode(base::Decoder& in) override {
    const auto groups = in.get<uint32_t>();
    told_ = -1, tabled_ = in.get<uint8_t>() != 0, partition_ = in.get<int64_t>(), rows_seen_ = in.get<int64_t>();
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
    for (auto n = in.get<uint32_t>(); n > 0; --n) behind_.push_back(std::make_unique<GroupBy>(args_)), behind_.back()->decode(in);
  }
  const DistinctSketch* seen() const { return seen_.get(); }
  int64_t bytes() const override {
    int64_t total = size_of_table() + kept_.bytes() + kept_.kept_bytes() + (spilled_ ? spilled_->kept_bytes() : 0);
    for (const auto& state : behind_) total += state->bytes();
    return total;
  }

 private:
  using Aggregates = std::vector<std::unique_ptr<Aggregate>>;
  // Takes the rows behind its own into itself; false where it gains nothing, or where they would get in front of rows that it keeps.
  bool absorb(Task& task, GroupBy& later) {
    const uint32_t before = keys_->size(), theirs = later.keys_->size();
    if (theirs || later.spilled_) {
      const bool fits = size_of_table() + later.size_of_table() < std::max(kSmallTable, std::min(task.headroom(), kUnlimited) / 8);
      if (!kept_.empty() || spilled_ || later.spilled_ || !(tabled_ || fits)) return false;
      merge_groups(later, numbers(theirs));
      tabled_ &= later.tabled_ && (fits || (keys_->size() - before) * uint64_t{4} < theirs * uint64_t{3});
      sealed_ = false;
    }
    kept_.append(later.kept_);
    if (too_much(task)) kept_.shed();
    return true;
  }
  // The task in which rows are added knows what it holds.
  void tell(Task& task) {
    const int64_t now = size_of_table() + kept_.bytes();
    task.hold(now - std::exchange(told_, now));
  }
  std::unique_ptr<GroupBy> moved() {
    auto out = std::make_unique<GroupBy>(args_);
    out->keys_ = std::move(keys_), out->aggregates_ = std::move(aggregates_), out->first_rows_ = std::move(first_rows_), out->kept_ = std::move(kept_);
    out->spilled_ = std::move(spilled_), out->of_part_ = std::move(of_part_), out->part_of_ = std::move(part_of_);
    out->tabled_ = tabled_, out->sealed_ = sealed_, out->partition_ = partition_, out->rows_seen_ = rows_seen_, out->told_ = -1;
    reset();
    return out;
  }
  // Sorts the groups into parts; where memory is short these are spilled.
  void split_table(Task& task) {
    of_part_.assign(kRowParts, {});
    const auto all = numbers(keys_->size());
    const auto values = keys_->values(all);
    hasher_.hash(values, static_cast<int64_t>(all.size()), hashes_, gone_);
    if (keys_->size() > kFewGroups && !order_.empty() && !seen_) seen_ = std::make_unique<DistinctSketch>();
    if (seen_)
      for (size_t i = 0; i < all.size(); ++i) seen_->add(hashes_[i]);
    for (size_t i = 0; i < all.size(); ++i) of_part_[part_of_[all[i]] = static_cast<uint8_t>(hashes_[i] >> 56)].push_back(all[i]);
    if (size_of_table() > std::max(kLeftBytes, task.headroom() / 8)) shed_table();
  }
  void shed_table() {
    auto parts = std::make_unique<SpilledParts>();
    for (const auto& groups : of_part_) {
      Encoder out;
      if (!groups.empty()) encode_groups(out, groups);
      parts->add(out.bytes());
    }
    parts->close();
    spilled_ = std::move(parts);
    reset();
    of_part_ = {}, part_of_ = {};
  }
  // Groups without a table to find them in: of a part that was spilled. Their numbers are 1, 2, ...
  struct Groups {
    std::vector<uint32_t> numbers;
    std::vector<Column> keys;
    std::vector<int64_t> first_rows;
    Aggregates aggregates;
  };
  void encode_groups(Encoder& out, const std::vector<uint32_t>& groups) {
    const auto count = static_cast<uint32_t>(groups.size());
    kernels::encode(out, Batches{{static_cast<int64_t>(count), keys_->values(groups)}});
    std::vector<int64_t> first_rows{0};
    for (uint32_t g : groups) first_rows.push_back(first_rows_[g]);
    out << first_rows;
    const auto taken = made();
    const auto all = numbers(count);
    for (size_t i = 0; i < taken.size(); ++i) {
      taken[i]->grow(count);
      taken[i]->merge(*aggregates_[i], groups, all);
      taken[i]->encode(out, count);
    }
  }
  Groups unspilled(size_t part) const {
    Groups out;
    const std::string bytes = spilled_->read(part);
    if (bytes.empty()) return out;
    base::Decoder in(bytes);
    Batches keys = decode_batches(in);
    out.first_rows = in.list<int64_t>(), out.aggregates = made();
    out.numbers = numbers(static_cast<uint32_t>(out.first_rows.size() - 1)), out.keys = std::move(keys.at(0).columns);
    for (const auto& a : out.aggregates) {
      a->grow(static_cast<uint32_t>(out.numbers.size()));
      a->decode(in, out.numbers.size());
    }
    return out;
  }
  std::unique_ptr<GroupBy> unspilled() const {
    auto whole = std::make_unique<GroupBy>(args_);
    for (size_t p = 0; p < kRowParts; ++p)
      if (const Groups part = unspilled(p); !part.numbers.empty()) whole->merge_groups(part.keys, part.first_rows, part.aggregates, part.numbers);
    return whole;
  }
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
    tell(task);
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
    if (!order_.empty() && !seen_) seen_ = std::make_unique<DistinctSketch>();
    for (int64_t i = 0; seen_ && i < rows; ++i)
      if (gone_.empty() || !gone_[static_cast<size_t>(i)]) seen_->add(hashes_[static_cast<size_t>(i)]);
    kept_.add(in, rows, hashes_, gone_, partition_ << 32 | rows_seen_);
    rows_seen_ += rows;
    tell(task);
    if (too_much(task)) kept_.shed(), tell(task);
  }
  void reset() {
    keys_ = key_count_ ? std::make_unique<KeyTable>(storages_, keep_missing_) : nullptr;
    first_rows_ = std::vector<int64_t>(1, 0);  // nothing of its memory stays
    aggregates_ = made();
  }
  Aggregates made() const {
    Aggregates out;
    for (const auto& g : args_["aggregates"].list()) out.push_back(make_aggregate(g["function"].string(), dtype_of(g["type"].integer()), g["options"]));
    return out;
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
  Batch merge_tables(const std::vector<GroupBy*>& states, int64_t begin, int64_t end) {
    for (auto* s : states) {
      auto& state = *s;
      if (end - begin == 1) {
        if (!state.of_part_.empty() && !state.of_part_[static_cast<size_t>(begin)].empty()) merge_groups(state, state.of_part_[static_cast<size_t>(begin)]);
        continue;
      }
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
  Batch merge_rows(Task& task, const std::vector<GroupBy*>& states, int part) {
    struct Piece {
      const Aggregates* of_groups;  // null: rows
      std::vector<uint32_t> groups;
      Batch rows;
      Aggregates read = {};
    };
    int64_t size = 0;
    for (const auto* s : states) {
      size += s->kept_.bytes(part);
      if (s->spilled_) size += s->spilled_->bytes(static_cast<size_t>(part));
    }
    task.reserve(2 * size);  // as pieces, and beside each other
    std::deque<Piece> pieces;
    Batches keys;
    std::vector<uint64_t> hashes;
    std::vector<int64_t> seen;
    for (auto* s : states) {
      const auto add_groups = [&](std::vector<uint32_t> groups, std::vector<Column> of_groups, const std::vector<int64_t>& first_rows, const Aggregates* aggregates, Aggregates read) {
        keys.push_back({static_cast<int64_t>(groups.size()), std::move(of_groups)});
        hasher_.hash(keys.back().columns, keys.back().rows, hashes_, gone_);
        hashes.insert(hashes.end(), hashes_.begin(), hashes_.end());
        for (uint32_t g : groups) seen.push_back(first_rows[g]);
        pieces.push_back({aggregates, std::move(groups), {}, std::move(read)});
        if (!aggregates) pieces.back().of_groups = &pieces.back().read;
      };
      if (s->spilled_) {
        if (Groups read = s->unspilled(static_cast<size_t>(part)); !read.numbers.empty()) add_groups(std::move(read.numbers), std::move(read.keys), read.first_rows, nullptr, std::move(read.aggregates));
      } else if (!s->of_part_.empty()) {
        if (const auto& theirs = s->of_part_[static_cast<size_t>(part)]; !theirs.empty()) add_groups(theirs, s->keys_->values(theirs), s->first_rows_, &s->aggregates_, {});
      }
      Batch rows = s->kept_.part(part);
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
      if (piece.of_groups) {
        for (size_t i = 0; i < aggregates_.size(); ++i) aggregates_[i]->merge(*(*piece.of_groups)[i], piece.groups, {mine, piece.groups.size()});
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
    Batch out = results(std::move(values), groups, first_rows);
    task.hold(-2 * size);
    return out;
  }

  // Groups are numbered as they appear: a row of a new group has the next number.
  void number_new_groups(int64_t rows, int64_t first) {
    for (int64_t i = 0; i < rows && first_rows_.size() <= keys_->size(); ++i)
      if (groups_[static_cast<size_t>(i)] == first_rows_.size()) first_rows_.push_back(first + i);
  }
  void merge_groups(GroupBy& later, const std::vector<uint32_t>& theirs) { merge_groups(later.keys_->values(theirs), later.first_rows_, later.aggregates_, theirs); }
  void merge_groups(const std::vector<Column>& keys, const std::vector<int64_t>& first_rows, const Aggregates& aggregates, const std::vector<uint32_t>& theirs) {
    std::vector<uint32_t> mine;
    keys_->encode(keys, static_cast<int64_t>(theirs.size()), mine);
    for (size_t i = 0; i < theirs.size(); ++i) {
      const int64_t seen = first_rows[theirs[i]];
      if (mine[i] == first_rows_.size()) first_rows_.push_back(seen);
      else first_rows_[mine[i]] = std::min(first_rows_[mine[i]], seen);
    }
    for (auto& a : aggregates_) a->grow(keys_->size());
    for (size_t i = 0; i < aggregates_.size(); ++i) aggregates_[i]->merge(*aggregates[i], theirs, mine);
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
  Aggregates aggregates_;
  std::vector<int64_t> first_rows_;             // by group: partition << 32 | row of its first row
  int64_t partition_ = 0, rows_seen_ = 0, checked_groups_ = 0, checked_rows_ = 0, table_bytes_ = 0;
  int64_t told_ = 0;                            // bytes that the task knows of; -1: it is another one
  RowTable table_;
  RowParts kept_;                               // rows behind those in the table
  std::unique_ptr<SpilledParts> spilled_;       // the table, a state of its own for each part; then there is none in memory
  std::vector<std::unique_ptr<GroupBy>> behind_;  // states of later rows
  std::unique_ptr<DistinctSketch> seen_;        // of the groups of a partition's rows, if these are many, and are wanted in an order: all at once
  std::vector<std::vector<uint32_t>> of_part_;  // once sealed: the groups of each part, if there are any
  std::vector<uint8_t> part_of_;                // and the part of each group
  std::vector<Column> slices_;
  std::vector<uint32_t> groups_;
  std::vector<uint64_t> hashes_;
  std::vector<uint8_t> gone_;
};
}  // namespace

const DistinctSketch* groups_seen(const Fold& fold) {
  const auto* state = dynamic_cast<const GroupBy*>(&fold);
  return state ? state->seen() : nullptr;
}
int64_t group_bytes(const Args& args) {
  int64_t bytes = 8 * static_cast<int64_t>(args["aggregates"].list().size());
  for (const auto& k : args["keys"].list()) bytes += width(dtype_of(k.integer()).storage);
  return bytes;
}

Kernel group_by_kernel() {
  return {.name = "group_by", .fold = [](const Args& a) -> std::unique_ptr<Fold> { return std::make_unique<GroupBy>(a); }};
}

}  // namespace muster::kernels
