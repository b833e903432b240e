// Arithmetic, comparison and logic between columns, scalars and one-row results: one table of operators.
#include "ops/frame/columns.hpp"

#include "io/csv/time.hpp"

namespace muster::ops::frame {
namespace {

bool compares(const std::string& op) { return op == "eq" || op == "ne" || op == "lt" || op == "le" || op == "gt" || op == "ge"; }
bool is_logic(const std::string& op) { return op == "and" || op == "or" || op == "xor"; }

// One side: a dtype, and the value where it is a Python scalar (whose dtype gives way, as in NumPy 2).
struct Side {
  DType type;
  const Value* scalar = nullptr;
};

// How two sides are computed: both cast to `compute`, the result is `result`; constant: the answer without looking (text == 1).
struct Kernel2 {
  DType compute, result;
  std::string op;
  int constant = -1;
  bool divides = false;  // by numbers that may be zero: the result is float64 if one is (Op::revise)
};

[[noreturn]] void refuse(const std::string& op, const Side& a, const Side& b) {
  throw type_error("operation '", op, "' is not defined between dtypes ", a.type.name(), " and ", b.type.name());
}

DType common(const Side& a, const Side& b) {
  auto weak = [](DType column, const Value& v) -> DType {
    if (v.is_bool()) return column;
    if (v.is_integer() || v.is_unsigned()) {
      const DType in = column.is_boolean() ? DType{Storage::int64, Unit::us, column.open} : column;
      if (in.is_integer() && in.open && !holds(in, v)) return DType{Storage::float64};  // as pandas has integers of which some are missing
      // pandas says that it is out of bounds
      if (in.is_integer() && !holds(in, v)) throw unsupported("the integer ", v.repr(), " beside a column of ", column.name());
      return in;
    }
    return column.is_float() ? column : DType{Storage::float64};
  };
  if (a.scalar && !b.scalar) return weak(b.type, *a.scalar);
  if (b.scalar && !a.scalar) return weak(a.type, *b.scalar);
  return promote(a.type, b.type);
}

// `plain`: numbers as NumPy divides them; an operator divides as pandas does.
Kernel2 choose(const std::string& op, const Side& a, const Side& b, bool plain) {
  const DType boolean{Storage::boolean};
  const bool text = a.type.is_text() && b.type.is_text(), any_text = a.type.is_text() || b.type.is_text();
  const bool none = (a.scalar && a.scalar->is_none()) || (b.scalar && b.scalar->is_none());
  if (a.type.is_object() || b.type.is_object()) throw unsupported("operation '", op, "' on an object column; use map_partitions");
  if (compares(op)) {
    if (none) return {a.type, boolean, op, op == "ne"};
    if (text) return {a.type, boolean, op};
    if (a.type.is_time() || b.type.is_time()) {
      if (a.type.storage == b.type.storage) return {{a.type.storage, std::max(a.type.unit, b.type.unit)}, boolean, op};
      if (op == "eq" || op == "ne") return {a.type, boolean, op, op == "ne"};
      refuse(op, a, b);
    }
    if (any_text) {
      if (op == "eq" || op == "ne") return {a.type, boolean, op, op == "ne"};
      refuse(op, a, b);
    }
    if (b.scalar && a.type.is_number() && (a.type.is_float() || b.type.is_integer())) {  // NumPy: a Python number gives way
      if (a.type.is_float() || holds(a.type, *b.scalar)) return {a.type, boolean, op};
      const bool above = b.scalar->number() > 0;
      return {a.type, boolean, op, op == "ne" || (above ? op == "lt" || op == "le" : op == "gt" || op == "ge")};
    }
    const DType type = promote(a.type, b.type);
    if (a.type.is_integer() && b.type.is_integer() && type.is_float())
      throw unsupported("operation '", op, "' between ", a.type.name(), " and ", b.type.name());  // floats would not tell all integers apart
    return {type, boolean, op};
  }
  if (is_logic(op)) {
    if (a.type.is_boolean() && b.type.is_boolean()) return {boolean, boolean, op};
    if (a.type.is_integer() && b.type.is_integer()) throw unsupported("operation '", op, "' on integers; only booleans");
    refuse(op, a, b);
  }
  if (text && op == "add") return {a.type, a.type, op};
  if (any_text) refuse(op, a, b);
  if (a.type.is_time() || b.type.is_time()) {
    const bool moments = a.type.storage == Storage::timestamp || b.type.storage == Storage::timestamp;
    const Unit unit = !a.type.is_time() ? b.type.unit : !b.type.is_time() ? a.type.unit : std::max(a.type.unit, b.type.unit);
    const DType duration{Storage::duration, unit};
    if (!a.type.is_time() || !b.type.is_time()) refuse(op, a, b);
    if (op == "sub" && a.type.storage == b.type.storage) return {duration, duration, op};
    if (op == "sub" && b.type.storage == Storage::timestamp) refuse(op, a, b);
    if ((op == "add" || op == "sub") && !(a.type.storage == Storage::timestamp && b.type.storage == Storage::timestamp))
      return {duration, {moments ? Storage::timestamp : Storage::duration, unit}, op};
    refuse(op, a, b);
  }
  if (none) refuse(op, a, b);
  const bool boolean_scalar = (a.scalar && a.scalar->is_bool()) || (b.scalar && b.scalar->is_bool());
  // pandas refuses some and reads others as integers
  if (boolean_scalar && op != "add" && op != "sub" && op != "mul") throw unsupported("operation '", op, "' with a bool");
  DType type = common(a, b);
  if (type.is_boolean()) {  // NumPy: + is or, * is and; - is refused
    if (op == "add") return {boolean, type, "or"};
    if (op == "mul") return {boolean, type, "and"};
    if (op == "sub")
      throw type_error(
          "numpy boolean subtract, the `-` operator, is not supported, use the bitwise_xor, the `^` operator, or the logical_xor function instead.");
    if (!plain && op != "mod") throw unsupported("operator '", op, "' between bools");
    type = op == "truediv" ? DType{Storage::float64} : DType{Storage::int8, Unit::us, type.open};
  }
  if (op == "truediv" && !type.is_float()) type = {Storage::float64};
  // NumPy: x * x in the smallest integers
  if (op == "pow" && a.type.is_boolean() && b.scalar && b.scalar->is_integer() && b.scalar->integer() == 2) type = {Storage::int8, Unit::us, type.open};
  if (op == "pow" && type.is_signed() && b.scalar && b.scalar->is_integer() && b.scalar->integer() < 0) {
    if (!a.type.open) throw invalid("Integers to negative integer powers are not allowed.");
    type = {Storage::float64};
  }
  if (plain) return {type, type, op};
  // pandas: a division by zero gives inf or nan, so the result is float64; the remainder of floats is NaN anyway
  const bool widens = (op == "floordiv" && type.is_number() && type.storage != Storage::float64) || (op == "mod" && type.is_integer() && !b.type.is_boolean());
  if (b.scalar && b.scalar->number() == 0 && (widens || (op == "mod" && type.is_integer()))) type = {Storage::float64};
  return {type, type, op, -1, widens && !b.scalar};
}

// A string beside a timestamp is a time.
Value adapted(const Value& scalar, DType other) {
  if (!scalar.is_string() || !other.is_time()) return scalar;
  io::csv::Instant at;
  const auto& s = scalar.string();
  if (!io::csv::parse_time({s.data(), static_cast<int64_t>(s.size())}, "", at))
    throw type_error("'", s, "' is not a time; compare a datetime column with a datetime, or text like '2013-01-31'");
  return Moment{at.in(Unit::ns)};
}

// The input that is the other side; it may be the same as the first.
size_t other(const Call& c) { return static_cast<size_t>(c["other"].input()); }

struct Operands {
  std::vector<std::pair<int64_t, int64_t>> pairs;  // positions in left and right, -1 = the scalar or one-row column 0
  Schema schema;                                   // labels and index of the result; types still open
};

Operands operands(const Call& c, const std::string& op) {
  for (const char* name : {"level", "fill_value"})
    if (c.has(name)) throw unsupported(op, ": ", name, "=", c[name].repr());
  const Schema& a = c.input();
  Operands out{{}, a};
  const auto n = static_cast<int64_t>(a.columns.size());
  if (!c["other"].is_input()) {
    for (int64_t i = 0; i < n; ++i) out.pairs.emplace_back(i, -1);
    return out;
  }
  const Schema& b = c.input(other(c));
  const auto m = static_cast<int64_t>(b.columns.size());
  const bool one_a = c.inputs[0]->is_one_row(), one_b = c.inputs[other(c)]->is_one_row();
  if (!one_a && !one_b && c.inputs[0]->rows != c.inputs[other(c)]->rows)
    throw unsupported(op, ": the two sides have different rows; aligning them by index is not there yet. Take both from the same frame");
  if (a.kind == Kind::scalar || b.kind == Kind::scalar || (a.kind == Kind::series && b.kind == Kind::series)) {
    const bool left = !(a.kind == Kind::scalar && b.kind != Kind::scalar);
    out.schema = left ? a : b;
    for (int64_t i = 0; i < (left ? n : m); ++i) out.pairs.emplace_back(a.kind == Kind::scalar ? 0 : i, b.kind == Kind::scalar ? 0 : i);
    if (a.kind == Kind::series && b.kind == Kind::series && !(a.columns[0].label == b.columns[0].label)) out.schema.columns[0].label = {};
    if (a.kind == Kind::scalar && b.kind == Kind::scalar && !(a.columns[0].label == b.columns[0].label)) out.schema.columns[0].label = {};
    return out;
  }
  if ((a.kind == Kind::frame || a.kind == Kind::row) && (b.kind == Kind::frame || b.kind == Kind::row)) {
    out.schema = a.kind == Kind::frame ? a : b;
    if (same_labels(a, b)) {
      for (int64_t i = 0; i < n; ++i) out.pairs.emplace_back(i, i);
      return out;
    }
    if (n != m) throw unsupported(op, ": the two frames have different columns");
    const Positions &in_a = c.positions(), &in_b = c.positions(other(c));
    for (int64_t i = 0; i < n; ++i) {
      const auto at = a.kind == Kind::frame ? in_b.first(a.columns[static_cast<size_t>(i)].label) : i;
      const auto from = a.kind == Kind::frame ? i : in_a.first(b.columns[static_cast<size_t>(i)].label);
      if (at < 0 || from < 0 || in_a.all(a.columns[static_cast<size_t>(from)].label).size() > 1 ||
          in_b.all(b.columns[static_cast<size_t>(at)].label).size() > 1)
        throw unsupported(op, ": the two frames have different columns");
      out.pairs.emplace_back(from, at);
    }
    return out;
  }
  throw unsupported(op, " between a DataFrame and a Series: take one column, or assign column by column");
}

Side side(const Call& c, const Operands&, int64_t at, size_t input, const Value& scalar) {
  if (at >= 0) return {c.input(input).columns[static_cast<size_t>(at)].type, nullptr};
  return {type_of(scalar), &scalar};
}

struct Entry {
  std::string name, op;
  bool reverse;
};

// Whether column i of the result was found to be divided by zero.
bool is_wide(const Call& c, size_t i) {
  if (!c.has("wide")) return false;
  for (const Value& at : c["wide"].list())
    if (at.integer() == static_cast<int64_t>(i)) return true;
  return false;
}

// Of two Series pandas' methods (only these have an axis) divide the values with NumPy.
bool divides_plainly(const Call& c) {
  return c.input().kind == Kind::series && c["other"].is_input() && c.input(other(c)).kind == Kind::series && !c["axis"].is_none();
}

Kernel2 kernel_for(const Call& c, const Entry& e, const Operands& o, std::pair<int64_t, int64_t> pair, Value& scalar) {
  if (pair.second < 0) scalar = adapted(c["other"], c.input().columns[static_cast<size_t>(pair.first)].type);
  Side a = side(c, o, pair.first, 0, scalar), b = side(c, o, pair.second, c["other"].is_input() ? other(c) : 0, scalar);
  if (e.reverse) std::swap(a, b);
  return choose(e.op, a, b, divides_plainly(c));
}

Op make_op(const Entry& e, std::vector<Method> on) {
  Op op{.name = e.name, .on = std::move(on)};
  op.schema = [e](const Call& c) {
    Operands o = operands(c, e.name);
    Schema s = o.schema;
    for (size_t i = 0; i < o.pairs.size(); ++i) {
      Value scalar;
      auto k = kernel_for(c, e, o, o.pairs[i], scalar);
      s.columns[i].type = is_wide(c, i) ? DType{Storage::float64} : k.result;
      if (compares(e.op) || is_logic(e.op)) s.columns[i].type.open = false;
    }
    return s;
  };
  op.lower = [e](Lowering& l, const Call& c) {
    const Operands o = operands(c, e.name);
    const bool second = c["other"].is_input();
    const size_t anchor = second && c.inputs[0]->is_one_row() && !c.inputs[other(c)]->is_one_row() ? 1 : 0;
    const Rows a = l.input(0), b = second ? l.input(other(c)) : Rows{};
    Rows out{anchor ? b.stage : a.stage, {}, anchor ? b.index : a.index};
    for (size_t i = 0; i < o.pairs.size(); ++i) {
      const auto& pair = o.pairs[i];
      Value scalar;
      const auto k = kernel_for(c, e, o, pair, scalar);
      const DType type_a = c.input().columns[static_cast<size_t>(pair.first)].type;
      if (k.constant >= 0) {
        // Text never equals a number, and no int8 is above 300: the answer for every row that is there.
        const int reg = a.columns[static_cast<size_t>(pair.first)];
        if (k.constant && k.op != "ne") {
          out.columns.push_back(l.one(out.stage, "unary", Dict{{"op", "notna"}, {"type", code(type_a)}}, {reg}));
          continue;
        }
        int missing = l.one(out.stage, "unary", Dict{{"op", "isna"}, {"type", code(type_a)}}, {reg});
        int never = l.one(out.stage, "binary", Dict{{"op", "and"}, {"type", code(DType{Storage::boolean})}},
                          {missing, constant(l, out.stage, false, {Storage::boolean})});
        out.columns.push_back(k.constant ? l.one(out.stage, "unary", Dict{{"op", "invert"}, {"type", code(DType{Storage::boolean})}}, {never}) : never);
        continue;
      }
      // Times are computed as integers of one unit; the result's dtype says what they are.
      auto to = [&](DType from) { return from.is_time() ? DType{from.storage, k.compute.unit} : k.compute; };
      int x = cast(l, out.stage, a.columns[static_cast<size_t>(pair.first)], type_a, to(type_a), e.name), y;
      if (pair.second >= 0) {
        const DType type_b = c.input(other(c)).columns[static_cast<size_t>(pair.second)].type;
        y = cast(l, out.stage, b.columns[static_cast<size_t>(pair.second)], type_b, to(type_b), e.name);
      } else {
        const DType type_b = type_of(scalar);
        y = constant(l, out.stage, scalar, to(type_b));
      }
      if (e.reverse) std::swap(x, y);
      Dict how{{"op", k.op}, {"type", code(k.compute)}};
      if (pair.second < 0 && k.compute.is_text() && compares(k.op)) how.emplace_back("text", scalar);
      const bool wide = is_wide(c, i);
      if (wide) how.emplace_back("wide", true);
      else if (k.divides) how.emplace_back("first", l.next_result());
      out.columns.push_back(l.one(out.stage, "binary", std::move(how), {x, y}));
      if (k.divides && !wide) l.name_result(out.stage, out.columns.back(), static_cast<int64_t>(i), false);
    }
    return out;
  };
  if (e.op == "floordiv" || e.op == "mod")
    op.revise = [e](const Call& c, const std::vector<std::pair<int64_t, DType>>& wider, const std::vector<std::pair<int64_t, int64_t>>&) {
      // pandas computes columns of one dtype together: what one of them becomes, all become.
      const Operands o = operands(c, e.name);
      auto types = [&](size_t i) {
        Value scalar;
        return std::pair(code(side(c, o, o.pairs[i].first, 0, scalar).type),
                         o.pairs[i].second < 0 ? Value() : code(c.input(other(c)).columns[static_cast<size_t>(o.pairs[i].second)].type));
      };
      List wide;
      for (size_t i = 0; i < o.pairs.size(); ++i) {
        bool found = is_wide(c, i);
        for (const auto& [at, type] : wider) found = found || types(i) == types(static_cast<size_t>(at));
        if (found) wide.emplace_back(static_cast<int64_t>(i));
      }
      Dict out;
      for (const auto& [k, v] : c.args.dict())
        if (k.string() != "wide") out.emplace_back(k, v);
      out.emplace_back("wide", std::move(wide));
      return Value(std::move(out));
    };
  op.same_rows = true;
  op.show = [](const Call& c) { return c["other"].is_input() ? std::string() : c["other"].repr(); };
  return op;
}

struct Word { const char *name, *symbol; };
}  // namespace

Ops binary_ops() {
  Ops ops;
  const std::vector<Param> params{{"other", "Scalar, Series or DataFrame with the same rows, or a lazy scalar."},
                                  {"axis", "Accepted; rows are matched by position."},
                                  {"level", "Not supported; must be None."},
                                  {"fill_value", "Not supported; must be None."}};
  const std::pair<const char*, const char*> arithmetic[] = {{"add", "+"},       {"sub", "-"}, {"mul", "*"}, {"truediv", "/"},
                                                            {"floordiv", "//"}, {"mod", "%"}, {"pow", "**"}};
  for (auto [name, symbol] : arithmetic)
    for (bool reverse : {false, true}) {
      const std::string method = concat(reverse ? "r" : "", name);
      std::vector<Method> on{{frame, "other", "__" + method + "__"}, {series, "other", "__" + method + "__"}, {scalar, "other", "__" + method + "__"}};
      std::vector<std::string> names{method};
      if (method == "truediv") names.insert(names.end(), {"div", "divide"});
      if (method == "rtruediv") names.push_back("rdiv");
      for (const auto& n : names)
        on.insert(on.end(), {{frame, "other, axis='columns', level=None, fill_value=None", n}, {series, "other, level=None, fill_value=None, axis=0", n}});
      Op op = make_op({method, name, reverse}, std::move(on));
      op.doc = {.summary = concat(reverse ? "other " : "self ", symbol, reverse ? " self" : " other", ", row by row."),
                .returns = "As the input, with NumPy's dtype of the operation. Lazy.",
                .raises = {{"TypeError", "at the call: the operation is not defined for the dtypes"},
                           {"NotImplementedError", "at the call: the two sides have different rows, or level or fill_value is given"}},
                .notes = "Missing where a side is missing. Integers wrap around as NumPy's do; those of which some may be missing are computed as float64 "
                         "where the other side is an integer that their dtype cannot hold, or a negative power."};
      op.params = params;
      ops.push_back(std::move(op));
    }
  const std::pair<const char*, const char*> comparisons[] = {{"eq", "=="}, {"ne", "!="}, {"lt", "<"}, {"le", "<="}, {"gt", ">"}, {"ge", ">="}};
  for (auto [name, symbol] : comparisons) {
    const std::string method = concat("__", name, "__");
    Op op = make_op({name, name, false}, {{frame, "other", method},
                                          {series, "other", method},
                                          {scalar, "other", method},
                                          {frame, "other, axis='columns', level=None"},
                                          {series, "other, level=None, fill_value=None, axis=0"}});
    op.doc = {.summary = concat("self ", symbol, " other, row by row."),
              .returns = "bool, as the input. Lazy.",
              .raises = {{"TypeError", "at the call: the order is not defined between the dtypes"},
                         {"NotImplementedError", "at the call: the two sides have different rows"}},
              .notes = "A comparison with a missing value is False; != is True. Text beside a datetime column is read as a time."};
    op.params = params;
    ops.push_back(std::move(op));
  }
  for (auto [name, symbol] : {std::pair{"and", "&"}, {"or", "|"}, {"xor", "^"}})
    for (bool reverse : {false, true}) {
      const std::string method = concat("__", reverse ? "r" : "", name, "__");
      Op op = make_op({concat(reverse ? "r" : "", name), name, reverse}, {{frame, "other", method}, {series, "other", method}, {scalar, "other", method}});
      op.doc = {.summary = concat("self ", symbol, " other, row by row."),
                .returns = "bool, as the input. Lazy.",
                .raises = {{"TypeError", "at the call: a side is not boolean"}},
                .notes = "A missing value counts as False."};
      op.params = {{"other", "bool, or boolean Series or DataFrame with the same rows."}};
      ops.push_back(std::move(op));
    }
  return ops;
}

}  // namespace muster::ops::frame
