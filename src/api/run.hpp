// A plan that is run until sources and plan agree.
#pragma once
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "api/on_cluster.hpp"
#include "api/review.hpp"
#include "api/session.hpp"
#include "plan/plan.hpp"

namespace muster::api {

/// What the sources of a run said: reports by source and partition; under no source what is missing in named results.
using Reports = std::map<base::Hash128, PartitionReports>;

struct Run {
  std::vector<Expr> expressions;  // as they were planned in the end
  plan::Plan plan;
  plan::Expanded expanded;
  std::vector<int> stage_of_range;  // that has a source; else -1
  std::shared_ptr<worker::Job> job;
  std::shared_ptr<ClusterJob> there;  // the same, on a cluster
  Reports reports;
};

/// What becomes of results on a cluster: brought; left there; left there, each expression for itself, whatever becomes of the others.
enum class Results : uint8_t { brought, stay, stay_each };

/// The expressions as they are planned: what lies elsewhere within reach, sources looked at again, with all that is known of them.
std::vector<Expr> prepared(const std::vector<Expr>& expressions, const RunOptions& options);
/// Plans.
Run planned(std::vector<Expr> expressions, const RunOptions& options);
/// Finds the stage_of_range.
void find_stages(Run& run);
/// Begins what is planned. `each`: not given up where a source is other than planned.
void begin(Run& run, const RunOptions& options, Results wanted, bool each);
/// Plans and begins.
Run begun(std::vector<Expr> expressions, const RunOptions& options, Results wanted);
/// The ranges that a result is made of, in order.
std::vector<int> behind(const Run& run, size_t expression);
/// Prepares, and runs until sources and plan agree. Throws Error.
Run run(const std::vector<Expr>& expressions, const RunOptions& options, Results wanted = Results::brought);
/// Reads partitions of a source for their reports alone.
PartitionReports count(const Expr& source, base::List partitions, RunOptions options);
using Count = std::function<PartitionReports(const Expr& source, base::List partitions)>;

/// What tasks have said of their sources and named results.
struct Heard {
  Reports reports;
  std::map<base::Hash128, std::pair<Expr, Revision>> revisions;  // what has to change
  std::exception_ptr error;                                      // the first that is to be believed

  bool again() const;
};
/// Of the tasks of these ranges. `count` finds where partitions end that did not run.
Heard hear(const Run& run, const std::vector<std::vector<worker::TaskResult>>& told, const std::vector<int>& ranges, const Count& count);
inline Heard hear(const Run& run, const std::vector<int>& ranges, const Count& count) { return hear(run, run.job->results(), ranges, count); }
/// Open columns in which a missing value was seen are known as such from now on. `reports` are of ranges that were heard to their end.
void remember_missing(const Run& run, const Reports& reports);
void warn_of(const Run& run, const RunOptions& options);
/// What has to change put in, and remembered.
std::vector<Expr> revised_by(const Heard& heard, const std::vector<Expr>& expressions, const RunOptions& options);

}  // namespace muster::api
