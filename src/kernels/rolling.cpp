// A window is moved from row to row: what it leaves is taken out, what it reaches is put in. Sums are kept in two doubles, of which the second has what the
// first rounds away, so that a value that is taken out again leaves next to nothing behind; where it was much larger than all that stay, these are added anew.
// Extremes are kept as those of two parts of the window, one that only shrinks and one that only grows: no branch depends on the values.
#include "kernels/rolling.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <utility>

#include "base/error.hpp"
#include "data/dispatch.hpp"
#include "kernels/edges.hpp"
#include "kernels/missing.hpp"

namespace muster::kernels {
using namespace base;
using namespace data;
namespace {
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN(), kInfinity = std::numeric_limits<double>::infinity();

struct Windows {
  std::string function, what;
  bool timed, left, right;  // by time; with their first end; with their last
  int64_t rows, offset;     // by number: of so many rows, and how many of these are behind the window's own
  uint64_t span;
  int64_t min_periods, ddof;
  int64_t before() const { return rows - 1 - offset + left; }
};

Windows windows_of(const Args& a) {
  const bool timed = a.has("span");
  return {.function = a["function"].string(), .what = timed ? a["what"].string() : "", .timed = timed,
          .left = a["left"].boolean(), .right = a["right"].boolean(), .rows = timed ? 0 : a["window"].integer(),
          .offset = a.has("offset") ? a["offset"].integer() : 0, .span = timed ? static_cast<uint64_t>(a["span"].integer()) : 0,
          .min_periods = a["min_periods"].integer(), .ddof = a["ddof"].integer()};
}

// A number in two parts: their sum, which one double would round.
struct Exact {
  double high = 0, low = 0;
  void add(double x) {
    const double sum = high + x, part = sum - high;
    low += (high - (sum - part)) + (x - part);
    high = sum;
  }
  double value() const { return high + low; }
};
Exact product(double a, double b) {  // by halves of 26 bits
  constexpr double kSplit = (1 << 27) + 1;
  const double p = a * b, as = kSplit * a, bs = kSplit * b, ah = as - (as - a), bh = bs - (bs - b), al = a - ah, bl = b - bh;
  return {p, ((ah * bh - p) + ah * bl + al * bh) + al * bl};
}

// The rules of functions. move(x, begin, end) makes the window [begin, end) of the values; each end is where it was or further. drop(n): the first n values are
// gone. value() is the function of the window.
class Rule {
 public:
  explicit Rule(const Windows& w) : least_(w.min_periods), ddof_(w.ddof) {}

 protected:
  int64_t least_, ddof_, begin_ = 0, end_ = 0, count_ = 0;  // count: values that are not missing
};

class Count : public Rule {
 public:
  using Rule::Rule;
  void move(const double* x, int64_t begin, int64_t end) {
    for (; begin_ < begin; ++begin_) count_ -= begin_ < end_ && x[begin_] != 0;
    for (end_ = std::max(end_, begin); end_ < end; ++end_) count_ += x[end_] != 0;
  }
  void drop(int64_t n) { begin_ -= n, end_ -= n; }
  double value() const { return end_ - begin_ >= least_ ? static_cast<double>(count_) : kNaN; }
};

// What is put in and taken out value by value.
template <class Self>
class Running : public Rule {
 public:
  using Rule::Rule;
  void move(const double* x, int64_t begin, int64_t end) {
    auto& self = static_cast<Self&>(*this);
    if (begin >= end_) begin_ = end_ = begin, count_ = 0, self.clear();
    for (; begin_ < begin; ++begin_) {
      if (x[begin_] != x[begin_]) continue;
      if (--count_ == 0) self.clear();
      else self.take_out(x[begin_]);
    }
    for (; end_ < end; ++end_) {
      if (x[end_] != x[end_]) continue;
      same_ = x[end_] == last_ ? same_ + 1 : 1, last_ = x[end_];
      ++count_, self.put_in(x[end_]);
    }
    const double size = self.size();
    largest_ = std::max(largest_, size);
    if (size >= largest_ * kKept) return;
    // Large values have left: what they left behind may count beside the small ones.
    self.clear();
    for (int64_t i = begin_; i < end_; ++i)
      if (x[i] == x[i]) self.put_in(x[i]);
    largest_ = self.size();
  }
  void drop(int64_t n) { begin_ -= n, end_ -= n; }

 protected:
  static constexpr double kKept = 1.0 / 1024;
  bool all_same() const { return same_ >= count_; }
  double largest_ = 0;  // that the window has been since it was put together last
  double last_ = kNaN;
  int64_t same_ = 0;  // values in a row, up to the last, that are equal
};

class Sum : public Running<Sum> {
 public:
  using Running::Running;
  void clear() { sum_ = {}, size_ = 0; }
  void take_out(double x) { sum_.add(-x), size_ -= std::abs(x); }
  void put_in(double x) { sum_.add(x), size_ += std::abs(x); }
  double size() const { return size_; }
  double value() const { return count_ < least_ ? kNaN : sum_.value(); }

 protected:
  Exact sum_;
  double size_ = 0;
};

class Mean : public Sum {
 public:
  using Sum::Sum;
  double value() const { return count_ < std::max<int64_t>(least_, 1) ? kNaN : all_same() ? last_ : sum_.value() / static_cast<double>(count_); }
};

class Variance : public Running<Variance> {
 public:
  using Running::Running;
  void clear() { sum_ = squares_ = {}; }
  void take_out(double x) {
    sum_.add(-x);
    const Exact p = product(x, x);
    squares_.add(-p.high), squares_.low -= p.low;
  }
  void put_in(double x) {
    sum_.add(x);
    const Exact p = product(x, x);
    squares_.add(p.high), squares_.low += p.low;
  }
  double size() const { return squares_.high; }
  double value() const {
    if (count_ < std::max<int64_t>(least_, 1) || count_ <= ddof_) return kNaN;
    if (all_same()) return 0;
    const auto n = static_cast<double>(count_);
    const Exact a = product(n, squares_.high), b = product(sum_.high, sum_.high);
    const double above = (a.high - b.high) + ((a.low + n * squares_.low) - (b.low + 2 * sum_.high * sum_.low));
    return above < 0 ? 0 : above / (n * (n - static_cast<double>(ddof_)));
  }

 private:
  Exact sum_, squares_;
};

class Deviation : public Variance {
 public:
  using Variance::Variance;
  double value() const { return std::sqrt(Variance::value()); }
};

template <bool largest>
class Extreme : public Rule {
 public:
  using Rule::Rule;
  void move(const double* x, int64_t begin, int64_t end) {
    for (; begin_ < begin; ++begin_) count_ -= begin_ < end_ && x[begin_] == x[begin_];
    for (end_ = std::max(end_, begin); end_ < end; ++end_) grown_ = better(x[end_], grown_), count_ += x[end_] == x[end_];
    if (begin < middle_) return;
    // What shrinks is used up: the whole window becomes it. Its place i has the extreme from there to its end.
    first_ = begin, middle_ = end_, grown_ = worst();
    if (shrinking_.size() < static_cast<size_t>(end - begin)) shrinking_.resize(static_cast<size_t>(end - begin));
    double so_far = worst();
    for (int64_t i = end; i-- > begin;) shrinking_[static_cast<size_t>(i - begin)] = so_far = better(x[i], so_far);
  }
  void drop(int64_t n) { begin_ -= n, end_ -= n, first_ -= n, middle_ -= n; }
  double value() const {
    if (count_ < std::max<int64_t>(least_, 1)) return kNaN;
    return begin_ < middle_ ? better(shrinking_[static_cast<size_t>(begin_ - first_)], grown_) : grown_;
  }

 private:
  static double worst() { return largest ? -kInfinity : kInfinity; }
  static double better(double x, double than) { return (largest ? x > than : x < than) ? x : than; }
  std::vector<double> shrinking_;
  int64_t first_ = 0, middle_ = 0;  // what shrinks: these rows
  double grown_ = worst();          // of those behind
};

// The windows of rows that lie behind each other from place 0: bounds(i) of row i.
struct ByNumber {
  int64_t rows, offset, left, right, end;
  std::pair<int64_t, int64_t> operator()(int64_t i) const {
    const int64_t behind = i + offset + 1, begin = behind - rows - left;
    return {std::clamp<int64_t>(begin, 0, end), std::clamp<int64_t>(behind - !right, 0, end)};
  }
};
struct ByTime {
  const std::pair<int64_t, int64_t>* bounds;
  int64_t first;
  std::pair<int64_t, int64_t> operator()(int64_t i) const { return bounds[i - first]; }
};

// One column's values, and its windows.
class Channel {
 public:
  virtual ~Channel() = default;
  std::vector<double> values;
  virtual void slide(const ByNumber& bounds, int64_t begin, int64_t end, double* out) = 0;
  virtual void slide(const ByTime& bounds, int64_t begin, int64_t end, double* out) = 0;
  virtual void drop(int64_t rows) { values.erase(values.begin(), values.begin() + rows); }
  // Infinite values are missing, as in pandas.
  void append(const Column& given, int64_t rows) {
    const Column c = spread(given, rows);
    const size_t from = values.size();
    values.resize(from + static_cast<size_t>(rows));
    double* to = values.data() + from;
    visit_fixed(c.storage, [&](auto tag) {
      using T = typename decltype(tag)::type;
      const T* x = c.template as<T>();
      if constexpr (std::is_floating_point_v<T>) {
        for (int64_t i = 0; i < rows; ++i) to[i] = std::abs(x[i]) <= std::numeric_limits<T>::max() ? static_cast<double>(x[i]) : kNaN;
      } else {
        with_missing<T>(c, [&](auto missing) {
          for (int64_t i = 0; i < rows; ++i) to[i] = missing(i) ? kNaN : static_cast<double>(x[i]);
        });
      }
    });
  }
};

template <class R>
class ChannelOf : public Channel {
 public:
  explicit ChannelOf(const Windows& w) : rule_(w) {}
  void slide(const ByNumber& bounds, int64_t begin, int64_t end, double* out) override { run(bounds, begin, end, out); }
  void slide(const ByTime& bounds, int64_t begin, int64_t end, double* out) override { run(bounds, begin, end, out); }
  void drop(int64_t rows) override { Channel::drop(rows), rule_.drop(rows); }

 private:
  // Flat, so that the rule's numbers stay in registers from row to row.
  template <class Bounds>
  [[gnu::flatten]] void run(const Bounds& bounds, int64_t begin, int64_t end, double* out) {
    const double* x = values.data();
    R rule = std::move(rule_);
    for (int64_t i = begin; i < end; ++i) {
      const auto [from, to] = bounds(i);
      rule.move(x, from, to);
      *out++ = rule.value();
    }
    rule_ = std::move(rule);
  }
  R rule_;
};

std::unique_ptr<Channel> channel_of(const Windows& w) {
  if (w.function == "sum") return std::make_unique<ChannelOf<Sum>>(w);
  if (w.function == "mean") return std::make_unique<ChannelOf<Mean>>(w);
  if (w.function == "count") return std::make_unique<ChannelOf<Count>>(w);
  if (w.function == "min") return std::make_unique<ChannelOf<Extreme<false>>>(w);
  if (w.function == "max") return std::make_unique<ChannelOf<Extreme<true>>>(w);
  if (w.function == "var") return std::make_unique<ChannelOf<Variance>>(w);
  if (w.function == "std") return std::make_unique<ChannelOf<Deviation>>(w);
  throw internal("rolling: ", w.function);
}

// The windows of one partition, batch by batch. Rows that no window reaches any more are dropped now and then.
class Rolling {
 public:
  explicit Rolling(const Windows& w) : windows_(w) {}

  void move(Task& t, Columns in, int64_t rows, std::span<Column> out) {
    const size_t channels = out.size();
    while (channels_.size() < channels) channels_.push_back(channel_of(windows_));
    std::vector<Writable> made;
    for (size_t c = 0; c < channels; ++c) made.emplace_back(Storage::float64, rows);
    if (rows > 0) {
      const Columns given = in.first(in.size() - 1);
      const Edges edges(in.back(), t.partition());
      if (!std::exchange(begun_, true)) begin(edges, given);
      const int64_t first = held_;
      append(given, rows);
      if (windows_.offset > 0) {
        const Batch behind = edges.behind(windows_.offset);
        if (behind.rows) append(behind.columns, behind.rows);
      }
      if (windows_.timed) find_bounds(first);
      for (size_t c = 0; c < channels; ++c) {
        if (windows_.timed) channels_[c]->slide(ByTime{bounds_.data(), first}, first, first + rows, made[c].as<double>());
        else channels_[c]->slide(by_number(), first, first + rows, made[c].as<double>());
      }
      const int64_t reached = windows_.timed ? std::min(bounds_.back().first, same_) : by_number()(first + rows - 1).first;
      if (reached > kDropped && reached > held_ / 2) drop(reached);
    }
    for (size_t c = 0; c < channels; ++c) out[c] = std::move(made[c]).finish();
  }

 private:
  static constexpr int64_t kDropped = 1 << 12;

  ByNumber by_number() const { return {windows_.rows, windows_.offset, windows_.left, windows_.right, held_}; }
  void begin(const Edges& edges, Columns given) {
    Batch front;
    if (windows_.timed) {
      descend_ = edges.descend();
      front = edges.in_front(given.back().as<int64_t>()[0], windows_.span);
      if (front.rows) std::rotate(front.columns.begin(), front.columns.begin() + 1, front.columns.end());  // times are in front there
    } else {
      front = edges.in_front(windows_.before());
    }
    if (front.rows) append(front.columns, front.rows);
  }
  void append(Columns given, int64_t rows) {
    for (size_t c = 0; c < channels_.size(); ++c) channels_[c]->append(given[c], rows);
    held_ += rows;
    if (!windows_.timed) return;
    const Column times = spread(given.back(), rows);
    const int64_t* x = times.as<int64_t>();
    for (int64_t i = 0; i < rows; ++i) times_.push_back(descend_ ? -x[i] : x[i]);
    for (size_t i = std::max<size_t>(times_.size() - static_cast<size_t>(rows), 1); i < times_.size(); ++i)
      if (times_[i] < times_[i - 1]) throw invalid(windows_.what, " values must be monotonic");
  }
  void find_bounds(int64_t first) {
    bounds_.clear();
    for (int64_t i = first; i < held_; ++i) {
      const int64_t now = times_[static_cast<size_t>(i)];
      while (windows_.left ? distance(times_[static_cast<size_t>(reached_)], now) > windows_.span
                           : distance(times_[static_cast<size_t>(reached_)], now) >= windows_.span)
        ++reached_;
      while (times_[static_cast<size_t>(same_)] < now) ++same_;
      bounds_.emplace_back(reached_, windows_.right ? i + 1 : same_);
    }
  }
  void drop(int64_t rows) {
    for (auto& c : channels_) c->drop(rows);
    if (windows_.timed) times_.erase(times_.begin(), times_.begin() + rows), reached_ -= rows, same_ -= rows;
    held_ -= rows;
  }

  Windows windows_;
  std::vector<std::unique_ptr<Channel>> channels_;
  std::vector<int64_t> times_;
  std::vector<std::pair<int64_t, int64_t>> bounds_;
  int64_t held_ = 0;
  int64_t reached_ = 0, same_ = 0;  // the first row that the last window reaches, and the first of its row's time
  bool begun_ = false, descend_ = false;
};

Map rolling(const Args& a) {
  return [state = std::make_shared<Rolling>(windows_of(a))](Task& t, Columns in, int64_t rows, std::span<Column> out) {
    state->move(t, in, rows, out);
    return rows;
  };
}
}  // namespace

std::vector<Kernel> rolling_kernels() {
  const data::Traits traits{.columnwise = true, .remembers_rows = true};
  return {{.name = "rolling", .map = rolling, .traits = traits},
          {.name = "rolling_centred", .map = rolling, .partition_at_once = true, .traits = traits}};
}

}  // namespace muster::kernels
