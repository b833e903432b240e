// What runs Python: a function of each partition, of all rows, or of the rows of a stage whose result stays beside them.
#include <algorithm>
#include <cstring>
#include <limits>
#include <set>

#include "base/error.hpp"
#include "data/foreign_dtypes.hpp"
#include "kernels/python_call.hpp"
#include "kernels/wire.hpp"
#include "ops/frame/columns.hpp"

namespace muster::ops::frame {

Schema schema_of_fields(const Call& c);  // from_memory.cpp

namespace {
Value fields_of(const std::vector<Field>& fields) {
  List out;
  for (const auto& f : fields) out.push_back(List{f.label, code(f.type)});
  return out;
}
std::vector<Field> fields(const Value& v) {
  std::vector<Field> out;
  for (const auto& f : v.list()) out.push_back({f.list().at(0), dtype_of(f.list().at(1).integer())});
  return out;
}

// Of a program, which may run in another process: with the definitions of the dtypes that the engine does not open, each once.
Value encode(const Schema& s) {
  List definitions;
  std::set<uint64_t> defined{0};
  for (const auto* fields : {&s.columns, &s.index})
    for (const auto& f : *fields)
      if (defined.insert(f.type.foreign).second) definitions.push_back(data::definition_of(f.type));
  return Dict{{"kind", static_cast<int>(s.kind)}, {"fields", fields_of(s.columns)}, {"index", fields_of(s.index)}, {"dtypes", definitions}};
}
Schema decode(const Value& v) {
  for (const auto& definition : v["dtypes"].list()) data::know(definition);
  return {static_cast<Kind>(v["kind"].integer()), fields(v["fields"]), fields(v["index"]), false};
}

// What a function's results were otherwise than promised, by the numbers they are reported under: one number per column, index columns first, from `first` on.
void report(Task& t, const kernels::PythonRows& made, size_t index, int64_t first) {
  for (auto [column, type] : made.wider) t.report.wider.emplace_back(first + column, type);
  const auto& columns = made.rows.columns;
  for (size_t c = index; c < columns.size(); ++c)
    if (columns[c].valid && std::memchr(columns[c].valid, 0, static_cast<size_t>(columns[c].length)))
      t.report.missing.push_back(first + static_cast<int64_t>(c));
}

int64_t bytes_of(const Batches& rows) {
  int64_t bytes = 0;
  for (const auto& b : rows) bytes += size_of(b);
  return bytes;
}

// Calls the function: pandas has its own copy of the rows meanwhile, and makes as much again. Refused before, never behind the call.
kernels::PythonRows call(Task& t, const base::Opaque& function, const Batches& rows, const Schema& in, const Schema& out, bool ids) {
  const int64_t copied = 2 * bytes_of(rows);
  t.reserve(copied);
  auto made = kernels::python_apply()(t, function, rows, in, out, ids);
  t.hold(-copied);
  return made;
}

// python.apply {func, in, out, ids, kept, first}: all rows of a partition. ids: row ids are handed out as they are; kept: the result's index are such.
Whole apply(const Args& a) {
  auto function = a["func"].opaque();
  const Schema in = decode(a["in"]), out = decode(a["out"]);
  const bool ids = a["ids"].boolean(), kept = a["kept"].boolean();
  const int64_t first = a["first"].integer();
  return [=](Task& t, Batches rows) {
    const bool row_ids = in.index.empty() && !rows.empty() && rows[0].columns.at(0).storage == Storage::row_id;
    auto made = call(t, *function, rows, in, out, ids);
    report(t, made, out.index.size(), first);
    if (kept && row_ids) made.rows.columns.at(0).storage = Storage::row_id;
    return Batches{std::move(made.rows)};
  };
}

// python.map {func, in, out, first}: rows beside the rows they were made from.
Map map(const Args& a) {
  auto function = a["func"].opaque();
  const Schema in = decode(a["in"]), out = decode(a["out"]);
  const int64_t first = a["first"].integer();
  return [=](Task& t, Columns columns, int64_t rows, std::span<Column> result) {
    auto made = call(t, *function, {{rows, {columns.begin(), columns.end()}}}, in, out, false);
    if (made.rows.rows != rows) throw invalid("a function of rows returned ", made.rows.rows, " rows for ", rows);
    report(t, made, 0, first);
    std::move(made.rows.columns.begin(), made.rows.columns.end(), result.begin());
    return rows;
  };
}

// The partition a row is of.
Map partition_numbers(const Args&) {
  return [](Task& t, Columns, int64_t rows, std::span<Column> out) {
    Writable numbers(Storage::int64, rows);
    std::fill_n(numbers.as<int64_t>(), rows, t.partition());
    out[0] = std::move(numbers).finish();
    return rows;
  };
}

// All rows of a result as one row: columns in an object the engine passes on, the partition numbers last among them.
Whole pack(const Args&) {
  return [](Task&, Batches rows) -> Batches {
    auto held = std::make_shared<const Batch>(concatenate(rows));
    auto foreign =
        std::make_shared<const Foreign>(Foreign{{std::make_shared<const Opaque>(Opaque{kernels::kPackedRows, std::const_pointer_cast<Batch>(held)})}, {}});
    Writable position(Storage::object, 1);
    position.as<int64_t>()[0] = 0;
    Column one = std::move(position).finish(held);
    one.foreign = std::move(foreign);
    return {{1, {one}}};
  };
}

// unpack(any column, packed): the rows of the partition.
Map unpack(const Args&) {
  return [](Task& t, Columns in, int64_t rows, std::span<Column> out) {
    const auto& all = *static_cast<const Batch*>(in[1].foreign->sources.at(0)->object.get());
    const int64_t* numbers = all.columns.back().as<int64_t>();
    const int64_t begin = std::lower_bound(numbers, numbers + all.rows, t.partition()) - numbers;
    const int64_t end = std::upper_bound(numbers, numbers + all.rows, t.partition()) - numbers;
    if (end - begin != rows) throw base::internal("unpack: ", end - begin, " rows beside ", rows);
    for (size_t c = 0; c < out.size(); ++c) out[c] = slice(all.columns[c], begin, rows);
    return rows;
  };
}

// The inputs' columns beside each other, labelled 0, 1, ...
Schema beside(const Call& c) {
  Schema s{Kind::frame, {}, c.input().index, false};
  int64_t n = 0;
  for (const auto& in : c.inputs)
    for (const auto& f : in->schema.columns) s.columns.push_back({n++, f.type});
  return s;
}
// The inputs' registers behind those of the index, which are row ids where the function looks at no labels.
std::vector<int> registers_beside(Lowering& l, const Call& c, Rows& rows) {
  rows = l.input();
  const std::vector<int> ids = rows.index;
  if (c["labels"].boolean()) rows = labelled(l, c.input(), rows);
  if (rows.index.empty()) rows.index.push_back(l.one(rows.stage, "row_numbers", Dict{}, {rows.columns.at(0)}));  // a row that has none: a scalar
  std::vector<int> in = rows.index;
  for (size_t i = 0; i < c.inputs.size(); ++i)
    for (int r : l.input(i).columns) in.push_back(r);
  if (c.op.same_rows && !ids.empty()) rows.index = ids;
  return in;
}
void check_rows(const Call& c) {
  for (const auto& in : c.inputs)
    if (!in->is_one_row() && in->rows != c.inputs[0]->rows) throw unsupported(c["label"].label(), ": the inputs have different rows; take them from one frame");
}

bool opens(DType t) { return t.is_integer() || t.is_boolean(); }

// Integers and bools of Python functions are open: a missing value makes them float64 or object.
std::vector<Field> opened(std::vector<Field> fields) {
  for (auto& f : fields) f.type.open = opens(f.type);
  return fields;
}

Schema rows_schema(const Call& c) {
  check_rows(c);
  Schema s = schema_of_fields(c);
  s.columns = opened(s.columns), s.index = c.input().index;
  return s;
}

Rows rows_lower(Lowering& l, const Call& c) {
  Rows rows;
  std::vector<int> in = registers_beside(l, c, rows);
  Schema out = schema_of_fields(c);
  out.index.clear();
  const Dict args{{"func", c["func"]}, {"label", c["label"]}, {"in", encode(beside(c))}, {"out", encode(out)}, {"first", l.next_result()}};
  auto regs = l.step(rows.stage, "python.map", args, in, static_cast<int>(out.columns.size()));
  for (size_t i = 0; i < regs.size(); ++i) l.name_result(rows.stage, regs[i], static_cast<int64_t>(i), opens(out.columns[i].type));
  return {rows.stage, regs, rows.index};
}

Schema partitions_schema(const Call& c) {
  check_rows(c);
  Schema s = schema_of_fields(c);
  s.columns = opened(s.columns);
  if (c["kept"].boolean()) s.index = c["labels"].boolean() ? index_fields(c.input()) : c.input().index;
  return s;
}

// A function of a stage's rows: of each partition, or of all rows in one.
Rows apply_lower(Lowering& l, const Call& c) {
  Rows rows;
  std::vector<int> in = registers_beside(l, c, rows);
  const Schema given = beside(c);
  const bool all = c.op.folds, kept = c["kept"].boolean();
  int stage = rows.stage;
  std::vector<std::vector<int>> from;
  for (size_t i = 0; i < in.size(); ++i) from.push_back({static_cast<int>(i)});
  if (all) {
    const Rows one = l.fold(stage, "first_rows", Dict{{"n", std::numeric_limits<int64_t>::max()}}, in, from);
    stage = one.stage, in = one.columns;
  }
  Schema out = schema_of_fields(c);
  if (kept) out.index = index_fields(given);
  const size_t index = out.index.size();
  const Dict args{{"func", c["func"]}, {"label", c["label"]}, {"in", encode(given)},       {"out", encode(out)},
                  {"ids", kept},       {"kept", kept},        {"first", l.next_result()}};
  const Rows made = l.whole(stage, "python.apply", args, in, static_cast<int>(index + out.columns.size()));
  for (size_t i = 0; i < made.columns.size(); ++i)
    l.name_result(made.stage, made.columns[i], static_cast<int64_t>(i), i >= index && opens(out.columns[i - index].type));
  for (size_t i = 0; kept && i < index; ++i) l.depend(made.stage, made.columns[i], stage, in[i]);
  const auto split = made.columns.begin() + static_cast<std::ptrdiff_t>(index);
  return {made.stage, {split, made.columns.end()}, {made.columns.begin(), split}};
}

// The same call with wider dtypes of its result.
Value revise(const Call& c, const std::vector<std::pair<int64_t, DType>>& wider, const std::vector<std::pair<int64_t, int64_t>>&) {
  auto columns = fields(c["fields"]), index = c.op.same_rows ? std::vector<Field>() : fields(c["index"]);
  const size_t before = c["kept"].boolean() && !c.op.same_rows ? std::max<size_t>(1, c.input().index.size()) : index.size();
  for (const auto& [at, type] : wider) {
    const auto i = static_cast<size_t>(at);
    DType& promised = i >= before ? columns.at(i - before).type : index.at(i).type;
    if (!type.open) promised = type;
    else if (promised.is_integer()) promised = {Storage::float64};  // a value is missing
  }
  Dict out;
  for (const auto& [k, v] : c.args.dict())
    out.emplace_back(k, k.string() == "fields" ? fields_of(columns) : k.string() == "index" && !c.op.same_rows ? fields_of(index) : v);
  return out;
}

std::string shown(const Call& c) { return concat("python:", c.op.python, " ", c["label"].label()); }
}  // namespace

Ops python_ops() {
  Ops ops;
  // {func, label, kind, fields, labels}: the result has the rows of the inputs.
  ops.push_back({.name = "python_rows",
                 .on = {{internal, ""}},
                 .schema = rows_schema,
                 .lower = rows_lower,
                 .same_rows = true,
                 .revise = revise,
                 .show = shown,
                 .kernels = {{.name = "python.map", .map = map, .partition_at_once = true, .traits = {.widens_itself = true, .runs_python = true}}},
                 .python = "rows"});
  // {func, label, kind, fields, index, kept, labels}: of each partition. labels: the function looks at index values; without it row ids stay such.
  ops.push_back({.name = "map_partitions",
                 .on = {{internal, ""}},
                 .schema = partitions_schema,
                 .lower = apply_lower,
                 .revise = revise,
                 .show = shown,
                 .kernels = {{.name = "python.apply", .whole = apply, .traits = {.runs_python = true}}},
                 .python = "rows"});
  // The same of all rows.
  ops.push_back({.name = "python_whole",
                 .on = {{internal, ""}},
                 .schema = partitions_schema,
                 .lower = apply_lower,
                 .folds = true,
                 .revise = revise,
                 .show = shown,
                 .python = "whole"});
  // The number of the partition beside the rows; all rows as one; these beside the rows again.
  ops.push_back({.name = "partition_number", .on = {{internal, ""}},
                 .schema = [](const Call& c) { return Schema{Kind::series, {{Value(), {Storage::int64}}}, c.input().index, false}; },
                 .lower = [](Lowering& l, const Call&) {
                   const Rows rows = l.input();
                   return Rows{rows.stage, {l.one(rows.stage, "partition_numbers", Dict{}, {any_register(rows)})}, rows.index};
                 },
                 .same_rows = true, .kernels = {{.name = "partition_numbers", .map = partition_numbers}}});
  ops.push_back({.name = "packed", .on = {{internal, ""}},
                 .schema = [](const Call&) { return Schema{Kind::scalar, {{Value(), {Storage::object}}}, {}, false}; },
                 .lower = [](Lowering& l, const Call&) {
                   const Rows rows = l.input();
                   Rows one = l.whole(rows.stage, "pack", Dict{}, rows.columns, 1);
                   for (int r : rows.columns) l.depend(one.stage, one.columns[0], rows.stage, r);
                   return one;
                 },
                 .kernels = {{.name = "pack", .whole = pack}}});
  // {fields, kind} of (rows, packed)
  ops.push_back({.name = "unpacked", .on = {{internal, ""}},
                 .schema = [](const Call& c) {
                   Schema s = schema_of_fields(c);
                   const auto& made = c.inputs.at(1)->inputs.at(0)->schema.columns;  // wider, maybe, than when they were named
                   for (size_t i = 0; i < s.columns.size(); ++i) s.columns[i].type = made.at(i).type;
                   s.index = c.input().index;
                   return s;
                 },
                 .lower = [](Lowering& l, const Call& c) {
                   const Rows rows = l.input();
                   return Rows{rows.stage,
                               l.step(rows.stage, "unpack", Dict{}, {any_register(rows), l.input(1).columns[0]}, static_cast<int>(c["fields"].list().size())),
                               rows.index};
                 },
                 .same_rows = true, .kernels = {{.name = "unpack", .map = unpack, .partition_at_once = true}}});
  return ops;
}

}  // namespace muster::ops::frame
