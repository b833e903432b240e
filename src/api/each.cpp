#include "api/each.hpp"

#include "api/settle.hpp"
#include "base/error.hpp"
#include "expr/annotations.hpp"

namespace muster::api {
using namespace base;
namespace {

struct NotYet {};  // what would have to be counted may still be told by a task that runs

// One run. An expression is settled by the reports of those tasks alone that its result is made of: it is the same whenever the others are ready.
class Each {
 public:
  Each(const std::vector<Expr>& expressions, std::vector<size_t> numbers, const RunOptions& options, const Told& told)
      : numbers_(std::move(numbers)), options_(options), told_(told), run_(begun(expressions, options, Results::stay_each)),
        rows_(run_, reports_, [this](const Expr& source, List partitions) { return counted(source, std::move(partitions)); }) {
    for (size_t e = 0; e < numbers_.size(); ++e) open_.push_back(e);
  }

  void wait() {
    worker::wait_for(*run_.job, [this](const worker::Progress& p) {
      settle_ended();
      return options_.tick && options_.tick(p);
    });
    is_over_ = true;
    settle_ended();
    warn_of(run_, options_);
  }
  /// Expressions that have to be planned again, and their numbers.
  std::vector<Expr> again;
  std::vector<size_t> numbers_again;

 private:
  void settle_ended() {
    std::erase_if(open_, [this](size_t e) {
      if (!is_over_ && state(e) == ClusterJob::State::runs) return false;
      try {
        settle_one(e);
      } catch (const NotYet&) {
        return false;
      }
      return true;
    });
  }
  ClusterJob::State state(size_t e) const { return run_.there->state(run_.expanded.results[e].range); }

  void settle_one(size_t e) {
    Heard heard = hear(run_, behind(run_, e), [this](const Expr& source, List partitions) { return counted(source, std::move(partitions)); });
    if (!heard.error && heard.again()) {
      again.push_back(revised_by(heard, {run_.expressions[e]}, options_)[0]);
      numbers_again.push_back(numbers_[e]);
      return;
    }
    if (!heard.error && state(e) != ClusterJob::State::done) heard.error = run_.job->error();
    if (heard.error) {
      run_.there->give_up(run_.expanded.results[e].range);
      return told_(numbers_[e], nullptr, heard.error);
    }
    for (const auto& [source, partitions] : heard.reports)
      for (const auto& [partition, report] : partitions)
        if (auto [known, fresh] = reports_[source].try_emplace(partition, report); !fresh && known->second.stopped_early) known->second = report;
    remember_missing(run_, heard.reports);
    Settled settled = settle(run_, e, widened(run_, heard.reports));
    for (int d : settled.dependences) rows_.expect_all(d, heard.reports);
    told_(numbers_[e], left_there(run_, e, std::move(settled), rows_, heard.reports), nullptr);
  }

  PartitionReports counted(const Expr& source, List partitions) {
    if (!is_over_) throw NotYet();
    return count(source, std::move(partitions), options_);
  }

  std::vector<size_t> numbers_, open_;
  const RunOptions& options_;
  const Told& told_;
  Run run_;
  Reports reports_;  // of all expressions that were settled: where the rows of others begin
  RowNumbers rows_;
  bool is_over_ = false;
};

// What cannot succeed ends at once: nobody else needs what runs on.
void alone(const Expr& expression, size_t number, const RunOptions& options, const Told& told) {
  Expr there;
  std::exception_ptr error;
  try {
    there = persist({expression}, options)[0];
  } catch (const Error& e) {
    if (e.kind == ErrorKind::cancelled) throw;
    error = std::current_exception();
  } catch (...) {
    error = std::current_exception();
  }
  told(number, there, error);
}
}  // namespace

void persist_each(const std::vector<Expr>& expressions, const RunOptions& options, const Told& told) {
  start();
  const expr::Unannotated quiet;
  auto current = prepared(expressions, options);
  std::vector<size_t> numbers;
  for (size_t e = 0; e < current.size(); ++e) numbers.push_back(e);
  for (int attempt = 0; !current.empty(); ++attempt) {
    if (attempt > 1000) throw internal("a source changes with every reading; is a file being written?");
    if (current.size() == 1) return alone(current[0], numbers[0], options, told);
    Each each(current, std::move(numbers), options, told);
    each.wait();
    current = std::move(each.again), numbers = std::move(each.numbers_again);
  }
}

}  // namespace muster::api
