// Joins: one side is built, a table of its rows by their keys; the other streams past and looks into it, so that its order stays.
#pragma once
#include "data/kernel.hpp"

namespace muster::kernels {

/// The fold "join_build" {keys, types, repeats}: of the columns, of these dtypes, the first `keys` are the keys; repeats: the error where several rows have one
/// key. Of it, by key columns of the same storage: "join_find" {found, not_found} gives pairs of rows, those looked for (columns for "take_rows") and those
/// found (for "join_take"); found: of equal ones; not_found: of a row that equals none, with -1. "join_sides" {alone, both} says of those found which they are.
/// "join_checked" gives a column as it is, once it is known that no key repeats. "join_contains" gives whether a row equals one. "join_take" {column, missing}
/// gives a column's values of the rows found; one that is missing for want of a row is reported under `missing`, where that is not negative.
/// "take_rows" (rows, a column): the column's values of these rows.
std::vector<data::Kernel> join_kernels();

}  // namespace muster::kernels
