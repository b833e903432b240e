// Every order here is stable: equal rows stay as they stand, those of runs in front before those behind.
#include "kernels/ordering.hpp"

#include <algorithm>
#include <numeric>

#include "base/side_by_side.hpp"
#include "kernels/places.hpp"
#include "kernels/sort_order.hpp"

namespace muster::kernels {
using namespace base;
using namespace data;
namespace {

// A row of one of several batches.
struct Sample {
  const Batch* batch;
  int64_t row;
};

bool is_sorted(const Batch& batch, const SortKeys& keys) {
  const Column& c = batch.columns[keys[0].column];
  if (keys.size() == 1 && c.storage == Storage::int64 && !c.valid && !keys[0].descending) return std::is_sorted(c.as<int64_t>(), c.as<int64_t>() + batch.rows);
  for (int64_t i = 1; i < batch.rows; ++i)
    if (compare_rows(batch, i, batch, i - 1, keys) < 0) return false;
  return true;
}

// Rows that cut the runs into about `ranges` ranges of equal size: chosen from some of each run.
std::vector<Sample> splitters(const std::vector<const Batch*>& runs, const SortKeys& keys, int64_t rows, int64_t ranges) {
  constexpr int64_t kSamples = 16;  // for a range
  const int64_t step = std::max<int64_t>(1, rows / (ranges * kSamples));
  std::vector<Sample> samples;
  int64_t at = step / 2;  // counted through all runs
  for (const auto* run : runs) {
    for (; at < run->rows; at += step) samples.push_back({run, at});
    at -= run->rows;
  }
  std::sort(samples.begin(), samples.end(), [&](const Sample& a, const Sample& b) { return compare_rows(*a.batch, a.row, *b.batch, b.row, keys) < 0; });
  std::vector<Sample> out;
  for (size_t i = kSamples; i < samples.size(); i += kSamples) out.push_back(samples[i]);
  return out;
}
}  // namespace

Batch sorted(const Batch& batch, const SortKeys& keys) {
  if (batch.rows < 2 || keys.empty() || is_sorted(batch, keys)) return batch;
  const auto order = sort_order({&batch, 1}, keys);
  const std::vector<int64_t> rows(order.begin(), order.end());
  Batch out{batch.rows, {}};
  for (const auto& c : batch.columns) {
    out.columns.push_back(take(c, rows));
    out.columns.back().text_kept = c.text_kept;
    if (c.storage == Storage::text) out.columns.back().kept_bytes = c.kept_bytes;
  }
  return out;
}

Batch merge_sorted(const std::vector<const Batch*>& runs, const SortKeys& by, size_t columns, bool on_threads) {
  constexpr int64_t kRange = 32 << 10;  // rows
  int64_t rows = 0;
  bool cut = true;  // objects are not numbered alike in all runs
  for (const auto* run : runs) {
    rows += run->rows;
    for (const auto& c : run->columns) cut &= c.storage != Storage::object;
  }
  if (runs.size() == 1 || rows <= kRange || !cut) {
    Batches all;
    for (const auto* run : runs) all.push_back(*run);
    Batch out = runs.size() == 1 ? std::move(all[0]) : sorted(concatenate(all), by);
    out.columns.resize(columns);
    return out;
  }
  const auto cuts = splitters(runs, by, rows, rows / kRange + 1);
  const auto ranges = static_cast<int64_t>(cuts.size()) + 1;
  // begins[r][k]: where range r begins in run k.
  std::vector<std::vector<int64_t>> begins(static_cast<size_t>(ranges) + 1, std::vector<int64_t>(runs.size(), 0));
  for (size_t k = 0; k < runs.size(); ++k) begins.back()[k] = runs[k]->rows;
  side_by_side(ranges - 1, on_threads ? 1 : ranges, [&](int64_t from, int64_t to) {
    for (int64_t r = from; r < to; ++r)
      for (size_t k = 0; k < runs.size(); ++k) {
        int64_t low = 0, high = runs[k]->rows;
        while (low < high) {
          const int64_t middle = (low + high) / 2;
          const Sample& cut = cuts[static_cast<size_t>(r)];
          if (compare_rows(*runs[k], middle, *cut.batch, cut.row, by) < 0) low = middle + 1;
          else high = middle;
        }
        begins[static_cast<size_t>(r) + 1][k] = low;
      }
  });
  std::vector<Writable> made;
  for (size_t c = 0; c < columns; ++c) made.push_back(to_gather(runs, c, rows));
  side_by_side(ranges, on_threads ? 1 : ranges, [&](int64_t from, int64_t to) {
    std::vector<std::vector<ColumnRows>> keys(by.size());
    std::vector<Place> places, ordered;
    for (int64_t r = from; r < to; ++r) {
      const auto &first = begins[static_cast<size_t>(r)], &last = begins[static_cast<size_t>(r) + 1];
      const int64_t at = std::reduce(first.begin(), first.end());
      places.clear();
      for (auto& k : keys) k.clear();
      for (size_t k = 0; k < runs.size(); ++k) {
        if (first[k] == last[k]) continue;
        for (int64_t row = first[k]; row < last[k]; ++row) places.push_back({static_cast<uint32_t>(k), static_cast<uint32_t>(row)});
        for (size_t i = 0; i < by.size(); ++i) keys[i].push_back({&runs[k]->columns[by[i].column], first[k], last[k] - first[k]});
      }
      Batch range{static_cast<int64_t>(places.size()), {}};
      if (!range.rows) continue;
      SortKeys all;
      for (size_t i = 0; i < by.size(); ++i) range.columns.push_back(concatenate(keys[i])), all.push_back({i, by[i].descending, by[i].missing_first});
      ordered.clear();
      for (uint32_t i : sort_order({&range, 1}, all)) ordered.push_back(places[i]);
      for (size_t c = 0; c < columns; ++c) gather(runs, c, ordered, made[c], at);
    }
  });
  Batch out{rows, {}};
  for (size_t c = 0; c < columns; ++c) out.columns.push_back(gathered(runs, c, std::move(made[c])));
  return out;
}

}  // namespace muster::kernels
