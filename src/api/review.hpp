// Whether what the partitions of a source reported fits together, and what is to be read again.
#pragma once
#include <exception>
#include <functional>
#include <map>
#include <vector>

#include "expr/node.hpp"
#include "graph/graph.hpp"
#include "worker/local.hpp"

namespace muster::api {

/// What has to change in a source before the run can be trusted.
struct Revision {
  std::map<int64_t, data::DType> wider;                  // by column
  std::vector<std::pair<int64_t, int64_t>> begins;       // partition, offset of its first row
  bool exchanged = false;                                // of what reads all of an input apart: there is no room for it (Op::exchanged)
  bool empty() const { return wider.empty() && begins.empty() && !exchanged; }
};

/// Reports of a source's partitions, by partition.
using PartitionReports = std::map<int64_t, data::Report>;

/// Reads partitions [first, last] of a source for nothing but their reports.
using Recount = std::function<PartitionReports(int64_t first, int64_t last)>;

/// What is known of the partitions of a source holds for the one it was revised to.
void same_ranges(const expr::Expr& older, const expr::Expr& newer);

/// Goes through a source's partitions in order: each must begin where the one in front ended, and is held against that one also where it did not run: its end
/// is known of an earlier run, or found by `recount`. What is reported behind a wrong beginning is not believed; the first error that is goes to `error`.
void review(const expr::Expr& source, const std::vector<worker::TaskResult>& results, const graph::Range& range, const Recount& recount, Revision& revision,
            std::exception_ptr& error);

}  // namespace muster::api
