// The plan of one or several expressions: stages, each a fused pipeline over partitions, and what leaves them.
#pragma once
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "data/program.hpp"
#include "expr/op.hpp"
#include "graph/graph.hpp"

namespace muster::plan {

using base::Hash128;
using base::Value;
using expr::Expr;

/// An open column of a source: a missing value in it makes what is computed from it wider.
struct Root {
  Hash128 source;
  int64_t column;
  auto operator<=>(const Root&) const = default;
};

/// What leaves a stage: sink number `sink`.
struct Exit {
  int stage = -1, sink = -1;
  auto operator<=>(const Exit&) const = default;
};

struct Stage {
  Expr source;                       // the node whose source kernel begins the stage, or null: it reads `input`
  Value filters;                     // of the source: conjunctions of (register, operation, value) that every row wanted satisfies
  Exit input;
  std::vector<std::pair<Exit, int64_t>> alternatives;  // instead of `input`: the exits whose partitions come one after the other, each with its first
  bool gathers = false;              // each task reads all partitions of the input
  std::string whole;                 // kernel over the input's rows first
  Value whole_args;
  std::vector<int> out;              // registers of the source's or input's columns
  struct Broadcast { Exit from; int column, reg; };
  std::vector<Broadcast> broadcasts;
  std::vector<data::Step> steps;
  std::vector<data::Sink> sinks;
  int registers = 0;
  std::vector<std::set<Root>> roots; // per register
  std::vector<int64_t> partitions;   // of the source; empty = 0 .. count - 1
  int64_t count = 1;
  std::string label;                 // "read_csv → select → group_by"

  bool folds(int sink) const { return !sinks[static_cast<size_t>(sink)].kernel.empty(); }
};

/// Where an expression's result comes out.
struct Result {
  Exit exit;
  std::vector<std::set<Root>> columns, index;  // what decides whether they are wider than promised
};

struct Plan {
  std::vector<Stage> stages;
  std::vector<Result> results;  // one per expression: index columns first, then columns
  std::vector<std::pair<Expr, int64_t>> named;  // node and column of result kResults + i (expr::Lowering::name_result)
};

/// Lowers expressions to one plan; parts they share stand in it once.
Plan lower(const std::vector<Expr>& expressions);

/// Applies the rules of src/plan/rules in order.
void optimize(Plan& plan);

/// A plan as tasks. `range_of[stage]` is the range of the stage's pipeline.
struct Expanded {
  graph::Graph graph;
  std::vector<int> range_of_stage;
  std::vector<graph::Dependency> results;  // per expression: range and output that hold it
};
Expanded expand(const Plan& plan);

/// Text for explain(): the stages of an optimized plan, or the task ranges of an expanded one.
std::string describe(const Plan& plan);
std::string describe(const graph::Graph& graph);

/// The source kernel's arguments when only these registers are needed.
Value source_args(const Stage& stage);

}  // namespace muster::plan
