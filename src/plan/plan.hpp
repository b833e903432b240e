// The plan of some expressions: stages, each a fused pipeline over partitions. Registers are a stage's own and written once; others see its exits.
#pragma once
#include <algorithm>
#include <functional>
#include <memory>
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

/// What decides whether a register's dtype is wider than promised: open columns, and whatever decides it for the registers it was made of.
/// A register knows its number in Plan::dependences, where it stands behind what it names.
struct Dependence {
  std::vector<Root> roots;
  std::vector<int> on;
  int64_t moved = 0;      // row ids' first partitions stand this far behind those of `on`
  bool numbered = false;  // row ids of `on` have become numbers
};
constexpr int kNothing = 0;  // the number of the one that is empty

/// What leaves a stage: sink number `sink`.
struct Exit {
  int stage = -1, sink = -1;
  auto operator<=>(const Exit&) const = default;
};

/// What a stage reads of another.
struct Input {
  enum class Role : uint8_t {
    stream,  // its rows are the stage's; of several, one after the other
    row,     // its only row is seen by every row of the stage
    built,   // the state of its fold, which steps look into
  };
  using Exchange = graph::Dependency::Rule;
  Exit from;
  Role role = Role::stream;
  Exchange exchange = Exchange::map;          // which partitions of it a partition of the stage reads
  int64_t first = 0;                          // of several streams: the stage's partition that is the first of this one
  struct Seen { int column, reg; };
  std::vector<Seen> seen = {};                // of a row: its columns, and the registers in which they are seen
  int number = -1;                            // of a built one: Step::built of those steps
  Expr by = nullptr;                          // and the node that looks into it
};

struct Stage {
  Expr source;                       // the node whose source kernel begins the stage, or null: its rows are those of streams
  Value filters;                     // of the source: conjunctions of (register, operation, value) that every row wanted satisfies
  std::vector<Input> inputs;         // streams first
  std::string whole;                 // kernel over the stream's rows first
  Value whole_args;
  std::vector<int> out;              // registers of the source's or stream's columns
  std::vector<data::Step> steps;
  std::vector<data::Sink> sinks;
  int registers = 0;
  std::vector<int> dependences;      // per register
  std::vector<int64_t> partitions;   // of the source; empty = 0 .. count - 1
  int64_t count = 1;
  /// An expression whose rows the stage makes and numbers: `id` in reports, and where the stage's partitions stand among those of the expression.
  struct Numbered {
    Expr node;
    int64_t id;
    std::vector<int64_t> partitions;
  };
  std::vector<Numbered> numbered;
  graph::Options options = {};       // what was asked of its operators
  std::string label;                 // "read_csv → select → group_by"

  /// The stream, where there is only one.
  const Input* stream() const { return streams() == 1 ? &inputs[0] : nullptr; }
  size_t streams() const {
    return static_cast<size_t>(std::find_if(inputs.begin(), inputs.end(), [](const Input& i) { return i.role != Input::Role::stream; }) - inputs.begin());
  }
  bool folds(int sink) const { return !sinks[static_cast<size_t>(sink)].kernel.empty(); }
};

/// Where an expression's result comes out.
struct Result {
  Exit exit;
  std::vector<int> columns, index;  // dependences
};

struct Plan {
  std::vector<Stage> stages;
  std::vector<Dependence> dependences{{}};
  std::vector<Result> results;  // one per expression: index columns first, then columns
  std::vector<std::pair<Expr, int64_t>> named;  // node and column of result kResults + i (expr::Lowering::name_result)
};

/// Per dependence: whether a root of which `is` holds is among those it reaches.
std::vector<bool> reaching(const std::vector<Dependence>& dependences, const std::function<bool(const Root&)>& is);
/// The sources of a register's row ids.
std::vector<Root> row_sources(const std::vector<Dependence>& dependences, int of);

/// Lowers expressions to one plan; parts they share stand in it once.
Plan lower(const std::vector<Expr>& expressions);

/// The stages that results need, each behind those it reads.
std::vector<int> order_of(const Plan& plan);

/// Applies the rules of src/plan/rules in order. `kept_bytes`: so much of sources that are read more than once may be kept instead.
void optimize(Plan& plan, int64_t kept_bytes);

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
