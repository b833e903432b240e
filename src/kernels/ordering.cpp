// Every order here is stable: equal rows stay as they stand, those of runs in front before those behind.
#include "kernels/ordering.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <numeric>

#include "base/side_by_side.hpp"
#include "data/dispatch.hpp"

namespace muster::kernels {
using namespace base;
using namespace data;
namespace {

struct Entry {
  uint64_t key;
  int64_t row;
};

// A number whose order as an unsigned one is that of the values; missing ones are the largest.
template <class T>
uint64_t ordered(T v) {
  if constexpr (std::is_floating_point_v<T>) {
    const auto bits = std::bit_cast<uint64_t>(v == 0 ? 0.0 : static_cast<double>(v));
    return bits >> 63 ? ~bits : bits | (uint64_t{1} << 63);
  } else if constexpr (std::is_signed_v<T>) {
    return static_cast<uint64_t>(static_cast<int64_t>(v)) ^ (uint64_t{1} << 63);
  } else {
    return v;
  }
}

// From the last byte to the first; bytes that are equal everywhere are passed over.
void radix_sort(std::vector<Entry>& entries) {
  std::array<std::array<uint32_t, 256>, 8> counts{};
  for (const auto& e : entries)
    for (size_t b = 0; b < 8; ++b) ++counts[b][e.key >> (8 * b) & 255];
  std::vector<Entry> other(entries.size());
  for (size_t b = 0; b < 8; ++b) {
    auto& count = counts[b];
    if (std::any_of(count.begin(), count.end(), [&](uint32_t n) { return n == entries.size(); })) continue;
    uint32_t at = 0;
    for (auto& n : count) at += std::exchange(n, at);
    for (const auto& e : entries) other[count[e.key >> (8 * b) & 255]++] = e;
    entries.swap(other);
  }
}

// Puts the rows in `order` into the order of the column's values.
void stable_order(const Column& c, std::vector<int64_t>& order) {
  std::vector<Entry> entries;
  std::vector<int64_t> missing;
  entries.reserve(order.size());
  visit(c.storage, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* v = c.as<T>();
    for (int64_t row : order) {
      if (c.is_missing(row)) {
        missing.push_back(row);
        continue;
      }
      if constexpr (std::is_same_v<T, Text>) {
        uint64_t prefix = 0;
        std::memcpy(&prefix, v[row].data, static_cast<size_t>(std::min<int64_t>(8, v[row].size)));
        entries.push_back({__builtin_bswap64(prefix), row});
      } else {
        entries.push_back({ordered(v[row]), row});
      }
    }
    if constexpr (std::is_same_v<T, Text>) {
      std::stable_sort(entries.begin(), entries.end(), [v](const Entry& a, const Entry& b) {
        if (a.key != b.key) return a.key < b.key;
        return v[a.row].view() < v[b.row].view();
      });
    } else if (entries.size() < 4096) {
      std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.key < b.key; });
    } else {
      radix_sort(entries);
    }
  });
  size_t at = 0;
  for (const auto& e : entries) order[at++] = e.row;
  for (int64_t row : missing) order[at++] = row;
}

std::vector<int64_t> order_of(const Batch& batch, const SortColumns& by) {
  std::vector<int64_t> order(static_cast<size_t>(batch.rows));
  std::iota(order.begin(), order.end(), 0);
  for (size_t k = by.size(); k-- > 0;) stable_order(batch.columns[by[k]], order);
  return order;
}

// A row of one of several batches.
struct Place {
  const Batch* batch;
  int64_t row;
};

// Whether `a` stands before `b`.
bool before(const Place& a, const Place& b, const SortColumns& by) {
  for (size_t c : by) {
    const Column &x = a.batch->columns[c], &y = b.batch->columns[c];
    const bool gone = x.is_missing(a.row), other = y.is_missing(b.row);
    if (gone != other) return other;
    if (gone) continue;
    const int order = visit(x.storage, [&](auto tag) {
      using T = typename decltype(tag)::type;
      const T &left = x.as<T>()[a.row], &right = y.as<T>()[b.row];
      if constexpr (std::is_same_v<T, Text>) return left.view().compare(right.view());
      else return left < right ? -1 : right < left ? 1 : 0;
    });
    if (order) return order < 0;
  }
  return false;
}

bool is_sorted(const Batch& batch, const SortColumns& by) {
  const Column& c = batch.columns[by[0]];
  if (by.size() == 1 && c.storage == Storage::int64 && !c.valid) return std::is_sorted(c.as<int64_t>(), c.as<int64_t>() + batch.rows);
  for (int64_t i = 1; i < batch.rows; ++i)
    if (before({&batch, i}, {&batch, i - 1}, by)) return false;
  return true;
}

// Rows that cut the runs into about `ranges` ranges of equal size: chosen from some of each run.
std::vector<Place> splitters(const std::vector<const Batch*>& runs, const SortColumns& by, int64_t rows, int64_t ranges) {
  constexpr int64_t kSamples = 16;  // for a range
  const int64_t step = std::max<int64_t>(1, rows / (ranges * kSamples));
  std::vector<Place> samples;
  int64_t at = step / 2;  // counted through all runs
  for (const auto* run : runs) {
    for (; at < run->rows; at += step) samples.push_back({run, at});
    at -= run->rows;
  }
  std::sort(samples.begin(), samples.end(), [&](const Place& a, const Place& b) { return before(a, b, by); });
  std::vector<Place> out;
  for (size_t i = kSamples; i < samples.size(); i += kSamples) out.push_back(samples[i]);
  return out;
}
// A row of the runs that are merged.
struct RunRow {
  uint32_t run, row;
};

// Column `c` of these rows, from row `at` of `out` on.
void gather(const std::vector<const Batch*>& runs, size_t c, const std::vector<RunRow>& rows, Writable& out, int64_t at, bool flagged) {
  visit(runs[0]->columns[c].storage, [&](auto tag) {
    using T = typename decltype(tag)::type;
    std::vector<const T*> values;
    for (const auto* run : runs) values.push_back(run->columns[c].as<T>());
    T* to = out.as<T>() + at;
    for (const auto& [run, row] : rows) *to++ = values[run][row];
  });
  if (!flagged) return;
  uint8_t* to = out.valid() + at;
  for (const auto& [run, row] : rows) *to++ = runs[run]->columns[c].valid ? runs[run]->columns[c].valid[row] : 1;
}
}  // namespace

Batch sorted(const Batch& batch, const SortColumns& by) {
  if (batch.rows < 2 || by.empty() || is_sorted(batch, by)) return batch;
  const auto order = order_of(batch, by);
  Batch out{batch.rows, {}};
  for (const auto& c : batch.columns) {
    out.columns.push_back(take(c, order));
    out.columns.back().text_kept = c.text_kept;
    if (c.storage == Storage::text) out.columns.back().kept_bytes = c.kept_bytes;
  }
  return out;
}

Batch merge_sorted(const std::vector<const Batch*>& runs, const SortColumns& by, size_t columns) {
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
  side_by_side(ranges - 1, 1, [&](int64_t from, int64_t to) {
    for (int64_t r = from; r < to; ++r)
      for (size_t k = 0; k < runs.size(); ++k) {
        int64_t low = 0, high = runs[k]->rows;
        while (low < high) {
          const int64_t middle = (low + high) / 2;
          if (before({runs[k], middle}, cuts[static_cast<size_t>(r)], by)) low = middle + 1;
          else high = middle;
        }
        begins[static_cast<size_t>(r) + 1][k] = low;
      }
  });
  std::vector<Writable> made;
  std::vector<bool> flagged(columns);
  for (size_t c = 0; c < columns; ++c) {
    made.emplace_back(runs[0]->columns[c].storage, rows);
    for (const auto* run : runs) flagged[c] = flagged[c] || run->columns[c].valid;
    if (flagged[c]) made[c].valid();
  }
  side_by_side(ranges, 1, [&](int64_t from, int64_t to) {
    std::vector<std::vector<ColumnRows>> keys(by.size());
    std::vector<RunRow> places, ordered;
    for (int64_t r = from; r < to; ++r) {
      const auto &first = begins[static_cast<size_t>(r)], &last = begins[static_cast<size_t>(r) + 1];
      const int64_t at = std::reduce(first.begin(), first.end());
      places.clear();
      for (auto& k : keys) k.clear();
      for (size_t k = 0; k < runs.size(); ++k) {
        if (first[k] == last[k]) continue;
        for (int64_t row = first[k]; row < last[k]; ++row) places.push_back({static_cast<uint32_t>(k), static_cast<uint32_t>(row)});
        for (size_t i = 0; i < by.size(); ++i) keys[i].push_back({&runs[k]->columns[by[i]], first[k], last[k] - first[k]});
      }
      Batch range{static_cast<int64_t>(places.size()), {}};
      if (!range.rows) continue;
      SortColumns all;
      for (size_t i = 0; i < by.size(); ++i) range.columns.push_back(concatenate(keys[i])), all.push_back(i);
      ordered.clear();
      for (int64_t i : order_of(range, all)) ordered.push_back(places[static_cast<size_t>(i)]);
      for (size_t c = 0; c < columns; ++c) gather(runs, c, ordered, made[c], at, flagged[c]);
    }
  });
  Batch out{rows, {}};
  for (size_t c = 0; c < columns; ++c) {
    Keep texts;
    if (runs[0]->columns[c].storage == Storage::text) {
      auto keeps = std::make_shared<std::vector<Keep>>();
      for (const auto* run : runs) keeps->push_back(run->columns[c].text_keep());
      texts = std::move(keeps);
    }
    out.columns.push_back(std::move(made[c]).finish(texts));
    if (!texts) continue;
    Column& made_text = out.columns.back();
    made_text.text_kept = true;
    for (const auto* run : runs) made_text.text_kept &= run->columns[c].text_kept, made_text.kept_bytes += run->columns[c].kept_bytes;
  }
  return out;
}

}  // namespace muster::kernels
