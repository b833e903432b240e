// The .dt accessor: calendar fields, parts of durations, names of days and months, and rounding. One table of fields.
#include <cmath>

#include "kernels/calendar.hpp"
#include "ops/frame/columns.hpp"

namespace muster::ops::frame {
namespace {
using kernels::Civil;
using kernels::civil_from_days;

// Of a positive divisor.
int64_t floor_divide(int64_t a, int64_t b) { return a / b - (a % b < 0); }
int64_t floor_modulo(int64_t a, int64_t b) { return a % b + (a % b < 0 ? b : 0); }

// A time or duration taken apart. The date is worked out when the day is another than the row before had.
class Parts {
 public:
  explicit Parts(Unit unit) : second_(per_second(unit)) {}
  void set(int64_t value) {
    const int64_t days = floor_divide(value, 86400 * second_);
    rest_ = floor_modulo(value, 86400 * second_);
    if (days != days_ || !begun_) days_ = days, dated_ = false, begun_ = true;
  }
  int64_t days() const { return days_; }
  int64_t seconds() const { return rest_ / second_; }
  int64_t nanoseconds() const { return rest_ % second_ * (1'000'000'000 / second_); }  // within the second
  const Civil& date() {
    if (!dated_) date_ = civil_from_days(days_), dated_ = true;
    return date_;
  }
  int64_t day_of_year() { return days_ - kernels::days_from_civil(date().year, 1, 1) + 1; }
  int64_t day_of_week() const { return (days_ + 3) - floor_divide(days_ + 3, 7) * 7; }  // Monday = 0
  bool begins(int64_t months) { return date().day == 1 && (date().month - 1) % months == 0; }
  bool ends(int64_t months) { return date().month % months == 0 && date().day == kernels::days_in_month(date().year, date().month); }

 private:
  int64_t second_, days_ = 0, rest_ = 0;
  bool begun_ = false, dated_ = false;
  Civil date_{};
};

struct DateField {
  std::vector<const char*> names;
  Storage of, result;
  int64_t (*value)(Parts&);
  const char* what;
};

const std::vector<DateField>& fields() {
  constexpr auto when = Storage::timestamp, span = Storage::duration, number = Storage::int32, flag = Storage::boolean;
  static const std::vector<DateField> table = {
      {{"year"}, when, number, [](Parts& p) { return p.date().year; }, "The year."},
      {{"month"}, when, number, [](Parts& p) { return p.date().month; }, "The month, January = 1."},
      {{"day"}, when, number, [](Parts& p) { return p.date().day; }, "The day of the month."},
      {{"hour"}, when, number, [](Parts& p) { return p.seconds() / 3600; }, "The hour, 0 to 23."},
      {{"minute"}, when, number, [](Parts& p) { return p.seconds() / 60 % 60; }, "The minute, 0 to 59."},
      {{"second"}, when, number, [](Parts& p) { return p.seconds() % 60; }, "The second, 0 to 59."},
      {{"microsecond"}, when, number, [](Parts& p) { return p.nanoseconds() / 1000; }, "The microsecond within the second."},
      {{"nanosecond"}, when, number, [](Parts& p) { return p.nanoseconds() % 1000; }, "The nanosecond within the microsecond."},
      {{"dayofweek", "weekday", "day_of_week"}, when, number, [](Parts& p) { return p.day_of_week(); }, "The day of the week, Monday = 0."},
      {{"dayofyear", "day_of_year"}, when, number, [](Parts& p) { return p.day_of_year(); }, "The day of the year, 1 to 366."},
      {{"quarter"}, when, number, [](Parts& p) { return (p.date().month + 2) / 3; }, "The quarter, 1 to 4."},
      {{"days_in_month", "daysinmonth"},
       when,
       number,
       [](Parts& p) { return kernels::days_in_month(p.date().year, p.date().month); },
       "The number of days of the month."},
      {{"is_month_start"}, when, flag, [](Parts& p) { return int64_t{p.begins(1)}; }, "Whether it is the first day of a month."},
      {{"is_month_end"}, when, flag, [](Parts& p) { return int64_t{p.ends(1)}; }, "Whether it is the last day of a month."},
      {{"is_quarter_start"}, when, flag, [](Parts& p) { return int64_t{p.begins(3)}; }, "Whether it is the first day of a quarter."},
      {{"is_quarter_end"}, when, flag, [](Parts& p) { return int64_t{p.ends(3)}; }, "Whether it is the last day of a quarter."},
      {{"is_year_start"}, when, flag, [](Parts& p) { return int64_t{p.begins(12)}; }, "Whether it is the first day of a year."},
      {{"is_year_end"}, when, flag, [](Parts& p) { return int64_t{p.ends(12)}; }, "Whether it is the last day of a year."},
      {{"is_leap_year"}, when, flag, [](Parts& p) { return int64_t{kernels::is_leap(p.date().year)}; }, "Whether the year has 366 days."},
      {{"days"}, span, Storage::int64, [](Parts& p) { return p.days(); }, "The whole days, rounded down."},
      {{"seconds"}, span, number, [](Parts& p) { return p.seconds(); }, "The seconds beside the days."},
      {{"microseconds"}, span, number, [](Parts& p) { return p.nanoseconds() / 1000; }, "The microseconds beside the seconds."},
      {{"nanoseconds"}, span, number, [](Parts& p) { return p.nanoseconds() % 1000; }, "The nanoseconds beside the microseconds."}};
  return table;
}

DType time_type(const Call& c, Storage wanted) {
  const DType t = c.input().columns.at(0).type;
  if (t.is_object() || (t.is_time() && t.storage != wanted)) throw unsupported("dt: of ", t.name());
  if (!t.is_time()) {
    Error e = invalid("Can only use .dt accessor with datetimelike values, not ", t.name());
    e.python = "builtins.AttributeError";
    throw e;
  }
  return t;
}

// date_field {field, type}
Map date_field(const Args& a) {
  const DType type = dtype_of(a["type"].integer());
  const DateField* field = nullptr;
  for (const auto& f : fields())
    if (f.names[0] == a["field"].string()) field = &f;
  return [=](Task&, Columns in, int64_t rows, std::span<Column> out) {
    const Column c = spread(in[0], rows);
    const int64_t* x = c.as<int64_t>();
    Writable w(field->result, rows);
    Parts parts(type.unit);
    auto fill = [&](auto* y) {
      for (int64_t i = 0; i < rows; ++i) {
        if (c.valid && !c.valid[i]) {
          y[i] = 0;
          continue;
        }
        parts.set(x[i]);
        y[i] = static_cast<std::remove_reference_t<decltype(*y)>>(field->value(parts));
      }
    };
    if (field->result == Storage::boolean) fill(w.as<uint8_t>());
    else if (field->result == Storage::int64) fill(w.as<int64_t>());
    else fill(w.as<int32_t>());
    if (c.valid && field->result != Storage::boolean) std::memcpy(w.valid(), c.valid, static_cast<size_t>(rows));
    out[0] = std::move(w).finish();
    return rows;
  };
}

// round_time {how: floor, ceil or round; step: in the column's unit}
Map round_time(const Args& a) {
  const int64_t step = a["step"].integer();
  const std::string how = a["how"].string();
  return [=](Task&, Columns in, int64_t rows, std::span<Column> out) {
    const Column c = spread(in[0], rows);
    Writable w(c.storage, rows);
    const int64_t* x = c.as<int64_t>();
    int64_t* y = w.as<int64_t>();
    for (int64_t i = 0; i < rows; ++i) {
      if (c.valid && !c.valid[i]) {
        y[i] = 0;
        continue;
      }
      int64_t whole = floor_divide(x[i], step);
      const int64_t rest = floor_modulo(x[i], step);
      if (how == "ceil") whole += rest != 0;
      else if (how == "round") whole += rest > step - rest || (rest == step - rest && whole % 2 != 0);  // half to even
      if (__builtin_mul_overflow(whole, step, &y[i]))
        throw Error(ErrorKind::invalid, concat(how, ": value too large: a time near the bounds of its unit"), "builtins.OverflowError");
    }
    if (c.valid) std::memcpy(w.valid(), c.valid, static_cast<size_t>(rows));
    out[0] = std::move(w).finish();
    return rows;
  };
}

// date_name {of: day or month, type}
Map date_name(const Args& a) {
  static constexpr std::string_view kDays[] = {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"};
  static constexpr std::string_view kMonths[] = {"January", "February", "March",     "April",   "May",      "June",
                                                 "July",    "August",   "September", "October", "November", "December"};
  const bool day = a["of"].string() == "day";
  const Unit unit = dtype_of(a["type"].integer()).unit;
  return [=](Task&, Columns in, int64_t rows, std::span<Column> out) {
    const Column c = spread(in[0], rows);
    Writable w(Storage::text, rows);
    Parts parts(unit);
    for (int64_t i = 0; i < rows; ++i) {
      Text& to = w.as<Text>()[i] = {};
      if (c.is_missing(i)) continue;
      parts.set(c.as<int64_t>()[i]);
      const auto name = day ? kDays[parts.day_of_week()] : kMonths[parts.date().month - 1];
      to = {name.data(), static_cast<int64_t>(name.size())};
    }
    out[0] = std::move(w).finish();
    out[0].text_kept = true;
    return rows;
  };
}

Map total_seconds(const Args& a) {
  const auto second = static_cast<double>(per_second(dtype_of(a["type"].integer()).unit));
  return [=](Task&, Columns in, int64_t rows, std::span<Column> out) {
    const Column c = spread(in[0], rows);
    Writable w(Storage::float64, rows);
    for (int64_t i = 0; i < rows; ++i) w.as<double>()[i] = c.is_missing(i) ? NAN : static_cast<double>(c.as<int64_t>()[i]) / second;
    out[0] = std::move(w).finish();
    return rows;
  };
}

Op one_column(std::string name, std::string kernel, std::function<DType(const Call&)> result, std::function<Dict(const Call&)> args) {
  Op op{.name = std::move(name), .on = {{internal, ""}}};
  op.schema = [=](const Call& c) {
    Schema s = c.input();
    s.columns.at(0).type = result(c);
    return s;
  };
  op.lower = [=](Lowering& l, const Call& c) {
    Rows rows = l.input();
    rows.columns[0] = l.one(rows.stage, kernel, args(c), {rows.columns[0]});
    return rows;
  };
  op.same_rows = true;
  return op;
}
int64_t given_type(const Call& c) { return code(c.input().columns[0].type); }

// {how, step}: step in nanoseconds, a whole number of the column's unit.
int64_t step_of(const Call& c) {
  const DType t = c.input().columns.at(0).type;
  const int64_t unit = 1'000'000'000 / per_second(t.unit), step = c["step"].integer();
  if (step <= 0 || step % unit) throw unsupported("dt.", c["how"].string(), ": ", step, " ns is no multiple of the unit of ", t.name());
  return step / unit;
}
}  // namespace

Ops datetime_ops() {
  Ops ops;
  for (const auto& field : fields())
    for (const char* name : field.names) {
      Op op = one_column(concat("dt.", name), "date_field",
                         [&field](const Call& c) {
                           time_type(c, field.of);
                           return DType{field.result, Unit::us, field.result != Storage::boolean};
                         },
                         [&field](const Call& c) { return Dict{{"field", field.names[0]}, {"type", given_type(c)}}; });
      op.on = {{Owner::datetime, "", name}};
      const char* result = field.result == Storage::boolean ? "bool Series with the input's rows, False where a time is missing. Lazy."
                           : field.result == Storage::int64 ? "int64 Series with the input's rows; float64 if one is missing. Lazy."
                                                            : "int32 Series with the input's rows; float64 if one is missing. Lazy.";
      op.doc = {.summary = field.what, .returns = result};
      ops.push_back(std::move(op));
    }
  Op rounding = one_column("round_time", "round_time",
                           [](const Call& c) {
                             const DType t = c.input().columns.at(0).type;
                             if (!t.is_time()) time_type(c, Storage::timestamp);
                             step_of(c);
                             return t;
                           },
                           [](const Call& c) { return Dict{{"how", c["how"]}, {"step", step_of(c)}}; });
  rounding.show = [](const Call& c) { return concat(c["how"].string(), " ", c["step"].integer(), " ns"); };
  rounding.kernels = {{.name = "round_time", .map = round_time},
                      {.name = "date_field", .map = date_field},
                      {.name = "date_name", .map = date_name},
                      {.name = "total_seconds", .map = total_seconds}};
  ops.push_back(std::move(rounding));
  for (const char* of : {"day", "month"})
    ops.push_back(one_column(concat(of, "_name"), "date_name", [](const Call& c) { return time_type(c, Storage::timestamp), DType{Storage::text}; },
                             [of](const Call& c) { return Dict{{"of", of}, {"type", given_type(c)}}; }));
  ops.push_back(one_column("total_seconds", "total_seconds", [](const Call& c) { return time_type(c, Storage::duration), DType{Storage::float64}; },
                           [](const Call& c) { return Dict{{"type", given_type(c)}}; }));
  return ops;
}

}  // namespace muster::ops::frame
