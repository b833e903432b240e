// Registers are written once: what is cast, selected or labelled here goes to new ones, and the rows an operator was given stay as they are.
#include "ops/frame/columns.hpp"

#include <algorithm>
#include <cmath>

namespace muster::ops::frame {

int cast(Lowering& l, int stage, int reg, DType from, DType to, const std::string& operation) {
  if (from.storage == to.storage && (!from.is_time() || from.unit == to.unit)) return reg;
  return l.one(stage, "cast", Dict{{"from", code(from)}, {"to", code(to)}, {"what", operation}}, {reg});
}

int constant(Lowering& l, int stage, const Value& value, DType type) { return l.one(stage, "constant", Dict{{"value", value}, {"type", code(type)}}, {}); }

Rows select(Lowering& l, const Rows& rows, int mask) {
  std::vector<int> in{mask};
  in.insert(in.end(), rows.index.begin(), rows.index.end());
  in.insert(in.end(), rows.columns.begin(), rows.columns.end());
  auto out = l.step(rows.stage, "select", Dict{}, in, static_cast<int>(in.size()) - 1);
  const auto split = out.begin() + static_cast<std::ptrdiff_t>(rows.index.size());
  return {rows.stage, {split, out.end()}, {out.begin(), split}};
}

std::vector<Field> index_fields(const Schema& schema) { return schema.index.empty() ? std::vector<Field>{{Label(), {Storage::int64}}} : schema.index; }

Rows labelled(Lowering& l, const Schema& schema, Rows rows) {
  if (schema.index.empty() && !rows.index.empty()) rows.index[0] = l.labels(rows.stage, rows.index[0]);
  return rows;
}

Value with_argument(const Value& args, const char* name, List value) {
  Dict out;
  for (const auto& [k, v] : args.dict())
    if (k.string() != name) out.emplace_back(k, v);
  if (!value.empty()) out.emplace_back(name, std::move(value));
  return out;
}

int any_register(const Rows& rows) { return rows.index.empty() ? rows.columns.at(0) : rows.index[0]; }

std::vector<Label> labels(const Value& given) {
  if (given.is_list()) return given.list();
  return {given};
}

std::vector<int64_t> positions(const Call& c, const Value& given, const std::string& operation) {
  std::vector<int64_t> out;
  for (const auto& label : labels(given)) {
    const auto at = c.positions().all(label);  // a repeated label means all its columns
    if (at.empty()) c.input().position(label, operation);
    out.insert(out.end(), at.begin(), at.end());
  }
  return out;
}

std::vector<const Value*> by_column(const Call& c, const Value& given) {
  std::vector<const Value*> out(c.input().columns.size(), given.is_dict() ? nullptr : &given);
  if (given.is_dict())
    for (const auto& [label, value] : given.dict())
      for (auto at : c.positions().all(label)) out[static_cast<size_t>(at)] = &value;
  return out;
}

bool same_labels(const Schema& a, const Schema& b) {
  return std::equal(a.columns.begin(), a.columns.end(), b.columns.begin(), b.columns.end(), [](const Field& x, const Field& y) { return x.label == y.label; });
}

Label in_levels(const Label& label, size_t levels) {
  if (levels == 1) return label;
  if (label.is_list()) {
    if (label.list().size() != levels) throw invalid("Item must have length equal to number of levels.");
    return label;
  }
  List out(levels, Value(""));
  out[0] = label;
  return out;
}

int combine(Lowering& l, int stage, const char* op, const std::vector<int>& regs) {
  int all = regs.at(0);
  for (size_t i = 1; i < regs.size(); ++i) all = l.one(stage, "binary", Dict{{"op", op}, {"type", code(DType{Storage::boolean})}}, {all, regs[i]});
  return all;
}

DType type_of(const Value& v) {
  if (v.is_bool()) return {Storage::boolean};
  if (v.is_integer()) return {Storage::int64};
  if (v.is_unsigned()) return {Storage::uint64};
  if (v.is_string()) return {Storage::text};
  if (v.is_moment()) return {Storage::timestamp, v.moment().ns % 1000 ? Unit::ns : Unit::us};
  return {Storage::float64};
}

bool is_missing(const Value& v) { return v.is_none() || (v.is_float() && std::isnan(v.number())); }

bool holds(DType t, const Value& v) {
  if (is_missing(v) || v.is_input() || t.is_object()) return false;
  if (t.is_boolean()) return v.is_bool();
  if (t.is_text()) return v.is_string();
  if (t.storage == Storage::timestamp) return v.is_moment() && v.moment().ns % (1'000'000'000 / per_second(t.unit)) == 0;
  if (!t.is_number() || !v.is_number() || v.is_bool()) return false;
  if (t.storage == Storage::float64) return true;
  if (t.storage == Storage::float32) return static_cast<double>(static_cast<float>(v.number())) == v.number();
  const int bits = 8 * width(t.storage);
  if (v.is_float()) {  // both ends are powers of two
    const double x = v.number(), end = std::ldexp(1.0, t.is_signed() ? bits - 1 : bits);
    return std::floor(x) == x && x >= (t.is_signed() ? -end : 0) && x < end;
  }
  if (v.is_unsigned()) return t.storage == Storage::uint64;
  const int64_t n = v.integer();
  if (t.is_signed()) return bits == 64 || (n >= -(int64_t{1} << (bits - 1)) && n < int64_t{1} << (bits - 1));
  return n >= 0 && (bits == 64 || n < int64_t{1} << bits);
}

Op of_each_column(std::string name, std::vector<Method> on, std::function<void(const Call&, DType)> check, std::string kernel,
                  std::function<Dict(const Call&, DType)> args) {
  Op op{.name = std::move(name), .on = std::move(on)};
  op.schema = [check](const Call& c) {
    for (const auto& f : c.input().columns) check(c, f.type);
    return c.input();
  };
  op.lower = [=](Lowering& l, const Call& c) {
    Rows rows = l.input();
    for (size_t i = 0; i < rows.columns.size(); ++i)
      if (Dict given = args(c, c.input().columns[i].type); !given.empty()) rows.columns[i] = l.one(rows.stage, kernel, std::move(given), {rows.columns[i]});
    return rows;
  };
  op.same_rows = true;
  return op;
}

std::string python_value(const Value& v) { return v.is_input() ? "..." : v.repr(); }

int64_t partition_count(const Call& c, const std::string& operation) {
  const Value& count = c["partitions"];
  if (!count.is_integer() || count.integer() < 1) throw invalid(operation, ": npartitions must be a positive integer, got ", count.repr());
  return count.integer();
}

bool is_below(const Value& a, const Value& b) {
  if (a.is_string()) return a.string() < b.string();
  if (a.is_moment()) return a.moment().ns < b.moment().ns;
  return a.is_integer() && b.is_integer() ? a.integer() < b.integer() : a.number() < b.number();
}

void check_divisions(const List& divisions, const Field& index) {
  const DType t = index.type;
  if (t.is_object()) throw unsupported("divisions of an index of dtype ", t.name());
  bool ascend = divisions.size() > 1 && std::none_of(divisions.begin(), divisions.end(), is_missing);
  for (const auto& d : divisions)
    if (ascend && !(t.is_text() ? d.is_string() : t.storage == Storage::timestamp ? d.is_moment() : d.is_number()))
      throw type_error("divisions: ", d.repr(), " is no value of an index of dtype ", t.name());
  for (size_t i = 1; ascend && i < divisions.size(); ++i)
    ascend = is_below(divisions[i - 1], divisions[i]) || (i + 1 == divisions.size() && divisions[i - 1] == divisions[i]);
  if (!ascend) throw invalid("divisions must ascend, each there once and none missing, and be at least two; got ", Value(divisions).repr());
}

}  // namespace muster::ops::frame
