// Open columns in which values are missing: floats, for pandas, from their beginning.
#pragma once
#include "api/run.hpp"

namespace muster::api {

/// What the next plan has to know of nodes in whose open columns something is missing.
std::map<base::Hash128, std::pair<Expr, Revision>> missing_in(const Run& run, const Reports& reports);

/// Of these, what the run has to be made again for: steps have computed with the integers, which wrap around and have other texts than floats.
std::map<base::Hash128, std::pair<Expr, Revision>> computed_with(const Run& run, const Reports& reports);

}  // namespace muster::api
