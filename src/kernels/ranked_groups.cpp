// All values are kept, with their groups, in pieces as they come.
#include "kernels/ranked_groups.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "data/dispatch.hpp"
#include "kernels/missing.hpp"
#include "muster/error.hpp"

namespace muster::kernels {
using namespace base;
using namespace data;
namespace {

// The values of rank `low` and of the next, where there is one, of at least one value; their order changes.
// Of many: they are counted in ranges of equal width, and only those of the ranges that the two lie in are sorted out.
template <class T>
std::pair<double, double> two_ranks(T* v, int64_t n, int64_t low) {
  constexpr int64_t kFew = 4096;
  constexpr size_t kRanges = 2048;
  const int64_t high = std::min(low + 1, n - 1);
  std::vector<T> between;
  if (n > kFew) {
    const auto [least, most] = std::minmax_element(v, v + n);
    const auto from = static_cast<double>(*least), width = static_cast<double>(*most) - from;
    const double scale = kRanges / width;
    const auto range_of = [=](T x) { return std::min(static_cast<size_t>((static_cast<double>(x) - from) * scale), kRanges - 1); };
    if (std::isfinite(width) && std::isfinite(scale)) {
      std::array<int64_t, kRanges> counts{};
      for (int64_t i = 0; i < n; ++i) ++counts[range_of(v[i])];
      size_t first = 0;
      int64_t before = 0;  // values in front of range `first`
      while (before + counts[first] <= low) before += counts[first++];
      size_t last = first;
      for (int64_t until = before + counts[first]; until <= high;) until += counts[++last];
      for (int64_t i = 0; i < n; ++i)
        if (const size_t r = range_of(v[i]); r >= first && r <= last) between.push_back(v[i]);
      v = between.data(), n = static_cast<int64_t>(between.size()), low -= before;
    }
  }
  std::nth_element(v, v + low, v + n);
  const auto at = static_cast<double>(v[low]);
  return {at, low + 1 < n ? static_cast<double>(*std::min_element(v + low + 1, v + n)) : at};
}

// NumPy's linear interpolation between the two nearest ranks.
template <class T>
double rank(T* v, int64_t n, double q) {
  const double position = q * static_cast<double>(n - 1);
  const auto low = static_cast<int64_t>(position);
  const double part = position - static_cast<double>(low);
  const auto [a, b] = two_ranks(v, n, low);
  if (part == 0) return a;
  if (q == 0.5) return (a + b) / 2;
  return part < 0.5 ? a + (b - a) * part : b - (b - a) * (1 - part);
}

template <class T>
class Ranked : public Aggregate {
 public:
  Ranked(double q, DType result, bool skipna) : q_(q), result_(result), skipna_(skipna) {}
  void grow(uint32_t groups) override { groups_ = std::max(groups_, groups); }
  void add(const uint32_t* groups, const Column& given, int64_t rows) override {
    const Column c = spread(given, rows);
    with_missing<T>(c, [&](auto missing) {
      Piece& piece = piece_for(rows);
      T* values = piece.values + piece.count;
      uint32_t* of = piece.of + piece.count;
      int64_t there = 0;
      for (int64_t i = 0; i < rows; ++i) {
        const uint32_t g = groups ? groups[i] : 1;
        values[there] = c.as<T>()[i], of[there] = g;
        const bool gone = missing(i);
        there += !gone;
        if (gone && !skipna_) gone_.push_back(g);
      }
      piece.count += there;
    });
  }
  void merge(Aggregate& later, Groups from, Groups to) override {
    const auto& other = static_cast<Ranked&>(later);
    std::vector<uint32_t> place(other.groups_ + 1u);
    for (size_t i = 0; i < from.size(); ++i) place[from[i]] = to[i];
    for (const auto& theirs : other.pieces_) {
      const int64_t rows = std::count_if(theirs.of, theirs.of + theirs.count, [&](uint32_t g) { return place[g] != 0; });
      if (!rows) continue;
      Piece& piece = piece_for(rows);
      for (int64_t i = 0; i < theirs.count; ++i)
        if (const uint32_t g = place[theirs.of[i]]) piece.of[piece.count] = g, piece.values[piece.count++] = theirs.values[i];
    }
    for (uint32_t g : other.gone_)
      if (place[g]) gone_.push_back(place[g]);
  }
  Column finish(const std::vector<uint32_t>& groups) override {
    std::vector<int64_t> begins(groups_ + 2u, 0);
    for (const auto& p : pieces_)
      for (int64_t i = 0; i < p.count; ++i) ++begins[p.of[i] + 1u];
    for (size_t g = 1; g < begins.size(); ++g) begins[g] += begins[g - 1];
    const auto memory = allocate(begins.back() * static_cast<int64_t>(sizeof(T)));
    auto* by_group = reinterpret_cast<T*>(memory.get());
    auto at = begins;
    for (const auto& p : pieces_)
      for (int64_t i = 0; i < p.count; ++i) by_group[at[p.of[i]]++] = p.values[i];
    std::vector<bool> gone(groups_ + 1u, false);
    for (uint32_t g : gone_) gone[g] = true;
    Writable out(result_.storage, static_cast<int64_t>(groups.size()));
    for (size_t i = 0; i < groups.size(); ++i) {
      const uint32_t g = groups[i];
      const int64_t n = begins[g + 1u] - begins[g];
      const double value = n && !gone[g] ? rank(by_group + begins[g], n, q_) : std::numeric_limits<double>::quiet_NaN();
      if (result_.storage == Storage::float32) out.as<float>()[i] = static_cast<float>(value);
      else out.as<double>()[i] = value;
    }
    return std::move(out).finish();
  }
  int64_t bytes() const override {
    int64_t total = static_cast<int64_t>(gone_.capacity() * sizeof(uint32_t));
    for (const auto& p : pieces_) total += p.capacity * kRow;
    return total;
  }
  void encode(Encoder& out, size_t) const override {
    std::vector<uint32_t> of;
    std::string values;
    for (const auto& p : pieces_) {
      of.insert(of.end(), p.of, p.of + p.count);
      values.append(reinterpret_cast<const char*>(p.values), static_cast<size_t>(p.count) * sizeof(T));
    }
    out << of << std::string_view(values) << gone_;
  }
  void decode(base::Decoder& in, size_t groups) override {
    const auto of = in.list<uint32_t>();
    const auto bytes = in.get<std::string_view>();
    gone_ = in.list<uint32_t>();
    const auto beyond = [&](uint32_t g) { return g > groups; };
    if (bytes.size() != of.size() * sizeof(T) || std::any_of(of.begin(), of.end(), beyond) || std::any_of(gone_.begin(), gone_.end(), beyond))
      throw Error(ErrorKind::io, "the values of a median do not fit");
    pieces_.clear();
    if (of.empty()) return;
    Piece& piece = piece_for(static_cast<int64_t>(of.size()));
    std::copy(of.begin(), of.end(), piece.of);
    std::memcpy(static_cast<void*>(piece.values), bytes.data(), bytes.size());
    piece.count = static_cast<int64_t>(of.size());
  }

 private:
  static constexpr int64_t kRow = sizeof(T) + sizeof(uint32_t), kLeast = 1024;
  struct Piece {
    std::shared_ptr<char> memory;
    int64_t capacity, count;
    T* values;
    uint32_t* of;
  };
  // The last one, with room for so many rows more.
  Piece& piece_for(int64_t rows) {
    if (pieces_.empty() || pieces_.back().capacity - pieces_.back().count < rows) {
      const int64_t capacity = (std::max(rows, kLeast) + 7) & ~int64_t{7};  // the groups behind the values are aligned for values of any width
      auto memory = allocate(capacity * kRow);
      auto* values = reinterpret_cast<T*>(memory.get());
      pieces_.push_back({std::move(memory), capacity, 0, values, reinterpret_cast<uint32_t*>(values + capacity)});
    }
    return pieces_.back();
  }

  double q_;
  DType result_;
  bool skipna_;
  uint32_t groups_ = 1;
  std::vector<Piece> pieces_;
  std::vector<uint32_t> gone_;  // groups of missing values
};
}  // namespace

std::unique_ptr<Aggregate> ranked_aggregate(double q, DType type, DType result, bool skipna) {
  return visit_fixed(type.storage,
                     [&](auto tag) -> std::unique_ptr<Aggregate> { return std::make_unique<Ranked<typename decltype(tag)::type>>(q, result, skipna); });
}

}  // namespace muster::kernels
