// Which number a row has: how many rows the partitions in front of it hold, and its place in its own.
#pragma once
#include "data/kernel.hpp"

namespace muster::kernels {

/// The fold "row_counts" {files}: one text, the number of each partition's first row. Numbers begin anew at the partitions in `files`.
data::Kernel row_counts_kernel();

/// "row_labels" {sources} (row ids, tables): the row ids' numbers. A source is [its first partition, table], where a table is a list of first numbers, or
/// says which of the inputs behind the row ids is what "row_counts" made.
/// "row_numbers" (any column, or that and what "row_counts" made): the rows counted from 0, or from the partition's first number.
/// "new_row_ids" {partitions} (any column): ids of rows that an expression makes, by its partitions; "count_new_rows" {id}: reports how many.
/// `partitions`: pairs of a task's partition and the expression's, where these differ.
std::vector<data::Kernel> row_number_kernels();

}  // namespace muster::kernels
