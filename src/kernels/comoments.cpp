// Co-moments of pairs of columns: in blocks about the block's means, put together as Chan, Golub & LeVeque (1983), The American Statistician 37(3), and for
// products of two as Pébay (2008), Sandia report SAND2008-6212, equation 3.12.
#include "kernels/comoments.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "data/dispatch.hpp"
#include "muster/error.hpp"

namespace muster::kernels {
using namespace base;
using namespace data;
namespace {
constexpr int64_t kBlock = 1024;  // rows whose columns stay in the first cache
constexpr size_t kLanes = 8;      // sums side by side, so that additions need not wait for each other

struct Pair {
  double count = 0, mean_x = 0, mean_y = 0, xx = 0, yy = 0, xy = 0;
  void merge(const Pair& o) {
    if (o.count == 0) return;
    if (count == 0) return void(*this = o);
    const double all = count + o.count, dx = o.mean_x - mean_x, dy = o.mean_y - mean_y, weight = count * o.count / all;
    xx += o.xx + dx * dx * weight, yy += o.yy + dy * dy * weight, xy += o.xy + dx * dy * weight;
    mean_x += dx * o.count / all, mean_y += dy * o.count / all, count = all;
  }
};

template <class F>
double summed(int64_t n, F term) {
  double lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + static_cast<int64_t>(kLanes) <= n; i += kLanes)
    for (size_t k = 0; k < kLanes; ++k) lanes[k] += term(i + static_cast<int64_t>(k));
  for (; i < n; ++i) lanes[0] += term(i);
  return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
}

// Some rows of a column: values with zeros where none is, and 1 where one is.
struct Block {
  double values[kBlock], there[kBlock];
  int64_t present;
  double mean, squares;  // where all are there
};

class CoMoments : public Fold {
 public:
  explicit CoMoments(const Args& a) {
    for (const auto& t : a["types"].list()) types_.push_back(dtype_of(t.integer()));
    pairs_.resize(types_.size() * (types_.size() + 1) / 2), missing_.resize(types_.size()), infinite_.resize(types_.size());
  }
  void add(Task&, Columns in, int64_t rows) override {
    std::vector<Block> blocks(in.size());
    for (int64_t begin = 0; begin < rows; begin += kBlock) {
      const int64_t n = std::min(kBlock, rows - begin);
      for (size_t c = 0; c < in.size(); ++c) load(c, in[c], begin, n, blocks[c]);
      size_t at = 0;
      for (size_t i = 0; i < in.size(); ++i)
        for (size_t j = 0; j <= i; ++j) pairs_[at++].merge(of(blocks[i], blocks[j], n));
    }
  }
  void merge(Task&, Fold& fold) override {
    const auto& later = static_cast<CoMoments&>(fold);
    for (size_t p = 0; p < pairs_.size(); ++p) pairs_[p].merge(later.pairs_[p]);
    for (size_t c = 0; c < missing_.size(); ++c) missing_[c] += later.missing_[c], infinite_[c] += later.infinite_[c];
  }
  // One column: for each pair (i, j <= i) count, xx, yy, xy; then for each column its missing and infinite values.
  Batches finish(Task&) override {
    const auto rows = static_cast<int64_t>(4 * pairs_.size() + 2 * missing_.size());
    Writable out(Storage::float64, rows);
    double* to = out.as<double>();
    for (const auto& p : pairs_)
      for (double v : {p.count, p.xx, p.yy, p.xy}) *to++ = v;
    for (size_t c = 0; c < missing_.size(); ++c) *to++ = static_cast<double>(missing_[c]), *to++ = static_cast<double>(infinite_[c]);
    return {{rows, {std::move(out).finish()}}};
  }
  int64_t bytes() const override { return static_cast<int64_t>(pairs_.size() * sizeof(Pair) + missing_.size() * 16); }
  void encode(Encoder& out) const override {
    out << std::string_view(reinterpret_cast<const char*>(pairs_.data()), pairs_.size() * sizeof(Pair)) << missing_ << infinite_;
  }
  void decode(base::Decoder& in) override {
    const auto bytes = in.get<std::string_view>();
    auto missing = in.list<int64_t>(), infinite = in.list<int64_t>();
    if (bytes.size() != pairs_.size() * sizeof(Pair) || missing.size() != missing_.size() || infinite.size() != infinite_.size())
      throw Error(ErrorKind::io, "the state of a correlation does not fit");
    std::memcpy(static_cast<void*>(pairs_.data()), bytes.data(), bytes.size());
    missing_ = std::move(missing), infinite_ = std::move(infinite);
  }

 private:
  void load(size_t c, const Column& column, int64_t begin, int64_t n, Block& block) {
    visit_fixed(column.storage, [&](auto tag) {
      using T = typename decltype(tag)::type;
      const T* v = column.as<T>() + (column.constant ? 0 : begin);
      const int64_t step = column.constant ? 0 : 1;
      for (int64_t i = 0; i < n; ++i) block.values[i] = static_cast<double>(v[i * step]);
    });
    const uint8_t* valid = column.valid ? column.valid + (column.constant ? 0 : begin) : nullptr;
    const int64_t step = column.constant ? 0 : 1;
    double present = 0;
    for (int64_t i = 0; i < n; ++i) {
      const bool finite = block.values[i] - block.values[i] == 0 && (!valid || valid[i * step]);
      block.there[i] = finite, present += finite;
    }
    block.present = static_cast<int64_t>(present);
    if (block.present == n) {
      const double mean = block.mean = mean_of(block.values, nullptr, 0, n, static_cast<double>(n));
      block.squares = summed(n, [&](int64_t i) { return (block.values[i] - mean) * (block.values[i] - mean); });
      return;
    }
    for (int64_t i = 0; i < n; ++i) {
      if (block.there[i] != 0) continue;
      ++(std::isinf(block.values[i]) && (!valid || valid[i * step]) ? infinite_ : missing_)[c];
      block.values[i] = 0;
    }
  }
  // About a value of the column, so that equal values have no deviation at all.
  static double mean_of(const double* v, const double* weights, int64_t first, int64_t n, double count) {
    const double about = v[first];
    return about + (weights ? summed(n, [=](int64_t i) { return weights[i] * (v[i] - about); }) : summed(n, [=](int64_t i) { return v[i] - about; })) / count;
  }
  static Pair of(const Block& x, const Block& y, int64_t n) {
    const double *a = x.values, *b = y.values;
    if (x.present == n && y.present == n) {
      const double mx = x.mean, my = y.mean;
      const double xy = &x == &y ? x.squares : summed(n, [=](int64_t i) { return (a[i] - mx) * (b[i] - my); });
      return {static_cast<double>(n), mx, my, x.squares, y.squares, xy};
    }
    double both[kBlock];
    int64_t first = n;
    for (int64_t i = n - 1; i >= 0; --i) {
      both[i] = x.there[i] * y.there[i];
      if (both[i] != 0) first = i;
    }
    if (first == n) return {};
    const double count = summed(n, [&](int64_t i) { return both[i]; });
    const double mx = mean_of(a, both, first, n, count), my = mean_of(b, both, first, n, count);
    return {count,
            mx,
            my,
            summed(n, [&](int64_t i) { return both[i] * (a[i] - mx) * (a[i] - mx); }),
            summed(n, [&](int64_t i) { return both[i] * (b[i] - my) * (b[i] - my); }),
            summed(n, [&](int64_t i) { return both[i] * (a[i] - mx) * (b[i] - my); })};
  }

  std::vector<DType> types_;
  std::vector<Pair> pairs_;  // (i, j) with j <= i, row by row
  std::vector<int64_t> missing_, infinite_;
};
}  // namespace

Kernel comoments_kernel() {
  return {.name = "comoments", .fold = [](const Args& a) { return std::make_unique<CoMoments>(a); }};
}

}  // namespace muster::kernels
