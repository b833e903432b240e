// The shapes of a kernel and what a kernel is given: all that stands between a Program and the code that runs it.
#pragma once
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/value.hpp"
#include "base/wire.hpp"
#include "data/column.hpp"
#include "data/traits.hpp"

namespace muster::data {

/// What a source saw besides rows; the driver reads it when the task is done.
struct Report {
  int64_t rows = 0;                 // rows of the partition, before any filter
  int64_t begin = -1, end = -1;     // byte offsets of the partition's first row and of the row after its last; -1 = does not apply
  bool guessed = false;             // begin is right only if the partition does not start inside quotes
  std::vector<int64_t> missing;     // open columns (by source id) in which a missing value was seen
  std::vector<std::pair<int64_t, DType>> wider;  // source columns whose promised storage cannot hold a value, and one that can
  std::vector<std::string> warnings;
  bool stopped_early = false;       // the sinks had enough: rows is a lower bound
  struct Counted { int64_t id, rows; };
  std::vector<Counted> counted;     // rows that were made, of expressions that number theirs anew
};

/// What a kernel may ask of the place it runs in.
class Task {
 public:
  virtual ~Task() = default;
  virtual bool stopped() const = 0;           // polled once a batch
  virtual int64_t partition() const = 0;
  virtual void reserve(int64_t bytes) = 0;    // against the store's budget until the task ends; throws Error{memory}
  virtual void hold(int64_t) {}               // as reserve, but never refused: memory that the task can spill; negative gives it back
  virtual int64_t headroom() const { return std::numeric_limits<int64_t>::max(); }  // what the budget has left
  virtual void progress(int64_t bytes) = 0;   // bytes of input consumed since the last call
  Report report;
  std::function<std::string(const void* byte)> locate;  // set by a source: "file 'x.csv', line 7" of a byte it handed out
};

using Args = base::Value;
using Columns = std::span<const Column>;

/// map: rows in, rows out. Returns the number of rows of `out`.
using Map = std::function<int64_t(Task&, Columns in, int64_t rows, std::span<Column> out)>;

/// source: yields the batches of one partition.
class Reader {
 public:
  virtual ~Reader() = default;
  /// Fills `out` with the next batch; false when there is none.
  virtual bool next(Task& task, Batch& out) = 0;
};
class Source {
 public:
  virtual ~Source() = default;
  virtual std::unique_ptr<Reader> open(Task& task) const = 0;  // of task.partition()
};

/// fold: a state that rows are added to; states are merged in partition order.
class Fold {
 public:
  virtual ~Fold() = default;
  virtual void add(Task&, Columns in, int64_t rows) = 0;
  virtual void merge(Task&, Fold& later) = 0;
  virtual Batches finish(Task&) = 0;
  virtual int64_t bytes() const = 0;
  /// The state, for another process; decode() is called on a new fold of the same arguments.
  virtual void encode(base::Encoder& out) const = 0;
  virtual void decode(base::Decoder& in) = 0;
  virtual bool full() const { return false; }  // more rows change nothing
  /// The state is whole: what prepares it for being merged in parts is done, and from then on it is read only. Safe to call from several tasks at once.
  virtual void seal(Task&) {}
  /// Of a fold whose arguments have "parts": the results of part `part` of sealed states, in order. Parts are independent of each other, and are
  /// made side by side on a fold that is new.
  virtual Batches merge_part(Task&, const std::vector<Fold*>&, int64_t) { return {}; }
  /// The parts' results as one, in the order that was asked for.
  virtual Batches join_parts(Task&, const std::vector<std::shared_ptr<const Batches>>&) { return {}; }
};

/// look: as map, beside a fold's sealed state that is read only: the built side of a join.
using Look = std::function<int64_t(Task&, const Fold& built, Columns in, int64_t rows, std::span<Column> out)>;

/// whole: all rows of a partition at once.
using Whole = std::function<Batches(Task&, Batches rows)>;

/// A kernel by name: exactly one of the shapes is set; each is bound to its arguments once per program.
struct Kernel {
  std::string name;
  std::function<Map(const Args&)> map = {};
  /// Of a map: it wants all rows of a partition at once.
  bool partition_at_once = false;
  std::function<std::unique_ptr<Source>(const Args&)> source = {};
  std::function<std::unique_ptr<Fold>(const Args&)> fold = {};
  std::function<Whole(const Args&)> whole = {};
  std::function<Look(const Args&)> look = {};
  Traits traits = {};
};

}  // namespace muster::data
