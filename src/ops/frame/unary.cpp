// -x, ~x, abs, isna and their synonyms; isin, fillna: one column in, one out.
#include <cmath>

#include "ops/frame/columns.hpp"

namespace muster::ops::frame {
namespace {
using Typing = std::function<DType(DType)>;

Op columnwise(std::string name, std::vector<Method> on, Doc doc, Typing typing, std::string kernel_op) {
  Op op{.name = name, .on = std::move(on), .doc = std::move(doc)};
  op.schema = [typing](const Call& c) {
    Schema s = c.input();
    for (auto& f : s.columns) f.type = typing(f.type);
    return s;
  };
  op.lower = [kernel_op](Lowering& l, const Call& c) {
    Rows rows = l.input();
    for (size_t i = 0; i < rows.columns.size(); ++i)
      rows.columns[i] = l.one(rows.stage, "unary", Dict{{"op", kernel_op}, {"type", code(c.input().columns[i].type)}}, {rows.columns[i]});
    return rows;
  };
  op.same_rows = true;
  return op;
}

// Whether a value can be one of the column's; bools are 0 and 1.
bool can_be(const Value& v, DType t) {
  if (t.is_boolean()) return v.is_number() && (v.number() == 0 || v.number() == 1);
  // no float is 2^53 + 1
  if (t.is_float() && v.is_integer() && (std::fabs(v.number()) >= 0x1p63 || static_cast<int64_t>(v.number()) != v.integer())) return false;
  if (t.is_float() && v.is_unsigned() && (v.number() >= 0x1p64 || static_cast<uint64_t>(v.number()) != v.unsigned_integer())) return false;
  return holds(t, v.is_bool() ? Value(v.integer()) : v);
}

Op is_in() {
  Op op{.name = "isin", .on = {{frame, "values", "", "const Literal::List& values"}, {series, "values", "", "const Literal::List& values"}}};
  op.doc = {
      .summary = "Whether each value is one of `values`.",
      .returns = "bool, as the input. Lazy.",
      .raises = {{"TypeError", "at the call: values is not a list"}},
      .notes =
          "A missing value is found where values holds one that pandas takes for the same: NaN beside floats, NaT beside times. Values of another "
          "kind than the column are never found.",
      .example = R"(
>>> s = dd.from_pandas(pd.Series([1, 2, 3], name="x"), npartitions=2)
>>> s.isin([1, 3]).compute()
0     True
1    False
2     True
Name: x, dtype: bool
)"};
  op.params = {{"values", "List of scalars; for a DataFrame also a dict of column to list."}};
  op.schema = [](const Call& c) {
    if (!c["values"].is_list() && !(c["values"].is_dict() && c.input().kind == Kind::frame))
      throw type_error("only list-like objects are allowed to be passed to isin(), you passed a `", c["values"].repr(), "`");
    Schema s = c.input();
    for (auto& f : s.columns) {
      if (f.type.is_object()) throw unsupported("isin: of ", f.type.name());
      f.type = {Storage::boolean};
    }
    return s;
  };
  op.lower = [](Lowering& l, const Call& c) {
    Rows rows = l.input();
    const auto given = by_column(c, c["values"]);
    for (size_t i = 0; i < rows.columns.size(); ++i) {
      const DType type = c.input().columns[i].type;
      List values;
      const Value* wanted = given[i];
      static const List none;
      bool missing = false;
      for (const auto& v : wanted ? wanted->list() : none)
        if (is_missing(v)) missing = true;
        else if (can_be(v, type)) values.push_back(v);
      if (c["missing"].is_list()) missing = c["missing"].list().at(i).boolean();  // as pandas has it: beside floats NaN is one of them, None is not
      rows.columns[i] = l.one(rows.stage, "is_in", Dict{{"type", code(type)}, {"values", values}, {"missing", missing}}, {rows.columns[i]});
    }
    return rows;
  };
  op.same_rows = true;
  op.show = [](const Call& c) { return c["values"].repr().substr(0, 60); };
  return op;
}

bool never_missing(DType t) { return !t.open && (t.is_integer() || t.is_boolean()); }

Error misfit(const data::Field& column, const Value& v) {
  if (!column.type.is_text()) return type_error("fillna: value ", v.repr(), " does not fit column ", column.label.repr(), " of dtype ", column.type.name());
  return type_error("Invalid value '", v.label(), "' for dtype 'str' of column ", column.label.repr(), ". Value should be a string or missing value, got '",
                    v.is_number() ? (v.is_float()  ? "float"
                                     : v.is_bool() ? "bool"
                                                   : "int")
                                  : "object",
                    "' instead.");
}

// Whether a value for all columns of a frame is none for this one: `df.fillna(0)` may meet texts and times of which none is missing.
bool only_for_others(const Call& c, DType t, const Value& v) {
  return c.input().kind == Kind::frame && !c["value"].is_dict() && (t.is_text() || t.is_time()) && v.is_number();
}

// all_present {message}: the column; TypeError where a value is missing.
Map all_present(const Args& a) {
  return [message = a["message"].string()](Task&, Columns in, int64_t rows, std::span<Column> out) {
    for (int64_t i = 0; i < rows; ++i)
      if (in[0].is_missing(i)) throw type_error(message);
    out[0] = in[0];
    return rows;
  };
}

// The dtype after filling: an open column has no missing values left; a float put into an integer column only matters where one is missing.
DType filled(const data::Field& column, const Value& v) {
  const DType t = column.type;
  if (t.is_object()) throw unsupported("fillna of an object column");
  if (never_missing(t)) return t;
  if ((t.is_numeric() && !v.is_number()) || (t.is_time() && !v.is_moment()) || (t.is_text() && !v.is_string())) throw misfit(column, v);
  if (is_missing(v) || t.is_boolean()) return t;
  if (v.is_bool()) throw unsupported("fillna: ", v.repr(), " in a column of ", t.name());
  if (t.is_integer()) return holds(t, v) ? t : DType{Storage::float64};  // open: pandas keeps float64 where values were missing
  if (!holds(t, v)) throw unsupported("fillna: ", v.repr(), " in a column of ", t.name());
  return t;
}

Op fillna() {
  Op op{.name = "fillna", .on = {{frame, "value=None, axis=None", "", "const Literal& value"}, {series, "value=None, axis=None", "", "const Literal& value"}}};
  op.doc = {
      .summary = "The input with missing values replaced.",
      .returns = "As the input. Lazy.",
      .raises = {{"TypeError", "at the call: the value does not fit a column's dtype; at compute: a number for a whole DataFrame meets a missing text or time"},
                 {"ValueError", "at the call: value is None"}},
      .notes = "An integer column of a file that turns out to have missing values is float64 also after filling, as pandas has read it.",
      .example = R"(
>>> s = dd.from_pandas(pd.Series([1.5, None], name="x"), npartitions=1)
>>> s.fillna(0).compute()
0    1.5
1    0.0
Name: x, dtype: float64
)"};
  op.params = {{"value", "Scalar; for a DataFrame also a dict of column to scalar."}, {"axis", "Accepted; must be None or 0."}};
  op.schema = [](const Call& c) {
    if (c["value"].is_none()) throw invalid("Must specify a fill 'value'.");
    if (c["value"].is_list()) throw type_error("\"value\" parameter must be a scalar or dict, but you passed a \"list\"");
    if (c["value"].is_input()) throw unsupported("fillna: a lazy value; compute it first");
    Schema s = c.input();
    const auto values = by_column(c, c["value"]);
    for (size_t i = 0; i < s.columns.size(); ++i)
      if (const Value* v = values[i]; v && !only_for_others(c, s.columns[i].type, *v)) s.columns[i].type = filled(s.columns[i], *v);
    return s;
  };
  op.lower = [](Lowering& l, const Call& c) {
    Rows rows = l.input();
    const auto values = by_column(c, c["value"]);
    for (size_t i = 0; i < rows.columns.size(); ++i) {
      const Value* v = values[i];
      if (!v || (v->is_float() && v->number() != v->number())) continue;
      if (only_for_others(c, c.input().columns[i].type, *v)) {
        rows.columns[i] = l.one(rows.stage, "all_present", Dict{{"message", misfit(c.input().columns[i], *v).message}}, {rows.columns[i]});
        continue;
      }
      const DType from = c.input().columns[i].type, to = filled(c.input().columns[i], *v);
      if (never_missing(from)) continue;
      const int reg = cast(l, rows.stage, rows.columns[i], from, to, "fillna");
      rows.columns[i] = l.one(rows.stage, "fill", Dict{{"type", code(to)}}, {reg, constant(l, rows.stage, *v, to)});
    }
    return rows;
  };
  op.same_rows = true;
  op.show = [](const Call& c) { return c["value"].repr(); };
  op.kernels = {{.name = "all_present", .map = all_present}};
  return op;
}
}  // namespace

Ops unary_ops() {
  Typing negated = [](DType t) {
    if (t.is_boolean())
      throw type_error("The numpy boolean negative, the `-` operator, is not supported, use the `~` operator or the logical_not function instead.");
    if (!t.is_number() && t.storage != Storage::duration) throw type_error("bad operand type for unary -: '", t.name(), "'");
    return t;
  };
  Typing inverted = [](DType t) {
    if (!t.is_boolean() && !t.is_integer()) throw type_error("bad operand type for unary ~: '", t.name(), "'");
    return t;
  };
  Typing absolute = [](DType t) {
    if (!t.is_numeric() && t.storage != Storage::duration) throw type_error("bad operand type for abs(): '", t.name(), "'");
    return t;
  };
  Typing boolean = [](DType) { return DType{Storage::boolean}; };
  auto both = [](const char* method) { return std::vector<Method>{{frame, "", method}, {series, "", method}}; };
  Doc missing{
      .summary = "Whether each value is missing.", .returns = "bool, as the input. Lazy.", .notes = "NaN, NaT and None are missing; an empty text is not."};
  Doc present{
      .summary = "Whether each value is present.", .returns = "bool, as the input. Lazy.", .notes = "NaN, NaT and None are missing; an empty text is not."};
  Doc magnitude{.summary = "The absolute values.", .returns = "As the input. Lazy.", .raises = {{"TypeError", "at the call: a column is not numeric"}}};
  Ops ops = {columnwise("neg", {{frame, "", "__neg__"}, {series, "", "__neg__"}, {scalar, "", "__neg__"}},
                        {.summary = "-self, row by row.", .returns = "As the input. Lazy."}, negated, "neg"),
             columnwise("invert", both("__invert__"), {.summary = "~self, row by row.", .returns = "As the input. Lazy."}, inverted, "invert"),
             columnwise("abs", {{frame, ""}, {series, ""}, {frame, "", "__abs__"}, {series, "", "__abs__"}}, magnitude, absolute, "abs"),
             columnwise("isna", {{frame, ""}, {series, ""}, {frame, "", "isnull"}, {series, "", "isnull"}}, missing, boolean, "isna"),
             columnwise("notna", {{frame, ""}, {series, ""}, {frame, "", "notnull"}, {series, "", "notnull"}}, present, boolean, "notna")};
  ops.push_back(is_in());
  ops.push_back(fillna());
  return ops;
}

}  // namespace muster::ops::frame
