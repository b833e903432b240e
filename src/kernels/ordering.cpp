#include "kernels/ordering.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "data/dispatch.hpp"

namespace muster::kernels {
using namespace data;
namespace {

struct Entry {
  uint64_t key;
  uint32_t row;
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
}  // namespace

void stable_order(const Column& c, std::vector<uint32_t>& order) {
  std::vector<Entry> entries;
  std::vector<uint32_t> missing;
  entries.reserve(order.size());
  visit(c.storage, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* v = c.as<T>();
    for (uint32_t row : order) {
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
  for (uint32_t row : missing) order[at++] = row;
}

}  // namespace muster::kernels
