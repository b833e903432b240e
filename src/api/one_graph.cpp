// Stages read what calls have made, and calls take what stages have: so they stand in rounds, in each the calls in front of the stages. A call takes an
// expression when that is settled by the reports of its own tasks, so that no call sees zeros for what a dtype does not hold; one whose expression has to be
// planned again is left to the next run.
#include "api/one_graph.hpp"

#include <algorithm>
#include <mutex>

#include "api/settle.hpp"
#include "base/error.hpp"
#include "data/program.hpp"
#include "data/source_rows.hpp"
#include "expr/op.hpp"
#include "kernels/task_values.hpp"

namespace muster::api {
using namespace base;
using worker::TaskResult;
namespace {
using Shared = std::shared_ptr<const Opaque>;

// The values of calls that a source gives; null of any other expression.
Shared values_read(const Expr& node) {
  const auto rows = data::rows_of(node->args);
  return rows && kernels::names_task_values(*rows) ? rows : nullptr;
}

std::vector<Shared> values_of(const std::vector<Expr>& expressions) {
  std::vector<Shared> out;
  std::map<const Opaque*, bool> known;
  for (const auto& node : expr::topological(expressions))
    if (const auto values = values_read(node); values && known.try_emplace(values.get()).second) out.push_back(values);
  return out;
}

// The expressions that calls take, each settled once.
class Settling {
 public:
  Settling(std::shared_ptr<const Run> run, RunOptions options)
      : run_(std::move(run)), options_(std::move(options)), rows_(*run_, reports_, count_), outcomes_(run_->expressions.size()),
        told_(run_->expanded.graph.ranges.size()) {
    options_.tick = nullptr, options_.warn = nullptr, options_.note = nullptr, options_.calls = nullptr;  // these belong to the thread that waits
  }

  void settle_one(size_t e, worker::Beside& job) {
    std::lock_guard lock(mutex_);
    auto& outcome = outcomes_[e];
    try {
      const auto ranges = behind(*run_, e);
      for (const int range : ranges) listen(range, job);
      const Heard heard = hear(*run_, told_, ranges, count_);
      if (heard.error) std::rethrow_exception(heard.error);
      if (heard.again()) return;  // what was read wrongly was not counted rightly either
      for (const auto& [source, partitions] : heard.reports)
        for (const auto& [partition, report] : partitions)
          if (auto [known, fresh] = reports_[source].try_emplace(partition, report); !fresh && known->second.stopped_early) known->second = report;
      auto settled = std::make_shared<Settled>(settle(*run_, e, widened(*run_, heard.reports)));
      for (const int d : settled->dependences) rows_.expect_all(d, heard.reports);
      for (size_t c = 0; c < settled->columns.size(); ++c) rows_.find_all_bases(settled->dependences[c], heard.reports, settled->columns[c].first_numbers);
      outcome.settled = std::move(settled);
    } catch (...) {
      outcome.error = std::current_exception();
    }
  }

  Computed take(size_t e, worker::Beside& job) {
    Outcome outcome;
    {
      std::lock_guard lock(mutex_);
      outcome = outcomes_[e];
    }
    if (outcome.error) std::rethrow_exception(outcome.error);
    if (!outcome.settled) throw worker::Postponed{};
    const auto& where = run_->expanded.results[e];
    Computed out{outcome.settled->schema, {}, {}, 0, {}};
    out.finish = [settled = outcome.settled](size_t c, const data::Column& part, int64_t rows) { return kernels::settle(part, rows, settled->columns[c]); };
    for (int64_t i = 0; i < run_->expanded.graph.ranges[static_cast<size_t>(where.range)].count; ++i) {
      int64_t rows = 0;
      const auto batches = job.rows(where.range, i, where.output);
      for (const auto& b : *batches) rows += b.rows, out.parts.push_back(b);
      out.rows += rows;
      out.partition_rows.push_back(rows);
    }
    return out;
  }

 private:
  struct Outcome {
    std::shared_ptr<const Settled> settled;  // neither this nor an error: it has to be planned again
    std::exception_ptr error;
  };

  void listen(int range, worker::Beside& job) {
    auto& told = told_[static_cast<size_t>(range)];
    if (!told.empty() && std::all_of(told.begin(), told.end(), [](const TaskResult& t) { return t.ran; })) return;
    told = job.told(range);
    for (auto& t : told) t.outputs.clear();
  }

  const std::shared_ptr<const Run> run_;
  RunOptions options_;
  const Count count_ = [this](const Expr& source, List partitions) { return count(source, std::move(partitions), options_); };
  std::mutex mutex_;
  Reports reports_;  // of all expressions until now: where the rows of others begin
  RowNumbers rows_;
  std::vector<Outcome> outcomes_;
  std::vector<std::vector<TaskResult>> told_;
};

class SettlingTasks : public worker::GuestTasks {
 public:
  SettlingTasks(std::shared_ptr<Settling> settling, std::vector<size_t> expressions) : settling_(std::move(settling)), expressions_(std::move(expressions)) {}
  bool inside(int64_t) const override { return false; }
  void run(int64_t index, worker::Beside& job) override { settling_->settle_one(expressions_[static_cast<size_t>(index)], job); }
  void free(int64_t) override {}

 private:
  std::shared_ptr<Settling> settling_;
  std::vector<size_t> expressions_;
};

class Arranging {
 public:
  /// `taken`: of each of the frames, its expression.
  Arranging(Run& run, Calls& calls, const Calls::Numbered& numbered, const std::vector<Shared>& values, std::vector<size_t> taken)
      : run_(run), calls_(calls), n_(numbered), taken_(std::move(taken)), old_(run.expanded.graph.ranges), reads_(old_.size(), kNothing),
        frame_of_(n_.begins.size() - 1, kNothing) {
    for (size_t f = 0; f < n_.frames.size(); ++f) frame_of_[n_.frames[f].first] = f;
    for (size_t r = 0; r < old_.size(); ++r) {
      const int s = run_.stage_of_range[r];
      const auto named = s < 0 ? nullptr : values_read(run_.plan.stages[static_cast<size_t>(s)].source);
      if (!named) continue;
      reads_[r] = static_cast<size_t>(std::find(values.begin(), values.end(), named) - values.begin());
    }
  }

  void arrange(const RunOptions& options) {
    find_rounds();
    number();
    std::vector<graph::Range> ranges(size_);
    for (size_t r = 0; r < old_.size(); ++r) ranges[static_cast<size_t>(place_[r])] = stage_range(r);
    for (auto& where : run_.expanded.results) where.range = place_[static_cast<size_t>(where.range)];
    for (auto& range : run_.expanded.range_of_stage)
      if (range >= 0) range = place_[static_cast<size_t>(range)];
    run_.expanded.graph.ranges = std::move(ranges);
    find_stages(run_);
    const auto settling = taken_.empty() ? nullptr : std::make_shared<Settling>(std::make_shared<const Run>(run_), options);
    const auto take = [settling, taken = taken_](size_t frame, worker::Beside& job) { return settling->take(taken[frame], job); };
    for (const auto& round : rounds_) {
      if (!round.calls.empty()) run_.expanded.graph.ranges[round.calls_at] = calls_range(round.calls, take);
      if (!round.settled.empty()) run_.expanded.graph.ranges[round.settled_at] = settled_range(round.settled, settling);
    }
  }

 private:
  static constexpr size_t kNothing = static_cast<size_t>(-1);
  struct Round {
    std::vector<uint32_t> calls = {};
    std::vector<size_t> stages = {}, settled = {};  // ranges as they were; expressions that calls of later rounds take
    size_t calls_at = 0, settled_at = 0;
  };

  std::pair<uint32_t, uint32_t> needs_of(uint32_t call) const { return {n_.begins[call], n_.begins[call + 1]}; }
  size_t result_of(size_t expression) const { return static_cast<size_t>(run_.expanded.results[expression].range); }

  void find_rounds() {
    std::vector<uint32_t> of_call(frame_of_.size()), of_range(old_.size());
    const auto raise = [](uint32_t& round, uint32_t to, bool& changed) {
      if (round < to) round = to, changed = true;
    };
    for (bool changed = true; changed;) {
      changed = false;
      for (uint32_t c = 0; c < of_call.size(); ++c) {
        for (auto [at, end] = needs_of(c); at < end; ++at) raise(of_call[c], of_call[n_.needs[at]], changed);
        if (frame_of_[c] != kNothing) raise(of_call[c], of_range[result_of(taken_[frame_of_[c]])] + 1, changed);
      }
      for (size_t r = 0; r < old_.size(); ++r) {
        for (const auto& d : old_[r].inputs) raise(of_range[r], of_range[static_cast<size_t>(d.range)], changed);
        if (reads_[r] != kNothing)
          for (const uint32_t c : n_.values[reads_[r]]) raise(of_range[r], of_call[c], changed);
      }
    }
    uint32_t last = 0;
    for (const auto* of : {&of_call, &of_range})
      for (const uint32_t round : *of) last = std::max(last, round);
    rounds_.resize(last + 1);
    for (uint32_t c = 0; c < of_call.size(); ++c) rounds_[of_call[c]].calls.push_back(c);
    for (size_t r = 0; r < old_.size(); ++r) rounds_[of_range[r]].stages.push_back(r);
    auto settled = taken_;
    std::sort(settled.begin(), settled.end());
    settled.erase(std::unique(settled.begin(), settled.end()), settled.end());
    for (const size_t e : settled) {
      rounds_[of_range[result_of(e)]].settled.push_back(e);
      for (const int r : behind(run_, e))
        if (const auto [source, first] = part_of(static_cast<size_t>(r)); source) parts_[e].emplace_back(source->id, first);
    }
    for (auto& round : rounds_)
      std::stable_sort(round.settled.begin(), round.settled.end(), [this](size_t a, size_t b) { return first_part(a) < first_part(b); });
  }
  // The source of files that a range reads some partitions of, and the first of these; else null.
  std::pair<Expr, int64_t> part_of(size_t range) const {
    const int s = run_.stage_of_range[range];
    if (s < 0 || old_[range].partition.empty()) return {};
    const Expr& source = run_.plan.stages[static_cast<size_t>(s)].source;
    return source->op->files ? std::pair(source, old_[range].partition.front()) : std::pair<Expr, int64_t>();
  }
  int64_t first_part(size_t expression) const {
    const auto known = parts_.find(expression);
    return known == parts_.end() || known->second.empty() ? 0 : known->second.front().second;
  }

  // The ranges' places, and the first task of each.
  void number() {
    place_.resize(old_.size()), first_.resize(old_.size()), call_task_.resize(frame_of_.size());
    uint32_t task = 0;
    for (auto& round : rounds_) {
      if (!round.calls.empty()) round.calls_at = size_++;
      for (const uint32_t c : round.calls) call_task_[c] = task++;
      for (const size_t r : round.stages) place_[r] = static_cast<int>(size_++), first_[r] = task, task += static_cast<uint32_t>(old_[r].count);
      if (!round.settled.empty()) round.settled_at = size_++;
      for (const size_t e : round.settled) {
        settled_task_[e] = task++;
        for (uint32_t i = 0; i < old_[result_of(e)].count; ++i) result_tasks_[e].push_back(first_[result_of(e)] + i);
      }
    }
  }

  graph::Range stage_range(size_t r) {
    graph::Range out = std::move(old_[r]);
    for (auto& d : out.inputs) d.range = place_[static_cast<size_t>(d.range)];
    if (reads_[r] == kNothing) return out;
    auto program = data::Program::decode(out.args);
    program.source_args = Dict{{"rows", calls_.source(reads_[r])}, {"columns", program.source_args["columns"]}};
    out.args = program.encode();
    const auto& calls = n_.values[reads_[r]];
    out.begins = {0};
    for (int64_t i = 0; i < out.count; ++i) {
      const int64_t partition = out.partition.empty() ? i : out.partition[static_cast<size_t>(i)];
      need(out, {call_task_[calls.at(static_cast<size_t>(partition))]});
    }
    return out;
  }

  graph::Range calls_range(const std::vector<uint32_t>& calls, const Calls::Take& take) {
    graph::Range out;
    out.count = static_cast<int64_t>(calls.size()), out.function = "guest", out.label = "python", out.begins = {0};
    std::vector<uint32_t> number(frame_of_.size(), kNone);
    for (const uint32_t c : calls) {
      number[c] = static_cast<uint32_t>(out.begins.size()) - 1;
      std::vector<uint32_t> needs;
      for (auto [at, end] = needs_of(c); at < end; ++at) needs.push_back(call_task_[n_.needs[at]]);
      if (const size_t f = frame_of_[c]; f != kNothing) {
        needs.push_back(settled_task_.at(taken_[f]));
        const auto& rows = result_tasks_.at(taken_[f]);
        needs.insert(needs.end(), rows.begin(), rows.end());
      }
      need(out, needs);
    }
    for (const uint32_t c : n_.wanted)
      if (number[c] != kNone) out.wanted_tasks.push_back(number[c]);
    out.args = calls_.tasks(calls, take);
    return out;
  }

  // One after the other where they read parts of the same files: what is in front says where a part's rows begin.
  graph::Range settled_range(const std::vector<size_t>& expressions, std::shared_ptr<Settling> settling) {
    graph::Range out;
    out.count = static_cast<int64_t>(expressions.size()), out.function = "guest", out.label = "settled", out.begins = {0};
    for (const size_t e : expressions) {
      auto needs = result_tasks_.at(e);
      for (const auto& [source, first] : parts_[e])
        if (const auto [before, fresh] = last_.try_emplace(source, settled_task_.at(e)); !fresh) {
          if (before->second < settled_task_.at(e)) needs.push_back(before->second);
          before->second = settled_task_.at(e);
        }
      need(out, needs);
    }
    std::shared_ptr<worker::GuestTasks> tasks = std::make_shared<SettlingTasks>(std::move(settling), expressions);
    out.args = std::make_shared<const Opaque>(Opaque{"", std::move(tasks)});
    return out;
  }

  static void need(graph::Range& range, const std::vector<uint32_t>& tasks) {
    for (const uint32_t t : tasks) range.needs.push_back({worker::kLocalJob, t});
    range.begins.push_back(static_cast<uint32_t>(range.needs.size()));
  }

  Run& run_;
  Calls& calls_;
  const Calls::Numbered& n_;
  const std::vector<size_t> taken_;
  std::vector<graph::Range> old_;
  std::vector<size_t> reads_;     // of each range, the values its source gives
  std::vector<size_t> frame_of_;  // of each call
  std::vector<Round> rounds_;
  size_t size_ = 0;
  std::vector<int> place_;
  std::vector<uint32_t> first_, call_task_;
  std::map<size_t, uint32_t> settled_task_;
  std::map<size_t, std::vector<uint32_t>> result_tasks_;
  std::map<size_t, std::vector<std::pair<Hash128, int64_t>>> parts_;  // of files, by the first partition
  std::map<Hash128, uint32_t> last_;                                  // of the settling tasks that read parts of a source
};
}  // namespace

Run OneGraph::begun(std::vector<Expr> expressions, Results wanted) {
  wanted_ = expressions.size();
  taken_.clear();
  Calls::Numbered numbered;
  std::vector<Shared> values;
  std::map<Hash128, size_t> place;
  for (bool more = true; more;) {
    more = false;
    values = values_of(expressions);
    numbered = options_.calls->number(values);
    for (const auto& [call, e] : numbered.frames) {
      if (!place.try_emplace(e->id, expressions.size()).second) continue;
      auto [now, fresh] = now_.try_emplace(e->id);
      if (fresh) now->second = prepared({e}, options_)[0];
      expressions.push_back(now->second);
      taken_.push_back(e->id);
      more = true;
    }
  }
  Run run = planned(std::move(expressions), options_);
  for (size_t e = 0; e < run.expanded.results.size(); ++e) run.expanded.graph.ranges[static_cast<size_t>(run.expanded.results[e].range)].wanted = false;
  for (size_t e = 0; e < wanted_; ++e) run.expanded.graph.ranges[static_cast<size_t>(run.expanded.results[e].range)].wanted = true;
  if (numbered.begins.size() > 1) {
    std::vector<size_t> taken;
    for (const auto& [call, e] : numbered.frames) taken.push_back(place.at(e->id));
    Arranging(run, *options_.calls, numbered, values, std::move(taken)).arrange(options_);
  }
  begin(run, options_, wanted, !taken_.empty());
  return run;
}

std::vector<Expr> OneGraph::revised_by_run(const Run& run, const Count& count) {
  const auto revised = [&](size_t from, size_t to) {
    std::vector<Expr> expressions(run.expressions.begin() + static_cast<std::ptrdiff_t>(from), run.expressions.begin() + static_cast<std::ptrdiff_t>(to));
    std::vector<int> ranges;
    for (size_t e = from; e < to; ++e) {
      const auto more = behind(run, e);
      ranges.insert(ranges.end(), more.begin(), more.end());
    }
    std::sort(ranges.begin(), ranges.end());
    ranges.erase(std::unique(ranges.begin(), ranges.end()), ranges.end());
    const Heard heard = hear(run, run.job->results(), ranges, count);
    return heard.again() ? revised_by(heard, expressions, options_) : expressions;
  };
  for (size_t i = 0; i < taken_.size(); ++i) now_[taken_[i]] = revised(wanted_ + i, wanted_ + i + 1)[0];
  return revised(0, wanted_);
}

void OneGraph::leave_calls_out(Run& run) const {
  run.expressions.resize(wanted_);
  run.expanded.results.resize(wanted_);
}

}  // namespace muster::api
