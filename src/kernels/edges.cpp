// Batches are held as they come, without a copy, and put together where the partition ends: a window may be longer than thousands of them.
#include "kernels/edges.hpp"

#include <algorithm>
#include <cstring>
#include <deque>

#include "base/error.hpp"
#include "kernels/wire.hpp"

namespace muster::kernels {
using namespace base;
using namespace data;

namespace {
Batch cut(const Batch& b, int64_t begin, int64_t rows) {
  Batch out{rows, {}};
  for (const auto& c : b.columns) out.columns.push_back(slice(c, begin, rows));
  return out;
}

class EdgeRows : public Fold {
 public:
  explicit EdgeRows(const Args& a)
      : timed_(a.has("span")), before_(timed_ ? 0 : a["before"].integer()), after_(timed_ ? 0 : a["after"].integer()),
        span_(timed_ ? static_cast<uint64_t>(a["span"].integer()) : 0), what_(timed_ ? a["what"].string() : "") {}

  void add(Task& t, Columns in, int64_t rows) override {
    if (rows == 0) return;
    Batch given{rows, {}};
    for (const auto& c : in) given.columns.push_back(spread(c, rows));
    if (timed_) {
      const Column& times = given.columns[0];
      if (times.valid && std::memchr(times.valid, 0, static_cast<size_t>(rows))) throw Error(ErrorKind::invalid, concat(what_, " values must not have NaT"));
    }
    if (parts_.empty() || parts_.back().partition != t.partition()) {
      parts_.push_back({.partition = t.partition()});
      if (timed_) parts_.back().first = given.columns[0].as<int64_t>()[0];
    }
    Part& p = parts_.back();
    if (p.head_rows < after_) {
      const int64_t more = std::min(rows, after_ - p.head_rows);
      p.head.push_back(cut(given, 0, more)), p.head_rows += more;
    }
    if (timed_) p.last = given.columns[0].as<int64_t>()[rows - 1];
    if (!timed_ && before_ == 0) return;
    p.tail.push_back(std::move(given)), p.tail_rows += rows;
    while (p.tail.size() > 1 && !is_near(p.tail.front(), p)) p.tail_rows -= p.tail.front().rows, p.tail.pop_front();
  }
  void seal(Task&) override {
    for (auto& p : parts_) settle(p);
  }
  void merge(Task&, Fold& later) override {
    auto& more = static_cast<EdgeRows&>(later).parts_;
    parts_.insert(parts_.end(), more.begin(), more.end());
  }

  // One text: how many partitions, whether times descend, the entries (Edges::Entry), and the rows.
  Batches finish(Task&) override {
    const bool descend = timed_ && !parts_.empty() && parts_.back().last < parts_.front().first;
    std::vector<Edges::Entry> entries;
    Encoder rows;
    for (auto& p : parts_) {
      settle(p);
      Edges::Entry e{p.partition, static_cast<int64_t>(rows.size()), 0};
      kernels::encode(rows, Batches{p.head.front()});
      e.tail = static_cast<int64_t>(rows.size());
      kernels::encode(rows, Batches{p.tail.front()});
      entries.push_back(e);
    }
    Encoder all;
    all << static_cast<uint64_t>(entries.size()) << static_cast<uint8_t>(descend);
    all.bytes().append(reinterpret_cast<const char*>(entries.data()), entries.size() * sizeof(Edges::Entry)).append(rows.bytes());
    auto bytes = std::make_shared<const std::string>(all.take());
    Writable w(Storage::text, 1);
    *w.as<Text>() = {bytes->data(), static_cast<int64_t>(bytes->size())};
    Column made = std::move(w).finish(bytes);
    made.text_kept = true;
    return {{1, {std::move(made)}}};
  }
  int64_t bytes() const override {
    int64_t total = 0;
    for (const auto& p : parts_)
      for (const auto* side : {&p.head, &p.tail})
        for (const auto& b : *side) total += size_of(b);
    return total;
  }
  void encode(Encoder& out) const override {
    std::vector<int64_t> numbers;
    Batches rows;
    for (Part p : parts_) {
      settle(p);
      for (int64_t n : {p.partition, p.first, p.last}) numbers.push_back(n);
      rows.push_back(p.head.front()), rows.push_back(p.tail.front());
    }
    out << numbers;
    kernels::encode(out, rows);
  }
  void decode(Decoder& in) override {
    const auto numbers = in.list<int64_t>();
    const Batches rows = decode_batches(in);
    if (numbers.size() % 3 || rows.size() != numbers.size() / 3 * 2) throw Error(ErrorKind::io, "edges: a state whose parts do not fit");
    parts_.clear();
    for (size_t i = 0; 3 * i < numbers.size(); ++i) {
      Part p{.partition = numbers[3 * i], .first = numbers[3 * i + 1], .last = numbers[3 * i + 2]};
      p.head = {rows[2 * i]}, p.tail = {rows[2 * i + 1]};
      p.head_rows = rows[2 * i].rows, p.tail_rows = rows[2 * i + 1].rows, p.settled = true;
      parts_.push_back(std::move(p));
    }
  }

 private:
  struct Part {
    int64_t partition = 0, first = 0, last = 0;  // times
    int64_t head_rows = 0, tail_rows = 0;
    bool settled = false;  // head and tail are one batch each, of the rows wanted
    std::deque<Batch> head = {}, tail = {};
  };

  // Whether some rows of the part's first batch are wanted.
  bool is_near(const Batch& b, const Part& p) const {
    return timed_ ? distance(b.columns[0].as<int64_t>()[b.rows - 1], p.last) <= span_ : p.tail_rows - b.rows < before_;
  }
  void settle(Part& p) const {
    if (std::exchange(p.settled, true)) return;
    Batch head = concatenate(Batches(p.head.begin(), p.head.end())), tail = concatenate(Batches(p.tail.begin(), p.tail.end()));
    int64_t kept = std::min(tail.rows, before_);
    if (timed_)
      for (const int64_t* times = tail.columns[0].as<int64_t>(); kept < tail.rows && distance(times[tail.rows - 1 - kept], p.last) <= span_;) ++kept;
    p.head = {std::move(head)};
    p.tail = {cut(tail, tail.rows - kept, kept)};
  }

  bool timed_;
  int64_t before_, after_;
  uint64_t span_;
  std::string what_;
  std::vector<Part> parts_;  // by partition, ascending
};
}  // namespace

Edges::Edges(const Column& all, int64_t partition) : partition_(partition) {
  Decoder in(all.as<Text>()->view());
  count_ = static_cast<int64_t>(in.get<uint64_t>());
  descend_ = in.get<uint8_t>() != 0;
  entries_ = in.take(static_cast<uint64_t>(count_) * sizeof(Entry));
  rows_ = in.rest();
  int64_t end = count_;
  while (at_ < end) {  // each partition looks at few entries
    const int64_t middle = at_ + (end - at_) / 2;
    entry(middle).partition < partition ? at_ = middle + 1 : end = middle;
  }
}

Edges::Entry Edges::entry(int64_t i) const {
  Entry e;
  std::memcpy(&e, entries_.data() + static_cast<size_t>(i) * sizeof e, sizeof e);
  return e;
}

Batch Edges::rows_at(int64_t begin) const {
  Decoder one(rows_.substr(static_cast<size_t>(begin)));
  return decode_batches(one).at(0);
}

Batch Edges::in_front(int64_t rows) const {
  Batches found;
  int64_t have = 0;
  for (int64_t i = at_; i-- > 0 && have < rows;) {
    const Batch tail = rows_at(entry(i).tail);
    const int64_t more = std::min(rows - have, tail.rows);
    found.push_back(cut(tail, tail.rows - more, more)), have += more;
  }
  std::reverse(found.begin(), found.end());
  return concatenate(found);
}

Batch Edges::in_front(int64_t time, uint64_t span) const {
  Batches found;
  for (int64_t i = at_; i-- > 0;) {
    const Batch tail = rows_at(entry(i).tail);
    const int64_t* times = tail.columns[0].as<int64_t>();
    int64_t kept = 0;
    while (kept < tail.rows && distance(times[tail.rows - 1 - kept], time) <= span) ++kept;
    const bool all = kept == tail.rows;
    if (found.empty()) kept = std::max<int64_t>(kept, 1);
    found.push_back(cut(tail, tail.rows - kept, kept));
    if (!all) break;
  }
  std::reverse(found.begin(), found.end());
  return concatenate(found);
}

Batch Edges::behind(int64_t rows) const {
  Batches found;
  int64_t have = 0;
  for (int64_t i = at_; i < count_ && have < rows; ++i) {
    if (entry(i).partition == partition_) continue;
    const Batch head = rows_at(entry(i).head);
    const int64_t more = std::min(rows - have, head.rows);
    found.push_back(cut(head, 0, more)), have += more;
  }
  return concatenate(found);
}

Kernel edges_kernel() {
  return {.name = "edges", .fold = [](const Args& a) { return std::make_unique<EdgeRows>(a); }};
}

}  // namespace muster::kernels
