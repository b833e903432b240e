// time_bin: the time in the bin of each row that `resample` groups rows by. Which bins there are, and what they are called, is pandas' to say: it puts these
// times in its bins, one in each (python/muster/dataframe/_window.py).
#include <cstring>
#include <optional>

#include "kernels/calendar.hpp"
#include "ops/frame/columns.hpp"

namespace muster::ops::frame {
namespace {
using kernels::civil_from_days;
using kernels::days_from_civil;

// Of a positive divisor.
int64_t floor_divide(int64_t a, int64_t b) { return a / b - (a % b < 0); }

// Where the bin of a time begins and ends.
struct Bin {
  int64_t begin, end;
};

// Months that begin with those whose number, from January = 0 on, leaves `first` when divided by `months`; or weeks that begin with a day, Monday = 0.
class Calendar {
 public:
  explicit Calendar(const Args& a) : months_(a.has("months") ? a["months"].integer() : 0), first_(a["first"].integer()) {}
  // In days since 1970.
  Bin of(int64_t day) const {
    if (months_ == 0) {
      const int64_t week = floor_divide(day + 3 - first_, 7) * 7 - 3 + first_;  // 1970 began on a Thursday
      return {week, week + 7};
    }
    const auto date = civil_from_days(day);
    const int64_t month = 12 * date.year + date.month - 1, begin = floor_divide(month - first_, months_) * months_ + first_;
    const auto day_of = [](int64_t m) { return days_from_civil(floor_divide(m, 12), m - 12 * floor_divide(m, 12) + 1, 1); };
    return {day_of(begin), day_of(begin + months_)};
  }

 private:
  int64_t months_, first_;
};

// {type; first and perhaps months: of a calendar; or step, offset, in the column's unit, and up: bins of a length, which contain their end instead of
// their beginning where it is `up`}. A second input: the first time of all, whose day they are counted from.
Map time_bin(const Args& a) {
  const bool steps = a.has("step");
  const int64_t second = per_second(dtype_of(a["type"].integer()).unit), day = 86400 * second;
  const int64_t step = steps ? a["step"].integer() : 0, offset = steps ? a["offset"].integer() : 0;
  const bool up = steps && a["up"].boolean();
  const auto calendar = steps ? std::nullopt : std::optional<Calendar>(a);
  return [=](Task&, Columns in, int64_t rows, std::span<Column> out) {
    const Column times = spread(in[0], rows);
    const int64_t* x = times.as<int64_t>();
    Writable made(times.storage, rows);
    int64_t* y = made.as<int64_t>();
    const int64_t origin = offset + (in.size() > 1 && !in[1].is_missing(0) ? floor_divide(in[1].as<int64_t>()[0], day) * day : 0);
    Bin bin{0, 0};
    for (int64_t i = 0; i < rows; ++i) {
      if (times.valid && !times.valid[i]) {
        y[i] = 0;
        continue;
      }
      const int64_t time = up ? x[i] - 1 : x[i];
      if (time < bin.begin || time >= bin.end) {
        if (steps) {
          bin.begin = floor_divide(time - origin, step) * step + origin, bin.end = bin.begin + step;
        } else {
          const Bin days = calendar->of(floor_divide(time, day));
          bin = {days.begin * day, days.end * day};
        }
      }
      y[i] = up ? bin.end : bin.begin;
    }
    if (times.valid) std::memcpy(made.valid(), times.valid, static_cast<size_t>(rows));
    out[0] = std::move(made).finish();
    return rows;
  };
}

// {first, perhaps months} or {step, offset: nanoseconds, up}. Inputs: the times, and where steps are counted from the first of all that.
Op time_bin_op() {
  Op op{.name = "time_bin", .on = {{internal, ""}}};
  const auto ticks = [](const Call& c, const char* name) {
    const DType t = c.input().columns.at(0).type;
    const int64_t unit = 1'000'000'000 / per_second(t.unit);
    if (c[name].integer() % unit) throw unsupported("resample: ", c[name].integer(), " ns are no multiple of the unit of ", t.name());
    return c[name].integer() / unit;
  };
  op.schema = [ticks](const Call& c) {
    if (const DType t = c.input().columns.at(0).type; t.storage != Storage::timestamp || t.is_object()) throw unsupported("resample: by ", t.name());
    if (c.has("step")) ticks(c, "step"), ticks(c, "offset");
    return c.input();
  };
  op.lower = [ticks](Lowering& l, const Call& c) {
    Rows rows = l.input();
    Dict args{{"type", code(c.input().columns[0].type)}};
    if (c.has("step")) args.emplace_back("step", ticks(c, "step")), args.emplace_back("offset", ticks(c, "offset")), args.emplace_back("up", c["up"]);
    else args.emplace_back("first", c["first"]);
    if (c.has("months")) args.emplace_back("months", c["months"]);
    std::vector<int> in{rows.columns[0]};
    if (c.inputs.size() > 1) in.push_back(l.input(1).columns.at(0));
    rows.columns[0] = l.one(rows.stage, "time_bin", std::move(args), in);
    return rows;
  };
  op.same_rows = true;
  op.kernels = {{.name = "time_bin", .map = time_bin}};
  return op;
}
}  // namespace

Ops time_bins_ops() { return {time_bin_op()}; }

}  // namespace muster::ops::frame
