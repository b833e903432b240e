#include "api/settle.hpp"

#include <algorithm>
#include <set>

#include "api/pending.hpp"
#include "expr/op.hpp"
#include "kernels/memory.hpp"

namespace muster::api {
using namespace base;
using namespace data;
using expr::kRowIds;
using plan::Root;
namespace {

// Calls with runs of rows of one partition.
template <class Call>
void each_partition(const Column& ids, Call call) {
  const int64_t* id = ids.as<int64_t>();
  for (int64_t begin = 0, end = 0; begin < ids.length; begin = end) {
    const int64_t partition = id[begin] >> 32;
    while (end < ids.length && id[end] >> 32 == partition) ++end;
    call(partition);
  }
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
}  // namespace

RowNumbers::RowNumbers(const Run& run, Reports& reports, Count count) : run_(run), reports_(reports), count_(std::move(count)) {
  for (const auto& s : run.plan.stages) {
    if (s.source && s.source->op->files) sources_[s.source->id].node = s.source;
    for (const auto& made : s.numbered) sources_[made.node->id].node = made.node;
  }
}

bool RowNumbers::incomplete() const {
  return std::any_of(sources_.begin(), sources_.end(), [&](const auto& source) {
    const auto reports = reports_.find(source.first);
    int64_t next = 0;
    const auto missed = [&](const auto& r) { return r.first != next++ || r.second.stopped_early; };
    return reports != reports_.end() && std::any_of(reports->second.begin(), reports->second.end(), missed);
  });
}

void RowNumbers::expect(const Column& ids, int dependence) {
  const auto& sources = sources_behind(dependence);
  each_partition(ids, [&](int64_t partition) {
    const auto& [first, source] = *std::prev(sources.upper_bound(partition));
    auto& last = source->expected[source->file_of(partition - first)];
    last = std::max(last, partition - first);
  });
}

void RowNumbers::find_bases(const Column& ids, int dependence, std::map<int64_t, int64_t>& bases) {
  const auto& sources = sources_behind(dependence);
  each_partition(ids, [&](int64_t partition) {
    const auto& [first, source] = *std::prev(sources.upper_bound(partition));
    if (!bases.contains(partition)) bases[partition] = base_of(*source, partition - first);
  });
}

void RowNumbers::expect_all(int dependence, const Reports& read) {
  for (const auto& [first, source] : sources_behind(dependence)) {
    const auto partitions = read.find(source->node->id);
    if (partitions == read.end()) continue;
    for (const auto& [partition, report] : partitions->second) {
      auto& last = source->expected[source->file_of(partition)];
      last = std::max(last, partition);
    }
  }
}

void RowNumbers::find_all_bases(int dependence, const Reports& read, std::map<int64_t, int64_t>& bases) {
  for (const auto& [first, source] : sources_behind(dependence)) {
    const auto found = read.find(source->node->id);
    if (found == read.end()) continue;
    std::vector<int64_t> partitions;  // counting may add to what is read
    for (const auto& [partition, report] : found->second) partitions.push_back(partition);
    for (int64_t p : partitions) bases[first + p] = base_of(*source, p);
  }
}

int64_t RowNumbers::Source::file_of(int64_t partition) {
  if (files.empty()) files = node->op->files(expr::Call(*node->op, node->args, node->inputs));
  return *(std::upper_bound(files.begin(), files.end(), partition) - 1);
}

const std::map<int64_t, RowNumbers::Source*>& RowNumbers::sources_behind(int dependence) {
  const auto [known, fresh] = behind_.try_emplace(dependence);
  if (fresh)
    for (const auto& r : plan::row_sources(run_.plan.dependences, dependence)) known->second.emplace(kRowIds - r.column, &sources_.at(r.source));
  return known->second;
}

int64_t RowNumbers::base_of(Source& s, int64_t partition) {
  const int64_t file = s.file_of(partition);
  auto near = s.bases.upper_bound(partition);
  if (near == s.bases.begin() || (--near)->first < file) near = s.bases.emplace(file, 0).first;
  if (near->first == partition) return near->second;
  auto& reports = reports_[s.node->id];
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

void RowNumbers::count_all(Source& s) {
  auto& reports = reports_[s.node->id];
  List uncounted;
  for (const auto& [file, last] : s.expected)
    for (int64_t p = file; p < last; ++p)
      if (auto r = reports.find(p); r == reports.end() || r->second.stopped_early) uncounted.push_back(p);
  for (auto& [p, report] : count_(s.node, std::move(uncounted))) reports[p] = report;
}

std::vector<bool> widened(const Run& run, const Reports& reports) {
  std::set<Root> missing;
  for (const auto& [source, partitions] : reports)
    for (const auto& [partition, report] : partitions)
      for (auto column : report.missing) missing.insert({source, column});
  if (missing.empty()) return {};
  return plan::reaching(run.plan.dependences, [&](const Root& r) { return missing.contains(r); });
}

Settled settle(const Run& run, size_t expression, const std::vector<bool>& widened) {
  const auto& result = run.plan.results[expression];
  Settled s{run.expressions[expression]->schema, {}, {}};
  const bool row_ids = s.schema.index.empty() && !result.index.empty();
  if (row_ids) s.schema.index = {{Label(), {Storage::int64}}};
  const auto add = [&](DType& type, int dependence) {
    const Final f = final_of(type, !widened.empty() && widened[static_cast<size_t>(dependence)]);
    type = f.to;
    s.dependences.push_back(dependence);
    s.columns.push_back({{}, f.wider && f.from.is_integer()});
  };
  for (size_t i = 0; i < result.index.size(); ++i) add(s.schema.index[i].type, result.index[i]);
  for (size_t i = 0; i < result.columns.size(); ++i) add(s.schema.columns[i].type, result.columns[i]);
  return s;
}

Expr left_there(const Run& run, size_t expression, Settled settled, RowNumbers& numbers, const Reports& read) {
  List settlements;
  for (size_t c = 0; c < settled.columns.size(); ++c) {
    numbers.find_all_bases(settled.dependences[c], read, settled.columns[c].first_numbers);
    settlements.push_back(settled.columns[c].is_nothing() ? Value() : settled.columns[c].encode());
  }
  const auto& where = run.expanded.results[expression];
  const auto tasks = run.there->keep(where.range);
  const auto count = static_cast<int64_t>(tasks->ids.size());
  return from_tasks({{"rows", partitions_value({tasks, where.output}, kernels::new_table_token())}}, count, settled.schema, settlements,
                    run.expressions[expression]->divisions);
}

}  // namespace muster::api
