// What users ask of how the tasks of an expression run. It stands beside the nodes: what is computed, and so their names, do not depend on it.
#pragma once
#include <memory>

#include "base/hash.hpp"
#include "graph/graph.hpp"

namespace muster::expr {

/// Of all nodes that this thread makes from now on; null: nothing is asked.
void annotate(std::shared_ptr<const graph::Options> options);
/// While it lives, this thread asks for nothing.
class Unannotated {
 public:
  Unannotated();
  ~Unannotated() { annotate(std::move(before_)); }
  Unannotated(const Unannotated&) = delete;

 private:
  std::shared_ptr<const graph::Options> before_;
};
/// What was asked of a node, null if nothing was.
std::shared_ptr<const graph::Options> annotations_of(const base::Hash128& node);
/// Notes for a node that was made just now what this thread says.
void note_annotations(const base::Hash128& node);
/// A node stands for another, with other arguments or inputs.
void hand_on_annotations(const base::Hash128& from, const base::Hash128& to);

}  // namespace muster::expr
