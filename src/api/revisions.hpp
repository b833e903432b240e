// What runs have learnt of nodes whose promise was too narrow: the next plan starts from it, and dtypes say it.
#pragma once
#include "api/review.hpp"

namespace muster::api {

/// The node with what had to change in it.
expr::Expr made_again(const expr::Expr& node, const Revision& revision);

/// Remembers what had to change in a node. A wider dtype that is open stands for a missing value in an open column.
void remember(const expr::Expr& node, const Revision& revision);

/// The expressions with all that is known of their nodes put in.
std::vector<expr::Expr> revised(std::vector<expr::Expr> expressions);

}  // namespace muster::api
