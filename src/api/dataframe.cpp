// Bodies of include/muster/dataframe.hpp: each method is one call of an operator by name.
// Merges, orders, windows and groups have files of their own.
#include "muster/dataframe.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>

#include "api/arguments.hpp"
#include "api/gather.hpp"
#include "api/on_cluster.hpp"
#include "api/operators.hpp"
#include "api/table.hpp"
#include "base/error.hpp"
#include "io/staged_folder.hpp"

namespace muster {
using namespace base;
using api::call, api::texts, api::value_of;
namespace operators = api::operators;
using expr::Expr;
namespace {

api::RunOptions run_options(const ComputeOptions& o) {
  api::RunOptions out;
  out.threads = o.threads > 0 ? o.threads : api::cpu_count();
  if (o.cluster) out.cluster = api::client_of(*o.cluster);
  if (o.progress) {
    const auto start = std::chrono::steady_clock::now();
    out.tick = [start](const worker::Progress& p) {
      const double share = p.tasks ? static_cast<double>(p.done) / static_cast<double>(p.tasks) : 1,
                   seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      std::fprintf(stderr, "\r[%-40.*s] | %3d%% Completed | %.2f s%s", static_cast<int>(40 * share), "########################################",
                   static_cast<int>(100 * share), seconds, share >= 1 ? "\n" : "");
      return false;
    };
  }
  return out;
}

Table table_of(api::Computed c) {
  auto rows = api::rows_of(c);
  return Table(std::make_shared<const Table::Contents>(Table::Contents{std::move(c.schema), std::move(rows)}));
}
Table computed(const Expr& e, const ComputeOptions& o) { return table_of(std::move(api::compute({e}, run_options(o))[0])); }

// A value, labels or collection as an argument; no labels and an empty optional say nothing.
template <class T>
Operand argument(const T& given) {
  if constexpr (std::is_same_v<T, std::optional<int64_t>>) return given ? Operand(*given) : Operand(Literal());
  else if constexpr (std::is_same_v<T, Labels>)
    return given.names.empty() ? Operand(Literal()) : Operand(Literal(Literal::List(given.names.begin(), given.names.end())));
  else if constexpr (std::is_same_v<T, std::map<std::string, std::string>>) return Operand(Literal(Literal::Dict(given.begin(), given.end())));
  else if constexpr (std::is_same_v<T, Literal::List>) return Operand(Literal(given));
  else return Operand(given);
}

// An operator's call; collections among the arguments become inputs, each once.
Expr called(const char* op, const Expr& self, const std::vector<std::pair<std::string, Operand>>& given) {
  std::vector<Expr> inputs{self};
  Dict args;
  for (const auto& [name, operand] : given) {
    if (!operand.expr) {
      args.emplace_back(name, value_of(operand.literal));
      continue;
    }
    const auto known = std::find_if(inputs.begin(), inputs.end(), [&](const auto& i) { return i->id == operand.expr->id; });
    args.emplace_back(name, InputRef{known - inputs.begin()});
    if (known == inputs.end()) inputs.push_back(operand.expr);
  }
  return call(op, std::move(args), std::move(inputs));
}
Expr binary(const char* op, const Expr& a, const Operand& b) { return called(op, a, {{"other", b}}); }
Expr rounded(Dict how, const Expr& e, std::chrono::nanoseconds step) {
  how.emplace_back("step", static_cast<int64_t>(step.count()));
  return call(operators::round_time, std::move(how), {e});
}
Expr partition(const Expr& e, int64_t n) {
  if (n < 0 || n >= e->npartitions) throw base::invalid("get_partition: ", n, " is not one of ", e->npartitions, " partitions");
  return call(operators::partitions, Dict{{"partitions", List{n}}}, {e});
}
Expr head(const Expr& e, int64_t n) { return call(operators::head, Dict{{"n", n}, {"npartitions", 1}}, {e}); }
int64_t row_count(const Expr& e) {
  return value_at(api::rows_of(api::compute({call(operators::row_count, Dict{}, {e})}, run_options({}))[0]).columns[0], 0, {data::Storage::int64}).integer();
}
}  // namespace

Collection::Collection(Expr e) : expr(std::move(e)) {}
int64_t Collection::npartitions() const { return expr->npartitions; }
Literal::List Collection::divisions() const {
  Literal::List out;
  if (expr->divisions.is_list())
    for (const auto& d : expr->divisions.list()) out.push_back(literal_of(d));
  return out;
}
std::string Collection::explain() const { return api::explain({expr}); }
std::string Collection::to_dot(bool optimized) const { return api::to_dot({expr}, optimized); }

Scalar::Scalar(Expr e) : Collection(std::move(e)) {}
Literal Scalar::compute(const ComputeOptions& o) const {
  auto c = api::compute({expr}, run_options(o))[0];
  return literal_of(value_at(api::rows_of(c).columns.at(0), 0, c.schema.columns.at(0).type));
}
double Scalar::number(const ComputeOptions& o) const {
  const Value v = value_of(compute(o));
  return v.is_none() ? std::nan("") : v.number();
}

Operand::Operand(bool b) : literal(b) {}
Operand::Operand(int i) : literal(i) {}
Operand::Operand(int64_t i) : literal(i) {}
Operand::Operand(uint64_t i) : literal(i) {}
Operand::Operand(double d) : literal(d) {}
Operand::Operand(const char* s) : literal(s) {}
Operand::Operand(std::string s) : literal(std::move(s)) {}
Operand::Operand(Literal l) : literal(std::move(l)) {}
Operand::Operand(const Collection& c) : expr(c.expr) {}

Series::Series(Expr e) : Collection(std::move(e)) {}
std::string Series::name() const { return expr->schema.columns.at(0).label.is_none() ? "" : expr->schema.columns[0].label.label(); }
std::string Series::dtype() const { return expr->schema.columns.at(0).type.name(); }
Table Series::compute(const ComputeOptions& o) const { return computed(expr, o); }
Series Series::persist(const ComputeOptions& o) const { return Series(api::persist({expr}, run_options(o))[0]); }
Series Series::operator[](const Series& mask) const { return Series(api::call(operators::filter, Dict{}, {expr, mask.expr})); }
Series Series::get_partition(int64_t n) const { return Series(partition(expr, n)); }
Series Series::between(const Operand& low, const Operand& high) const { return (*this >= low) & (*this <= high); }
DataFrame Series::to_frame(const std::string& n) const { return DataFrame(api::call(operators::to_frame, Dict{{"name", n}}, {expr})); }
Series Series::rename(const std::string& n) const { return call(operators::rename, {{"name", n}}); }
Series Series::dt(const std::string& field) const { return call("dt." + field); }
Series Series::dt_floor(std::chrono::nanoseconds step) const { return Series(rounded({{"how", "floor"}}, expr, step)); }
Series Series::dt_ceil(std::chrono::nanoseconds step) const { return Series(rounded({{"how", "ceil"}}, expr, step)); }
Series Series::dt_round(std::chrono::nanoseconds step) const { return Series(rounded({{"how", "round"}}, expr, step)); }
Series Series::dt_normalize() const { return dt_floor(std::chrono::hours(24)); }
Series Series::dt_day_name() const { return call(operators::day_name); }
Series Series::dt_month_name() const { return call(operators::month_name); }
Series Series::dt_total_seconds() const { return call(operators::total_seconds); }
Table Series::head(int64_t n) const { return computed(muster::head(expr, n), {}); }
Table Series::tail(int64_t n) const { return computed(api::call(operators::tail, Dict{{"n", n}}, {expr}), {}); }
int64_t Series::len() const { return row_count(expr); }
Scalar Series::size() const { return Scalar(api::call(operators::row_count, Dict{}, {expr})); }
Scalar Series::median() const {
  return Scalar(api::call(operators::getitem, Dict{{"key", 0.5}}, {api::call(operators::quantiles, Dict{{"q", List{0.5}}, {"middle", true}}, {expr})}));
}
Scalar Series::quantile(double q) const {
  return Scalar(api::call(operators::getitem, Dict{{"key", q}}, {api::call(operators::quantiles, Dict{{"q", List{q}}}, {expr})}));
}
Series Series::str_len() const { return call(operators::text, {{"op", "len"}}); }
Series Series::str_lower() const { return call(operators::text, {{"op", "lower"}}); }
Series Series::str_upper() const { return call(operators::text, {{"op", "upper"}}); }
Series Series::str_strip(const std::string& drop) const { return call(operators::text_part, {{"op", "strip"}, {"text", drop}}); }
Series Series::str_lstrip(const std::string& drop) const { return call(operators::text_part, {{"op", "lstrip"}, {"text", drop}}); }
Series Series::str_rstrip(const std::string& drop) const { return call(operators::text_part, {{"op", "rstrip"}, {"text", drop}}); }
Series Series::str_slice(std::optional<int64_t> start, std::optional<int64_t> stop) const {
  return call(operators::text_part, {{"op", "slice"}, {"start", start ? Literal(*start) : Literal()}, {"stop", stop ? Literal(*stop) : Literal()}});
}
Series Series::str_get(int64_t place) const { return call(operators::text_part, {{"op", "get"}, {"start", place}}); }
Series Series::str_removeprefix(const std::string& prefix) const { return call(operators::text_part, {{"op", "removeprefix"}, {"text", prefix}}); }
Series Series::str_removesuffix(const std::string& suffix) const { return call(operators::text_part, {{"op", "removesuffix"}, {"text", suffix}}); }
Series Series::str_replace(const std::string& text, const std::string& by) const { return call(operators::text_replace, {{"text", text}, {"by", by}}); }
DataFrame Series::str_split(const std::string& mark, int64_t n) const {
  return DataFrame(api::call(operators::text_split, Dict{{"text", mark}, {"n", n}}, {expr}));
}
Series Series::str_contains(const std::string& text) const { return call(operators::text, {{"op", "contains"}, {"text", text}}); }
Series Series::str_startswith(const std::string& text) const { return call(operators::text, {{"op", "startswith"}, {"text", text}}); }
Series Series::str_endswith(const std::string& text) const { return call(operators::text, {{"op", "endswith"}, {"text", text}}); }
Series Series::call(const std::string& op, const Arguments& a) const { return Series(api::call(op, value_of(a), {expr})); }

DataFrame::DataFrame(Expr e) : Collection(std::move(e)) {}
std::vector<std::string> DataFrame::columns() const { return expr->schema.names(); }
std::vector<std::string> DataFrame::dtypes() const {
  std::vector<std::string> out;
  for (const auto& f : expr->schema.columns) out.push_back(f.type.name());
  return out;
}
Table DataFrame::compute(const ComputeOptions& o) const { return computed(expr, o); }
DataFrame DataFrame::persist(const ComputeOptions& o) const { return DataFrame(api::persist({expr}, run_options(o))[0]); }
Series DataFrame::operator[](const std::string& column) const {
  expr->schema.only(column, "operator[]");
  return Series(api::call(operators::getitem, Dict{{"key", column}}, {expr}));
}
DataFrame DataFrame::operator[](const std::vector<std::string>& c) const { return DataFrame(api::call(operators::getitems, Dict{{"key", texts(c)}}, {expr})); }
DataFrame DataFrame::operator[](const Series& mask) const { return DataFrame(api::call(operators::filter, Dict{}, {expr, mask.expr})); }
DataFrame DataFrame::assign(const std::string& column, const Operand& value) const {
  if (value.expr) return DataFrame(api::call(operators::assign, Dict{{"columns", Dict{{column, InputRef{1}}}}}, {expr, value.expr}));
  return DataFrame(api::call(operators::assign, Dict{{"columns", Dict{{column, value_of(value.literal)}}}}, {expr}));
}
DataFrame DataFrame::rename(const std::map<std::string, std::string>& c) const {
  return call(operators::rename, {{"columns", Literal::Dict(c.begin(), c.end())}});
}
DataFrame DataFrame::drop(const Labels& c) const { return call(operators::drop, {{"columns", Literal::List(c.names.begin(), c.names.end())}}); }
DataFrame DataFrame::get_partition(int64_t n) const { return DataFrame(partition(expr, n)); }
int64_t DataFrame::to_parquet(const std::string& folder, const std::string& compression) const {
  io::StagedFolder staged(folder);
  const Series written(api::call(operators::write_parquet, Dict{{"folder", folder}, {"hidden", staged.hidden()}, {"compression", compression}}, {expr}));
  const auto rows = static_cast<int64_t>(written.sum().number());
  staged.publish();
  return rows;
}
Table DataFrame::head(int64_t n) const { return computed(muster::head(expr, n), {}); }
Table DataFrame::tail(int64_t n) const { return computed(api::call(operators::tail, Dict{{"n", n}}, {expr}), {}); }
int64_t DataFrame::len() const { return row_count(expr); }
DataFrame DataFrame::call(const std::string& op, const Arguments& a) const { return DataFrame(api::call(op, value_of(a), {expr})); }

#define MUSTER_OPERATORS(f) \
  f(+, operators::add) f(-, operators::sub) f(*, operators::mul) f(/, operators::truediv) f(%, operators::mod) f(==, operators::eq) f(!=, operators::ne) \
  f(<, operators::lt) f(<=, operators::le) f(>, operators::gt) f(>=, operators::ge)
#define OF_SERIES(symbol, op)                                                                         \
  Series operator symbol(const Series& a, const Operand& b) { return Series(binary(op, a.expr, b)); } \
  Scalar operator symbol(const Scalar& a, const Operand& b) { return Scalar(binary(op, a.expr, b)); }
#define OF_FRAMES(symbol, op) \
  DataFrame operator symbol(const DataFrame& a, const Operand& b) { return DataFrame(binary(op, a.expr, b)); }
#define BEHIND_LITERALS(symbol, op)                                                                                                   \
  Series operator symbol(const Literal& a, const Series& b) { return Series(api::call(op, Dict{{"other", value_of(a)}}, {b.expr})); } \
  DataFrame operator symbol(const Literal& a, const DataFrame& b) { return DataFrame(api::call(op, Dict{{"other", value_of(a)}}, {b.expr})); }
MUSTER_OPERATORS(OF_SERIES)
OF_SERIES(&, operators::and_)
OF_SERIES(|, operators::or_)
MUSTER_OPERATORS(OF_FRAMES)
BEHIND_LITERALS(+, operators::radd)
BEHIND_LITERALS(-, operators::rsub)
BEHIND_LITERALS(*, operators::rmul)
BEHIND_LITERALS(/, operators::rtruediv)
BEHIND_LITERALS(%, operators::rmod)
#undef MUSTER_OPERATORS
#undef OF_SERIES
#undef OF_FRAMES
#undef BEHIND_LITERALS
Series operator^(const Series& a, const Operand& b) { return Series(binary(operators::xor_, a.expr, b)); }
Series operator~(const Series& a) { return a.call(operators::invert); }
Series operator-(const Series& a) { return a.call(operators::neg); }

parse_dates::parse_dates(std::initializer_list<std::pair<std::string, std::vector<ColumnName>>> combined) {
  Literal::Dict dict;
  for (const auto& [name, columns] : combined) {
    Literal::List parts;
    for (const auto& c : columns) parts.push_back(c.literal);
    dict.emplace_back(name, parts);
  }
  literal = dict;
}
parse_dates parse_dates::columns(std::vector<ColumnName> names) {
  parse_dates out;
  Literal::List list;
  for (const auto& n : names) list.push_back(n.literal);
  out.literal = list;
  return out;
}

DataFrame read_csv(const std::string& path, const ReadCsv& o) { return read_csv(std::vector{path}, o); }

DataFrame read_csv(const std::vector<std::string>& paths, const ReadCsv& o) {
  Dict a{{"urlpath", texts(paths)},
         {"sep", o.sep},
         {"compression", o.compression},
         {"on_bad_lines", o.on_bad_lines},
         {"assume_missing", o.assume_missing},
         {"keep_default_na", o.keep_default_na},
         {"header", o.header ? Value("infer") : Value()},
         {"skiprows", o.skiprows},
         {"blocksize", o.blocksize < 0    ? Value("default")
                       : o.blocksize == 0 ? Value()
                                          : Value(o.blocksize)},
         {"parse_dates", value_of(o.parse_dates.literal)}};
  if (!o.dtype.empty()) {
    Dict types;
    for (const auto& [k, v] : o.dtype) types.emplace_back(k, v);
    a.emplace_back("dtype", types);
  }
  if (!o.usecols.empty()) {
    List names;
    for (const auto& c : o.usecols) names.push_back(value_of(c.literal));
    a.emplace_back("usecols", names);
  }
  if (!o.names.empty()) a.emplace_back("names", texts(o.names));
  if (!o.na_values.empty()) a.emplace_back("na_values", texts(o.na_values));
  for (const auto& [k, v] : o.more) a.emplace_back(k, value_of(v));
  return DataFrame(api::read_csv(a));
}

DataFrame read_parquet(const std::string& path, const ReadParquet& o) { return read_parquet(std::vector{path}, o); }

DataFrame read_parquet(const std::vector<std::string>& paths, const ReadParquet& o) {
  Dict a{{"files", api::parquet_files(texts(paths), "")},
         {"storage_options", ""},
         {"root", paths.size() == 1 ? paths[0] + (paths[0].ends_with('/') ? "" : "/") : std::string()},
         {"blocksize", o.blocksize},
         {"filters", List{}},
         {"index", texts(o.index)},
         {"shown", paths.size() == 1 ? Value(paths[0]).repr() : Value(base::concat(paths.size(), " paths"))}};
  if (!o.columns.empty()) a.emplace_back("columns", texts(o.columns));
  return DataFrame(api::read_parquet(a));
}

std::vector<Table> compute(const std::vector<Collection>& collections, const ComputeOptions& o) {
  std::vector<Expr> exprs;
  for (const auto& c : collections) exprs.push_back(c.expr);
  std::vector<Table> out;
  for (auto& c : api::compute(exprs, run_options(o))) out.push_back(table_of(std::move(c)));
  return out;
}

#include "api/method_bodies.inc"

}  // namespace muster
