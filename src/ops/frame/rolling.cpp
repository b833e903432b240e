// Moving windows over rows, by number or by time. Each partition is told the rows at the ends of others that its windows reach (kernels/edges.hpp), and is then
// worked on by itself. Python's Rolling object (python/muster/dataframe/_window.py) calls it; its defaults are filled in there.
#include "kernels/rolling.hpp"

#include "kernels/edges.hpp"
#include "ops/frame/columns.hpp"

namespace muster::ops::frame {
namespace {
constexpr int64_t kMostRows = 1 << 20;  // of a window: they travel between partitions

// Which columns have windows: all but that of the times.
std::vector<size_t> windowed(const Value& args, size_t columns) {
  std::vector<size_t> out;
  for (size_t i = 0; i < columns; ++i)
    if (!args.has("on") || static_cast<int64_t>(i) != args["on"].integer()) out.push_back(i);
  return out;
}

// What the kernels read: the columns as numbers, and the times.
std::pair<std::vector<int>, int> read(Lowering& l, const Call& c, const Rows& rows, const Value& args) {
  std::vector<int> in;
  for (size_t i : windowed(args, rows.columns.size())) {
    const int reg = rows.columns[i];
    const bool count = args["function"] == Value("count");
    in.push_back(count ? l.one(rows.stage, "unary", Dict{{"op", "notna"}, {"type", code(c.input().columns[i].type)}}, {reg}) : reg);
  }
  if (!args.has("span")) return {in, -1};
  return {in, args.has("on") ? rows.columns.at(static_cast<size_t>(args["on"].integer())) : rows.index.at(0)};
}

Op edges_op() {
  Op op{.name = "edges", .on = {{internal, ""}}};
  op.schema = [](const Call&) { return Schema{Kind::scalar, {{Value(), {Storage::text}}}, {}, false}; };
  op.lower = [](Lowering& l, const Call& c) {
    const Rows rows = l.input();
    const Value& windows = c["windows"];
    auto [in, times] = read(l, c, rows, windows);
    std::vector<int> from;
    for (size_t i = 0; i < in.size(); ++i) from.push_back(static_cast<int>(i));
    if (times >= 0) {
      in.insert(in.begin(), times);
      return l.fold(rows.stage, "edges", Dict{{"span", windows["span"]}, {"what", windows["what"]}}, in, {from});
    }
    const int64_t behind = windows.has("offset") ? windows["offset"].integer() : 0;
    const int64_t before = windows["window"].integer() - 1 - behind + windows["left"].integer();
    return l.fold(rows.stage, "edges", Dict{{"before", before}, {"after", behind}}, in, {from});
  };
  op.folds = true;
  op.kernels = kernels::rolling_kernels();
  op.kernels.push_back(kernels::edges_kernel());
  return op;
}

// {function, window: rows, or span: ticks of the times and what has them; on: their column, default the index; offset, left, right, min_periods, ddof}: as the
// kernel has them.
Op rolling_op() {
  Op op{.name = "rolling", .on = {{internal, ""}}};
  op.schema = [](const Call& c) {
    Schema s = c.input();
    const auto chosen = windowed(c.args, s.columns.size());
    if (chosen.empty()) throw unsupported("rolling: no columns");
    for (size_t i : chosen) {
      auto& type = s.columns[i].type;
      if (!type.is_numeric() && !(c["function"] == Value("count"))) throw unsupported("rolling: of ", type.name());
      type = {Storage::float64};
    }
    if (!c.has("span")) {
      const int64_t window = c["window"].integer(), least = c["min_periods"].integer();
      if (window < 0) throw invalid("rolling: window must be 0 or greater, got ", window);
      if (window == 0 || window > kMostRows) throw unsupported("rolling: a window of ", window, " rows");
      if (least < 0 || least > window) throw invalid("rolling: min_periods must be between 0 and the window, ", window, ", got ", least);
    } else if (c.has("on") ? !s.columns.at(static_cast<size_t>(c["on"].integer())).type.is_time() : s.index.size() != 1 || !s.index[0].type.is_time()) {
      throw unsupported("rolling: by what are no times");
    } else if (c["span"].integer() <= 0 || c.has("offset")) {
      throw unsupported("rolling: a span of ", c["span"].integer(), c.has("offset") ? " ticks around each row" : " ticks");
    }
    return s;
  };
  op.beside = [](const Call& c, const Expr& input) { return std::vector{make(expr::op("edges"), Dict{{"windows", c.args}}, {input})}; };
  op.lower = [](Lowering& l, const Call& c) {
    Rows rows = l.input();
    const auto chosen = windowed(c.args, rows.columns.size());
    auto [in, times] = read(l, c, rows, c.args);
    if (times >= 0) in.push_back(times);
    in.push_back(l.input(1).columns.at(0));
    const auto made = l.step(rows.stage, c.has("offset") ? "rolling_centred" : "rolling", c.args, in, static_cast<int>(chosen.size()));
    for (size_t k = 0; k < chosen.size(); ++k) rows.columns[chosen[k]] = made[k];
    return rows;
  };
  op.same_rows = true;
  op.show = [](const Call& c) { return concat(c["function"].string(), ", ", c.has("span") ? std::string("by time") : concat(c["window"].integer(), " rows")); };
  return op;
}
}  // namespace

Ops rolling_ops() { return {edges_op(), rolling_op()}; }

}  // namespace muster::ops::frame
