// Rows of a group are sorted while they are in the caches: where keys are hashed, a piece of the hashes at a time. Where a group may lie in several partitions,
// rows are in order and a partition ranks what it has: what others have of its first and its last group is added when all is known.
#include "kernels/ranks.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <numeric>

#include "base/error.hpp"
#include "data/dispatch.hpp"
#include "kernels/key_table.hpp"
#include "kernels/missing.hpp"
#include "kernels/sort_order.hpp"
#include "kernels/wire.hpp"

namespace muster::kernels {
using namespace base;
using namespace data;
namespace {
constexpr int64_t kPieceRows = 16 << 10;  // that are ranked at once, so that they stay in the cache
constexpr int64_t kMostPieceRows = 256 << 10;  // whose memory nobody counts
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

enum class Method { average, min, max, first, dense };
enum class Missing { keep, top, bottom };
// What a row is next to, in a partition of rows in order; 0: its rank does not depend on others.
enum Edge : int32_t { kFirstGroup = 1, kLastGroup = 2, kFirstRun = 4, kLastRun = 8, kEdges = 16 };

struct Ranking {
  explicit Ranking(const Args& a)
      : keys(static_cast<size_t>(a["keys"].integer())), descending(a["descending"].boolean()), pct(a["pct"].boolean()), drops_keys(a["dropna"].boolean()),
        hashed(a["hashed"].boolean()) {
    const std::string &m = a["method"].string(), &n = a["na"].string();
    method = m == "average" ? Method::average : m == "min" ? Method::min : m == "max" ? Method::max : m == "first" ? Method::first : Method::dense;
    missing = n == "keep" ? Missing::keep : n == "top" ? Missing::top : Missing::bottom;
  }
  size_t keys;
  bool descending, pct, drops_keys, hashed;
  Method method;
  Missing missing;
};

// Ranks some rows, of which groups are not elsewhere, or come in order.
class Ranker {
 public:
  explicit Ranker(const Ranking& how) : how_(how) {}

  /// Columns are keys and the value. `marks`: of rows in order, else null.
  void rank(const Batch& rows, double* ranks, int32_t* marks, int32_t partition) {
    ranks_ = ranks, marks_ = marks, partition_ = partition;
    if (rows.rows == 0) return;
    number_groups(rows);
    sort_into_groups(rows.columns[how_.keys], rows.rows);
    if (how_.drops_keys && how_.keys)
      for (int64_t i = begins_[0]; i < begins_[2]; ++i) put(sorted_[static_cast<size_t>(i)].row, kNone);
    const uint32_t first = groups_.front(), last = groups_[static_cast<size_t>(rows.rows) - 1];
    for (uint32_t g = 1; g <= count_; ++g) {
      edges_ = marks ? (g == first ? kFirstGroup : 0) | (g == last ? kLastGroup : 0) : 0;
      rank_group(begins_[2 * g], begins_[2 * g + 1], begins_[2 * g + 2]);
    }
  }

 private:
  void number_groups(const Batch& rows) {
    if (how_.keys == 0) {
      groups_.assign(static_cast<size_t>(rows.rows), 1), count_ = 1;
      return;
    }
    std::vector<Storage> storages;
    for (size_t k = 0; k < how_.keys; ++k) storages.push_back(rows.columns[k].storage);
    KeyTable table(storages, !how_.drops_keys);
    table.encode(Columns(rows.columns).first(how_.keys), rows.rows, groups_);
    count_ = table.size();
  }

  // By group, those whose value is missing behind the others; these in order.
  void sort_into_groups(const Column& value, int64_t rows) {
    begins_.assign(2 * static_cast<size_t>(count_) + 3, 0);
    sorted_.resize(static_cast<size_t>(rows));
    visit_fixed(value.storage, [&](auto tag) {
      using T = typename decltype(tag)::type;
      const T* v = value.as<T>();
      with_missing<T>(value, [&](auto missing) {
        const auto place = [&](int64_t i) { return 2 * static_cast<size_t>(groups_[static_cast<size_t>(i)]) + (missing(i) ? 1 : 0); };
        for (int64_t i = 0; i < rows; ++i) ++begins_[place(i) + 1];
        std::partial_sum(begins_.begin(), begins_.end(), begins_.begin());
        next_ = begins_;
        for (int64_t i = 0; i < rows; ++i) {
          const uint64_t word = ordered_word(v[i]);
          sorted_[static_cast<size_t>(next_[place(i)]++)] = {how_.descending ? ~word : word, static_cast<uint32_t>(i)};
        }
      });
    });
    for (uint32_t g = 1; g <= count_; ++g)
      sort_words({sorted_.data() + begins_[2 * g], static_cast<size_t>(begins_[2 * g + 1] - begins_[2 * g])}, scratch_);
  }

  // A group's rows: `begin` to `gone` have a value, from there to `end` it is missing.
  void rank_group(int64_t begin, int64_t gone, int64_t end) {
    if (begin == end) return;
    const int64_t missing = end - gone;
    const bool top = how_.missing == Missing::top, ranked = how_.missing != Missing::keep;
    before_ = distinct_ = 0, group_rows_ = end - begin;
    if (missing && !ranked)
      for (int64_t i = gone; i < end; ++i) put(sorted_[static_cast<size_t>(i)].row, kNone);
    if (missing && top) rank_run(gone, end);
    for (int64_t i = begin, next; i < gone; i = next) {
      for (next = i + 1; next < gone && sorted_[static_cast<size_t>(next)].word == sorted_[static_cast<size_t>(i)].word;) ++next;
      rank_run(i, next);
    }
    if (missing && ranked && !top) rank_run(gone, end);
    if (!how_.pct || edges_) return;
    const auto total = static_cast<double>(how_.method == Method::dense ? distinct_ : before_);
    for (int64_t i = begin; i < end; ++i) ranks_[sorted_[static_cast<size_t>(i)].row] /= total;
  }

  // Rows that are equal.
  void rank_run(int64_t begin, int64_t end) {
    const int64_t rows = end - begin;
    const auto low = static_cast<double>(before_ + 1), high = static_cast<double>(before_ + rows);
    ++distinct_;
    int32_t mark = 0;
    if (edges_) {
      mark = edges_ | (edges_ & kFirstGroup && before_ == 0 ? kFirstRun : 0) | (edges_ & kLastGroup && before_ + rows == group_rows_ ? kLastRun : 0);
      mark += partition_ * kEdges;
    }
    const double one = how_.method == Method::average ? (low + high) / 2
                       : how_.method == Method::max   ? high
                       : how_.method == Method::dense ? static_cast<double>(distinct_)
                                                      : low;
    const double step = how_.method == Method::first ? 1 : 0;
    for (int64_t i = 0; i < rows; ++i) {
      const uint32_t row = sorted_[static_cast<size_t>(begin + i)].row;
      ranks_[row] = one + step * static_cast<double>(i);
      if (marks_) marks_[row] = mark;
    }
    before_ += rows;
  }
  void put(uint32_t row, double rank) {
    ranks_[row] = rank;
    if (marks_) marks_[row] = 0;
  }

  Ranking how_;
  double* ranks_ = nullptr;
  int32_t *marks_ = nullptr, partition_ = 0, edges_ = 0;  // edges: of the group that is ranked
  uint32_t count_ = 0;                                    // groups
  int64_t before_ = 0, distinct_ = 0, group_rows_ = 0;    // of the group: rows and runs that have a rank, and all rows
  std::vector<uint32_t> groups_;                          // of each row, from 1 on; 0: none
  std::vector<int64_t> begins_, next_;                    // of each group, and behind that of its rows whose value is missing
  std::vector<WordRow> sorted_, scratch_;
};

// The rows of batches in the order of their hashes, cut by these into pieces: of each piece the rows of each batch.
std::vector<std::vector<std::pair<int64_t, int64_t>>> pieces_of(const Batches& batches, size_t hash, int64_t rows) {
  uint16_t low = std::numeric_limits<uint16_t>::max(), high = 0;
  for (const auto& b : batches) {
    const auto* hashes = b.columns[hash].as<uint16_t>();
    low = std::min(low, hashes[0]), high = std::max(high, hashes[b.rows - 1]);
  }
  const int64_t range = int64_t{high} - low + 1, count = std::clamp<int64_t>(rows / kPieceRows, 1, range);
  std::vector<std::vector<std::pair<int64_t, int64_t>>> out(static_cast<size_t>(count));
  std::vector<int64_t> begins(batches.size(), 0);
  for (int64_t p = 0; p < count; ++p)
    for (size_t b = 0; b < batches.size(); ++b) {
      const auto* hashes = batches[b].columns[hash].as<uint16_t>();
      const int64_t begin = begins[b], bound = low + (p + 1) * range / count;
      begins[b] = p + 1 == count ? batches[b].rows : std::lower_bound(hashes + begin, hashes + batches[b].rows, bound) - hashes;
      out[static_cast<size_t>(p)].emplace_back(begin, begins[b]);
    }
  return out;
}

Batches rank_hashed(Task& task, const Batches& batches, const Ranking& how, int64_t rows) {
  const size_t value = how.keys, from = value + 1, hash = value + 3;
  Writable ranks(Storage::float64, rows);
  std::array<std::vector<ColumnRows>, 2> places;
  Ranker ranker(how);
  int64_t done = 0;
  for (const auto& piece : pieces_of(batches, hash, rows)) {
    if (task.stopped()) throw Error(ErrorKind::cancelled, "stopped");
    std::vector<std::vector<ColumnRows>> parts(value + 1);
    Batch one;
    for (size_t b = 0; b < batches.size(); ++b) {
      const auto [begin, end] = piece[b];
      if (begin == end) continue;
      for (size_t c = 0; c <= value; ++c) parts[c].push_back({&batches[b].columns[c], begin, end - begin});
      for (size_t p = 0; p < 2; ++p) places[p].push_back({&batches[b].columns[from + p], begin, end - begin});
      one.rows += end - begin;
    }
    if (one.rows == 0) continue;
    if (one.rows > kMostPieceRows) task.reserve(one.rows * static_cast<int64_t>(2 * sizeof(WordRow) + (value + 2) * sizeof(double)));
    for (const auto& p : parts) one.columns.push_back(concatenate(p));
    ranker.rank(one, ranks.as<double>() + done, nullptr, 0);
    done += one.rows;
  }
  return {{rows, {concatenate(places[0]), concatenate(places[1]), std::move(ranks).finish()}}};
}

Batches rank_ordered(Task& task, const Batches& batches, const Ranking& how, int64_t rows) {
  const Batch all = concatenate(batches);
  const size_t value = how.keys, from = value + 1;
  Writable ranks(Storage::float64, rows), marks(Storage::int32, rows);
  Ranker(how).rank(all, ranks.as<double>(), marks.as<int32_t>(), static_cast<int32_t>(task.partition()));
  Batch out{rows, {all.columns[from], all.columns[from + 1], std::move(ranks).finish(), std::move(marks).finish()}};
  out.columns.insert(out.columns.end(), all.columns.begin(), all.columns.begin() + static_cast<std::ptrdiff_t>(from));
  return {std::move(out)};
}

Whole rank_rows(const Args& a) {
  return [how = Ranking(a)](Task& task, Batches given) -> Batches {
    Batches batches;
    int64_t rows = 0;
    for (auto& b : given) {
      if (b.rows == 0) continue;
      for (auto& c : b.columns) c = spread(c, b.rows);
      rows += b.rows;
      batches.push_back(std::move(b));
    }
    if (rows == 0) return {};
    task.reserve(rows * static_cast<int64_t>(how.hashed ? 2 * sizeof(double) : 2 * sizeof(double) + sizeof(int32_t) + 2 * sizeof(WordRow)));
    return how.hashed ? rank_hashed(task, batches, how, rows) : rank_ordered(task, batches, how, rows);
  };
}

// What each partition of rows in order has of groups that others may have too.
class RankEdges : public Fold {
 public:
  explicit RankEdges(const Args& a) : how_(a) {
    for (size_t k = 0; k <= how_.keys; ++k) columns_.push_back({k});
    keys_.assign(columns_.begin(), columns_.end() - 1);
  }

  void add(Task& t, Columns in, int64_t rows) override {
    if (rows == 0) return;
    if (parts_.empty() || parts_.back().partition != t.partition()) parts_.push_back({.partition = t.partition(), .first = row_of(in, 0, rows)});
    Part& p = parts_.back();
    p.last = row_of(in, rows - 1, rows);
    const Column marks = spread(in[0], rows), ranks = spread(in[1], rows);
    for (int64_t i = 0; i < rows; ++i) {
      const auto edges = static_cast<size_t>(marks.as<int32_t>()[i] % kEdges);
      if (edges == 0) continue;
      ++p.rows[edges];
      if (how_.method != Method::dense) continue;
      const auto distinct = static_cast<int64_t>(ranks.as<double>()[i]);
      if (edges & kFirstGroup) p.distinct[0] = std::max(p.distinct[0], distinct);
      if (edges & kLastGroup) p.distinct[1] = std::max(p.distinct[1], distinct);
    }
  }
  void merge(Task&, Fold& later) override {
    auto& more = static_cast<RankEdges&>(later).parts_;
    parts_.insert(parts_.end(), more.begin(), more.end());
  }

  // One text: for each partition and each of its edges what is added to a rank there, and how many ranks there are in the group.
  Batches finish(Task&) override {
    struct Beside {
      int64_t rows = 0, equal = 0, distinct = 0;  // of the group, in front or behind: rows, those of the same run, and runs that are others
    };
    const size_t n = parts_.size();
    std::vector<Beside> before(n), behind(n);
    for (size_t p = 1; p < n; ++p) before[p] = beside(parts_[p - 1], parts_[p - 1].last, parts_[p].first, kLastGroup, kLastRun, before[p - 1]);
    for (size_t p = n; p-- > 1;) behind[p - 1] = beside(parts_[p], parts_[p].first, parts_[p - 1].last, kFirstGroup, kFirstRun, behind[p]);
    const int64_t partitions = n ? parts_.back().partition + 1 : 0;
    auto table = std::make_shared<std::vector<std::pair<double, double>>>(static_cast<size_t>(partitions * kEdges));
    for (size_t p = 0; p < n; ++p)
      for (int64_t e = 1; e < kEdges; ++e) {
        const auto front = e & kFirstGroup ? before[p] : Beside{}, back = e & kLastGroup ? behind[p] : Beside{};
        const int64_t equal_front = e & kFirstRun ? front.equal : 0, equal_back = e & kLastRun ? back.equal : 0;
        auto& [added, total] = (*table)[static_cast<size_t>(parts_[p].partition * kEdges + e)];
        if (how_.method == Method::dense) {
          added = static_cast<double>(front.distinct);
          total = static_cast<double>(parts_[p].distinct[e & kFirstGroup ? 0 : 1] + front.distinct + back.distinct);
          continue;
        }
        const auto in_front = static_cast<double>(front.rows);
        added = how_.method == Method::average ? in_front + static_cast<double>(equal_back - equal_front) / 2
                : how_.method == Method::min   ? in_front - static_cast<double>(equal_front)
                : how_.method == Method::max   ? in_front + static_cast<double>(equal_back)
                                               : in_front;
        total = static_cast<double>(rows_of(parts_[p], e & kFirstGroup ? kFirstGroup : kLastGroup) + front.rows + back.rows);
      }
    Writable w(Storage::text, 1);
    *w.as<Text>() = {table->empty() ? "" : reinterpret_cast<const char*>(table->data()), static_cast<int64_t>(table->size() * sizeof((*table)[0]))};
    Column made = std::move(w).finish(table);
    made.text_kept = true;
    return {{1, {std::move(made)}}};
  }

  int64_t bytes() const override { return static_cast<int64_t>(parts_.size() * (sizeof(Part) + 256)); }
  void encode(Encoder& out) const override {
    std::vector<int64_t> numbers;
    Batches rows;
    for (const auto& p : parts_) {
      numbers.push_back(p.partition);
      numbers.insert(numbers.end(), p.rows.begin(), p.rows.end()), numbers.insert(numbers.end(), p.distinct.begin(), p.distinct.end());
      rows.push_back(p.first), rows.push_back(p.last);
    }
    out << numbers;
    kernels::encode(out, rows);
  }
  void decode(base::Decoder& in) override {
    constexpr size_t kNumbers = 1 + kEdges + 2;
    const auto numbers = in.list<int64_t>();
    const Batches rows = decode_batches(in);
    if (numbers.size() % kNumbers || rows.size() != 2 * (numbers.size() / kNumbers)) throw Error(ErrorKind::io, "rank: a state whose parts do not fit");
    parts_.clear();
    for (size_t i = 0; i < rows.size() / 2; ++i) {
      const auto at = numbers.begin() + static_cast<std::ptrdiff_t>(i * kNumbers);
      Part p{.partition = *at, .first = rows[2 * i], .last = rows[2 * i + 1]};
      std::copy(at + 1, at + 1 + kEdges, p.rows.begin());
      std::copy(at + 1 + kEdges, at + kNumbers, p.distinct.begin());
      parts_.push_back(std::move(p));
    }
  }

 private:
  struct Part {
    int64_t partition;
    Batch first, last = {};                  // rows: keys and value
    std::array<int64_t, kEdges> rows = {};   // that have a rank, by their edges
    std::array<int64_t, 2> distinct = {};    // values of the first and of the last group
  };

  Batch row_of(Columns in, int64_t row, int64_t rows) const {
    Batch out{1, {}};
    for (const auto& c : in.subspan(2)) {
      out.columns.push_back(own_text(slice(spread(c, rows), row, 1)));
      Column& made = out.columns.back();
      made.text_kept = false, made.codes = nullptr, made.dictionary = nullptr;
    }
    return out;
  }
  static int64_t rows_of(const Part& p, int32_t edge) {
    int64_t rows = 0;
    for (int32_t e = 0; e < kEdges; ++e) rows += e & edge ? p.rows[static_cast<size_t>(e)] : 0;
    return rows;
  }
  // What a partition finds of its own group beside it: in the next one, `p`, whose rows there end with `there`, and in those beyond, `further`.
  template <class Beside>
  Beside beside(const Part& p, const Batch& there, const Batch& here, int32_t group, int32_t run, const Beside& further) const {
    if (compare_rows(there, 0, here, 0, keys_)) return {};
    const bool whole_group = compare_rows(p.first, 0, p.last, 0, keys_) == 0;
    const bool ranked = how_.missing != Missing::keep || !there.columns.back().is_missing(0), same = compare_rows(there, 0, here, 0, columns_) == 0;
    Beside out = whole_group ? further : Beside{};
    out.rows += rows_of(p, group);
    if (!same || compare_rows(p.first, 0, p.last, 0, columns_)) out.equal = 0;
    if (same) out.equal += rows_of(p, run);
    out.distinct += p.distinct[group == kFirstGroup ? 0 : 1] - (same && ranked ? 1 : 0);
    return out;
  }

  Ranking how_;
  SortKeys columns_, keys_;  // of keys and value, and of keys
  std::vector<Part> parts_;  // by partition, ascending
};

Map finish_ranks(const Args& a) {
  return [pct = a["pct"].boolean()](Task&, Columns in, int64_t rows, std::span<Column> out) {
    const Column ranks = spread(in[0], rows), marks = spread(in[1], rows);
    const Text bytes = in[2].as<Text>()[0];
    Writable made(Storage::float64, rows);
    for (int64_t i = 0; i < rows; ++i) {
      double rank = ranks.as<double>()[i];
      if (const int64_t mark = marks.as<int32_t>()[i]) {
        std::pair<double, double> entry;
        std::memcpy(&entry, bytes.data + mark * static_cast<int64_t>(sizeof entry), sizeof entry);
        rank += entry.first;
        if (pct) rank /= entry.second;
      }
      made.as<double>()[i] = rank;
    }
    out[0] = std::move(made).finish();
    return rows;
  };
}

// Columns of a partition, by the row in it.
class PutRows : public Fold {
 public:
  void add(Task&, Columns in, int64_t rows) override {
    Batch& b = given_.emplace_back(Batch{rows, {}});
    for (const auto& c : in) b.columns.push_back(spread(c, rows));
    rows_ += rows;
  }
  void merge(Task&, Fold&) override { throw internal("put_rows: states of different partitions"); }
  Batches finish(Task&) override { throw internal("put_rows: a state that is looked into has no result"); }
  void seal(Task& task) override {
    if (given_.empty()) return;
    for (size_t c = 1; c < given_[0].columns.size(); ++c) {
      const Storage storage = given_[0].columns[c].storage;
      task.reserve(rows_ * width(storage));
      Writable made(storage, rows_);
      visit_fixed(storage, [&](auto tag) {
        using T = typename decltype(tag)::type;
        for (const auto& b : given_) {
          const auto* row = b.columns[0].template as<uint32_t>();
          const T* from = b.columns[c].template as<T>();
          for (int64_t i = 0; i < b.rows; ++i) made.template as<T>()[row[i]] = from[i];
        }
      });
      columns_.push_back(std::move(made).finish());
    }
    given_.clear();
  }
  int64_t bytes() const override {
    int64_t total = size_of({rows_, columns_});
    for (const auto& b : given_) total += size_of(b);
    return total;
  }
  void encode(Encoder&) const override { throw internal("put_rows: made where it is looked into"); }
  void decode(base::Decoder&) override { throw internal("put_rows: made where it is looked into"); }

  Column slice_of(size_t column, int64_t first, int64_t rows) const { return slice(columns_.at(column), first, rows); }

 private:
  Batches given_;  // the row in front of the columns
  int64_t rows_ = 0;
  std::vector<Column> columns_;
};

Look take_put(const Args& a) {
  return [column = static_cast<size_t>(a["column"].integer())](Task&, const Fold& built, Columns in, int64_t rows, std::span<Column> out) {
    const int64_t first = rows ? int64_t{in[0].as<uint32_t>()[0]} : 0;  // batches are rows that follow each other
    if (rows) out[0] = static_cast<const PutRows&>(built).slice_of(column, first, rows);
    else out[0] = Writable(Storage::float64, 0).finish();
    return rows;
  };
}

Map split_row_ids(const Args&) {
  return [](Task&, Columns in, int64_t rows, std::span<Column> out) {
    const Column ids = spread(in[0], rows);
    Writable partitions(Storage::uint32, rows), numbers(Storage::uint32, rows);
    for (int64_t i = 0; i < rows; ++i) {
      const auto id = static_cast<uint64_t>(ids.as<int64_t>()[i]);
      partitions.as<uint32_t>()[i] = static_cast<uint32_t>(id >> 32), numbers.as<uint32_t>()[i] = static_cast<uint32_t>(id);
    }
    out[0] = std::move(partitions).finish(), out[1] = std::move(numbers).finish();
    return rows;
  };
}

Map rows_of_partition(const Args&) {
  return [next = uint32_t{0}](Task&, Columns, int64_t rows, std::span<Column> out) mutable {
    Writable numbers(Storage::uint32, rows);
    std::iota(numbers.as<uint32_t>(), numbers.as<uint32_t>() + rows, next);
    next += static_cast<uint32_t>(rows);
    out[0] = std::move(numbers).finish();
    return rows;
  };
}
}  // namespace

std::vector<Kernel> rank_kernels() {
  const auto edges = [](const Args& a) -> std::unique_ptr<Fold> { return std::make_unique<RankEdges>(a); };
  return {{.name = "split_row_ids", .map = split_row_ids, .traits = {.widens_itself = true, .by_row = true}},
          {.name = "rows_of_partition", .map = rows_of_partition, .traits = {.widens_itself = true, .remembers_rows = true}},
          {.name = "rank_rows", .whole = rank_rows},
          {.name = "rank_edges", .fold = edges},
          {.name = "put_rows", .fold = [](const Args&) -> std::unique_ptr<Fold> { return std::make_unique<PutRows>(); }, .traits = {.is_looked_into = true}},
          {.name = "take_put", .look = take_put, .traits = {.widens_itself = true, .takes_column = true}},
          {.name = "finish_ranks", .map = finish_ranks, .traits = {.widens_itself = true}}};
}

}  // namespace muster::kernels
