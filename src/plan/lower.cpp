// Expressions to stages. A node that needs a result of its own rows (x - x.mean()) reads its source once more: "generation" counts how often.
#include <algorithm>
#include <map>

#include "base/error.hpp"
#include "plan/plan.hpp"

namespace muster::plan {
using namespace base;
using namespace expr;
using data::Program;
using data::Sink;
using data::Step;
namespace {

using Subset = std::vector<int64_t>;  // of partitions; empty = all

class Builder {
 public:
  explicit Builder(Plan& plan) : plan_(plan) {}

  Rows lower(const Expr& e, int generation, const Subset& subset);
  int generation(const Expr& e);
  // Of an input of a fold: inputs of the same rows are read in the same pass.
  int folded_generation(const Node& fold, const Expr& in) {
    int g = generation(in);
    if (!in->is_one_row())
      for (const auto& other : fold.inputs)
        if (!other->is_one_row()) g = std::max(g, generation(other));
    return g;
  }
  Exit collect(const Rows& rows);

  Stage& stage(int s) { return plan_.stages[static_cast<size_t>(s)]; }
  int add_stage(Stage s, int registers) {
    for (int r = 0; r < registers; ++r) s.out.push_back(r);
    s.registers = registers;
    s.roots.resize(static_cast<size_t>(registers));
    plan_.stages.push_back(std::move(s));
    return static_cast<int>(plan_.stages.size()) - 1;
  }
  Exit add_sink(int at, Sink sink) {
    auto& sinks = stage(at).sinks;
    for (size_t i = 0; i < sinks.size(); ++i)
      if (sinks[i].kernel == sink.kernel && sinks[i].in == sink.in && sinks[i].args == sink.args) return {at, static_cast<int>(i)};
    sinks.push_back(std::move(sink));
    return {at, static_cast<int>(sinks.size()) - 1};
  }

  // A source, and which of its partitions the rows of a stage can come from.
  std::pair<Expr, Subset> read_of(int at, const Hash128& source) {
    std::pair<Expr, Subset> out;
    bool all = false;
    std::set<int> seen;
    std::vector<int> waiting{at};
    while (!waiting.empty()) {
      const int n = waiting.back();
      waiting.pop_back();
      if (!seen.insert(n).second) continue;
      const Stage& s = stage(n);
      if (s.source && s.source->id == source) {
        out.first = s.source;
        all |= s.partitions.empty();
        out.second.insert(out.second.end(), s.partitions.begin(), s.partitions.end());
      }
      if (!s.source && s.alternatives.empty()) waiting.push_back(s.input.stage);
      for (const auto& [exit, first] : s.alternatives) waiting.push_back(exit.stage);
    }
    if (all) out.second.clear();
    return out;
  }

  Plan& plan_;
  std::map<std::tuple<Hash128, int, Subset>, Rows> lowered_;
  std::map<Hash128, int> generations_;
  std::map<std::tuple<Exit, int, std::string>, int> readers_;  // stages that read an exit
  std::map<std::pair<int, std::string>, std::vector<int>> steps_;
};

std::string step_key(const std::string& kernel, const Value& args, const std::vector<int>& in) {
  std::string key = kernel + '\0';
  args.encode(key);
  for (int r : in) key += concat(",", r);
  return key;
}

// The input whose rows the node's are.
size_t anchor_of(const Node& node) {
  for (size_t i = 0; i < node.inputs.size(); ++i)
    if (!node.inputs[i]->is_one_row()) return i;
  return 0;
}

constexpr int kCounting = -1;  // the generation of passes that count rows: apart from those that need the counts

// The partitions of the same files in front of the wanted ones (empty = all); `files` as Op::files.
Subset partitions_in_front(const std::vector<int64_t>& files, Subset wanted) {
  std::vector<int64_t> until(files.size(), 0);  // of each file, the last that is wanted
  if (wanted.empty())
    for (size_t f = 0; f + 1 < files.size(); ++f) until[f] = files[f + 1] - 1;
  for (auto p : wanted) {
    auto& last = until[static_cast<size_t>(std::upper_bound(files.begin(), files.end(), p) - files.begin()) - 1];
    last = std::max(last, p);
  }
  Subset out;
  for (size_t f = 0; f + 1 < files.size(); ++f)
    for (int64_t p = files[f]; p < until[f]; ++p) out.push_back(p);
  return out;
}

List first_numbers(const std::vector<int64_t>& files, const std::vector<int64_t>& rows) {
  List out;
  int64_t number = 0;
  for (size_t p = 0; p < rows.size(); ++p) {
    if (std::binary_search(files.begin(), files.end(), static_cast<int64_t>(p))) number = 0;
    out.push_back(number);
    number += rows[p];
  }
  return out;
}

class NodeLowering : public Lowering {
 public:
  NodeLowering(Builder& b, const Expr& e, int generation, const Subset& subset) : b_(b), e_(e), generation_(generation), subset_(subset) {
    anchor_ = anchor_of(*e);
  }

  Rows input(size_t i) override {
    const Expr& in = e_->inputs.at(i);
    if (e_->op->folds) return b_.lower(in, b_.folded_generation(*e_, in), {});
    if (i == anchor_) return b_.lower(in, std::max(generation_, b_.generation(in)), subset_);
    const int at = input(anchor_).stage;
    if (!in->is_one_row()) {
      Rows rows = b_.lower(in, generation_, subset_);
      if (rows.stage != at) throw internal(e_->op->name, ": inputs are not aligned");
      return rows;
    }
    Rows one = b_.lower(in, b_.generation(in), {});
    if (one.stage == at) return one;
    const Exit exit = b_.collect(one);
    Rows out{at, {}, {}};
    for (size_t c = 0; c < one.columns.size(); ++c)
      out.columns.push_back(broadcast(at, exit, static_cast<int>(one.index.size() + c), b_.stage(one.stage).roots[static_cast<size_t>(one.columns[c])]));
    return out;
  }

  Rows source(int registers) override {
    Stage s;
    s.source = e_, s.count = e_->npartitions, s.label = e_->op->name;
    if (!subset_.empty()) s.partitions = subset_, s.count = static_cast<int64_t>(subset_.size());
    Rows out{b_.add_stage(std::move(s), registers), {}, {}};
    for (int r = 0; r < registers; ++r) out.columns.push_back(r);
    return out;
  }

  std::vector<int> step(int at, const std::string& kernel, Value args, std::vector<int> in, int out) override {
    auto [known, fresh] = b_.steps_.try_emplace({at, step_key(kernel, args, in)});
    if (!fresh) return known->second;
    Stage& s = b_.stage(at);
    std::set<Root> roots;
    for (int r : in) roots.insert(s.roots[static_cast<size_t>(r)].begin(), s.roots[static_cast<size_t>(r)].end());
    const bool columnwise = kernel == "select";  // column i of the result comes from input i + 1 alone
    std::vector<int> regs;
    for (int i = 0; i < out; ++i) {
      regs.push_back(s.registers++);
      s.roots.push_back(columnwise ? s.roots[static_cast<size_t>(in[static_cast<size_t>(i) + 1])] : roots);
    }
    s.steps.push_back({kernel, std::move(args), std::move(in), regs});
    return known->second = regs;
  }

  Rows fold(int at, const std::string& kernel, Value args, std::vector<int> in, const std::vector<std::vector<int>>& from) override {
    std::vector<std::set<Root>> roots;
    for (const auto& inputs : from) {
      auto& r = roots.emplace_back();
      for (int i : inputs) {
        const auto& more = b_.stage(at).roots[static_cast<size_t>(in[static_cast<size_t>(i)])];
        r.insert(more.begin(), more.end());
      }
    }
    const Exit exit = b_.add_sink(at, {kernel, std::move(args), std::move(in)});
    return read(exit, "", {}, static_cast<int>(from.size()), 1, {}, roots);
  }

  Rows whole(int at, const std::string& kernel, Value args, std::vector<int> in, int out) override {
    std::set<Root> roots;
    for (int r : in) roots.insert(b_.stage(at).roots[static_cast<size_t>(r)].begin(), b_.stage(at).roots[static_cast<size_t>(r)].end());
    const bool positional = kernel == "sort_rows";
    std::vector<std::set<Root>> each;
    for (int i = 0; i < out; ++i) each.push_back(positional ? b_.stage(at).roots[static_cast<size_t>(in[static_cast<size_t>(i)])] : std::set<Root>{});
    const Exit exit = b_.add_sink(at, {"", {}, std::move(in)});
    return read(exit, kernel, std::move(args), out, b_.stage(at).count, b_.stage(at).partitions, each);
  }

  std::vector<std::pair<Rows, int64_t>> alternatives() override {
    std::vector<std::pair<Rows, int64_t>> out;
    int64_t first = 0;
    for (const auto& in : e_->inputs) {
      Subset local;
      for (auto p : subset_)
        if (p >= first && p < first + in->npartitions) local.push_back(p - first);
      if (subset_.empty() || !local.empty()) out.emplace_back(b_.lower(in, std::max(generation_, b_.generation(in)), local), first);
      first += in->npartitions;
    }
    return out;
  }

  Rows one_after_the_other(const std::vector<std::pair<Rows, int64_t>>& parts) override {
    Stage s;
    s.label = e_->op->name, s.count = 0;
    std::vector<std::set<Root>> roots;
    for (const auto& [rows, first] : parts) {
      s.alternatives.emplace_back(b_.collect(rows), s.count);
      const Stage& from = b_.stage(rows.stage);
      s.count += from.count;
      std::vector<int> regs = rows.index;
      regs.insert(regs.end(), rows.columns.begin(), rows.columns.end());
      roots.resize(regs.size());
      for (size_t i = 0; i < regs.size(); ++i)
        for (const auto& root : from.roots[static_cast<size_t>(regs[i])]) roots[i].insert(root.column < 0 ? Root{root.source, root.column - first} : root);
    }
    if (!subset_.empty()) s.partitions = subset_;
    const size_t index = parts[0].first.index.size();
    const int at = b_.add_stage(std::move(s), static_cast<int>(roots.size()));
    b_.stage(at).roots = roots;
    Rows out{at, {}, {}};
    for (int r = 0; r < static_cast<int>(roots.size()); ++r) (static_cast<size_t>(r) < index ? out.index : out.columns).push_back(r);
    return out;
  }

  Rows gather(int at, const std::string& kernel, Value args, std::vector<int> in, int64_t count) override {
    std::vector<std::set<Root>> roots;
    for (int r : in) roots.push_back(b_.stage(at).roots[static_cast<size_t>(r)]);
    const int registers = static_cast<int>(in.size());
    const Exit exit = b_.add_sink(at, {"", {}, std::move(in)});
    Subset chosen = subset_;
    const Rows out = read(exit, kernel, std::move(args), registers, chosen.empty() ? count : static_cast<int64_t>(chosen.size()), chosen, roots);
    b_.stage(out.stage).gathers = true;
    return out;
  }

  Rows input_partitions(const std::vector<int64_t>& partitions) override {
    Subset chosen = partitions;
    if (!subset_.empty()) {
      chosen.clear();
      for (auto p : subset_) chosen.push_back(partitions.at(static_cast<size_t>(p)));
    }
    const Expr& in = e_->inputs.at(0);
    return b_.lower(in, e_->op->folds ? b_.generation(in) : std::max(generation_, b_.generation(in)), chosen);
  }

  void name_result(int at, int reg, int64_t field, bool open) override {
    if (open) b_.stage(at).roots[static_cast<size_t>(reg)].insert({Hash128{}, next_result()});
    b_.plan_.named.emplace_back(e_, field);
  }
  int64_t next_result() const override { return kResults + static_cast<int64_t>(b_.plan_.named.size()); }
  void depend(int at, int reg, int on_stage, int on_reg) override {
    const auto more = b_.stage(on_stage).roots[static_cast<size_t>(on_reg)];
    b_.stage(at).roots[static_cast<size_t>(reg)].insert(more.begin(), more.end());
  }
  int labels(int at, int reg) override {
    std::map<int64_t, Hash128> sources;  // by their first partition
    for (const auto& root : b_.stage(at).roots[static_cast<size_t>(reg)])
      if (root.column <= kRowIds) sources.emplace(kRowIds - root.column, root.source);
    List tables;
    std::vector<int> in{reg};
    for (const auto& [first, source] : sources) {
      const auto& [node, wanted] = b_.read_of(at, source);
      const Call call(*node->op, node->args, node->inputs);
      const auto files = node->op->files(call);
      const Subset in_front = partitions_in_front(files, wanted);
      if (in_front.empty()) {
        tables.push_back(List{first, List{}});
      } else if (node->op->partition_rows) {
        tables.push_back(List{first, first_numbers(files, node->op->partition_rows(call))});
      } else {
        const Rows rows = b_.lower(node, kCounting, in_front);
        const Exit counted = b_.add_sink(rows.stage, {"row_counts", Dict{{"files", List(files.begin(), files.end())}}, {rows.index.empty() ? rows.columns.at(0) : rows.index[0]}});
        tables.push_back(List{first, in.size()});
        in.push_back(broadcast(at, counted, 0, {}));
      }
    }
    const int made = one(at, "row_labels", Dict{{"sources", tables}}, in);
    auto& roots = b_.stage(at).roots[static_cast<size_t>(made)];  // numbers, no ids any more
    std::erase_if(roots, [](const Root& root) { return root.column <= kRowIds; });
    return made;
  }
  void open_column(int at, int reg, int64_t id) override { b_.stage(at).roots[static_cast<size_t>(reg)].insert({b_.stage(at).source->id, id}); }

 private:
  // The register in which every row sees a column of a one-row exit.
  int broadcast(int at, Exit exit, int column, const std::set<Root>& roots) {
    Stage& s = b_.stage(at);
    for (const auto& known : s.broadcasts)
      if (known.from == exit && known.column == column) return known.reg;
    s.roots.push_back(roots);
    s.broadcasts.push_back({exit, column, s.registers});
    return s.registers++;
  }

  Rows read(Exit exit, const std::string& kernel, Value args, int registers, int64_t count, std::vector<int64_t> partitions, const std::vector<std::set<Root>>& roots) {
    auto [known, fresh] = b_.readers_.try_emplace({exit, generation_, step_key(kernel, args, {})}, -1);
    if (fresh) {
      Stage s;
      s.input = exit, s.whole = kernel, s.whole_args = std::move(args), s.count = count, s.partitions = std::move(partitions), s.label = e_->op->name;
      known->second = b_.add_stage(std::move(s), registers);
      b_.stage(known->second).roots = roots;
    }
    Rows out{known->second, {}, {}};
    for (int r = 0; r < registers; ++r) out.columns.push_back(r);
    return out;
  }

  Builder& b_;
  const Expr& e_;
  int generation_;
  const Subset& subset_;
  size_t anchor_ = 0;
};

int Builder::generation(const Expr& e) {
  if (auto known = generations_.find(e->id); known != generations_.end()) return known->second;
  for (const auto& node : topological({e})) {
    int g = 0;
    for (const auto& i : node->inputs) g = std::max(g, generations_[i->id]);
    generations_[node->id] = g + (node->op->folds ? 1 : 0);
  }
  return generations_[e->id];
}

// Inputs first, with a stack of its own: a loop in a user's program makes chains of thousands of nodes.
Rows Builder::lower(const Expr& e, int generation, const Subset& subset) {
  struct Waiting {
    Expr node;
    int generation;
    Subset subset;
    size_t next = 0;
  };
  std::vector<Waiting> stack{{e, generation, subset}};
  while (!stack.empty()) {
    Waiting& top = stack.back();
    const auto key = std::tuple(top.node->id, top.generation, top.subset);
    if (lowered_.contains(key)) {
      stack.pop_back();
      continue;
    }
    if (top.next < top.node->inputs.size() && !top.node->op->picks_partitions) {
      const Expr in = top.node->inputs[top.next];
      const bool natural = top.node->op->folds || (in->is_one_row() && top.next != anchor_of(*top.node));
      Waiting below{in, top.node->op->folds ? folded_generation(*top.node, in) : natural ? this->generation(in) : std::max(top.generation, this->generation(in)), natural ? Subset{} : top.subset};
      ++top.next;
      stack.push_back(std::move(below));
      continue;
    }
    const Waiting now = top;
    NodeLowering l(*this, now.node, now.generation, now.subset);
    lowered_[key] = now.node->op->lower(l, Call(*now.node->op, now.node->args, now.node->inputs));
    stack.pop_back();
  }
  return lowered_[{e->id, generation, subset}];
}

Exit Builder::collect(const Rows& rows) {
  std::vector<int> in = rows.index;
  in.insert(in.end(), rows.columns.begin(), rows.columns.end());
  return add_sink(rows.stage, {"", {}, in});
}
}  // namespace

Plan lower(const std::vector<Expr>& expressions) {
  Plan plan;
  Builder b(plan);
  for (const auto& e : expressions) {

    Rows rows = b.lower(e, b.generation(e), {});
    Result r{b.collect(rows), {}, {}};
    for (int reg : rows.columns) r.columns.push_back(b.stage(rows.stage).roots[static_cast<size_t>(reg)]);
    for (int reg : rows.index) r.index.push_back(b.stage(rows.stage).roots[static_cast<size_t>(reg)]);
    plan.results.push_back(std::move(r));
  }
  return plan;
}

}  // namespace muster::plan
