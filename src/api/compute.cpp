// What whoever has expressions may ask for: their rows here, their rows where they were made, and the limits of it all.
#include <map>

#include "api/operators.hpp"
#include "api/pending.hpp"
#include "api/run.hpp"
#include "api/session.hpp"
#include "api/settle.hpp"
#include "expr/annotations.hpp"
#include "kernels/memory.hpp"
#include "worker/store.hpp"

namespace muster::api {
using namespace base;
using namespace data;
namespace {

struct Partitioned {
  Schema schema;
  std::vector<Batches> partitions;
  Finish finish;
};

Count counting(const RunOptions& options) {
  return [&options](const Expr& source, List partitions) { return count(source, std::move(partitions), options); };
}

std::vector<Partitioned> finish(Run& run, const RunOptions& options) {
  RowNumbers numbers(run, run.reports, counting(options));
  const auto wider = widened(run, run.reports);
  run.job->let_go();
  std::vector<Partitioned> out;
  std::map<std::pair<int, int>, int> wanted;  // how many expressions have an output as their result
  for (const auto& w : run.expanded.results) ++wanted[{w.range, w.output}];
  for (size_t e = 0; e < run.expressions.size(); ++e) {
    const auto& where = run.expanded.results[e];
    Settled s = settle(run, e, wider);
    const bool wanted_again = --wanted[{where.range, where.output}] > 0;
    const auto each_id = [&](auto f) {
      for (const auto& task : run.job->results()[static_cast<size_t>(where.range)])
        for (const auto& b : *task.outputs.at(static_cast<size_t>(where.output)).batches)
          for (size_t c = 0; c < b.columns.size(); ++c)
            if (b.columns[c].storage == Storage::row_id) f(c, spread(b.columns[c], b.rows));
    };
    if (numbers.incomplete()) each_id([&](size_t c, const Column& ids) { numbers.expect(ids, s.dependences[c]); });
    each_id([&](size_t c, const Column& ids) { numbers.find_bases(ids, s.dependences[c], s.columns[c].first_numbers); });
    auto columns = std::make_shared<const std::vector<kernels::Settlement>>(std::move(s.columns));
    Partitioned p{std::move(s.schema), {}, [columns](size_t c, const Column& part, int64_t rows) { return kernels::settle(part, rows, (*columns)[c]); }};
    for (auto& task : run.job->results()[static_cast<size_t>(where.range)]) {
      auto& result_rows = task.outputs.at(static_cast<size_t>(where.output)).batches;
      p.partitions.push_back(*result_rows);
      if (!wanted_again) result_rows.reset();  // what follows gives these columns up one by one
    }
    out.push_back(std::move(p));
  }
  return out;
}

Column empty_column(DType type) { return Writable(type.storage, 0).finish(); }

// Expressions over results that stay where they are.
std::vector<Expr> all_left_there(Run& run, const RunOptions& options) {
  RowNumbers numbers(run, run.reports, counting(options));
  const auto wider = widened(run, run.reports);
  std::vector<Settled> settled;
  for (size_t e = 0; e < run.expressions.size(); ++e) settled.push_back(settle(run, e, wider));
  if (numbers.incomplete())
    for (const auto& s : settled)
      for (int d : s.dependences) numbers.expect_all(d, run.reports);
  std::vector<Expr> out;
  for (size_t e = 0; e < settled.size(); ++e) out.push_back(left_there(run, e, std::move(settled[e]), numbers, run.reports));
  return out;
}
}  // namespace

std::vector<Computed> compute(const std::vector<Expr>& expressions, const RunOptions& options) {
  start();
  const expr::Unannotated quiet;
  Run r = run(expressions, options);
  std::vector<Computed> out;
  for (auto& p : finish(r, options)) {
    Computed c{p.schema, {}, std::move(p.finish), 0, {}};
    for (auto& partition : p.partitions) {
      int64_t rows = 0;
      for (auto& b : partition) rows += b.rows, c.parts.push_back(std::move(b));
      c.rows += rows;
      c.partition_rows.push_back(rows);
    }
    out.push_back(std::move(c));
  }
  return out;
}

Expr from_partitions(std::vector<Batches> partitions, const Schema& schema, Value divisions) {
  auto table = std::make_shared<kernels::MemoryTable>();
  for (auto& p : partitions) {
    int64_t rows = 0;
    for (const auto& b : p) rows += b.rows;
    table->rows.push_back(rows);
    if (p.empty()) {  // a source gives at least one batch, so that columns are there
      Batch none;
      for (const auto* fields : {&schema.index, &schema.columns})
        for (const auto& f : *fields) none.columns.push_back(empty_column(f.type));
      p.push_back(std::move(none));
    }
  }
  table->partitions = std::move(partitions);
  Dict args{{"rows", kernels::memory_value(table, kernels::new_table_token())}, {"kind", static_cast<int>(schema.kind)},
            {"fields", fields_of(schema.columns)}, {"index", fields_of(schema.index)}, {"labels_integer", schema.labels_integer}};
  if (divisions.is_list()) args.emplace_back("divisions", std::move(divisions));
  return call(operators::from_memory, std::move(args), {});
}

std::vector<Expr> persist(const std::vector<Expr>& expressions, const RunOptions& options) {
  start();
  const expr::Unannotated quiet;
  Run r = run(expressions, options, Results::stay);
  if (options.cluster) return all_left_there(r, options);
  std::vector<Expr> out;
  auto finished = finish(r, options);
  for (size_t i = 0; i < finished.size(); ++i) {
    auto& p = finished[i];
    for (auto& partition : p.partitions)
      for (auto& b : partition)
        for (size_t c = 0; c < b.columns.size(); ++c) b.columns[c] = p.finish(c, b.columns[c], b.rows);
    out.push_back(from_partitions(std::move(p.partitions), p.schema, expressions[i]->divisions));
  }
  return out;
}

void set_memory_limit(int64_t bytes) { worker::budget().set_limit(bytes); }
int64_t kept_between_stages() { return worker::budget().limit() / 8; }
int64_t cpu_count() { return worker::cpu_count(); }
int64_t memory_limit() { return worker::default_memory_limit(); }
void stop() { worker::stop_pool(); }

}  // namespace muster::api
