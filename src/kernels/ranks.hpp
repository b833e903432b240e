// The places of values in their order, in groups or among all: of rows that come so that groups are together, or all in order.
#pragma once
#include <vector>

#include "data/kernel.hpp"

namespace muster::kernels {

/// "split_row_ids": of row ids the partition and the row in it. "rows_of_partition": the row in its partition, of rows that the input has.
/// "rank_rows" {keys, descending, method: average, min, max, first or dense, na: keep, top or bottom, pct, dropna, hashed}, of all rows of a partition:
///   keys, the value, two columns that say where a row is from, and where they are `hashed` a hash of the keys, which the batches are in the order of; rows
///   of a key are in one partition. Else rows are in the order of keys and value, through all partitions. Makes the two columns and the rank; of rows in
///   order also a mark (> 0: the rank depends on other partitions), the keys and the value.
/// "rank_edges", a fold of mark, rank, keys and value, with the same arguments: one row for "finish_ranks" {pct}, which makes ranks of ranks, marks and it.
/// "put_rows" {keys: 1, types, each: true}, a fold of the row and other columns of a partition; "take_put" {column} looks up rows that follow each other.
std::vector<data::Kernel> rank_kernels();

}  // namespace muster::kernels
