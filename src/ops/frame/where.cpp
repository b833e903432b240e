// where and mask: values kept by a condition, others replaced by a scalar, another column, or nothing.
#include <algorithm>

#include "data/dispatch.hpp"
#include "ops/frame/columns.hpp"

namespace muster::ops::frame {
namespace {

// choose(condition, a, b) {missing}: a where the condition holds, else b; what is missing in the result is reported under `missing`, if that is said.
Map choose(const Args& args) {
  return [id = args.has("missing") ? args["missing"].integer() : int64_t{-1}](Task& t, Columns in, int64_t rows, std::span<Column> out) {
    const Column condition = spread(in[0], rows), a = spread(in[1], rows);
    const Column& b = in[2];
    const uint8_t* holds = condition.as<uint8_t>();
    Writable w(a.storage, rows);
    visit(a.storage, [&](auto tag) {
      using T = typename decltype(tag)::type;
      const T *x = a.as<T>(), *y = b.as<T>();
      T* to = w.as<T>();
      if (b.constant) for (int64_t i = 0; i < rows; ++i) to[i] = holds[i] ? x[i] : y[0];
      else for (int64_t i = 0; i < rows; ++i) to[i] = holds[i] ? x[i] : y[i];
    });
    if (a.valid || b.valid) {
      uint8_t *valid = w.valid(), all = 1;
      for (int64_t i = 0; i < rows; ++i) all &= valid[i] = holds[i] ? !a.valid || a.valid[i] : !b.valid || b.valid[b.constant ? 0 : i];
      if (all && b.constant) w.forget_valid();  // nothing was replaced by a missing value
      if (!all && id >= 0) t.report.missing.push_back(id);
    }
    out[0] = std::move(w).finish(a.storage == Storage::text ? keep_both(a.text_keep(), b.text_keep()) : nullptr);
    return rows;
  };
}

DType replaced(DType t, const Value& other, const Schema* others, size_t i, bool is_wide) {
  if (t.is_object()) throw unsupported("where: of ", t.name());
  if (others) {
    const DType b = others->columns.at(others->columns.size() == 1 ? 0 : i).type;
    if (b.storage != t.storage || b.unit != t.unit) throw unsupported("where: a column of ", t.name(), " and one of ", b.name());
    return {t.storage, t.unit, t.open || b.open};
  }
  if (is_missing(other)) return is_wide ? DType{Storage::float64} : DType{t.storage, t.unit, t.open || t.is_integer() || t.is_boolean()};
  if (!holds(t, other)) throw unsupported("where: ", other.repr(), " in a column of ", t.name());
  return t;
}

// Whether the integers of a column turned out to be replaced by missing values.
bool wide(const Call& c, size_t i) {
  if (!c.has("wide")) return false;
  const auto& all = c["wide"].list();
  return std::find(all.begin(), all.end(), Value(static_cast<int64_t>(i))) != all.end();
}

Op make_op(const std::string& name, bool keep_where_true) {
  const std::string signature = "cond: Any, other=no_default, inplace=False, axis=None, level=None";
  Op op{.name = name,
        .on = {{frame, signature, "", "const DataFrame& cond, const Operand& other = Literal()"},
               {series, signature, "", "const Series& cond, const Operand& other = Literal()"}}};
  op.doc = {
      .summary = keep_where_true ? "The values where the condition holds, others replaced." : "The values where the condition does not hold, others replaced.",
      .returns = "As the input; integers become float64 where a value is replaced by a missing one. Lazy.",
      .notes = "What has no kernel (a function as condition, a value that the dtype does not hold) runs through pandas.",
      .example = concat("\n>>> s = dd.from_pandas(pd.Series([1, 2, 3], name=\"x\"), npartitions=2)\n>>> s.", name, "(s ",
                        keep_where_true ? "<" : ">=", " 3, 0).compute()\n0    1\n1    2\n2    0\nName: x, dtype: int64\n")};
  op.params = {{"cond", "bool Series with the same rows; of a DataFrame a DataFrame with the same columns."},
               {"other", "Scalar, or collection with the same rows; default: missing."},
               {"inplace", "Must be False."}, {"axis", "pandas'."}, {"level", "pandas'."}};
  op.schema = [name](const Call& c) {
    if (!c["cond"].is_input() || c["inplace"] == Value(true) || c.has("axis") || c.has("level")) throw unsupported(name, ": these arguments");
    const auto condition = static_cast<size_t>(c["cond"].input());
    Schema s = c.input();
    const Schema& given = c.input(condition);
    if (c.inputs[condition]->is_one_row() || c.inputs[condition]->rows != c.inputs[0]->rows || given.kind != s.kind || given.columns.size() != s.columns.size())
      throw unsupported(name, ": a condition of other rows");
    const Schema* others = c["other"].is_input() ? &c.input(static_cast<size_t>(c["other"].input())) : nullptr;
    if (others && (c.inputs[static_cast<size_t>(c["other"].input())]->is_one_row() ||
                   c.inputs[static_cast<size_t>(c["other"].input())]->rows != c.inputs[0]->rows || (others->kind != s.kind && others->kind != Kind::series)))
      throw unsupported(name, ": values of other rows");
    for (size_t i = 0; i < s.columns.size(); ++i) {
      if (!given.columns[i].type.is_boolean() || given.columns[i].type.open || (s.kind == Kind::frame && !(given.columns[i].label == s.columns[i].label)))
        throw unsupported(name, ": this condition");
      if (others && others->kind == Kind::frame && (others->columns.size() != s.columns.size() || !(others->columns[i].label == s.columns[i].label)))
        throw unsupported(name, ": values with other columns");
      if (others && others->kind == Kind::series && s.kind == Kind::frame) throw unsupported(name, ": a Series beside a DataFrame");
      s.columns[i].type = replaced(s.columns[i].type, c["other"], others, i, wide(c, i));
    }
    return s;
  };
  op.lower = [keep_where_true](Lowering& l, const Call& c) {
    Rows rows = l.input();
    const Rows condition = l.input(static_cast<size_t>(c["cond"].input()));
    const Rows others = c["other"].is_input() ? l.input(static_cast<size_t>(c["other"].input())) : Rows{};
    for (size_t i = 0; i < rows.columns.size(); ++i) {
      const DType own = c.input().columns[i].type, type = wide(c, i) ? DType{Storage::float64} : own;
      int holds = condition.columns[i];
      if (!keep_where_true) holds = l.one(rows.stage, "unary", Dict{{"op", "invert"}, {"type", code(DType{Storage::boolean})}}, {holds});
      const int other = c["other"].is_input() ? others.columns[i] : constant(l, rows.stage, is_missing(c["other"]) ? Value() : c["other"], type);
      const bool opens = is_missing(c["other"]) && type.is_integer();
      Dict args{{"type", code(type)}};
      if (opens) args.emplace_back("missing", l.next_result());
      rows.columns[i] = l.one(rows.stage, "choose", std::move(args), {holds, cast(l, rows.stage, rows.columns[i], own, type, "where"), other});
      if (opens) l.name_result(rows.stage, rows.columns[i], static_cast<int64_t>(i), true);
    }
    return rows;
  };
  op.revise = [](const Call& c, const std::vector<std::pair<int64_t, DType>>& wider, const std::vector<std::pair<int64_t, int64_t>>&) {
    List all = c.has("wide") ? c["wide"].list() : List{};
    for (const auto& [at, type] : wider)
      if (c.input().columns.at(static_cast<size_t>(at)).type.is_integer()) all.emplace_back(at);
    return with_argument(c.args, "wide", std::move(all));
  };
  op.same_rows = true;
  op.show = [](const Call& c) { return c["other"].is_input() ? std::string() : c["other"].repr(); };
  return op;
}
}  // namespace

Ops where_ops() {
  Ops ops{make_op("where", true), make_op("mask", false)};
  ops[0].kernels = {{.name = "choose", .map = choose, .traits = {.same_of_floats = [](const Args&) { return true; }}}};
  return ops;
}

}  // namespace muster::ops::frame
