// The calendar fields of the .dt accessor: one table.
#include "ops/frame/columns.hpp"

namespace muster::ops::frame {

Ops datetime_ops() {
  Ops ops;
  for (auto [name, field, what] : {std::tuple{"year", "year", "The year."}, {"month", "month", "The month, January = 1."}, {"day", "day", "The day of the month."}, {"hour", "hour", "The hour, 0 to 23."},
                                   {"dayofweek", "dayofweek", "The day of the week, Monday = 0."}, {"weekday", "dayofweek", "The day of the week, Monday = 0."}, {"day_of_week", "dayofweek", "The day of the week, Monday = 0."}}) {
    Op op{.name = concat("dt.", name), .on = {{Owner::datetime, "", name}}};
    op.doc = {.summary = what, .returns = "int32 Series with the input's rows; float64 if a time is missing. Lazy."};
    op.schema = [](const Call& c) {
      Schema s = c.input();
      if (s.columns.at(0).type.is_object() || s.columns.at(0).type.storage == Storage::duration) throw unsupported("dt: of ", s.columns[0].type.name());
      if (s.columns.at(0).type.storage != Storage::timestamp) {
        Error e = invalid("Can only use .dt accessor with datetimelike values, not ", s.columns[0].type.name());
        e.python = "builtins.AttributeError";
        throw e;
      }
      s.columns[0].type = {Storage::int32, Unit::us, true};
      return s;
    };
    op.lower = [field](Lowering& l, const Call& c) {
      Rows rows = l.input();
      rows.columns[0] = l.one(rows.stage, "calendar", Dict{{"field", field}, {"type", code(c.input().columns[0].type)}}, {rows.columns[0]});
      return rows;
    };
    op.same_rows = true;
    ops.push_back(std::move(op));
  }
  return ops;
}

}  // namespace muster::ops::frame
