// A query is planned and run until what its sources report agrees with the plan; only then is a result believed. What a run has found out is remembered for
// the next.
#include <algorithm>
#include <map>
#include <set>

#include "api/on_cluster.hpp"
#include "api/operators.hpp"
#include "api/pending.hpp"
#include "api/review.hpp"
#include "api/revisions.hpp"
#include "api/session.hpp"
#include "base/error.hpp"
#include "expr/annotations.hpp"
#include "expr/op.hpp"
#include "kernels/memory.hpp"
#include "kernels/python_call.hpp"
#include "kernels/settling.hpp"
#include "plan/plan.hpp"
#include "worker/store.hpp"

namespace muster::api {
using namespace base;
using namespace data;
using expr::kRowIds;
using plan::Root;
using worker::TaskResult;
namespace {

// What the sources of a run said: reports by source and partition.
using Reports = std::map<Hash128, PartitionReports>;

struct Run {
  std::vector<Expr> expressions;  // as they were planned in the end
  plan::Plan plan;
  plan::Expanded expanded;
  std::shared_ptr<worker::Job> job;
  std::shared_ptr<ClusterJob> there;  // the same, on a cluster
  Reports reports;
};

std::vector<Expr> refreshed(const std::vector<Expr>& expressions) {
  std::map<Hash128, Expr> changed;
  for (const auto& node : expr::topological(expressions)) {
    if (!node->op->refresh) continue;
    auto args = node->op->refresh(expr::Call(*node->op, node->args, node->inputs));
    if (!(args == node->args)) changed[node->id] = expr::make(*node->op, args, node->inputs);
  }
  return expr::substitute(expressions, changed);
}

bool is_cancelled(const std::exception_ptr& e) {
  try {
    std::rethrow_exception(e);
  } catch (const Error& error) {
    return error.kind == ErrorKind::cancelled;
  } catch (...) {
    return false;
  }
}

// Open columns in which a missing value was seen are known as such from now on.
void remember_missing(const Run& r) {
  const DType seen{Storage::float64, Unit::us, true};
  for (const auto& stage : r.plan.stages) {
    if (!stage.source || !r.reports.contains(stage.source->id)) continue;
    Revision revision;
    for (const auto& [partition, report] : r.reports.at(stage.source->id))
      for (int64_t id : report.missing)
        if (id >= 0 && id < expr::kResults) revision.wider.emplace(id, seen);
    remember(stage.source, revision);
  }
  std::map<Hash128, std::pair<Expr, Revision>> named;
  for (int64_t id : r.reports.at(Hash128{}).at(0).missing) {
    const auto& [node, field] = r.plan.named.at(static_cast<size_t>(id - expr::kResults));
    named[node->id].first = node;
    named[node->id].second.wider.emplace(field, seen);
  }
  for (const auto& [id, revision] : named) remember(revision.first, revision.second);
}

enum class Results : uint8_t { brought, stay };  // on a cluster

Run run(std::vector<Expr> expressions, const RunOptions& options, Results results = Results::brought);

// Reads partitions of a source for their reports alone.
PartitionReports count(const Expr& source, List partitions, RunOptions options) {
  options.warn = nullptr;  // whoever asks for these rows is told about them
  PartitionReports out;
  const Run counted = run({call(operators::row_count, Dict{}, {call(operators::partitions, Dict{{"partitions", std::move(partitions)}}, {source})})}, options);
  for (const auto& [id, reports] : counted.reports)
    if (id != Hash128{})  // that is of results
      for (const auto& [partition, report] : reports) out[partition] = report;
  return out;
}

Expr brought(const Expr& node) {
  const auto& from = partitions_of(node->args["tasks"]);
  const auto& settlements = node->args["settlements"].list();
  std::vector<Batches> partitions;
  for (int64_t p = 0; p < node->npartitions; ++p) {
    auto& rows = partitions.emplace_back(fetch(from, p));
    for (auto& b : rows)
      for (size_t c = 0; c < b.columns.size(); ++c)
        if (!settlements[c].is_none()) b.columns[c] = kernels::settle(b.columns[c], b.rows, kernels::Settlement::decode(settlements[c]));
  }
  return from_partitions(std::move(partitions), node->schema, node->divisions);
}

// Partitions that lie on another cluster, or that are wanted here, as tables in memory.
std::vector<Expr> within_reach(const std::vector<Expr>& expressions, const RunOptions& options) {
  const auto settled = all_settled(expressions, options);
  std::map<Hash128, Expr> here;
  for (const auto& node : expr::topological(settled))
    if (node->op->name == operators::from_tasks && partitions_of(node->args["tasks"]).tasks->client != options.cluster) here[node->id] = brought(node);
  return expr::substitute(settled, here);
}

// Runs until sources and plan agree.
Run run(std::vector<Expr> expressions, const RunOptions& options, Results wanted) {
  expressions = revised(refreshed(within_reach(expressions, options)));
  for (int attempt = 0;; ++attempt) {
    Run r;
    r.expressions = expressions;
    r.plan = plan::lower(expressions);
    plan::optimize(r.plan, options.cluster ? 0 : kept_between_stages());
    r.expanded = plan::expand(r.plan);
    auto graph = std::make_shared<const graph::Graph>(r.expanded.graph);
    // Categories differ in as many ways as there are partitions: all are heard before the plan is made again.
    const auto tells_all = [](const auto& wider) { return !wider.second.is_object() || !wider.second.foreign; };
    const auto hopeless = [=](int, int64_t, const TaskResult& result) { return result.error || std::any_of(result.report.wider.begin(), result.report.wider.end(), tells_all); };
    if (options.cluster) r.job = r.there = run_on(options.cluster, *graph, {options.placing, wanted == Results::stay}, hopeless);
    else r.job = worker::run(graph, options.threads, hopeless);
    worker::wait_for(*r.job, options.tick);
    const auto& results = r.job->results();
    std::exception_ptr error;
    std::map<Hash128, std::pair<Expr, Revision>> revisions;
    std::vector<bool> is_source(graph->ranges.size(), false);
    std::map<size_t, std::exception_ptr> failed;  // of sources, by range
    // Ranges that were read otherwise than they should be, and those where an error may come of that: steps see zeros for what a dtype cannot hold, labels are counted from wrong borders.
    std::vector<bool> misled(graph->ranges.size(), false), doubtful(graph->ranges.size(), false);
    for (size_t s = 0; s < r.plan.stages.size(); ++s) {
      const auto& stage = r.plan.stages[s];
      const int at = r.expanded.range_of_stage[s];
      if (!stage.source || at < 0) continue;
      is_source[static_cast<size_t>(at)] = true;
      const auto& range = graph->ranges[static_cast<size_t>(at)];
      auto& revision = revisions[stage.source->id];
      revision.first = stage.source;
      const auto recount = [&](int64_t first, int64_t last) {
        List wanted;
        for (int64_t p = first; p <= last; ++p) wanted.push_back(p);
        return count(stage.source, wanted, options);
      };
      const size_t begins = revision.second.begins.size(), wider = revision.second.wider.size();
      std::exception_ptr found;
      review(stage.source, results[static_cast<size_t>(at)], range, recount, revision.second, found);
      if (found) failed.emplace(static_cast<size_t>(at), found);
      doubtful[static_cast<size_t>(at)] = revision.second.wider.size() > wider;
      misled[static_cast<size_t>(at)] = doubtful[static_cast<size_t>(at)] || revision.second.begins.size() > begins;
      for (size_t i = 0; i < results[static_cast<size_t>(at)].size(); ++i) {
        const auto& report = results[static_cast<size_t>(at)][i].report;
        if (!results[static_cast<size_t>(at)][i].ran) continue;
        auto& known = r.reports[stage.source->id][range.partition.empty() ? static_cast<int64_t>(i) : range.partition[i]];
        const auto missing = known.missing;
        if (known.rows == 0 || known.stopped_early) known = report;
        known.missing.insert(known.missing.end(), missing.begin(), missing.end());
        known.missing.insert(known.missing.end(), report.missing.begin(), report.missing.end());
      }
    }
    for (size_t range = 0; range < graph->ranges.size(); ++range)
      for (const auto& input : graph->ranges[range].inputs)
        if (misled[static_cast<size_t>(input.range)] || doubtful[static_cast<size_t>(input.range)]) doubtful[range] = true;
    for (const auto& [range, e] : failed)
      if (!error && !doubtful[range]) error = e;
    auto& named = r.reports[Hash128{}][0].missing;
    for (const auto& range : results)
      for (const auto& t : range) {
        std::copy_if(t.report.missing.begin(), t.report.missing.end(), std::back_inserter(named), [](int64_t id) { return id >= expr::kResults; });
        for (auto [id, type] : t.report.wider) {
          if (id < expr::kResults) continue;
          const auto& [node, field] = r.plan.named.at(static_cast<size_t>(id - expr::kResults));
          auto& [source, revision] = revisions[node->id];
          source = node;
          auto [known, fresh] = revision.wider.try_emplace(field, type);
          if (!fresh) known->second = kernels::common_dtype(known->second, type);
        }
      }
    bool again = false;
    for (auto& [id, revision] : revisions) again |= !revision.second.empty();
    if (!error && !again)
      for (size_t range = 0; range < results.size() && !error; ++range)
        if (!is_source[range])
          for (const auto& t : results[range])
            if (t.error && !is_cancelled(t.error)) {
              error = t.error;
              break;
            }
    if (!error && !again && r.job->error() && options.cluster) error = r.job->error();  // the connection was lost, others cancelled its tasks
    if (error) std::rethrow_exception(error);
    if (!again) {
      remember_missing(r);
      if (options.warn)
        for (const auto& range : results)
          for (const auto& t : range)
            for (const auto& w : t.report.warnings) options.warn(w);
      return r;
    }
    if (attempt > 1000) throw internal("a source changes with every reading; is a file being written?");
    std::map<Hash128, Expr> revised_nodes;
    for (auto& [id, revision] : revisions) {
      if (revision.second.empty()) continue;
      const auto node = revised({revision.first})[0];
      if (node->id != revision.first->id) {  // meanwhile a count of partitions in front has found more: this run has read too much wrongly to say anything about that
        revised_nodes[id] = node;
        same_ranges(revision.first, node);
        continue;
      }
      if (options.note) options.note(concat(node->op->name, ": planned again: ", revision.second.wider.size(), " columns are wider than the sample promised, ", revision.second.begins.size(), " partitions begin elsewhere"));
      remember(node, revision.second);
      const auto args = node->op->revise(expr::Call(*node->op, node->args, node->inputs), {revision.second.wider.begin(), revision.second.wider.end()}, revision.second.begins);
      revised_nodes[id] = expr::make(*node->op, args, node->inputs);
      same_ranges(revision.first, revised_nodes[id]);
    }
    expressions = expr::substitute(expressions, revised_nodes);
  }
}

// Row numbers of a source's partitions: within each file, the rows of the partitions in front.
class RowNumbers {
 public:
  RowNumbers(Run& run, const RunOptions& options) : run_(run), options_(options) {
    for (const auto& s : run.plan.stages)
      if (s.source && s.source->op->files) sources_[s.source->id].node = s.source;
  }

  /// Whether the run left partitions out or read them in part, so that others' numbers may need a count.
  bool incomplete() const {
    return std::any_of(sources_.begin(), sources_.end(), [&](const auto& source) {
      const auto reports = run_.reports.find(source.first);
      int64_t next = 0;
      return reports != run_.reports.end() && std::any_of(reports->second.begin(), reports->second.end(), [&](const auto& r) { return r.first != next++ || r.second.stopped_early; });
    });
  }
  /// Ids that will be resolved: what nobody counted is then counted in one run.
  void expect(const Column& ids, int dependence) {
    const auto& sources = sources_behind(dependence);
    each_partition(ids, [&](int64_t, int64_t, int64_t partition) {
      const auto& [first, source] = *std::prev(sources.upper_bound(partition));
      auto& last = source->expected[source->file_of(partition - first)];
      last = std::max(last, partition - first);
    });
  }
  /// Adds what the numbers of these ids' partitions begin with.
  void find_bases(const Column& ids, int dependence, std::map<int64_t, int64_t>& bases) {
    const auto& sources = sources_behind(dependence);
    each_partition(ids, [&](int64_t, int64_t, int64_t partition) {
      const auto& [first, source] = *std::prev(sources.upper_bound(partition));
      if (!bases.contains(partition)) bases[partition] = base_of(*source, partition - first);
    });
  }
  /// The same of all partitions that were read, where the ids themselves are elsewhere.
  void expect_all(int dependence) {
    for (const auto& [first, source] : sources_behind(dependence))
      for (const auto& [partition, report] : run_.reports[source->node->id]) {
        auto& last = source->expected[source->file_of(partition)];
        last = std::max(last, partition);
      }
  }
  void find_all_bases(int dependence, std::map<int64_t, int64_t>& bases) {
    for (const auto& [first, source] : sources_behind(dependence)) {
      std::vector<int64_t> partitions;
      for (const auto& [partition, report] : run_.reports[source->node->id]) partitions.push_back(partition);
      for (int64_t p : partitions) bases[first + p] = base_of(*source, p);
    }
  }

 private:
  struct Source {
    Expr node;
    std::vector<int64_t> files = {};
    std::map<int64_t, int64_t> expected = {};  // of each file by its first partition, the last whose rows are asked for
    std::map<int64_t, int64_t> bases = {};     // of partitions
    int64_t file_of(int64_t partition) {
      if (files.empty()) files = node->op->files(expr::Call(*node->op, node->args, node->inputs));
      return *(std::upper_bound(files.begin(), files.end(), partition) - 1);
    }
  };

  // Calls with runs of rows of one partition.
  template <class Call>
  static void each_partition(const Column& ids, Call call) {
    const int64_t* id = ids.as<int64_t>();
    for (int64_t begin = 0, end = 0; begin < ids.length; begin = end) {
      const int64_t partition = id[begin] >> 32;
      while (end < ids.length && id[end] >> 32 == partition) ++end;
      call(begin, end, partition);
    }
  }
  const std::map<int64_t, Source*>& sources_behind(int dependence) {
    const auto [known, fresh] = behind_.try_emplace(dependence);
    if (fresh)
      for (const auto& r : plan::row_sources(run_.plan.dependences, dependence)) known->second.emplace(kRowIds - r.column, &sources_.at(r.source));
    return known->second;
  }
  int64_t base_of(Source& s, int64_t partition) {
    const int64_t file = s.file_of(partition);
    auto near = s.bases.upper_bound(partition);
    if (near == s.bases.begin() || (--near)->first < file) near = s.bases.emplace(file, 0).first;
    if (near->first == partition) return near->second;
    auto& reports = run_.reports[s.node->id];
    const auto counted = [&](int64_t p) {
      const auto r = reports.find(p);
      return r != reports.end() && !r->second.stopped_early;
    };
    int64_t at = near->first, base = near->second;
    for (; at < partition; s.bases[++at] = base) {
      if (!counted(at)) count_all(s);
      base += reports[at].rows;
    }
    return base;
  }
  void count_all(Source& s) {
    auto& reports = run_.reports[s.node->id];
    List uncounted;
    for (const auto& [file, last] : s.expected)
      for (int64_t p = file; p < last; ++p)
        if (auto r = reports.find(p); r == reports.end() || r->second.stopped_early) uncounted.push_back(p);
    for (auto& [p, report] : count(s.node, std::move(uncounted), options_)) reports[p] = report;
  }

  Run& run_;
  const RunOptions& options_;
  std::map<Hash128, Source> sources_;
  std::map<int, std::map<int64_t, Source*>> behind_;  // by their first partition, of a dependence
};

// Per dependence: whether an open column behind it had a missing value.
std::vector<bool> widened(const Run& run) {
  std::set<Root> missing;
  for (const auto& [source, partitions] : run.reports)
    for (const auto& [partition, report] : partitions)
      for (auto column : report.missing) missing.insert({source, column});
  return plan::reaching(run.plan.dependences, [&](const Root& r) { return missing.contains(r); });
}

// One field of a result: whether it gets wider, and its final dtype. Bools that stay open are objects in pandas, whatever rows are left.
struct Final {
  bool wider;
  DType from, to;
};
Final final_of(DType type, bool widened) {
  Final f{type.open && widened, type, type};
  f.to.open = f.wider && type.is_boolean();
  if (f.wider && type.is_integer()) f.to = {Storage::float64};
  return f;
}

struct Partitioned {
  Schema schema;
  std::vector<Batches> partitions;
  Finish finish;
};

// What a run says of its results: their final schemas, and what is still to be done to each column.
struct Settled {
  Schema schema;
  std::vector<int> dependences;  // of the columns, index first
  std::vector<kernels::Settlement> columns;
};

std::vector<Settled> settle(Run& run) {
  const std::vector<bool> wider = widened(run);
  run.job->let_go();
  std::vector<Settled> out;
  for (size_t e = 0; e < run.expressions.size(); ++e) {
    const auto& result = run.plan.results[e];
    Settled s{run.expressions[e]->schema, {}, {}};
    const bool row_ids = s.schema.index.empty() && !result.index.empty();
    if (row_ids) s.schema.index = {{Label(), {Storage::int64}}};
    const auto add = [&](DType& type, int dependence) {
      const Final f = final_of(type, wider[static_cast<size_t>(dependence)]);
      type = f.to;
      s.dependences.push_back(dependence);
      s.columns.push_back({{}, f.wider && f.from.is_integer()});
    };
    for (size_t i = 0; i < result.index.size(); ++i) add(s.schema.index[i].type, result.index[i]);
    for (size_t i = 0; i < result.columns.size(); ++i) add(s.schema.columns[i].type, result.columns[i]);
    out.push_back(std::move(s));
  }
  return out;
}

std::vector<Partitioned> finish(Run& run, const RunOptions& options) {
  RowNumbers numbers(run, options);
  std::vector<Partitioned> out;
  std::map<std::pair<int, int>, int> wanted;  // how many expressions have an output as their result
  for (const auto& w : run.expanded.results) ++wanted[{w.range, w.output}];
  auto settled = settle(run);
  for (size_t e = 0; e < run.expressions.size(); ++e) {
    const auto& where = run.expanded.results[e];
    Settled& s = settled[e];
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
std::vector<Expr> left_there(Run& run, const RunOptions& options, const std::vector<Expr>& expressions) {
  RowNumbers numbers(run, options);
  auto settled = settle(run);
  if (numbers.incomplete())
    for (const auto& s : settled)
      for (int d : s.dependences) numbers.expect_all(d);
  std::vector<Expr> out;
  for (size_t e = 0; e < settled.size(); ++e) {
    auto& s = settled[e];
    List settlements;
    for (size_t c = 0; c < s.columns.size(); ++c) {
      numbers.find_all_bases(s.dependences[c], s.columns[c].first_numbers);
      settlements.push_back(s.columns[c].is_nothing() ? Value() : s.columns[c].encode());
    }
    const auto& where = run.expanded.results[e];
    const auto tasks = run.there->keep(where.range);
    out.push_back(from_tasks({{"tasks", partitions_value({tasks, where.output}, concat("tasks-", kernels::new_table_token()))}}, static_cast<int64_t>(tasks->ids.size()), s.schema, settlements, expressions[e]->divisions));
  }
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
  Dict args{{"table", kernels::memory_value(table, kernels::new_table_token())}, {"kind", static_cast<int>(schema.kind)}, {"fields", fields_of(schema.columns)}, {"index", fields_of(schema.index)}, {"labels_integer", schema.labels_integer}};
  if (divisions.is_list()) args.emplace_back("divisions", std::move(divisions));
  return call(operators::from_memory, std::move(args), {});
}

std::vector<Expr> persist(const std::vector<Expr>& expressions, const RunOptions& options) {
  start();
  const expr::Unannotated quiet;
  Run r = run(expressions, options, Results::stay);
  if (options.cluster) return left_there(r, options, expressions);
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
