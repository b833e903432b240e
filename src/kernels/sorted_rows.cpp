// A state is runs: rows are put in order while they are in the caches, some ten thousand at a time. Where memory is short the runs of a state are merged and
// spilled, in granules that are read one by one. States are cut into ranges, and a range of all states is merged. Rows that are equal stay in the order of
// their runs, also where a bound lies among them: a bound that was drawn from a run knows its place there.
#include "kernels/sorted_rows.hpp"

#include <algorithm>
#include <mutex>

#include "base/error.hpp"
#include "kernels/ordering.hpp"
#include "kernels/places.hpp"
#include "kernels/ranged_state.hpp"
#include "kernels/spill.hpp"
#include "kernels/wire.hpp"
#include "muster/error.hpp"

namespace muster::kernels {
using namespace base;
using namespace data;
namespace {
constexpr int64_t kRunRows = 64 << 10;      // at most, or
constexpr int64_t kRunBytes = 4 << 20;
constexpr int64_t kLeastGranule = 128, kMostGranule = 2048;  // rows that are read at once from disk
constexpr int64_t kSamples = 256;           // of the rows of a state
constexpr int64_t kWorthSpilling = 1 << 20; // bytes, while there are rows to come
constexpr int64_t kLeftBytes = 64 << 10;    // of a complete state that stay in any case
constexpr int64_t kRunsOfPartition = 24;    // bits

// Rows in order that nobody changes any more.
struct Run {
  int64_t number;                                // runs of equal rows stand in order of their numbers
  int64_t rows = 0, bytes = 0;
  Batch here;                                    // in memory
  std::shared_ptr<const SpilledParts> granules;  // or on disk
  Batch heads;                                   // of each granule the first row's keys
  int64_t granule = 0;                           // rows
};

std::vector<const Batch*> pointers(const Batches& batches) {
  std::vector<const Batch*> out;
  for (const auto& b : batches) out.push_back(&b);
  return out;
}

// Where parts begin: keys, and behind them, where they were drawn from runs, the run's number and the place in it.
class Bounds {
 public:
  Bounds(Batch rows, SortKeys keys) : rows_(std::move(rows)), keys_(std::move(keys)) {
    for (size_t k = 0; k < keys_.size(); ++k) keys_[k].column = k;
    placed_ = rows_.columns.size() > keys_.size();
  }
  int64_t count() const { return rows_.rows; }
  /// Whether row `i` of `batch`, in this place of a run, stands in front of bound `b`. The batch's keys are its first columns.
  bool behind(const Batch& batch, int64_t i, int64_t run, int64_t place, int64_t b) const {
    if (const int order = compare_rows(batch, i, rows_, b, keys_)) return order < 0;
    if (!placed_) return false;
    const auto of = [&](size_t column) { return rows_.columns[keys_.size() + column].as<int64_t>()[b]; };
    return run != of(0) ? run < of(0) : place < of(1);
  }

 private:
  Batch rows_;
  SortKeys keys_;
  bool placed_;
};

// Some of a run's rows, in order.
struct Slice {
  std::shared_ptr<const Run> run;
  int64_t begin = 0, end = 0;  // of a run on disk: of granules, of which the first and the last may reach beyond the bounds
  std::shared_ptr<const Bounds> bounds = {};
  int64_t lower = -1, upper = -1;  // bounds; -1: none
  int64_t first_place = 0;         // in its run, of a slice that came from elsewhere
};

class SortedRows : public Fold, public RangedState {
 public:
  explicit SortedRows(const Args& a) : args_(a) {
    const auto& descending = a["descending"].list();
    for (const auto& column : a["by"].list())
      keys_.push_back({static_cast<size_t>(column.integer()), descending.at(keys_.size()).boolean(), a["missing_first"].boolean()});
  }

  void add(Task& task, Columns in, int64_t rows) override {
    partition_ = task.partition();
    for (int64_t done = 0; done < rows; done += kRunRows) {
      const int64_t more = std::min(kRunRows, rows - done);
      Batch& batch = waiting_.emplace_back(Batch{more, {}});
      for (const auto& c : in) batch.columns.push_back(own_text(spread(slice(c, done, more), more)));
      const int64_t bytes = size_of(batch);
      task.hold(bytes);
      waiting_bytes_ += bytes, waiting_rows_ += more;
      if (waiting_rows_ < kRunRows && waiting_bytes_ < kRunBytes) continue;
      close_run(task);
      if (here_bytes_ >= kWorthSpilling && task.headroom() < here_bytes_) spill(task);
    }
  }
  void merge(Task& task, Fold& later) override {
    seal(task);
    later.seal(task);
    const auto& other = static_cast<SortedRows&>(later);
    slices_.insert(slices_.end(), other.slices_.begin(), other.slices_.end());
  }
  void seal(Task& task) override {
    std::lock_guard lock(sealing_);
    if (waiting_rows_) close_run(task);
    if (here_bytes_ > kLeftBytes && task.headroom() < here_bytes_) spill(task);
    here_bytes_ = 0;
  }
  Batches finish(Task& task) override { return merge_part(task, {this}, 0); }

  int64_t bytes() const override {
    int64_t total = waiting_bytes_;
    for (const auto& s : slices_) total += s.run->granules ? s.run->granules->kept_bytes() + size_of(s.run->heads) : share(s);
    return total;
  }

  void encode(Encoder& out) const override {
    out << static_cast<uint64_t>(slices_.size());
    for (const auto& s : slices_) {
      auto [rows, first] = read(s);
      out << s.run->number << first;
      kernels::encode(out, Batches{std::move(rows)});
    }
  }
  void decode(base::Decoder& in) override {
    for (auto left = in.count(); left > 0; --left) {
      auto run = std::make_shared<Run>();
      run->number = in.get<int64_t>();
      Slice s;
      s.first_place = in.get<int64_t>();
      run->here = concatenate(decode_batches(in));
      for (auto& c : run->here.columns) c = spread(c, run->here.rows);
      run->rows = run->here.rows, run->bytes = size_of(run->here);
      s.end = run->rows, s.run = std::move(run);
      if (s.end) slices_.push_back(std::move(s));
    }
  }

  Batch sample() const override {
    int64_t rows = 0;
    for (const auto& s : slices_) rows += s.run->rows;
    Batches out;
    for (const auto& s : slices_) {
      const Run& run = *s.run;
      const Batch& from = run.granules ? run.heads : run.here;
      const int64_t places = s.end - s.begin, share = kSamples * run.rows / std::max<int64_t>(1, rows) + 1, count = std::min(places, share);
      std::vector<int64_t> at;
      for (int64_t i = 0; i < count; ++i) at.push_back(s.begin + (2 * i + 1) * places / (2 * count));
      Batch some{count, {}};
      for (size_t k = 0; k < keys_.size(); ++k) some.columns.push_back(own_text(leave(take(from.columns[run.granules ? k : keys_[k].column], at))));
      const auto numbers = [&](auto value) {
        Writable column(Storage::int64, count);
        for (int64_t i = 0; i < count; ++i) column.as<int64_t>()[i] = value(static_cast<size_t>(i));
        return std::move(column).finish();
      };
      some.columns.push_back(numbers([&](size_t) { return run.number; }));
      some.columns.push_back(numbers([&](size_t i) { return run.granules ? at[i] * run.granule : at[i] + s.first_place; }));
      some.columns.push_back(numbers([&](size_t) { return run.rows / count; }));  // so many rows each stands for
      out.push_back(std::move(some));
    }
    return concatenate(out);
  }

  Batch bounds(const Batches& samples, int64_t ranges) const override {
    if (args_["bounds"].is_list()) return given_bounds();
    Batches some;
    for (const auto& s : samples)
      if (s.rows) some.push_back(s);
    Batch all = concatenate(some), out;
    if (!all.rows) return out;
    const size_t keys = keys_.size();
    for (auto& c : all.columns) c = spread(c, all.rows);
    SortKeys by;
    for (size_t k = 0; k < keys; ++k) by.push_back({k, keys_[k].descending, keys_[k].missing_first});
    by.push_back({keys}), by.push_back({keys + 1});
    const auto order = sort_order({&all, 1}, by);
    const auto* weight = all.columns[keys + 2].as<int64_t>();
    int64_t total = 0, before = 0;
    for (int64_t i = 0; i < all.rows; ++i) total += weight[i];
    std::vector<int64_t> chosen;
    for (const auto i : order) {
      while (static_cast<int64_t>(chosen.size()) + 1 < ranges && before >= (static_cast<int64_t>(chosen.size()) + 1) * total / ranges) chosen.push_back(i);
      before += weight[i];
    }
    while (static_cast<int64_t>(chosen.size()) + 1 < ranges) chosen.push_back(order.back());
    out.rows = static_cast<int64_t>(chosen.size());
    for (size_t c = 0; c < keys + 2; ++c) out.columns.push_back(take(all.columns[c], chosen));
    return out;
  }

  std::vector<std::unique_ptr<Fold>> cut(const Batch& at) const override {
    const auto bounds = std::make_shared<const Bounds>(at, keys_);
    std::vector<std::unique_ptr<Fold>> out;
    for (int64_t p = 0; p <= bounds->count(); ++p) out.push_back(std::make_unique<SortedRows>(args_));
    for (const auto& s : slices_) {
      const std::vector<int64_t> begins = begins_of_ranges(s, *bounds);
      for (size_t p = 0; p + 1 < begins.size(); ++p) {
        Slice range = s;
        range.begin = begins[p], range.end = begins[p + 1];
        if (s.run->granules) {
          range.begin = std::max(s.begin, range.begin - 1);
          range.bounds = bounds, range.lower = static_cast<int64_t>(p) - 1, range.upper = p + 2 < begins.size() ? static_cast<int64_t>(p) : -1;
        }
        if (range.begin < range.end) static_cast<SortedRows&>(*out[p]).slices_.push_back(std::move(range));
      }
    }
    return out;
  }

  Batches merge_part(Task& task, const std::vector<Fold*>& folds, int64_t) override {
    int64_t bytes = 0;
    std::vector<const Slice*> slices;
    bool on_disk = false;
    for (auto* fold : folds)
      for (const auto& s : static_cast<SortedRows*>(fold)->slices_) slices.push_back(&s), bytes += share(s), on_disk |= s.run->granules != nullptr;
    std::stable_sort(slices.begin(), slices.end(), [](const Slice* a, const Slice* b) { return a->run->number < b->run->number; });
    const bool in_order = !args_["in_parts_only"].is_bool();
    for (const Slice* s : slices)
      if (in_order && s->run->granules) bytes += s->run->bytes / std::max<int64_t>(1, s->run->heads.rows);
    task.reserve(bytes);
    if (on_disk && in_order) return merge_streams(task, slices);
    Batches runs;
    for (const Slice* s : slices) {
      if (task.stopped()) throw Error(ErrorKind::cancelled, "stopped");
      if (Batch rows = read(*s).first; rows.rows) runs.push_back(std::move(rows));
    }
    if (runs.empty() || !in_order) return runs;
    return {merge_sorted(pointers(runs), keys_, runs[0].columns.size(), false)};
  }

 private:
  // Of the only key.
  Batch given_bounds() const {
    const DType type = dtype_of(args_["bounds_type"].integer());
    std::vector<Column> values;
    for (const auto& v : args_["bounds"].list()) values.push_back(spread(constant_of(v, type), 1));
    return {static_cast<int64_t>(values.size()), values.empty() ? std::vector<Column>{} : std::vector<Column>{concatenate(values)}};
  }

  // Rows of a slice that are not merged yet.
  struct Stream {
    const Slice* slice;
    Batch rows = {};
    int64_t next = 0;  // granule
    bool more() const { return slice->run->granules && next < slice->end; }
  };

  // Merges slices, of which those on disk are in memory by a granule each.
  Batches merge_streams(Task& task, const std::vector<const Slice*>& slices) const {
    std::vector<Stream> streams;
    for (const Slice* s : slices) {
      Stream& stream = streams.emplace_back(Stream{s});
      if (s->run->granules) stream.next = s->begin;
      else stream.rows = part_of(s->run->here, s->begin, s->end - s->begin);
    }
    Batches out, small;
    int64_t waiting = 0;
    std::string room;
    while (!streams.empty()) {
      if (task.stopped()) throw Error(ErrorKind::cancelled, "stopped");
      for (auto& s : streams)
        while (!s.rows.rows && s.more()) s.rows = granule(*s.slice, s.next++, room);
      std::erase_if(streams, [](const Stream& s) { return !s.rows.rows; });
      // What stands in front of the last row of a stream that goes on, the first of such rows, is complete.
      const Stream* bound = nullptr;
      for (const auto& s : streams)
        if (s.more() && (!bound || compare_rows(s.rows, s.rows.rows - 1, bound->rows, bound->rows.rows - 1, keys_) < 0)) bound = &s;
      const Batch last = bound ? part_of(bound->rows, bound->rows.rows - 1, 1) : Batch{};
      Batches parts;
      for (auto& s : streams) {
        int64_t end = s.rows.rows;
        if (bound && &s != bound) {
          int64_t low = 0;
          while (low < end) {
            const int64_t middle = (low + end) / 2, order = compare_rows(s.rows, middle, last, 0, keys_);
            if (order < 0 || (order == 0 && &s < bound)) low = middle + 1;
            else end = middle;
          }
        }
        if (!end) continue;
        parts.push_back(part_of(s.rows, 0, end));
        s.rows = part_of(s.rows, end, s.rows.rows - end);
      }
      if (parts.empty()) continue;
      small.push_back(merge_sorted(pointers(parts), keys_, parts[0].columns.size(), false));
      waiting += small.back().rows;
      if (waiting >= kRunRows || !bound) out.push_back(concatenate(std::exchange(small, {}))), waiting = 0;
    }
    if (!small.empty()) out.push_back(concatenate(small));
    return out;
  }

  // About what the rows of a slice take in memory.
  static int64_t share(const Slice& s) {
    if (!s.run->rows) return 0;
    const int64_t halves = s.run->granules ? 2 * (s.end - s.begin) - (s.lower >= 0) - (s.upper >= 0) : 0;  // about half of a granule is beyond a bound
    const int64_t rows = s.run->granules ? halves * s.run->granule / 2 : s.end - s.begin;
    return static_cast<int64_t>(static_cast<double>(s.run->bytes) * static_cast<double>(rows) / static_cast<double>(s.run->rows));
  }

  // Makes a run of the rows that wait.
  void close_run(Task& task) {
    const auto rows = pointers(waiting_);
    std::vector<int64_t> ends;
    for (int64_t end = 0; const auto& b : waiting_) ends.push_back(end += b.rows);
    std::vector<Place> order;
    order.reserve(static_cast<size_t>(waiting_rows_));
    for (const int64_t row : sort_order(waiting_, keys_)) {
      const auto b = static_cast<size_t>(std::upper_bound(ends.begin(), ends.end(), row) - ends.begin());
      order.push_back({static_cast<uint32_t>(b), static_cast<uint32_t>(row - (ends[b] - waiting_[b].rows))});
    }
    Batch made{waiting_rows_, {}};
    for (size_t c = 0; c < waiting_[0].columns.size(); ++c) made.columns.push_back(gather(rows, c, order));
    put(std::move(made));
    task.hold(slices_.back().run->bytes - waiting_bytes_);
    here_bytes_ += slices_.back().run->bytes;
    waiting_.clear(), waiting_rows_ = waiting_bytes_ = 0;
  }
  void put(Batch rows) {
    auto run = std::make_shared<Run>();
    run->number = partition_ << kRunsOfPartition | next_++;
    run->rows = rows.rows, run->bytes = size_of(rows), run->here = std::move(rows);
    const int64_t count = run->rows;
    slices_.push_back({std::move(run), 0, count});
  }

  // Merges the runs in memory, which are the last ones, and moves them to the disk.
  void spill(Task& task) {
    const auto first = std::find_if(slices_.begin(), slices_.end(), [](const Slice& s) { return !s.run->granules; });
    std::vector<const Batch*> runs;
    for (auto s = first; s != slices_.end(); ++s) runs.push_back(&s->run->here);
    if (runs.empty() || hold_objects({*runs[0]})) return;
    auto run = std::make_shared<Run>();
    run->number = first->run->number;
    const Batch rows = merge_sorted(runs, keys_, runs[0]->columns.size(), false);
    run->rows = rows.rows, run->bytes = size_of(rows);
    auto granules = std::make_shared<SpilledParts>();
    std::vector<int64_t> heads;
    run->granule = std::clamp(rows.rows / (2 * args_["parts"].integer()), kLeastGranule, kMostGranule);  // a part of it is some granules
    for (int64_t at = 0; at < rows.rows; at += run->granule) {
      heads.push_back(at);
      granules->add([&](Encoder& out) { kernels::encode(out, Batches{part_of(rows, at, std::min(run->granule, rows.rows - at))}); });
    }
    granules->close();
    run->heads.rows = static_cast<int64_t>(heads.size());
    for (const auto& key : keys_) run->heads.columns.push_back(own_text(leave(take(rows.columns[key.column], heads))));
    run->granules = std::move(granules);
    slices_.erase(first, slices_.end());
    const int64_t count = run->heads.rows;
    slices_.push_back({std::move(run), 0, count});
    task.hold(-std::exchange(here_bytes_, 0));
  }
  // A few values, which keep nothing else.
  static Column leave(Column c) {
    c.text_kept = false, c.codes = nullptr, c.dictionary = nullptr;
    return c;
  }
  static Batch part_of(const Batch& rows, int64_t begin, int64_t count) {
    Batch out{count, {}};
    for (const auto& c : rows.columns) out.columns.push_back(slice(c, begin, count));
    return out;
  }

  // Where the ranges begin in a slice, and where it ends: of a run on disk, the first granule that begins behind each bound.
  std::vector<int64_t> begins_of_ranges(const Slice& s, const Bounds& bounds) const {
    const Run& run = *s.run;
    std::vector<int64_t> out{s.begin};
    const Batch keys = run.granules ? run.heads : keys_of(run.here);
    const auto in_front = [&](int64_t i, int64_t b) {
      return bounds.behind(keys, i, run.number, run.granules ? i * run.granule : s.first_place + i, b);
    };
    for (int64_t b = 0; b < bounds.count(); ++b) {
      int64_t low = out.back(), high = s.end;
      while (low < high) {
        const int64_t middle = (low + high) / 2;
        if (in_front(middle, b)) low = middle + 1;
        else high = middle;
      }
      out.push_back(low);
    }
    out.push_back(s.end);
    return out;
  }

  // The rows of a slice, in order, and the place in its run of the first.
  std::pair<Batch, int64_t> read(const Slice& s) const {
    const Run& run = *s.run;
    if (!run.granules) return {part_of(run.here, s.begin, s.end - s.begin), s.begin + s.first_place};
    Batches out;
    std::string room;
    int64_t first = s.begin * run.granule;
    for (int64_t g = s.begin; g < s.end; ++g)
      if (Batch rows = granule(s, g, room, g == s.begin ? &first : nullptr); rows.rows) out.push_back(std::move(rows));
    return {concatenate(out), first};
  }
  // The rows of a slice in granule `g`; `first` is moved by those of it in front.
  Batch granule(const Slice& s, int64_t g, std::string& room, int64_t* first = nullptr) const {
    base::Decoder in(s.run->granules->read(static_cast<size_t>(g), room));
    Batch b = concatenate(decode_batches(in));
    for (auto& c : b.columns) c = own_text(spread(c, b.rows));
    const int64_t begin = s.lower >= 0 && g == s.begin ? cut_at(b, s, g, s.lower) : 0;
    const int64_t end = s.upper >= 0 && g == s.end - 1 ? std::max(begin, cut_at(b, s, g, s.upper)) : b.rows;
    if (first) *first += begin;
    return part_of(b, begin, end - begin);
  }
  Batch keys_of(const Batch& rows) const {
    Batch out{rows.rows, {}};
    for (const auto& k : keys_) out.columns.push_back(rows.columns[k.column]);
    return out;
  }
  // How many rows of granule `g` stand in front of a bound.
  int64_t cut_at(const Batch& b, const Slice& s, int64_t g, int64_t bound) const {
    const Batch keys = keys_of(b);
    int64_t low = 0, high = b.rows;
    while (low < high) {
      const int64_t middle = (low + high) / 2;
      if (s.bounds->behind(keys, middle, s.run->number, g * s.run->granule + middle, bound)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  Args args_;
  SortKeys keys_;
  std::mutex sealing_;
  Batches waiting_;
  int64_t waiting_rows_ = 0, waiting_bytes_ = 0, here_bytes_ = 0;  // of rows that wait, and of runs in memory
  int64_t partition_ = 0, next_ = 0;                               // of the next run
  std::vector<Slice> slices_;
};
}  // namespace

std::vector<Kernel> sort_kernels() {
  const auto sort = [](const Args& a) -> std::unique_ptr<Fold> { return std::make_unique<SortedRows>(a); };
  return {{.name = "order_rows", .fold = sort, .traits = {.positional = true, .ranged = true}}};
}

}  // namespace muster::kernels
