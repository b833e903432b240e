#include "kernels/places.hpp"

#include <algorithm>

#include "data/dispatch.hpp"

namespace muster::kernels {
using namespace data;
namespace {

// Objects are put together in the order of batches, and then in that of the places.
Column gather_objects(BatchPointers batches, size_t c, std::span<const Place> places) {
  std::vector<std::vector<int64_t>> rows(batches.size());
  for (const auto& p : places) rows[p.batch].push_back(p.row);
  std::vector<Column> parts;
  std::vector<int64_t> next(batches.size(), 0), at;
  int64_t before = 0;
  for (size_t b = 0; b < batches.size(); ++b) {
    next[b] = before, before += static_cast<int64_t>(rows[b].size());
    if (!rows[b].empty()) parts.push_back(take(batches[b]->columns[c], rows[b]));
  }
  if (parts.empty()) return slice(batches[0]->columns[c], 0, 0);
  at.reserve(places.size());
  for (const auto& p : places) at.push_back(next[p.batch]++);
  return take(concatenate(parts), at);
}
}  // namespace

Writable to_gather(BatchPointers batches, size_t c, int64_t rows) {
  Writable out(batches[0]->columns[c].storage, rows);
  if (std::any_of(batches.begin(), batches.end(), [c](const Batch* b) { return b->columns[c].valid; })) out.valid();
  return out;
}

void gather(BatchPointers batches, size_t c, std::span<const Place> places, Writable& out, int64_t at) {
  visit(batches[0]->columns[c].storage, [&](auto tag) {
    using T = typename decltype(tag)::type;
    std::vector<const T*> values;
    for (const auto* b : batches) values.push_back(b->columns[c].as<T>());
    T* to = out.as<T>() + at;
    for (const auto& [batch, row] : places) *to++ = values[batch][row];
  });
  if (!out.has_valid()) return;
  uint8_t* to = out.valid() + at;
  for (const auto& [batch, row] : places) *to++ = batches[batch]->columns[c].valid ? batches[batch]->columns[c].valid[row] : 1;
}

Column gathered(BatchPointers batches, size_t c, Writable made) {
  if (batches[0]->columns[c].storage != Storage::text) return std::move(made).finish();
  auto keeps = std::make_shared<std::vector<Keep>>();
  bool kept = true;
  int64_t bytes = 0;
  for (const auto* b : batches) {
    keeps->push_back(b->columns[c].text_keep());
    kept &= b->columns[c].text_kept, bytes += b->columns[c].kept_bytes;
  }
  Column out = std::move(made).finish(Keep(keeps));
  out.text_kept = kept, out.kept_bytes = bytes;
  return out;
}

Column gather(BatchPointers batches, size_t c, std::span<const Place> places) {
  if (batches[0]->columns[c].storage == Storage::object) return gather_objects(batches, c, places);
  Writable out = to_gather(batches, c, static_cast<int64_t>(places.size()));
  gather(batches, c, places, out, 0);
  return gathered(batches, c, std::move(out));
}

}  // namespace muster::kernels
