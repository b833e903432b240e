// The group-by fold. A state is a table of groups, and behind it rows: once most rows are groups of their own, or the memory ends, a table gains
// nothing, and the rows are kept, sorted into parts by the hash of their keys. Once a state is complete its table may be spilled, in the same parts.
// States that gain nothing from being one stay beside each other, in order; all are merged part by part, side by side. What a complete state has it
// shares with those that it is merged into, and keeps: whoever merges it again finds it as it was.
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
#include "kernels/parted_state.hpp"
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

class GroupBy : public Fold, public PartedState {
 public:
  explicit GroupBy(const Args& a)
      : args_(a), key_count_(a["keys"].list().size()), parts_(a["parts"].is_integer() ? a["parts"].integer() : 1),
        in_appearance_(a["sort"].is_bool() && !a["sort"].boolean()), keep_missing_(!a["dropna"].boolean()), hasher_(key_count_), kept_(in_appearance_) {
    for (const auto& k : a["keys"].list()) storages_.push_back(dtype_of(k.integer()).storage);
    for (const auto& g : a["aggregates"].list()) {
      inputs_.push_back(g["input"].integer());
      keeps_values_ |= keeps_values(g["function"].string());
      merges_groups_alone_ &= !keeps_values(g["function"].string()) && g["function"].string() != "nunique";
    }
    if (in_appearance_) order_ = {{key_count_ + inputs_.size()}};
    else if (a["sort"].is_bool())
      for (size_t k = 0; k < key_count_; ++k) order_.push_back({k});
    reset();
  }

  void add(Task& task, Columns in, int64_t rows) override {
    if (!own_->keys) return add_to(nullptr, in, rows, 0);
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
    if (!own_->keys) {
      const uint32_t one = 1;
      for (size_t i = 0; i < own_->aggregates.size(); ++i) own_->aggregates[i]->merge(*later.own_->aggregates[i], {&one, 1}, {&one, 1});
      return;
    }
    later.seal(task);
    sealed_ = false, told_ = -1;
    auto& last = behind_.empty() ? *this : *behind_.back();
    if (!last.absorb(task, later)) behind_.push_back(std::make_unique<GroupBy>(args_)), behind_.back()->share(later);
    for (const auto& state : later.behind_) behind_.push_back(std::make_unique<GroupBy>(args_)), behind_.back()->share(*state);
  }

  // For each part the groups of the table in it.
  void seal(Task& task) override {
    std::lock_guard lock(sealing_);  // several tasks that read the state may ask for it at once
    if (std::exchange(sealed_, true)) return;
    for (auto& state : behind_) state->seal(task);
    hasher_ = RowHasher(key_count_);  // it holds dictionaries
    slices_.clear();
    if (!own_->keys) return;
    if (!shares_ && own_->keys->bytes() > task.headroom() / 64) own_->keys->compact();
    if (packed_ && spilled_->kept_bytes() > std::max(kLeftBytes, task.headroom() / 32)) shed_packed();
    if (kept_.bytes() > std::max(kLeftBytes, task.headroom() / 32)) kept_.shed();  // as long as others are made, it only lies there
    if (!shares_) {
      own_->of_part = {}, own_->part_of.assign(own_->keys->size() + 1, 0);
      if (own_->keys->size()) split_table(task);
    }
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
    if (own_->keys->size()) reset();
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
    if (own_->keys) {
      seal(task);
      GroupBy one(args_);
      one.parts_ = 1;
      auto rows = std::make_shared<const Batches>(one.merge_part(task, {this}, 0));
      return one.join_parts(task, {rows});
    }
    Batch out{1, {}};
    for (auto& a : own_->aggregates) out.columns.push_back(a->finish({1}));
    return {std::move(out)};
  }

  // Many groups travel sorted into parts, like rows: whoever merges a part opens that one alone, and makes no table of the others.
  void encode(Encoder& out) const override {
    std::vector<uint32_t> some;  // of a state of some parts: the groups in these
    if (!has_all_parts() && !own_->of_part.empty())
      for (auto p = begin_part_; p < end_part_; ++p) {
        const auto& groups_of_part = own_->of_part[static_cast<size_t>(p)];
        some.insert(some.end(), groups_of_part.begin(), groups_of_part.end());
      }
    const uint32_t groups = !has_all_parts() ? static_cast<uint32_t>(some.size()) : own_->keys ? own_->keys->size() : 1;
    const bool packed = spilled_ || (groups > kFewGroups && !own_->of_part.empty() && merges_groups_alone_);
    out << static_cast<uint8_t>(packed) << static_cast<uint8_t>(tabled_) << partition_ << rows_seen_;
    if (packed) {
      out << (spilled_ ? spilled_groups_ : groups);
      PackedPartsWriter parts(out, kRowParts);
      if (!spilled_) fill(parts);
      else copy(parts);
    } else if (!has_all_parts()) {
      out << groups;
      encode_groups(out, some);
    } else {
      out << groups;
      if (own_->keys) {
        kernels::encode(out, Batches{{static_cast<int64_t>(groups), own_->keys->values(numbers(groups))}});
        out << own_->first_rows;
      }
      for (const auto& a : own_->aggregates) a->encode(out, groups);
    }
    kept_.encode(out, begin_part_, end_part_);
    out << static_cast<uint32_t>(behind_.size());
    for (const auto& state : behind_) state->encode(out);
  }
  void decode(base::Decoder& in) override {
    const bool packed = in.get<uint8_t>() != 0;
    told_ = -1, tabled_ = in.get<uint8_t>() != 0, partition_ = in.get<int64_t>(), rows_seen_ = in.get<int64_t>();
    if (packed) {
      packed_ = spilled_groups_ = in.get<uint32_t>();
      spilled_ = std::make_shared<const PackedParts>(in, kRowParts);
    } else {
      const auto groups = in.get<uint32_t>();
      if (own_->keys) {
        const Batches keys = decode_batches(in);
        if (keys.size() != 1 || keys[0].rows != groups || keys[0].columns.size() != key_count_) throw Error(ErrorKind::io, "the keys of a group-by do not fit");
        own_->keys->encode(keys[0].columns, keys[0].rows, groups_);  // new keys get the same numbers again
        own_->first_rows = in.list<int64_t>();
        if (own_->keys->size() != groups || own_->first_rows.size() != groups + size_t{1}) throw Error(ErrorKind::io, "the keys of a group-by do not fit");
      }
      for (auto& a : own_->aggregates) {
        a->grow(groups);
        a->decode(in, groups);
      }
    }
    kept_.decode(in);
    for (auto n = in.get<uint32_t>(); n > 0; --n) behind_.push_back(std::make_unique<GroupBy>(args_)), behind_.back()->decode(in);
  }
  int64_t all_bytes() const override {
    int64_t total = packed_ ? 0 : size_of_table() * (end_part_ - begin_part_) / kRowParts;
    for (auto p = begin_part_; p < end_part_; ++p) total += kept_.bytes(static_cast<int>(p)) + (spilled_ ? spilled_->bytes(static_cast<size_t>(p)) : 0);
    for (const auto& state : behind_) total += state->all_bytes();
    return total;
  }
  std::unique_ptr<Fold> parts(int64_t begin, int64_t end) const override { return parted(begin, end); }
  const DistinctSketch* seen() const { return seen_.get(); }
  int64_t bytes() const override {
    int64_t total = size_of_table() + kept_.bytes() + kept_.kept_bytes() + (spilled_ && !packed_ ? spilled_->kept_bytes() : 0);
    for (const auto& state : behind_) total += state->bytes();
    return total;
  }

 private:
  using Aggregates = std::vector<std::unique_ptr<Aggregate>>;
  struct Table {
    std::unique_ptr<KeyTable> keys;                // null: all rows are one group
    Aggregates aggregates;
    std::vector<int64_t> first_rows;               // by group: partition << 32 | row of its first row
    std::vector<std::vector<uint32_t>> of_part{};  // once sealed: the groups of each part, if there are any
    std::vector<uint8_t> part_of{};                // and the part of each group
  };
  // Takes the rows behind its own into itself; false where it gains nothing, or where they would get in front of rows that it keeps.
  bool absorb(Task& task, GroupBy& later) {
    const uint32_t before = own_->keys->size(), theirs = later.own_->keys->size() + later.packed_;
    if (theirs || later.spilled_) {
      if (before == 0 && kept_.empty() && !spilled_ && !later.tabled_) return share(later), true;
      const bool fits = size_of_table() + later.size_of_table() < std::max(kSmallTable, std::min(task.headroom(), kUnlimited) / 8);
      if (shares_ || !kept_.empty() || spilled_ || (later.spilled_ && !later.packed_) || !(tabled_ || fits)) return false;
      if (!later.packed_) merge_groups(later, numbers(theirs));
      for (size_t p = 0; later.packed_ && p < kRowParts; ++p)
        if (const Groups part = later.unspilled(p); !part.numbers.empty()) merge_groups(part.keys, part.first_rows, part.aggregates, part.numbers);
      if (before) tabled_ &= later.tabled_ && (fits || (own_->keys->size() - before) * uint64_t{4} < theirs * uint64_t{3});
      else tabled_ = later.tabled_;
      sealed_ = false;
    }
    kept_.append(later.kept_);
    if (too_much(task)) kept_.shed();
    return true;
  }
  // Of one that is new: it has what another has, which is sealed.
  void share(const GroupBy& other) {
    own_ = other.own_, spilled_ = other.spilled_, spilled_groups_ = other.spilled_groups_, packed_ = other.packed_, shares_ = true;
    kept_.append(other.kept_);
    tabled_ = other.tabled_, sealed_ = other.sealed_, partition_ = other.partition_, rows_seen_ = other.rows_seen_, told_ = -1;
  }
  bool has(int64_t part) const { return begin_part_ <= part && part < end_part_; }
  bool has_all_parts() const { return begin_part_ == 0 && end_part_ == kRowParts; }
  std::unique_ptr<GroupBy> parted(int64_t begin, int64_t end) const {
    auto out = std::make_unique<GroupBy>(args_);
    out->share(*this);
    out->begin_part_ = begin, out->end_part_ = end;
    for (const auto& state : behind_) out->behind_.push_back(state->parted(begin, end));
    return out;
  }
  // The task in which rows are added knows what it holds.
  void tell(Task& task) {
    const int64_t now = size_of_table() + kept_.bytes();
    task.hold(now - std::exchange(told_, now));
  }
  // Sorts the groups into parts; where memory is short these are spilled.
  void split_table(Task& task) {
    own_->of_part.assign(kRowParts, {});
    const auto all = numbers(own_->keys->size());
    const auto values = own_->keys->values(all);
    hasher_.hash(values, static_cast<int64_t>(all.size()), hashes_, gone_);
    if (all.size() > kFewGroups && !order_.empty() && !seen_) seen_ = std::make_unique<DistinctSketch>();
    if (seen_)
      for (size_t i = 0; i < all.size(); ++i) seen_->add(hashes_[i]);
    for (size_t i = 0; i < all.size(); ++i) own_->of_part[own_->part_of[all[i]] = static_cast<uint8_t>(hashes_[i] >> 56)].push_back(all[i]);
    if (size_of_table() > std::max(kLeftBytes, task.headroom() / 8)) shed_table();
  }
  void shed_table() {
    auto parts = std::make_shared<SpilledParts>();
    fill(*parts);
    parts->close();
    spilled_ = std::move(parts), spilled_groups_ = own_->keys->size();
    reset();
  }
  void shed_packed() {
    auto parts = std::make_shared<SpilledParts>();
    copy(*parts);
    parts->close();
    spilled_ = std::move(parts), packed_ = 0;
  }
  template <class P>
  void fill(P& parts) const {
    for (int64_t p = 0; p < kRowParts; ++p)
      parts.add([&](Encoder& out) {
        if (const auto& groups = own_->of_part[static_cast<size_t>(p)]; has(p) && !groups.empty()) encode_groups(out, groups);
      });
  }
  template <class P>
  void copy(P& parts) const {
    std::string room;
    for (int64_t p = 0; p < kRowParts; ++p)
      parts.add([&](Encoder& out) {
        if (has(p)) out.bytes().append(spilled_->read(static_cast<size_t>(p), room));
      });
  }
  // Groups without a table to find them in: of a part that was spilled, or came from elsewhere. Their numbers are 1, 2, ...
  struct Groups {
    std::vector<uint32_t> numbers;
    std::vector<Column> keys;
    std::vector<int64_t> first_rows;
    Aggregates aggregates;
  };
  void encode_groups(Encoder& out, const std::vector<uint32_t>& groups) const {
    const auto count = static_cast<uint32_t>(groups.size());
    kernels::encode(out, Batches{{static_cast<int64_t>(count), own_->keys->values(groups)}});
    std::vector<int64_t> first_rows{0};
    for (uint32_t g : groups) first_rows.push_back(own_->first_rows[g]);
    out << first_rows;
    const auto taken = made();
    const auto all = numbers(count);
    for (size_t i = 0; i < taken.size(); ++i) {
      taken[i]->grow(count);
      taken[i]->merge(*own_->aggregates[i], groups, all);
      taken[i]->encode(out, count);
    }
  }
  Groups unspilled(size_t part) const {
    Groups out;
    std::string room;
    const auto bytes = spilled_->read(part, room);
    if (bytes.empty()) return out;
    base::Decoder in(bytes, spilled_->keep(), bytes.size());
    Batches keys = decode_batches(in);
    out.first_rows = in.list<int64_t>(), out.aggregates = made();
    out.numbers = numbers(static_cast<uint32_t>(out.first_rows.size() - 1)), out.keys = std::move(keys.at(0).columns);
    for (const auto& a : out.aggregates) {
      a->grow(static_cast<uint32_t>(out.numbers.size()));
      a->decode(in, out.numbers.size());
    }
    return out;
  }
  int64_t size_of_table() const {
    int64_t total = (packed_ ? spilled_->kept_bytes() : 0) + (own_->keys ? own_->keys->bytes() : 0) + static_cast<int64_t>(own_->first_rows.capacity() * 8);
    for (const auto& a : own_->aggregates) total += a->bytes();
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
    own_->keys->encode(in.first(key_count_), rows, groups_);
    number_new_groups(rows, partition_ << 32 | rows_seen_);
    rows_seen_ += rows;
    for (auto& a : own_->aggregates) a->grow(own_->keys->size());
    add_to(groups_.data(), in, rows, key_count_);
    const int64_t groups = own_->keys->size(), before = std::exchange(table_bytes_, size_of_table()), room = std::min(task.headroom(), kUnlimited) + before;
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
    own_ = std::make_shared<Table>(Table{key_count_ ? std::make_unique<KeyTable>(storages_, keep_missing_) : nullptr, made(), std::vector<int64_t>(1, 0)});
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
    for (size_t i = 0; i < own_->aggregates.size(); ++i)
      own_->aggregates[i]->add(groups, inputs_[i] < 0 ? none : in[keys + static_cast<size_t>(inputs_[i])], rows);
  }
  // In the order that was asked for; where that is the groups' first rows, these are the last column.
  Batch results(std::vector<Column> keys, uint32_t groups, const std::vector<int64_t>& first_rows) {
    const auto all = numbers(groups);
    Batch b{static_cast<int64_t>(groups), std::move(keys)};
    for (auto& a : own_->aggregates) b.columns.push_back(a->finish(all));
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
        if (const auto& of_part = state.own_->of_part; !of_part.empty())
          if (const auto& theirs = of_part[static_cast<size_t>(begin)]; !theirs.empty()) merge_groups(state, theirs);
        continue;
      }
      std::vector<uint32_t> theirs(state.own_->part_of.size());
      size_t n = 0;
      for (uint32_t g = 1; g < state.own_->part_of.size(); ++g) theirs[n] = g, n += state.own_->part_of[g] >= begin && state.own_->part_of[g] < end;
      theirs.resize(n);
      if (!theirs.empty()) merge_groups(state, theirs);
    }
    auto keys = own_->keys->values(numbers(own_->keys->size()));
    return results(std::move(keys), own_->keys->size(), own_->first_rows);
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
      const auto add_groups = [&](std::vector<uint32_t> groups, std::vector<Column> of_groups, const std::vector<int64_t>& first_rows,
                                  const Aggregates* aggregates, Aggregates read) {
        keys.push_back({static_cast<int64_t>(groups.size()), std::move(of_groups)});
        hasher_.hash(keys.back().columns, keys.back().rows, hashes_, gone_);
        hashes.insert(hashes.end(), hashes_.begin(), hashes_.end());
        for (uint32_t g : groups)
          if (in_appearance_) seen.push_back(first_rows[g]);
        pieces.push_back({aggregates, std::move(groups), {}, std::move(read)});
        if (!aggregates) pieces.back().of_groups = &pieces.back().read;
      };
      if (s->spilled_) {
        if (Groups read = s->unspilled(static_cast<size_t>(part)); !read.numbers.empty())
          add_groups(std::move(read.numbers), std::move(read.keys), read.first_rows, nullptr, std::move(read.aggregates));
      } else if (!s->own_->of_part.empty()) {
        if (const auto& theirs = s->own_->of_part[static_cast<size_t>(part)]; !theirs.empty())
          add_groups(theirs, s->own_->keys->values(theirs), s->own_->first_rows, &s->own_->aggregates, {});
      }
      Batch rows = s->kept_.part(part);
      if (!rows.rows) continue;
      const size_t behind = rows.columns.size() - (in_appearance_ ? 2 : 1);
      const auto* h = rows.columns[behind].as<uint64_t>();
      hashes.insert(hashes.end(), h, h + rows.rows);
      if (in_appearance_) {
        const auto* n = rows.columns.back().as<int64_t>();
        seen.insert(seen.end(), n, n + rows.rows);
      }
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
    for (size_t i = 0; i < own_->aggregates.size(); ++i) {
      const auto& g = args_["aggregates"].list()[i];
      own_->aggregates[i] = make_aggregate(g["function"].string(), dtype_of(g["type"].integer()), g["options"]);
      own_->aggregates[i]->grow(groups);
    }
    size_t at = 0;
    for (auto& piece : pieces) {
      const uint32_t* mine = groups_.data() + at;
      if (piece.of_groups) {
        for (size_t i = 0; i < own_->aggregates.size(); ++i) own_->aggregates[i]->merge(*(*piece.of_groups)[i], piece.groups, {mine, piece.groups.size()});
        at += piece.groups.size();
      } else {
        add_to(mine, piece.rows.columns, piece.rows.rows, key_count_);
        at += static_cast<size_t>(piece.rows.rows);
      }
    }
    std::vector<int64_t> first_rows(in_appearance_ ? first.size() : 0, std::numeric_limits<int64_t>::max());
    for (size_t i = 0; i < seen.size(); ++i) first_rows[groups_[i]] = std::min(first_rows[groups_[i]], seen[i]);
    std::vector<Column> values;
    for (const auto& c : all.columns) {
      Column taken = groups == all.rows ? c : take(c, std::span(first).subspan(1));
      taken.text_kept = c.text_kept && !c.kept_bytes;
      values.push_back(own_text(taken));
    }
    Batch out = results(std::move(values), groups, first_rows);
    task.hold(-2 * size);
    return out;
  }

  // Groups are numbered as they appear: a row of a new group has the next number.
  void number_new_groups(int64_t rows, int64_t first) {
    for (int64_t i = 0; i < rows && own_->first_rows.size() <= own_->keys->size(); ++i)
      if (groups_[static_cast<size_t>(i)] == own_->first_rows.size()) own_->first_rows.push_back(first + i);
  }
  void merge_groups(GroupBy& later, const std::vector<uint32_t>& theirs) {
    merge_groups(later.own_->keys->values(theirs), later.own_->first_rows, later.own_->aggregates, theirs);
  }
  void merge_groups(const std::vector<Column>& keys, const std::vector<int64_t>& first_rows, const Aggregates& aggregates,
                    const std::vector<uint32_t>& theirs) {
    std::vector<uint32_t> mine;
    own_->keys->encode(keys, static_cast<int64_t>(theirs.size()), mine);
    for (size_t i = 0; i < theirs.size(); ++i) {
      const int64_t seen = first_rows[theirs[i]];
      if (mine[i] == own_->first_rows.size()) own_->first_rows.push_back(seen);
      else own_->first_rows[mine[i]] = std::min(own_->first_rows[mine[i]], seen);
    }
    for (auto& a : own_->aggregates) a->grow(own_->keys->size());
    for (size_t i = 0; i < own_->aggregates.size(); ++i) own_->aggregates[i]->merge(*aggregates[i], theirs, mine);
  }
  Args args_;
  size_t key_count_;
  int64_t parts_;
  int64_t begin_part_ = 0, end_part_ = kRowParts;  // of what it shares only these parts are its own
  std::mutex sealing_;
  bool in_appearance_, keep_missing_, keeps_values_ = false, merges_groups_alone_ = true, tabled_ = true, sealed_ = false;
  std::vector<Storage> storages_;
  SortKeys order_;                              // of the results' columns
  RowHasher hasher_;
  std::shared_ptr<Table> own_;                  // its own, or (`shares_`) that of a state that was merged into it
  bool shares_ = false;
  std::vector<int64_t> inputs_;
  int64_t partition_ = 0, rows_seen_ = 0, checked_groups_ = 0, checked_rows_ = 0, table_bytes_ = 0;
  int64_t told_ = 0;                            // bytes that the task knows of; -1: it is another one
  RowTable table_;
  RowParts kept_;                               // rows behind those in the table
  std::shared_ptr<const Parts> spilled_;        // the table, a state of its own for each part; then there is none to find groups in
  uint32_t spilled_groups_ = 0, packed_ = 0;    // in it; and if it lies in memory, as it came from elsewhere
  std::vector<std::unique_ptr<GroupBy>> behind_;  // states of later rows
  std::unique_ptr<DistinctSketch> seen_;        // of the groups of a partition's rows, if these are many, and are wanted in an order: all at once
  std::vector<Column> slices_;
  std::vector<uint32_t> groups_;
  std::vector<uint64_t> hashes_;
  std::vector<uint8_t> gone_;
};

// The number of rows behind a mask is the number of its true values.
Args counts_of_mask(const Args& args) {
  const auto& aggregates = args["aggregates"].list();
  if (!args["keys"].list().empty() || aggregates.size() != 1 || aggregates[0]["function"].string() != "size") return {};
  const List sum{Dict{{"function", "sum"}, {"input", 0}, {"type", code({Storage::boolean})}, {"options", Dict{}}}};
  Dict out;
  for (const auto& [name, value] : args.dict()) out.emplace_back(name, name.string() == "aggregates" ? Value(sum) : value);
  return out;
}
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
  return {
      .name = "group_by",
      .fold = [](const Args& a) -> std::unique_ptr<Fold> { return std::make_unique<GroupBy>(a); },
      .traits = {.groups = true, .of_mask = counts_of_mask},
  };
}

}  // namespace muster::kernels
