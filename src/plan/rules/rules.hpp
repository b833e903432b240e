// The optimizer's rules: each changes a plan without changing its results.
#pragma once
#include "plan/plan.hpp"

namespace muster::plan {

/// Removes steps and source columns whose registers nothing needs.
void drop_unused(Plan& plan);
void drop_unused(Stage& stage);
/// Removes columns that leave a stage and that no other stage reads.
void prune_exits(Plan& plan);
/// Hands on the columns of a source that would be read again, where they are at most `most` bytes.
void keep_rows(Plan& plan, int64_t most);
/// Tells sources which rows a filter drops, so that they need not be read.
void push_statistics(Plan& plan);
/// Counts the rows behind a filter by its mask.
void count_masks(Plan& plan);
/// Moves a filter in front of the parsing of columns that only rows behind it need.
void push_filters(Plan& plan);

}  // namespace muster::plan
