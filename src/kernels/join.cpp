// The state of the built side keeps rows as they come; the table is made once, by the first that seals what was merged, or by the first that looks.
#include "kernels/join.hpp"

#include <algorithm>
#include <mutex>
#include <optional>

#include "base/error.hpp"
#include "kernels/join_table.hpp"
#include "kernels/packing.hpp"
#include "kernels/wire.hpp"

namespace muster::kernels {
using namespace base;
using namespace data;
namespace {

constexpr int64_t kTableBytes = 24;  // a row, while the table is made

class BuiltSide : public Fold {
 public:
  explicit BuiltSide(const Args& a) : keys_(static_cast<size_t>(a["keys"].integer())), all_there_(a["each"].boolean()) {
    if (a.has("repeats")) repeats_ = a["repeats"].string();
    for (const auto& t : a["types"].list()) types_.push_back(dtype_of(t.integer()));
  }
  void add(Task& task, Columns in, int64_t rows) override { task.reserve(packing_.add(in, rows)); }
  void merge(Task&, Fold& later) override {
    const auto& rows = static_cast<BuiltSide&>(later).rows_;
    rows_.insert(rows_.end(), rows.begin(), rows.end());
    all_there_ = true;
  }
  Batches finish(Task&) override { throw internal("join_build: a state that is looked into has no result"); }
  void seal(Task& task) override {
    std::lock_guard lock(mutex_);
    auto packed = packing_.take();
    rows_.insert(rows_.end(), std::make_move_iterator(packed.begin()), std::make_move_iterator(packed.end()));
    if (!all_there_ || table_) return;
    int64_t rows = 0, bytes = 0;
    for (const auto& b : rows_) rows += b.rows, bytes += size_of(b);
    task.reserve(bytes + rows * kTableBytes);  // in one piece, beside the pieces
    build();
  }
  int64_t bytes() const override {
    int64_t total = 0;
    for (const auto& b : rows_) total += size_of(b);
    return total + packing_.behind() + (table_ ? table_->bytes() : 0);
  }
  void encode(Encoder& out) const override { kernels::encode(out, rows_); }
  void decode(base::Decoder& in) override { rows_ = decode_batches(in), all_there_ = true; }

  const JoinTable& table() const {
    std::lock_guard lock(mutex_);
    build();
    return *table_;
  }
  /// Of all rows; to be called behind table().
  const Column& column(size_t c) const { return all_.columns.at(keys_ + c); }

 private:
  void build() const {
    if (table_) return;
    all_ = concatenate(rows_);
    if (rows_.empty())
      for (const DType& t : types_) all_.columns.push_back(constant_of(Value(), t));
    for (auto& c : all_.columns) c = spread(c, all_.rows);
    const auto keys = static_cast<std::ptrdiff_t>(keys_);
    JoinTable table(std::vector<Column>(all_.columns.begin(), all_.columns.begin() + keys), all_.rows);
    rows_ = {all_};
    if (const int64_t row = repeats_.empty() ? -1 : table.first_repeated(); row >= 0) {
      List key;
      for (size_t k = 0; k < keys_; ++k) key.push_back(value_at(all_.columns[k], row, types_[k]));
      const Value shown = key.size() == 1 ? key[0] : Value(key);
      throw Error(ErrorKind::invalid, concat(repeats_, "; several rows have the key ", shown.repr()), "pandas.errors.MergeError");
    }
    table_.emplace(std::move(table));
  }

  size_t keys_;
  std::vector<DType> types_;
  std::string repeats_;  // the error where several rows have one key
  bool all_there_;  // what the state has are all rows, of those that are looked into at once
  Packing packing_;
  mutable std::mutex mutex_;
  mutable Batches rows_;
  mutable Batch all_;
  mutable std::optional<JoinTable> table_;
};

const BuiltSide& side(const Fold& built) { return static_cast<const BuiltSide&>(built); }

Column positions(const std::vector<int64_t>& rows) {
  Writable out(Storage::int64, static_cast<int64_t>(rows.size()));
  std::copy(rows.begin(), rows.end(), out.as<int64_t>());
  return std::move(out).finish();
}
std::span<const int64_t> rows_in(const Column& positions) { return {positions.as<int64_t>(), static_cast<size_t>(positions.length)}; }

Look find(const Args& a) {
  return [found = a["found"].boolean(), not_found = a["not_found"].boolean()](Task&, const Fold& built, Columns in, int64_t rows, std::span<Column> out) {
    JoinTable::Pairs pairs;
    side(built).table().find(in, rows, found, not_found, pairs);
    out[0] = positions(pairs.looked_for), out[1] = positions(pairs.found);
    return static_cast<int64_t>(pairs.found.size());
  };
}

Look contains(const Args&) {
  return [](Task&, const Fold& built, Columns in, int64_t rows, std::span<Column> out) {
    Writable found(Storage::boolean, rows);
    side(built).table().contains(in, rows, found.as<uint8_t>());
    out[0] = std::move(found).finish();
    return rows;
  };
}

Look take_found(const Args& a) {
  return [column = static_cast<size_t>(a["column"].integer()), missing = a["missing"].integer()](Task& t, const Fold& built, Columns in, int64_t rows,
                                                                                                std::span<Column> out) {
    const auto found = rows_in(in[0]);
    side(built).table();
    out[0] = take(side(built).column(column), found);
    if (missing >= 0 && std::find(found.begin(), found.end(), -1) != found.end()) t.report.missing.push_back(missing);
    return rows;
  };
}

Look checked(const Args&) {
  return [](Task&, const Fold& built, Columns in, int64_t rows, std::span<Column> out) {
    side(built).table();
    out[0] = in[0];
    return rows;
  };
}

Map sides(const Args& a) {
  const auto alone = static_cast<int8_t>(a["alone"].integer()), both = static_cast<int8_t>(a["both"].integer());
  return [alone, both](Task&, Columns in, int64_t rows, std::span<Column> out) {
    const auto found = rows_in(in[0]);
    Writable side(Storage::int8, rows);
    std::transform(found.begin(), found.end(), side.as<int8_t>(), [&](int64_t row) { return row < 0 ? alone : both; });
    out[0] = std::move(side).finish();
    return rows;
  };
}

Map take_rows(const Args&) {
  return [](Task&, Columns in, int64_t rows, std::span<Column> out) {
    const auto wanted = rows_in(in[0]);
    int64_t next = 0;
    const bool all = !in[1].constant && rows == in[1].length && std::all_of(wanted.begin(), wanted.end(), [&](int64_t row) { return row == next++; });
    out[0] = all ? in[1] : take(in[1], wanted);
    return rows;
  };
}
}  // namespace

std::vector<Kernel> join_kernels() {
  const auto build = [](const Args& a) -> std::unique_ptr<Fold> { return std::make_unique<BuiltSide>(a); };
  return {{.name = "join_build", .fold = build, .traits = {.is_looked_into = true}},
          {.name = "join_find", .look = find, .traits = {.widens_itself = true}},
          {.name = "join_checked", .look = checked, .traits = {.columnwise = true}},
          {.name = "join_sides", .map = sides},
          {.name = "join_contains", .look = contains, .traits = {.widens_itself = true}},
          {.name = "join_take", .look = take_found, .traits = {.takes_column = true}},
          {.name = "take_rows", .map = take_rows, .traits = {.same_of_floats = [](const Args&) { return true; }}}};
}

}  // namespace muster::kernels
