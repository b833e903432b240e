// A plan and calls of the guest language as one graph of this process: stages read what calls have made, and calls take what expressions are.
#pragma once
#include <map>
#include <memory>
#include <vector>

#include "api/run.hpp"

namespace muster::api {

/// Runs expressions with the calls that belong to them, again and again until sources and plan agree. What a call has made in one run it does not make again.
class OneGraph {
 public:
  /// `options.calls` is set.
  explicit OneGraph(const RunOptions& options) : options_(options) {}

  /// Plans these, prepared, with what calls take, and begins.
  Run begun(std::vector<Expr> expressions, Results wanted);
  /// The expressions, revised by what a run that was begun here has said, and so what calls take the next time.
  std::vector<Expr> revised_by_run(const Run& run, const Count& count);
  /// A run that has ended well says nothing but of the expressions.
  void leave_calls_out(Run& run) const;

 private:
  const RunOptions& options_;
  size_t wanted_ = 0;                  // expressions that are not for calls alone
  std::map<base::Hash128, Expr> now_;  // what stands for the expressions that calls take, by their ids
  std::vector<base::Hash128> taken_;   // of the last run, behind those that are wanted
};

}  // namespace muster::api
