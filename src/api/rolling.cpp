// Moving windows: bodies of include/muster/dataframe.hpp.
#include "api/arguments.hpp"
#include "api/operators.hpp"
#include "api/session.hpp"
#include "base/error.hpp"
#include "muster/dataframe.hpp"

namespace muster {
using namespace base;
using expr::Expr;
namespace operators = api::operators;
namespace {

// What the operator calls the window, whose ends are those that `closed` names.
Arguments windows(const Window& how, int64_t least) {
  const std::string& closed = how.closed;
  if (closed != "right" && closed != "left" && closed != "both" && closed != "neither")
    throw invalid("rolling: closed must be right, left, both or neither, got ", Value(closed).repr());
  return {{"left", closed == "left" || closed == "both"},
          {"right", closed == "right" || closed == "both"},
          {"min_periods", how.min_periods < 0 ? least : how.min_periods}};
}

void add_times(Arguments& window, const Expr& rows, const std::string& on) {
  if (on.empty()) return;
  if (rows->schema.kind != data::Kind::frame) throw invalid("rolling: on names a column of a frame, and a Series has no other");
  window.emplace_back("on", rows->schema.only(on, operators::rolling));
}

Arguments windows_of_rows(const Expr& rows, int64_t count, const Window& how) {
  Arguments out = windows(how, count);
  out.emplace_back("window", count);
  if (how.center) out.emplace_back("offset", (count - 1) / 2);
  add_times(out, rows, how.on);
  return out;
}

Arguments windows_of_time(const Expr& rows, std::chrono::nanoseconds span, const Window& how) {
  Arguments out = windows(how, 1);
  add_times(out, rows, how.on);
  const auto& schema = rows->schema;
  const data::Field times = how.on.empty() ? schema.index.size() == 1 ? schema.index[0] : data::Field{Value("row numbers"), {data::Storage::int64}}
                                           : schema.columns[static_cast<size_t>(schema.only(how.on, operators::rolling))];
  if (!times.type.is_time())
    throw type_error("rolling: a span of time needs times, and ", how.on.empty() ? "the index" : how.on, " is ", times.type.name(),
                     "; set_index or on says which");
  const int64_t tick = 1'000'000'000 / data::per_second(times.type.unit);
  out.emplace_back("span", static_cast<int64_t>(span.count()) / tick);
  out.emplace_back("what", how.on.empty() ? "index" : how.on);
  if (how.center) out.emplace_back("offset", 0);
  return out;
}
}  // namespace

template <class Rows>
Rolling<Rows>::Rolling(Rows rows, Arguments window) : rows_(std::move(rows)), window_(std::move(window)) {}
template <class Rows>
Rows Rolling<Rows>::aggregate(const char* function, int64_t ddof) const {
  Arguments all = window_;
  all.emplace_back("function", function), all.emplace_back("ddof", ddof);
  return Rows(api::call(operators::rolling, api::value_of(Literal(all)), {rows_.expr}));
}
#define MUSTER_WINDOW(name) \
  template <class Rows>     \
  Rows Rolling<Rows>::name() const { return aggregate(#name); }
MUSTER_WINDOW(sum)
MUSTER_WINDOW(mean)
MUSTER_WINDOW(count)
MUSTER_WINDOW(min)
MUSTER_WINDOW(max)
#undef MUSTER_WINDOW
template <class Rows>
Rows Rolling<Rows>::var(int64_t ddof) const { return aggregate("var", ddof); }
template <class Rows>
Rows Rolling<Rows>::std(int64_t ddof) const { return aggregate("std", ddof); }
template class MUSTER_API Rolling<Series>;
template class MUSTER_API Rolling<DataFrame>;

Rolling<Series> Series::rolling(int64_t rows, const Window& how) const { return {*this, windows_of_rows(expr, rows, how)}; }
Rolling<Series> Series::rolling(std::chrono::nanoseconds span, const Window& how) const { return {*this, windows_of_time(expr, span, how)}; }
Rolling<DataFrame> DataFrame::rolling(int64_t rows, const Window& how) const { return {*this, windows_of_rows(expr, rows, how)}; }
Rolling<DataFrame> DataFrame::rolling(std::chrono::nanoseconds span, const Window& how) const { return {*this, windows_of_time(expr, span, how)}; }

}  // namespace muster
