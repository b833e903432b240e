// What the rows of other partitions leave for those of one: the last n rows in front of it, the sum up to it, the last value that is there.
// A fold gathers it over all partitions; its result is one row that every task reads its own part of.
#pragma once
#include "data/kernel.hpp"

namespace muster::kernels {

/// "carry" {of: rows, n, back}: the n rows in front of the partition, or behind it.
///         {of: running, op: sum, prod, min or max}: of each column the value so far, and whether there is one.
///         {of: last, back}: of each column the last value in front (first behind), whether there is one, and the number of rows since.
data::Kernel carry_kernel();

/// A partition's part of the fold's result; no columns where nothing is carried.
data::Batch carried(const data::Column& all, int64_t partition);

/// The steps that read it, each with the columns and last the fold's result: "running" {op}, "shift" {n, fill: list of values, types}, "shift_down" of a
/// small n > 0, "fill_gaps" {limit}, "fill_gaps_back" {limit}.
std::vector<data::Kernel> carried_kernels();

}  // namespace muster::kernels
