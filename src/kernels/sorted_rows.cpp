// A state is runs: rows as they came, and their order; where memory is short they are spilled, in order, in granules that are read one by one. States are cut
// into ranges, and a range of all states is put in order again. Rows that are equal stay in the order of their runs, also where a bound lies among them: a bound
// that was drawn from a run knows its place there.
#include "kernels/sorted_rows.hpp"

#include <algorithm>
#include <mutex>

#include "base/error.hpp"
#include "kernels/packing.hpp"
#include "kernels/places.hpp"
#include "kernels/ranged_state.hpp"
#include "kernels/sort_order.hpp"
#include "kernels/spill.hpp"
#include "kernels/wire.hpp"
#include "muster/error.hpp"

namespace muster::kernels {
using namespace base;
using namespace data;
namespace {
constexpr int64_t kGranule = 2048;          // rows that are read at once from disk
constexpr int64_t kSamples = 256;           // rows of a run
constexpr int64_t kLeastRun = 1 << 20;      // bytes
constexpr int64_t kSortBytes = 40;          // a row, while it is sorted
constexpr int64_t kRunsOfPartition = 20;    // bits

// Rows in order that nobody changes any more.
struct Run {
  int64_t number;                                // runs of equal rows stand in order of their numbers
  int64_t rows = 0, bytes = 0;
  Batches here;                                  // in memory: as they came
  std::vector<Place> order;                      // of them; none: they are in order
  std::vector<int64_t> begins;                   // where each of `here` begins, where they are in order
  std::shared_ptr<const SpilledParts> granules;  // or on disk, in order
  Batch heads;                                   // of each granule the first row

  Place place(int64_t i) const {
    if (!order.empty()) return order[static_cast<size_t>(i)];
    const auto b = static_cast<size_t>(std::upper_bound(begins.begin(), begins.end(), i) - begins.begin()) - 1;
    return {static_cast<uint32_t>(b), static_cast<uint32_t>(i - begins[b])};
  }
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
    const int64_t bytes = packing_.add(in, rows);
    task.hold(bytes + rows * static_cast<int64_t>(sizeof(Place)));
    waiting_bytes_ += bytes, waiting_rows_ += rows;
    if (waiting_bytes_ >= kLeastRun && task.headroom() < waiting_rows_ * kSortBytes + waiting_bytes_) close_run(task, true);
  }
  void merge(Task& task, Fold& later) override {
    seal(task);
    later.seal(task);
    const auto& other = static_cast<SortedRows&>(later);
    slices_.insert(slices_.end(), other.slices_.begin(), other.slices_.end());
  }
  void seal(Task& task) override {
    std::lock_guard lock(sealing_);
    if (waiting_rows_) close_run(task, task.headroom() < waiting_rows_ * kSortBytes);
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
      const auto [rows, first] = read(s);
      out << s.run->number << first;
      kernels::encode(out, rows);
    }
  }
  void decode(base::Decoder& in) override {
    for (auto left = in.count(); left > 0; --left) {
      auto run = std::make_shared<Run>();
      run->number = in.get<int64_t>();
      Slice s;
      s.first_place = in.get<int64_t>();
      run->here = decode_batches(in);
      for (auto& b : run->here) {
        run->begins.push_back(run->rows), run->rows += b.rows, run->bytes += size_of(b);
        for (auto& c : b.columns) c = spread(c, b.rows);
      }
      s.end = run->rows, s.run = std::move(run);
      if (s.end) slices_.push_back(std::move(s));
    }
  }

  Batch sample() const override {
    Batches out;
    for (const auto& s : slices_) {
      const Run& run = *s.run;
      const int64_t rows = run.granules ? run.heads.rows : s.end - s.begin, count = std::min(rows, kSamples);
      std::vector<Place> places;
      std::vector<int64_t> at;
      for (int64_t i = 0; i < count; ++i) {
        at.push_back(s.begin + (2 * i + 1) * rows / (2 * count));
        places.push_back(run.granules ? Place{0, static_cast<uint32_t>(at.back())} : run.place(at.back()));
        if (run.granules) at.back() *= kGranule;
        else at.back() += s.first_place;
      }
      Batch some{count, {}};
      const Batch* heads = &run.heads;
      const auto here = pointers(run.here);
      for (size_t k = 0; k < keys_.size(); ++k)
        some.columns.push_back(own_text(run.granules ? gather(BatchPointers(&heads, 1), k, places) : gather(here, keys_[k].column, places)));
      const auto numbers = [&](auto value) {
        Writable column(Storage::int64, count);
        for (int64_t i = 0; i < count; ++i) column.as<int64_t>()[i] = value(static_cast<size_t>(i));
        return std::move(column).finish();
      };
      some.columns.push_back(numbers([&](size_t) { return run.number; }));
      some.columns.push_back(numbers([&](size_t i) { return at[i]; }));
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
    Batches read_back;  // from disk
    std::vector<const Batch*> batches;
    std::vector<Place> places;
    int64_t runs = 0, bytes = 0;
    std::vector<const Slice*> slices;
    for (auto* fold : folds)
      for (const auto& s : static_cast<SortedRows*>(fold)->slices_) slices.push_back(&s), bytes += share(s);
    std::stable_sort(slices.begin(), slices.end(), [](const Slice* a, const Slice* b) { return a->run->number < b->run->number; });
    task.reserve(2 * bytes);
    size_t from_disk = 0;
    for (const Slice* s : slices) from_disk += s->run->granules ? static_cast<size_t>(s->end - s->begin) : 0;
    read_back.reserve(from_disk);
    for (const Slice* s : slices) {
      if (task.stopped()) throw Error(ErrorKind::cancelled, "stopped");
      const auto first = static_cast<uint32_t>(batches.size());
      const size_t had = places.size();
      if (s->run->granules) {
        for (auto& b : read(*s).first) {
          for (int64_t i = 0; i < b.rows; ++i) places.push_back({static_cast<uint32_t>(batches.size()), static_cast<uint32_t>(i)});
          batches.push_back(&read_back.emplace_back(std::move(b)));
        }
      } else {
        for (int64_t i = s->begin; i < s->end; ++i) {
          const Place p = s->run->place(i);
          places.push_back({first + p.batch, p.row});
        }
        for (const auto& b : s->run->here) batches.push_back(&b);
      }
      runs += places.size() > had;
    }
    if (places.empty()) return {};
    if (runs > 1) {
      Batch keys{static_cast<int64_t>(places.size()), {}};
      SortKeys by;
      for (const auto& k : keys_) by.push_back({by.size(), k.descending, k.missing_first}), keys.columns.push_back(gather(batches, k.column, places));
      const auto order = sort_order({&keys, 1}, by);
      std::vector<Place> sorted;
      sorted.reserve(places.size());
      for (const auto i : order) sorted.push_back(places[i]);
      places = std::move(sorted);
    }
    Batch out{static_cast<int64_t>(places.size()), {}};
    for (size_t c = 0; c < batches[0]->columns.size(); ++c) out.columns.push_back(gather(batches, c, places));
    return {std::move(out)};
  }

 private:
  // Of the only key.
  Batch given_bounds() const {
    const DType type = dtype_of(args_["bounds_type"].integer());
    std::vector<Column> values;
    for (const auto& v : args_["bounds"].list()) values.push_back(spread(constant_of(v, type), 1));
    return {static_cast<int64_t>(values.size()), values.empty() ? std::vector<Column>{} : std::vector<Column>{concatenate(values)}};
  }

  // About what the rows of a slice take in memory.
  static int64_t share(const Slice& s) {
    if (!s.run->rows) return 0;
    const int64_t rows = s.run->granules ? (s.end - s.begin) * kGranule : s.end - s.begin;
    return static_cast<int64_t>(static_cast<double>(s.run->bytes) * static_cast<double>(rows) / static_cast<double>(s.run->rows));
  }

  // Makes a run of the rows that wait.
  void close_run(Task& task, bool spilled) {
    auto run = std::make_shared<Run>();
    run->number = partition_ << kRunsOfPartition | static_cast<int64_t>(slices_.size());
    run->rows = waiting_rows_;
    Batches rows;
    for (auto& b : packing_.take()) {
      if (!b.rows) continue;
      for (auto& c : b.columns) c = spread(c, b.rows);
      run->bytes += size_of(b);
      rows.push_back(std::move(b));
    }
    packing_ = {};
    task.hold(run->rows * kSortBytes);
    run->order.reserve(static_cast<size_t>(run->rows));
    const auto order = sort_order(rows, keys_);
    std::vector<int64_t> ends;
    for (int64_t end = 0; const auto& b : rows) ends.push_back(end += b.rows);
    for (const int64_t row : order) {
      const auto b = static_cast<size_t>(std::upper_bound(ends.begin(), ends.end(), row) - ends.begin());
      run->order.push_back({static_cast<uint32_t>(b), static_cast<uint32_t>(row - (ends[b] - rows[b].rows))});
    }
    task.hold(-run->rows * kSortBytes);
    run->here = std::move(rows);
    if (spilled && !hold_objects(run->here)) {
      spill(*run);
      task.hold(-waiting_bytes_ - waiting_rows_ * static_cast<int64_t>(sizeof(Place)));
    }
    else run->bytes += run->rows * static_cast<int64_t>(sizeof(Place));
    const int64_t count = run->granules ? run->heads.rows : run->rows;
    slices_.push_back({std::move(run), 0, count});
    waiting_rows_ = waiting_bytes_ = 0;
  }

  void spill(Run& run) const {
    auto granules = std::make_shared<SpilledParts>();
    const auto here = pointers(run.here);
    std::vector<Place> heads;
    for (int64_t at = 0; at < run.rows; at += kGranule) {
      const std::span<const Place> places(run.order.data() + at, static_cast<size_t>(std::min(kGranule, run.rows - at)));
      heads.push_back(places[0]);
      Batch rows{static_cast<int64_t>(places.size()), {}};
      for (size_t c = 0; c < run.here[0].columns.size(); ++c) rows.columns.push_back(gather(here, c, places));
      granules->add([&](Encoder& out) { kernels::encode(out, Batches{std::move(rows)}); });
    }
    granules->close();
    run.heads.rows = static_cast<int64_t>(heads.size());
    for (const auto& key : keys_) run.heads.columns.push_back(own_text(leave_dictionary_of(gather(here, key.column, heads))));
    run.granules = std::move(granules);
    run.here = {}, run.order = {};
  }
  static Column leave_dictionary_of(Column c) {
    if (c.storage != Storage::text) return c;
    return leave_dictionary(std::move(c));
  }

  // Where the ranges begin in a slice, and where it ends: of a run on disk, the first granule that begins behind each bound.
  std::vector<int64_t> begins_of_ranges(const Slice& s, const Bounds& bounds) const {
    const Run& run = *s.run;
    std::vector<int64_t> out{s.begin};
    Batch one{1, {}};
    const auto in_front = [&](int64_t i, int64_t b) {
      if (run.granules) return bounds.behind(run.heads, i, run.number, i * kGranule, b);
      const Place p = run.place(i);
      one.columns.clear();
      for (const auto& k : keys_) one.columns.push_back(slice(run.here[p.batch].columns[k.column], p.row, 1));
      return bounds.behind(one, 0, run.number, s.first_place + i, b);
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
  std::pair<Batches, int64_t> read(const Slice& s) const {
    const Run& run = *s.run;
    Batches out;
    int64_t first = s.begin + s.first_place;
    if (!run.granules) {
      std::vector<Place> places;
      for (int64_t i = s.begin; i < s.end; ++i) places.push_back(run.place(i));
      const auto here = pointers(run.here);
      Batch rows{s.end - s.begin, {}};
      for (size_t c = 0; c < run.here[0].columns.size(); ++c) rows.columns.push_back(gather(here, c, places));
      out.push_back(std::move(rows));
      return {std::move(out), first};
    }
    std::string room;
    first = s.begin * kGranule;
    for (int64_t g = s.begin; g < s.end; ++g) {
      base::Decoder in(run.granules->read(static_cast<size_t>(g), room));
      for (auto& b : decode_batches(in)) {
        for (auto& c : b.columns) c = own_text(spread(c, b.rows));
        int64_t begin = 0, end = b.rows;
        if (s.lower >= 0 && g == s.begin) begin = cut_at(b, s, g, s.lower);
        if (s.upper >= 0 && g == s.end - 1) end = std::max(begin, cut_at(b, s, g, s.upper));
        if (g == s.begin) first += begin;
        if (begin == end) continue;
        if (end - begin < b.rows) {
          for (auto& c : b.columns) c = slice(c, begin, end - begin);
          b.rows = end - begin;
        }
        out.push_back(std::move(b));
      }
    }
    return {std::move(out), first};
  }
  // How many rows of granule `g` stand in front of a bound.
  int64_t cut_at(const Batch& b, const Slice& s, int64_t g, int64_t bound) const {
    Batch keys{b.rows, {}};
    for (const auto& k : keys_) keys.columns.push_back(b.columns[k.column]);
    int64_t low = 0, high = b.rows;
    while (low < high) {
      const int64_t middle = (low + high) / 2;
      if (s.bounds->behind(keys, middle, s.run->number, g * kGranule + middle, bound)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  Args args_;
  SortKeys keys_;
  std::mutex sealing_;
  Packing packing_;
  int64_t waiting_rows_ = 0, waiting_bytes_ = 0, partition_ = 0;
  std::vector<Slice> slices_;
};
}  // namespace

std::vector<Kernel> sort_kernels() {
  const auto sort = [](const Args& a) -> std::unique_ptr<Fold> { return std::make_unique<SortedRows>(a); };
  return {{.name = "order_rows", .fold = sort, .traits = {.positional = true, .ranged = true}}};
}

}  // namespace muster::kernels
