// A number is the sum of the rows of partitions in front, by the order of partitions and not of reading: partitions are merged as they come and counted at
// the end.
#include "kernels/row_numbers.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <numeric>

#include "base/error.hpp"

namespace muster::kernels {
using namespace base;
using namespace data;
namespace {

class RowCounts : public Fold {
 public:
  explicit RowCounts(const Args& a) {
    for (const auto& f : a["files"].list()) files_.push_back(f.integer());
  }
  void add(Task& t, Columns, int64_t rows) override { counts_[t.partition()] += rows; }
  void merge(Task&, Fold& later) override {
    for (auto [partition, rows] : static_cast<RowCounts&>(later).counts_) counts_[partition] += rows;
  }
  Batches finish(Task&) override {
    const int64_t partitions = counts_.empty() ? 0 : counts_.rbegin()->first + 2;  // the last is counted for the one behind it
    auto firsts = std::make_shared<std::vector<int64_t>>();
    int64_t number = 0;
    for (int64_t p = 0; p < partitions; ++p) {
      if (std::binary_search(files_.begin(), files_.end(), p)) number = 0;
      firsts->push_back(number);
      if (auto known = counts_.find(p); known != counts_.end()) number += known->second;
    }
    Writable text(Storage::text, 1);
    *text.as<Text>() = {partitions ? reinterpret_cast<const char*>(firsts->data()) : "", partitions * static_cast<int64_t>(sizeof(int64_t))};
    Column made = std::move(text).finish(firsts);
    made.text_kept = true;
    return {{1, {std::move(made)}}};
  }
  int64_t bytes() const override { return static_cast<int64_t>(counts_.size() * 48); }
  void encode(Encoder& out) const override {
    std::vector<int64_t> pairs;
    for (auto [partition, rows] : counts_) pairs.push_back(partition), pairs.push_back(rows);
    out << pairs;
  }
  void decode(base::Decoder& in) override {
    const auto pairs = in.list<int64_t>();
    counts_.clear();
    for (size_t i = 0; i + 1 < pairs.size(); i += 2) counts_[pairs[i]] = pairs[i + 1];
  }

 private:
  std::vector<int64_t> files_;
  std::map<int64_t, int64_t> counts_;  // by partition
};

// A table's entry; partitions behind its end have nothing counted in front of them.
int64_t first_number(Text table, int64_t partition) {
  int64_t number = 0;
  const int64_t at = partition * static_cast<int64_t>(sizeof number);
  if (at < table.size) std::memcpy(&number, table.data + at, sizeof number);
  return number;
}

Map row_labels(const Args& a) {
  struct Source {
    int64_t first_partition;
    std::vector<int64_t> numbers;
    size_t input = 0;  // where the table is; 0: in `numbers`
  };
  std::vector<Source> sources;
  for (const auto& s : a["sources"].list()) {
    Source source{s.list().at(0).integer(), {}};
    const Value& table = s.list().at(1);
    if (table.is_integer()) source.input = static_cast<size_t>(table.integer());
    else for (const auto& n : table.list()) source.numbers.push_back(n.integer());
    sources.push_back(std::move(source));
  }
  return [sources = std::move(sources)](Task&, Columns in, int64_t rows, std::span<Column> out) {
    const Column ids = spread(in[0], rows);
    if (ids.storage != Storage::row_id) throw base::internal("row_labels: no row ids");
    Writable labels(Storage::int64, rows);
    int64_t partition = -1, first = 0;
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t id = ids.as<int64_t>()[i];
      if (id >> 32 != partition) {
        partition = id >> 32;
        const auto& source =
            *(std::upper_bound(sources.begin(), sources.end(), partition, [](int64_t p, const Source& s) { return p < s.first_partition; }) - 1);
        const int64_t own = partition - source.first_partition;
        if (source.input) first = first_number(in[source.input].as<Text>()[0], own);
        else first = own < static_cast<int64_t>(source.numbers.size()) ? source.numbers[static_cast<size_t>(own)] : 0;
      }
      labels.as<int64_t>()[i] = first + (id & 0xFFFFFFFF);
    }
    out[0] = std::move(labels).finish();
    return rows;
  };
}

Map row_numbers(const Args&) {
  return [](Task& t, Columns in, int64_t rows, std::span<Column> out) {
    Writable numbers(Storage::int64, rows);
    std::iota(numbers.as<int64_t>(), numbers.as<int64_t>() + rows, in.size() > 1 ? first_number(in[1].as<Text>()[0], t.partition()) : 0);
    out[0] = std::move(numbers).finish();
    return rows;
  };
}
// Where a task's partition stands among those of an expression: the same number, or told by a list.
std::function<int64_t(int64_t)> number_in(const Value& partitions) {
  std::vector<std::pair<int64_t, int64_t>> known;
  for (const auto& p : partitions.list()) known.emplace_back(p.list().at(0).integer(), p.list().at(1).integer());
  return [known](int64_t partition) {
    const auto at = std::lower_bound(known.begin(), known.end(), std::pair(partition, int64_t{0}));
    return at != known.end() && at->first == partition ? at->second : partition;
  };
}

Map new_row_ids(const Args& a) {
  return [number = number_in(a["partitions"]), next = int64_t{0}](Task& t, Columns, int64_t rows, std::span<Column> out) mutable {
    Writable ids(Storage::row_id, rows);
    std::iota(ids.as<int64_t>(), ids.as<int64_t>() + rows, (number(t.partition()) << 32) + next);
    next += rows;
    out[0] = std::move(ids).finish();
    return rows;
  };
}

Map count_new_rows(const Args& a) {
  return [id = a["id"].integer()](Task& t, Columns, int64_t rows, std::span<Column>) {
    auto& counted = t.report.counted;
    auto known = std::find_if(counted.begin(), counted.end(), [&](const auto& c) { return c.id == id; });
    if (known == counted.end()) known = counted.insert(known, {id, 0});
    known->rows += rows;
    return rows;
  };
}
}  // namespace

Kernel row_counts_kernel() {
  return {.name = data::kRowCounts, .fold = [](const Args& a) { return std::make_unique<RowCounts>(a); }};
}

std::vector<Kernel> row_number_kernels() {
  return {{.name = data::kRowLabels, .map = row_labels, .traits = {.numbers_rows = true}},
          {.name = "row_numbers", .map = row_numbers, .partition_at_once = true},
          {.name = data::kNewRowIds, .map = new_row_ids, .traits = {.widens_itself = true, .remembers_rows = true}},
          {.name = data::kCountNewRows, .map = count_new_rows}};
}

}  // namespace muster::kernels
