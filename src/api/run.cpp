#include "api/run.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <set>

#include "api/exchanges.hpp"
#include "api/missing_values.hpp"
#include "api/one_graph.hpp"
#include "api/operators.hpp"
#include "api/pending.hpp"
#include "api/revisions.hpp"
#include "base/error.hpp"
#include "expr/op.hpp"
#include "kernels/python_call.hpp"
#include "kernels/settling.hpp"

namespace muster::api {
using namespace base;
using namespace data;
using worker::TaskResult;
namespace {

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

Expr brought(const Expr& node) {
  const Partitions& from = *partitions_of(node);
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
    if (const Partitions* there = partitions_of(node); there && there->tasks->client != options.cluster) here[node->id] = brought(node);
  return expr::substitute(settled, here);
}
}  // namespace

bool Heard::again() const {
  return std::any_of(revisions.begin(), revisions.end(), [](const auto& r) { return !r.second.second.empty(); });
}

std::vector<Expr> prepared(const std::vector<Expr>& expressions, const RunOptions& options) { return revised(refreshed(within_reach(expressions, options))); }

PartitionReports count(const Expr& source, List partitions, RunOptions options) {
  options.warn = nullptr;  // whoever asks for these rows is told about them
  options.calls = nullptr;
  PartitionReports out;
  const Run counted = run({call(operators::row_count, Dict{}, {call(operators::partitions, Dict{{"partitions", std::move(partitions)}}, {source})})}, options);
  const auto said = counted.reports.find(source->id);  // that of a source that was revised meanwhile has another name
  for (const auto& [id, reports] : counted.reports)
    if (id != Hash128{} && (said == counted.reports.end() || id == source->id))  // the former is of results
      for (const auto& [partition, report] : reports) out[partition] = report;
  return out;
}

Run planned(std::vector<Expr> expressions, const RunOptions& options) {
  Run r;
  r.expressions = std::move(expressions);
  r.plan = plan::lower(r.expressions);
  plan::optimize(r.plan, options.cluster ? 0 : kept_between_stages());
  r.expanded = plan::expand(r.plan);
  find_stages(r);
  return r;
}

void find_stages(Run& r) {
  r.stage_of_range.assign(r.expanded.graph.ranges.size(), -1);
  for (size_t s = 0; s < r.plan.stages.size(); ++s)
    if (const int at = r.expanded.range_of_stage[s]; at >= 0 && r.plan.stages[s].source) r.stage_of_range[static_cast<size_t>(at)] = static_cast<int>(s);
}

void begin(Run& r, const RunOptions& options, Results wanted, bool each) {
  // Categories differ in as many ways as there are partitions: all are heard before the plan is made again.
  const auto tells_all = [](const auto& wider) { return !wider.second.is_object() || !wider.second.foreign; };
  const auto hopeless = [=](int, int64_t, const TaskResult& result) {
    return wanted != Results::stay_each && (result.error || (!each && std::any_of(result.report.wider.begin(), result.report.wider.end(), tells_all)));
  };
  const Placing placing{options.placing, wanted != Results::brought, wanted == Results::stay_each, options.values, options.threads, options.warn};
  if (options.cluster) r.job = r.there = run_on(options.cluster, r.expanded.graph, placing, hopeless);
  else r.job = worker::run(std::make_shared<const graph::Graph>(r.expanded.graph), options.threads, hopeless);
}

Run begun(std::vector<Expr> expressions, const RunOptions& options, Results wanted) {
  Run r = planned(std::move(expressions), options);
  begin(r, options, wanted, false);
  return r;
}

std::vector<int> behind(const Run& run, size_t expression) {
  std::vector<int> stack{run.expanded.results[expression].range};
  std::set<int> out(stack.begin(), stack.end());
  while (!stack.empty()) {
    const auto range = static_cast<size_t>(stack.back());
    stack.pop_back();
    for (const auto& d : run.expanded.graph.ranges[range].inputs)
      if (out.insert(d.range).second) stack.push_back(d.range);
  }
  return {out.begin(), out.end()};
}

Heard hear(const Run& r, const std::vector<std::vector<TaskResult>>& results, const std::vector<int>& ranges, const Count& count) {
  Heard heard;
  const auto& graph = r.expanded.graph;
  std::map<int, std::exception_ptr> failed;  // of sources, by range
  // Ranges that were read otherwise than they should be, and those where an error may come of that: steps see zeros for what a dtype cannot hold, labels are
  // counted from wrong borders.
  std::vector<bool> misled(graph.ranges.size(), false), doubtful(graph.ranges.size(), false);
  for (const int at : ranges) {
    const int s = r.stage_of_range[static_cast<size_t>(at)];
    if (s < 0) continue;
    const auto& stage = r.plan.stages[static_cast<size_t>(s)];
    const auto& range = graph.ranges[static_cast<size_t>(at)];
    auto& revision = heard.revisions[stage.source->id];
    revision.first = stage.source;
    const auto recount = [&](int64_t first, int64_t last) {
      List wanted;
      for (int64_t p = first; p <= last; ++p) wanted.push_back(p);
      return count(stage.source, wanted);
    };
    const size_t begins = revision.second.begins.size(), wider = revision.second.wider.size();
    std::exception_ptr found;
    review(stage.source, results[static_cast<size_t>(at)], range, recount, revision.second, found);
    if (found) failed.emplace(at, found);
    doubtful[static_cast<size_t>(at)] = revision.second.wider.size() > wider;
    misled[static_cast<size_t>(at)] = doubtful[static_cast<size_t>(at)] || revision.second.begins.size() > begins;
    for (size_t i = 0; i < results[static_cast<size_t>(at)].size(); ++i) {
      const auto& report = results[static_cast<size_t>(at)][i].report;
      if (!results[static_cast<size_t>(at)][i].ran) continue;
      auto& known = heard.reports[stage.source->id][range.partition.empty() ? static_cast<int64_t>(i) : range.partition[i]];
      const auto missing = known.missing;
      if (known.rows == 0 || known.stopped_early) known = report;
      known.missing.insert(known.missing.end(), missing.begin(), missing.end());
      known.missing.insert(known.missing.end(), report.missing.begin(), report.missing.end());
    }
  }
  for (size_t s = 0; s < r.plan.stages.size(); ++s)
    for (const auto& made : r.plan.stages[s].numbered) {
      const int at = r.expanded.range_of_stage[s];
      if (std::find(ranges.begin(), ranges.end(), at) == ranges.end()) continue;
      const auto& of_range = results[static_cast<size_t>(at)];
      for (size_t i = 0; i < of_range.size(); ++i) {
        if (!of_range[i].ran) continue;
        Report& known = heard.reports[made.node->id][made.partitions.empty() ? static_cast<int64_t>(i) : made.partitions[i]];
        const auto& counted = of_range[i].report.counted;
        const auto own = std::find_if(counted.begin(), counted.end(), [&](const auto& c) { return c.id == made.id; });
        if (known.rows == 0 || known.stopped_early) known.rows = own == counted.end() ? 0 : own->rows, known.stopped_early = of_range[i].report.stopped_early;
      }
    }
  for (const int range : ranges)
    for (const auto& input : graph.ranges[static_cast<size_t>(range)].inputs)
      if (misled[static_cast<size_t>(input.range)] || doubtful[static_cast<size_t>(input.range)]) doubtful[static_cast<size_t>(range)] = true;
  for (const auto& [range, error] : failed)
    if (!heard.error && !doubtful[static_cast<size_t>(range)]) heard.error = error;
  auto& named = heard.reports[Hash128{}][0].missing;
  for (const int range : ranges)
    for (const auto& t : results[static_cast<size_t>(range)]) {
      std::copy_if(t.report.missing.begin(), t.report.missing.end(), std::back_inserter(named), [](int64_t id) { return id >= expr::kResults; });
      for (auto [id, type] : t.report.wider) {
        if (id < expr::kResults) continue;
        const auto& [node, field] = r.plan.named.at(static_cast<size_t>(id - expr::kResults));
        auto& [source, revision] = heard.revisions[node->id];
        source = node;
        auto [known, fresh] = revision.wider.try_emplace(field, type);
        if (!fresh) known->second = kernels::common_dtype(known->second, type);
      }
    }
  if (heard.again()) return heard;
  for (const Expr& node : short_of_room(r, results, ranges)) {
    auto& [source, revision] = heard.revisions[node->id];
    source = node, revision.exchanged = true;
    heard.error = nullptr;
  }
  if (heard.error || heard.again()) return heard;
  for (const auto& [id, found] : computed_with(r, heard.reports)) heard.revisions[id] = found;
  if (heard.again()) return heard;
  for (const int range : ranges)
    if (r.stage_of_range[static_cast<size_t>(range)] < 0)
      for (const auto& t : results[static_cast<size_t>(range)])
        if (t.error && !is_cancelled(t.error)) {
          heard.error = t.error;
          return heard;
        }
  return heard;
}

void warn_of(const Run& run, const RunOptions& options) {
  if (!options.warn) return;
  for (const auto& range : run.job->results())
    for (const auto& t : range)
      for (const auto& w : t.report.warnings) options.warn(w);
}

void remember_missing(const Run& r, const Reports& reports) {
  for (const auto& [id, revision] : missing_in(r, reports)) remember(revision.first, revision.second);
}

std::vector<Expr> revised_by(const Heard& heard, const std::vector<Expr>& expressions, const RunOptions& options) {
  std::map<Hash128, Expr> revised_nodes;
  for (const auto& [id, revision] : heard.revisions) {
    if (revision.second.empty()) continue;
    const auto node = revised({revision.first})[0];
    // Meanwhile a count of partitions in front has found more: this run has read too much wrongly to say anything about that.
    if (node->id != revision.first->id) {
      revised_nodes[id] = node;
      same_ranges(revision.first, node);
      continue;
    }
    if (options.note && revision.second.exchanged)
      options.note(concat(node->op->name, ": planned again: there is no room for the rows that it wants at once, they are exchanged in another way"));
    else if (options.note)
      options.note(concat(node->op->name, ": planned again: ", revision.second.wider.size(), " columns are wider than the sample promised, ",
                          revision.second.begins.size(), " partitions begin elsewhere"));
    remember(node, revision.second);
    revised_nodes[id] = made_again(node, revision.second);
    if (!revision.second.exchanged) same_ranges(revision.first, revised_nodes[id]);  // other rows are in its partitions
  }
  return revised(expr::substitute(expressions, revised_nodes));  // one of them may stand on another
}

Run run(const std::vector<Expr>& expressions, const RunOptions& options, Results wanted) {
  auto current = prepared(expressions, options);
  const Count counting = [&](const Expr& source, List partitions) { return count(source, std::move(partitions), options); };
  std::optional<OneGraph> with_calls;
  if (options.calls && !options.cluster) with_calls.emplace(options);
  for (int attempt = 0;; ++attempt) {
    Run r = with_calls ? with_calls->begun(current, wanted) : begun(current, options, wanted);
    worker::wait_for(*r.job, options.tick);
    std::vector<int> all(r.expanded.graph.ranges.size());
    std::iota(all.begin(), all.end(), 0);
    Heard heard = hear(r, all, counting);
    const bool again = heard.again();
    const bool of_job = r.job->guest_failed() || (!again && (options.cluster || with_calls));  // of calls; the connection was lost, others cancelled its tasks
    if (!heard.error && of_job) heard.error = r.job->error();
    if (heard.error) std::rethrow_exception(heard.error);
    if (!again) {
      r.reports = std::move(heard.reports);
      remember_missing(r, r.reports);
      warn_of(r, options);
      if (with_calls) with_calls->leave_calls_out(r);
      return r;
    }
    if (attempt > 1000) throw internal("a source changes with every reading; is a file being written?");
    current = with_calls ? with_calls->revised_by_run(r, counting) : revised_by(heard, r.expressions, options);
  }
}

}  // namespace muster::api
