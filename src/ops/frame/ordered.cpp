// What looks at the rows in front or behind: cumsum, cumprod, cummin, cummax, shift, diff, ffill, bfill. Each partition is told what the others leave for it
// (kernels/carry.hpp), and is then worked on by itself.
#include <cmath>

#include "kernels/carry.hpp"
#include "ops/frame/columns.hpp"

namespace muster::ops::frame {
namespace {
constexpr int64_t kMostRows = 1 << 20;  // carried between partitions
constexpr int64_t kFewRows = 4096;      // and from batch to batch

using Choice = std::function<bool(const Call&, DType)>;
using Typing = std::function<DType(const Call&, DType)>;
bool every(const Call&, DType) { return true; }

// {of, ...} of (rows): the registers of the columns chosen, as `typing` has them, added to the fold.
Op carry_op() {
  Op op{.name = "carry", .on = {{internal, ""}}};
  op.schema = [](const Call&) { return Schema{Kind::scalar, {{Value(), {Storage::text}}}, {}, false}; };
  op.lower = [](Lowering& l, const Call& c) {
    const Rows rows = l.input();
    std::vector<int> in;
    std::vector<int> from;
    for (const auto& at : c["columns"].list()) {
      const auto& pair = at.list();
      const auto i = static_cast<size_t>(pair.at(0).integer());
      from.push_back(static_cast<int>(in.size()));
      in.push_back(cast(l, rows.stage, rows.columns[i], c.input().columns[i].type, dtype_of(pair.at(1).integer()), "carry"));
    }
    return l.fold(rows.stage, "carry", c["how"], in, {from});
  };
  op.folds = true;
  op.kernels = kernels::carried_kernels();
  op.kernels.push_back(kernels::carry_kernel());
  return op;
}

// An operator of rows that needs a carry: `typing` is the dtype it works in, `how` the fold's arguments, `step` what each partition does then.
struct Ordered {
  Choice chosen;
  Typing typing;
  std::function<Dict(const Call&)> how;
  std::function<std::pair<std::string, Dict>(const Call&, const std::vector<DType>&)> step;
};

Op ordered(std::string name, std::vector<Method> on, Typing result, Ordered o) {
  Op op{.name = std::move(name), .on = std::move(on)};
  op.schema = [result](const Call& c) {
    Schema s = c.input();
    for (auto& f : s.columns) f.type = result(c, f.type);
    return s;
  };
  op.beside = [o](const Call& c, const Expr& input) {
    List columns;
    for (size_t i = 0; i < input->schema.columns.size(); ++i) {
      const DType t = input->schema.columns[i].type;
      if (o.chosen(c, t)) columns.push_back(List{i, code(o.typing(c, t))});
    }
    return std::vector{make(expr::op("carry"), Dict{{"columns", columns}, {"how", o.how(c)}}, {input})};
  };
  op.lower = [o](Lowering& l, const Call& c) {
    Rows rows = l.input();
    std::vector<int> in;
    std::vector<size_t> at;
    std::vector<DType> types;
    for (size_t i = 0; i < rows.columns.size(); ++i) {
      const DType t = c.input().columns[i].type;
      if (!o.chosen(c, t)) continue;
      at.push_back(i), types.push_back(o.typing(c, t));
      in.push_back(cast(l, rows.stage, rows.columns[i], t, types.back(), c.op.name));
    }
    if (in.empty()) return rows;
    in.push_back(l.input(1).columns.at(0));
    auto [kernel, args] = o.step(c, types);
    const auto made = l.step(rows.stage, kernel, std::move(args), in, static_cast<int>(at.size()));
    for (size_t k = 0; k < at.size(); ++k) rows.columns[at[k]] = made[k];
    return rows;
  };
  op.same_rows = true;
  return op;
}

Op cumulative(const std::string& name, const std::string& function, const std::string& what) {
  const bool grows = function == "sum" || function == "prod";
  Typing typing = [=](const Call& c, DType t) -> DType {
    if (c["skipna"] == Value(false) || (!c["axis"].is_none() && !(c["axis"] == Value(0)))) throw unsupported(name, ": these arguments");
    const bool ok = t.is_numeric() || (t.is_time() && (!grows || (function == "sum" && t.storage == Storage::duration)));
    if (!ok) throw unsupported(name, ": of ", t.name());
    if (!grows) return t;
    if (t.is_boolean()) return {Storage::int64, Unit::us, t.open};
    return t.is_integer() ? DType{t.is_signed() ? Storage::int64 : Storage::uint64, Unit::us, t.open} : t;
  };
  Op op = ordered(name, {{frame, "axis=0, skipna=True"}, {series, "axis=0, skipna=True"}}, typing,
                  {every, typing, [=](const Call&) { return Dict{{"of", "running"}, {"op", function}}; },
                   [=](const Call&, const std::vector<DType>&) { return std::pair<std::string, Dict>("running", Dict{{"op", function}}); }});
  op.doc = {
      .summary = concat("The ", what, " of the values up to each row."),
      .returns = "As the input; sums and products of integers and bools are 64 bit. Lazy.",
      .notes =
          "Missing values stay missing and are passed over. Each partition is told first what those in front of it come to: the data is read twice, "
          "or kept where it is small.",
      .example = concat("\n>>> s = dd.from_pandas(pd.Series([2, 1, 3], name=\"x\"), npartitions=2)\n>>> s.", name, "().compute().tolist()\n",
                        function == "sum"    ? "[2, 3, 6]"
                        : function == "prod" ? "[2, 2, 6]"
                        : function == "min"  ? "[2, 1, 1]"
                                             : "[2, 2, 3]",
                        "\n")};
  op.params = {{"axis", "0; 1 along each row, through pandas."}, {"skipna", "False: after a missing value all are; through pandas."}};
  return op;
}

int64_t periods_of(const Call& c) {
  if (!c["periods"].is_integer() || std::abs(c["periods"].integer()) > kMostRows) throw unsupported(c.op.name, ": periods=", c["periods"].repr());
  if (c.has("freq") || (!c["axis"].is_none() && !(c["axis"] == Value(0)))) throw unsupported(c.op.name, ": these arguments");
  return c["periods"].integer();
}
Dict rows_beside(const Call& c) { return {{"of", "rows"}, {"n", std::abs(periods_of(c))}, {"back", periods_of(c) < 0}}; }

std::pair<std::string, Dict> shift_step(const Call& c, const std::vector<DType>& types) {
  List codes;
  for (auto t : types) codes.push_back(code(t));
  const int64_t n = periods_of(c);
  return {n > 0 && n <= kFewRows ? "shift_down" : "shift", Dict{{"n", periods_of(c)}, {"fill", List(types.size(), c["fill_value"])}, {"types", codes}}};
}

Op shift_op() {
  Typing typing = [](const Call& c, DType t) -> DType {
    if (t.is_object()) throw unsupported("shift: of ", t.name());
    if (c.has("fill_value")) {
      if (!holds(t, c["fill_value"])) throw unsupported("shift: fill_value=", c["fill_value"].repr(), " in a column of ", t.name());
      return t;
    }
    if (t.is_boolean()) throw unsupported("shift: of bool");
    return t.is_integer() ? DType{Storage::float64} : t;
  };
  const std::string signature = "periods=1, freq=None, axis=0, fill_value=no_default", typed = "int64_t periods = 1, const Literal& fill_value = {}";
  Op op = ordered("shift", {{frame, signature, "", typed}, {series, signature, "", typed}},
                  [=](const Call& c, DType t) { return periods_of(c) == 0 && !t.is_object() ? t : typing(c, t); },
                  {[](const Call& c, DType) { return periods_of(c) != 0; }, typing, rows_beside, shift_step});
  op.doc = {.summary = "The values moved by `periods` rows.", .returns = "As the input; integers become float64 unless `fill_value` is given. Lazy.",
            .example = R"(
>>> s = dd.from_pandas(pd.Series([1, 2, 3], name="x"), npartitions=2)
>>> s.shift(1).compute().tolist()
[nan, 1.0, 2.0]
)"};
  op.params = {{"periods", "Rows down; negative: up."},
               {"freq", "Moves the index instead; through pandas."},
               {"axis", "0; 1 along each row, through pandas."},
               {"fill_value", "What stands where no row is; default: missing."}};
  op.show = [](const Call& c) { return c["periods"].repr(); };
  return op;
}

// The dtype in which pandas subtracts, and the one it gives.
std::pair<DType, DType> difference(DType t) {
  if (t.is_time()) return {t, {Storage::duration, t.unit}};
  if (!t.is_number()) throw unsupported("diff: of ", t.name());
  if (t.is_float()) return {t, t};
  const bool narrow = t.storage == Storage::int8 || t.storage == Storage::int16;
  return {narrow ? DType{Storage::int32, Unit::us, t.open} : DType{t.storage}, narrow ? DType{Storage::float32} : DType{Storage::float64}};
}

Op diff_op() {
  Op op = ordered("diff", {{frame, "periods=1, axis=0", "", "int64_t periods = 1"}, {series, "periods=1", "", "int64_t periods = 1"}},
                  [](const Call& c, DType t) { return periods_of(c), difference(t).second; },
                  {every, [](const Call&, DType t) { return difference(t).first; }, rows_beside, shift_step});
  op.lower = [shifted = op.lower](Lowering& l, const Call& c) {
    const Rows before = shifted(l, c), rows = l.input();
    Rows out = rows;
    for (size_t i = 0; i < rows.columns.size(); ++i) {
      const DType given = c.input().columns[i].type;
      const auto [in, result] = difference(given);
      const DType computed = in.is_time() ? result : in;
      const int x = cast(l, rows.stage, rows.columns[i], given, in, "diff");
      const int reg = l.one(rows.stage, "binary", Dict{{"op", "sub"}, {"type", code(computed)}}, {x, before.columns[i]});
      out.columns[i] = cast(l, rows.stage, reg, computed, result, "diff");
    }
    return out;
  };
  op.doc = {.summary = "The values less those `periods` rows in front.",
            .returns = "Floats; durations of times. Lazy.",
            .notes = "Missing where one of the two is. Integers wrap around as in pandas.",
            .example = R"(
>>> s = dd.from_pandas(pd.Series([1, 2, 4], name="x"), npartitions=2)
>>> s.diff().compute().tolist()
[nan, 1.0, 2.0]
)"};
  op.params = {{"periods", "Rows in front; negative: behind."}, {"axis", "0; 1 along each row, through pandas."}};
  op.show = [](const Call& c) { return c["periods"].repr(); };
  return op;
}

Op fill_op(const std::string& name, bool back) {
  Typing typing = [name](const Call& c, DType t) {
    if (t.is_object() || (!c["axis"].is_none() && !(c["axis"] == Value(0))) || c["inplace"] == Value(true) || c.has("limit_area") ||
        (c.has("limit") && (!c["limit"].is_integer() || c["limit"].integer() <= 0)))
      throw unsupported(name, ": these arguments");
    return t;
  };
  const std::string signature = "axis=0, inplace=False, limit=None, limit_area: Literal['inside', 'outside'] = None",
                    typed = "std::optional<int64_t> limit = {}";
  Op op = ordered(name, {{frame, signature, "", typed}, {series, signature, "", typed}}, typing,
                  {[](const Call&, DType t) { return t.open || !(t.is_integer() || t.is_boolean()); }, typing,
                   [=](const Call&) { return Dict{{"of", "last"}, {"back", back}}; },
                   [=](const Call& c, const std::vector<DType>&) {
                     return std::pair<std::string, Dict>(back ? "fill_gaps_back" : "fill_gaps", Dict{{"limit", c["limit"]}});
                   }});
  op.doc = {
      .summary = back ? "Missing values replaced by the first one behind that is there." : "Missing values replaced by the last one in front that is there.",
      .returns = "As the input. Lazy.",
      .example = concat("\n>>> s = dd.from_pandas(pd.Series([1.0, None, 3.0], name=\"x\"), npartitions=2)\n>>> s.", name, "().compute().tolist()\n",
                        back ? "[1.0, 3.0, 3.0]" : "[1.0, 1.0, 3.0]", "\n")};
  op.params = {{"axis", "0; 1 along each row, through pandas."},
               {"inplace", "Must be False."},
               {"limit", "At most so many missing values in a row are replaced."},
               {"limit_area", "pandas'; through pandas."}};
  return op;
}
}  // namespace

Ops ordered_ops() {
  return {carry_op(),
          cumulative("cumsum", "sum", "sum"),
          cumulative("cumprod", "prod", "product"),
          cumulative("cummin", "min", "minimum"),
          cumulative("cummax", "max", "maximum"),
          shift_op(),
          diff_op(),
          fill_op("ffill", false),
          fill_op("bfill", true)};
}

}  // namespace muster::ops::frame
