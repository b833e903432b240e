// Partitions are put together in their order, whatever the order in which they were read: each is remembered with its number until the end. A map that
// continues from batch to batch is of one partition.
#include "kernels/carry.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

#include "base/error.hpp"
#include "data/dispatch.hpp"
#include "kernels/missing.hpp"
#include "kernels/wire.hpp"

namespace muster::kernels {
using namespace base;
using namespace data;
namespace {

Column flags_of(bool value) {
  Writable w(Storage::boolean, 1);
  *w.as<uint8_t>() = value;
  return std::move(w).finish();
}
Column number_of(int64_t value) {
  Writable w(Storage::int64, 1);
  *w.as<int64_t>() = value;
  return std::move(w).finish();
}

template <class T>
T joined(char op, T a, T b) {
  if constexpr (std::is_same_v<T, Text>) throw internal("carry: text");
  else if constexpr (std::is_integral_v<T>) {  // integers wrap around, as NumPy's do
    if (op == '+') return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
    if (op == '*') return static_cast<T>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
    return op == '<' ? std::min(a, b) : std::max(a, b);
  } else {
    if (op == '+') return a + b;
    if (op == '*') return a * b;
    return op == '<' ? std::min(a, b) : std::max(a, b);
  }
}
// What leaves every value as it is.
template <class T>
T identity(char op) {
  if constexpr (std::is_floating_point_v<T>)
    return op == '+' ? T(-0.0) : op == '*' ? T(1) : op == '<' ? std::numeric_limits<T>::infinity() : -std::numeric_limits<T>::infinity();
  else return op == '+' ? T(0) : op == '*' ? T(1) : op == '<' ? std::numeric_limits<T>::max() : std::numeric_limits<T>::lowest();
}

// Calls f(value so far, row) for each row; the value after the last. Rows that are missing change nothing.
template <class T, class Join, class F>
T run(const Column& c, int64_t rows, T value, Join join, F f) {
  const T* x = c.as<T>();
  if (std::is_floating_point_v<T>)
    for (int64_t i = 0; i < rows; ++i) value = x[i] == x[i] ? join(value, x[i]) : value, f(value, i);
  else if (c.valid)
    for (int64_t i = 0; i < rows; ++i) value = c.valid[i] ? join(value, x[i]) : value, f(value, i);
  else
    for (int64_t i = 0; i < rows; ++i) value = join(value, x[i]), f(value, i);
  return value;
}
template <class T, class F>
T run(char op, const Column& c, int64_t rows, T value, F f) {
  if (op == '+') return run(c, rows, value, [](T a, T b) { return joined('+', a, b); }, f);
  if (op == '*') return run(c, rows, value, [](T a, T b) { return joined('*', a, b); }, f);
  if (op == '<') return run(c, rows, value, [](T a, T b) { return joined('<', a, b); }, f);
  return run(c, rows, value, [](T a, T b) { return joined('>', a, b); }, f);
}
char symbol_of(const std::string& op) { return op == "sum" ? '+' : op == "prod" ? '*' : op == "min" ? '<' : '>'; }

// How a partition's part is made of its batches and put together with others.
class Rule {
 public:
  virtual ~Rule() = default;
  virtual Batch part(Columns in, int64_t rows) const = 0;
  virtual Batch join(const Batch& front, const Batch& back) const = 0;
};

class RowsRule : public Rule {
 public:
  RowsRule(int64_t n, bool back) : n_(n), back_(back) {}
  Batch part(Columns in, int64_t rows) const override {
    Batch b{rows, {in.begin(), in.end()}};
    b = cut(std::move(b));
    for (auto& c : b.columns) c = own_text(spread(c, b.rows));
    return b;
  }
  Batch join(const Batch& front, const Batch& back) const override {
    const Batch& wanted = back_ ? front : back;
    return wanted.rows == n_ ? wanted : cut(concatenate(Batches{front, back}));
  }

 private:
  Batch cut(Batch b) const {
    const int64_t kept = std::min(n_, b.rows), begin = back_ ? 0 : b.rows - kept;
    for (auto& c : b.columns)
      if (!c.constant) c = slice(c, begin, kept);
    b.rows = kept;
    return b;
  }
  int64_t n_;
  bool back_;
};

class RunningRule : public Rule {
 public:
  explicit RunningRule(char op) : op_(op) {}
  Batch part(Columns in, int64_t rows) const override {
    Batch out{1, {}};
    for (const auto& given : in) {
      const Column c = spread(given, rows);
      Writable w(c.storage, 1);
      bool any = false;
      visit_fixed(c.storage, [&](auto tag) {
        using T = typename decltype(tag)::type;
        any = false;
        for (int64_t i = 0; i < rows && !any; ++i) any = !c.is_missing(i);
        *w.as<T>() = any ? run(op_, c, rows, identity<T>(op_), [](T, int64_t) {}) : T{};
      });
      out.columns.push_back(std::move(w).finish()), out.columns.push_back(flags_of(any));
    }
    return out;
  }
  Batch join(const Batch& front, const Batch& back) const override {
    Batch out{1, {}};
    for (size_t c = 0; c + 1 < front.columns.size(); c += 2) {
      const bool a = *front.columns[c + 1].as<uint8_t>(), b = *back.columns[c + 1].as<uint8_t>();
      Writable w(front.columns[c].storage, 1);
      visit_fixed(front.columns[c].storage, [&](auto tag) {
        using T = typename decltype(tag)::type;
        const T x = *front.columns[c].as<T>(), y = *back.columns[c].as<T>();
        *w.as<T>() = a && b ? joined(op_, x, y) : a ? x : y;
      });
      out.columns.push_back(std::move(w).finish()), out.columns.push_back(flags_of(a || b));
    }
    return out;
  }

 private:
  char op_;
};

class LastRule : public Rule {
 public:
  explicit LastRule(bool back) : back_(back) {}
  Batch part(Columns in, int64_t rows) const override {
    Batch out{1, {}};
    for (const auto& given : in) {
      const Column c = spread(given, rows);
      int64_t since = 0;
      while (since < rows && c.is_missing(back_ ? since : rows - 1 - since)) ++since;
      const bool any = since < rows;
      const int64_t at[] = {any ? (back_ ? since : rows - 1 - since) : -1};
      out.columns.push_back(own_text(take(c, at))), out.columns.push_back(flags_of(any)), out.columns.push_back(number_of(since));
    }
    return out;
  }
  Batch join(const Batch& front, const Batch& back) const override {
    const Batch &near = back_ ? front : back, &far = back_ ? back : front;
    Batch out{1, {}};
    for (size_t c = 0; c + 2 < near.columns.size(); c += 3) {
      const bool here = *near.columns[c + 1].as<uint8_t>();
      const Batch& from = here ? near : far;
      const int64_t since = *near.columns[c + 2].as<int64_t>() + (here ? 0 : *far.columns[c + 2].as<int64_t>());
      out.columns.push_back(from.columns[c]), out.columns.push_back(from.columns[c + 1]), out.columns.push_back(number_of(since));
    }
    return out;
  }

 private:
  bool back_;
};

std::unique_ptr<Rule> rule_of(const Args& a) {
  const std::string& of = a["of"].string();
  if (of == "rows") return std::make_unique<RowsRule>(a["n"].integer(), a["back"].boolean());
  if (of == "running") return std::make_unique<RunningRule>(symbol_of(a["op"].string()));
  return std::make_unique<LastRule>(a["back"].boolean());
}

class Carry : public Fold {
 public:
  explicit Carry(const Args& a) : rule_(rule_of(a)), back_(a.has("back") && a["back"].boolean()) {}
  void add(Task& t, Columns in, int64_t rows) override {
    if (rows == 0) return;
    Batch made = rule_->part(in, rows);
    if (parts_.empty() || parts_.back().first != t.partition()) parts_.emplace_back(t.partition(), std::move(made));
    else parts_.back().second = rule_->join(parts_.back().second, made);
  }
  void merge(Task&, Fold& later) override {
    auto& more = static_cast<Carry&>(later).parts_;
    parts_.insert(parts_.end(), more.begin(), more.end());
  }
  // One text: how many partitions, their numbers, where each one's rows begin, and the rows.
  Batches finish(Task&) override {
    std::vector<Batch> before(parts_.size());
    const auto n = static_cast<int64_t>(parts_.size());
    Batch so_far;
    for (int64_t i = back_ ? n - 1 : 0; i >= 0 && i < n; i += back_ ? -1 : 1) {
      const Batch& own = parts_[static_cast<size_t>(i)].second;
      before[static_cast<size_t>(i)] = so_far;
      so_far = so_far.columns.empty() ? own : back_ ? rule_->join(own, so_far) : rule_->join(so_far, own);
    }
    std::vector<int64_t> numbers, begins;
    std::string rows;
    for (size_t i = 0; i < parts_.size(); ++i) {
      numbers.push_back(parts_[i].first), begins.push_back(static_cast<int64_t>(rows.size()));
      Encoder one;
      kernels::encode(one, Batches{before[i]});
      rows += one.take();
    }
    Encoder all;
    all << numbers;
    all.bytes().append(reinterpret_cast<const char*>(begins.data()), begins.size() * sizeof(int64_t)).append(rows);
    auto bytes = std::make_shared<const std::string>(all.take());
    Writable w(Storage::text, 1);
    *w.as<Text>() = {bytes->data(), static_cast<int64_t>(bytes->size())};
    Column made = std::move(w).finish(bytes);
    made.text_kept = true;
    return {{1, {std::move(made)}}};
  }
  int64_t bytes() const override {
    int64_t total = 0;
    for (const auto& [p, b] : parts_) total += size_of(b);
    return total;
  }
  void encode(Encoder& out) const override {
    Batches rows;
    std::vector<int64_t> numbers;
    for (const auto& [p, b] : parts_) numbers.push_back(p), rows.push_back(b);
    out << numbers;
    kernels::encode(out, rows);
  }
  void decode(base::Decoder& in) override {
    const auto numbers = in.list<int64_t>();
    Batches rows = decode_batches(in);
    if (rows.size() != numbers.size()) throw Error(ErrorKind::io, "carry: a state whose parts do not fit");
    parts_.clear();
    for (size_t i = 0; i < rows.size(); ++i) parts_.emplace_back(numbers[i], std::move(rows[i]));
  }

 private:
  std::unique_ptr<Rule> rule_;
  bool back_;
  std::vector<std::pair<int64_t, Batch>> parts_;  // by partition, ascending
};

// Numbers wrap around; a sum of durations that does not fit is an error, as in pandas.
void refuse_overflow(const Column& x, int64_t rows, int64_t total) {
  for (int64_t i = 0; i < rows; ++i)
    if ((!x.valid || x.valid[i]) && __builtin_add_overflow(total, x.as<int64_t>()[i], &total))
      throw Error(ErrorKind::invalid, "cumsum: overflow in timedelta operation", "pandas.errors.OutOfBoundsTimedelta");
}

// What is carried into a partition, and then on from batch to batch of it. A map that holds one is of one partition.
class Carried {
 public:
  Batch& of(Task& t, const Column& all) {
    if (!std::exchange(begun_, true)) batch_ = carried(all, t.partition());
    return batch_;
  }

 private:
  bool begun_ = false;
  Batch batch_;
};

// running {op}: the sum (product, ...) up to each row; missing rows stay missing and are passed over.
Map running(const Args& a) {
  const char op = symbol_of(a["op"].string());
  return [op, state = std::make_shared<Carried>()](Task& t, Columns in, int64_t rows, std::span<Column> out) {
    Batch& so_far = state->of(t, in.back());
    Batch next{1, {}};
    for (size_t c = 0; c < out.size(); ++c) {
      const Column x = spread(in[c], rows);
      Writable w(x.storage, rows), last(x.storage, 1);
      bool any = !so_far.columns.empty() && *so_far.columns[2 * c + 1].as<uint8_t>();
      visit_fixed(x.storage, [&](auto tag) {
        using T = typename decltype(tag)::type;
        T& value = *last.template as<T>();
        value = any ? *so_far.columns[2 * c].template as<T>() : identity<T>(op);
        const T* from = x.template as<T>();
        T* to = w.template as<T>();
        if (op == '+' && x.storage == Storage::duration) refuse_overflow(x, rows, static_cast<int64_t>(value));
        if (std::is_floating_point_v<T>) value = run(op, x, rows, value, [=](T v, int64_t i) { to[i] = from[i] == from[i] ? v : from[i]; });
        else if (x.valid) value = run(op, x, rows, value, [=](T v, int64_t i) { to[i] = x.valid[i] ? v : from[i]; });
        else value = run(op, x, rows, value, [=](T v, int64_t i) { to[i] = v; });
      });
      for (int64_t i = 0; i < rows && !any; ++i) any = !x.is_missing(i);
      next.columns.push_back(std::move(last).finish()), next.columns.push_back(flags_of(any));
      if (x.valid) std::memcpy(w.valid(), x.valid, static_cast<size_t>(rows));
      out[c] = std::move(w).finish();
    }
    so_far = std::move(next);
    return rows;
  };
}

// shift {n, fill, types}: row i - n; rows from before the first are the value in `fill`. by_batch: n is positive, and what is in front of a batch is
// remembered.
Map shift(const Args& a, bool by_batch) {
  const int64_t n = a["n"].integer();
  std::vector<Column> fill;
  for (size_t c = 0; c < a["types"].list().size(); ++c) fill.push_back(constant_of(a["fill"].list().at(c), dtype_of(a["types"].list()[c].integer())));
  return [=, state = by_batch ? std::make_shared<Carried>() : nullptr, rule = RowsRule(std::abs(n), false)](Task& t, Columns in, int64_t rows,
                                                                                                            std::span<Column> out) {
    const Batch beside = state ? state->of(t, in.back()) : carried(in.back(), t.partition());
    const int64_t moved = std::min(std::abs(n), rows), kept = rows - moved, have = beside.columns.empty() ? 0 : beside.rows;
    // Of the rows carried: those that become this partition's first (last) `moved`.
    const int64_t begin = n > 0 ? std::max<int64_t>(0, have - n) : std::min(have, std::max<int64_t>(0, -n - rows));
    const int64_t from_beside = n > 0 ? std::max<int64_t>(0, moved - std::max<int64_t>(0, n - have)) : std::min(moved, have - begin);
    for (size_t c = 0; c < out.size(); ++c) {
      const Column x = spread(in[c], rows), none = spread(fill[c], moved - from_beside);
      std::vector<Column> pieces{n > 0 ? none : slice(x, moved, kept)};
      if (from_beside > 0) pieces.push_back(slice(beside.columns[c], begin, from_beside));
      pieces.push_back(n > 0 ? slice(x, 0, kept) : none);
      out[c] = concatenate(pieces);
    }
    if (state && rows) {
      Batch last = rule.part(in.first(out.size()), rows);
      state->of(t, in.back()) = beside.columns.empty() ? std::move(last) : rule.join(beside, last);
    }
    return rows;
  };
}

// A column's gaps filled: by the value carried in where it begins with one. `beside`: as LastRule has it.
Column filled(const Column& x, int64_t rows, const Batch& beside, size_t c, std::optional<int64_t> limit, bool back) {
  const bool known = !beside.columns.empty() && *beside.columns[3 * c + 1].as<uint8_t>();
  Writable w(x.storage, rows);
  visit(x.storage, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* from = x.template as<T>();
    T* to = w.template as<T>();
    bool any = known;
    int64_t since = known ? *beside.columns[3 * c + 2].template as<int64_t>() : 0;
    T value = known ? *beside.columns[3 * c].template as<T>() : rows ? from[back ? rows - 1 : 0] : T{};  // there or missing
    uint8_t* valid = x.valid ? w.valid() : nullptr;
    with_missing<T>(x, [&](auto missing) {
      if (!limit && !valid) {
        if (back) for (int64_t i = rows; i-- > 0;) to[i] = value = missing(i) ? value : from[i];
        else for (int64_t i = 0; i < rows; ++i) to[i] = value = missing(i) ? value : from[i];
        return;
      }
      for (int64_t k = 0; k < rows; ++k) {
        const int64_t i = back ? rows - 1 - k : k;
        const bool gone = missing(i);
        if (!gone) value = from[i], any = true, since = 0;
        else ++since;
        const bool there = !gone || (any && (!limit || since <= *limit));
        to[i] = there ? value : from[i];
        if (valid) valid[i] = there;
      }
    });
  });
  Column out = std::move(w).finish(x.storage == Storage::text ? keep_both(x.text_keep(), known ? beside.columns[3 * c].text_keep() : nullptr) : nullptr);
  out.text_kept = x.text_kept && !x.kept_bytes;  // what is carried owns its text
  return out;
}

// fill_gaps {limit: rows or none}: a missing value becomes the last one in front that is there, at most `limit` rows away.
// fill_gaps_back: the first one behind.
std::optional<int64_t> limit_of(const Args& a) { return a.has("limit") ? std::optional(a["limit"].integer()) : std::nullopt; }
Map fill_gaps(const Args& a) {
  return [limit = limit_of(a), state = std::make_shared<Carried>()](Task& t, Columns in, int64_t rows, std::span<Column> out) {
    static const LastRule rule(false);
    Batch& in_front = state->of(t, in.back());
    std::vector<Column> given;
    for (size_t c = 0; c < out.size(); ++c) {
      given.push_back(spread(in[c], rows));
      out[c] = filled(given[c], rows, in_front, c, limit, false);
    }
    if (rows == 0) return rows;
    Batch last = rule.part(given, rows);
    in_front = in_front.columns.empty() ? std::move(last) : rule.join(in_front, last);
    return rows;
  };
}
Map fill_gaps_back(const Args& a) {
  return [limit = limit_of(a)](Task& t, Columns in, int64_t rows, std::span<Column> out) {
    const Batch behind = carried(in.back(), t.partition());
    for (size_t c = 0; c < out.size(); ++c) out[c] = filled(spread(in[c], rows), rows, behind, c, limit, true);
    return rows;
  };
}
}  // namespace

Batch carried(const Column& all, int64_t partition) {
  base::Decoder in(all.as<Text>()->view());
  const auto count = in.get<uint64_t>();  // each partition looks at its own entry alone
  const auto numbers = in.take(count * sizeof(int64_t)), begins = in.take(count * sizeof(int64_t)), rows = in.rest();
  const auto entry = [](std::string_view list, size_t i) {
    int64_t value;
    std::memcpy(&value, list.data() + i * sizeof value, sizeof value);
    return value;
  };
  size_t found = 0, end = count;
  while (found < end) {
    const size_t middle = found + (end - found) / 2;
    entry(numbers, middle) < partition ? found = middle + 1 : end = middle;
  }
  if (found == count || entry(numbers, found) != partition) return {};
  base::Decoder one(rows.substr(static_cast<size_t>(entry(begins, found))));
  return decode_batches(one).at(0);
}

Kernel carry_kernel() {
  return {.name = "carry", .fold = [](const Args& a) { return std::make_unique<Carry>(a); }};
}

std::vector<Kernel> carried_kernels() {
  const data::Traits alone{.columnwise = true}, in_order{.columnwise = true, .remembers_rows = true};
  return {{.name = "running", .map = running, .traits = in_order},
          {.name = "fill_gaps", .map = fill_gaps, .traits = in_order},
          {.name = "fill_gaps_back", .map = fill_gaps_back, .partition_at_once = true, .traits = alone},
          {.name = "shift", .map = [](const Args& a) { return shift(a, false); }, .partition_at_once = true, .traits = alone},
          {.name = "shift_down", .map = [](const Args& a) { return shift(a, true); }, .traits = in_order}};
}

}  // namespace muster::kernels
