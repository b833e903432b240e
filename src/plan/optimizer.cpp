// The rules in order. Each is one file of src/plan/rules.
#include "plan/plan.hpp"
#include "plan/rules/rules.hpp"

namespace muster::plan {

void optimize(Plan& plan, int64_t kept_bytes) {
  drop_unused(plan);   // columns nobody needs are neither parsed nor carried
  prune_exits(plan);   // nor do they leave a stage
  keep_rows(plan, kept_bytes);  // what is small is not decoded twice
  drop_unused(plan);
  push_statistics(plan);  // what a source's statistics exclude is not read
  count_masks(plan);   // rows that are only counted are not gathered
  push_filters(plan);  // rows that a filter drops are not parsed further
  drop_unused(plan);
}

}  // namespace muster::plan
