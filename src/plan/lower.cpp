// Expressions to stages. A node that needs a result of its own rows (x - x.mean()) reads its source once more: "generation" counts how often.
#include <algorithm>
#include <map>
#include <set>

#include "base/error.hpp"
#include "expr/annotations.hpp"
#include "plan/plan.hpp"

namespace muster::plan {
using namespace base;
using namespace expr;
using data::Program;
using data::Sink;
using data::Step;
namespace {

using Subset = std::vector<int64_t>;  // of partitions; empty = all
constexpr int kAll = 0;  // the number of the empty subset
constexpr int kCounting = -1;  // the generation of passes that count rows, and below it those that they need themselves: apart from those that need the counts

std::string step_key(const std::string& kernel, const Value& args, const std::vector<int>& in) {
  std::string key = kernel + '\0';
  args.encode(key);
  key.append(reinterpret_cast<const char*>(in.data()), in.size() * sizeof(int));
  return key;
}

class Builder {
 public:
  explicit Builder(Plan& plan) : plan_(plan) {}

  /// To be called with all expressions before any is lowered.
  void count_generations(const std::vector<Expr>& expressions);
  const Rows& lower(const Expr& e, int generation, const Subset& subset) { return lower(e, generation, number(subset)); }
  const Rows& lower(const Expr& e, int generation, int subset);
  int generation(const Expr& e) const { return generations_.at(e->id); }
  // Of a node's input, where the node is of `generation`; and of rows that it reads apart from its own.
  int generation_below(const Expr& e, int generation) const { return generation < 0 ? generation : std::max(generation, this->generation(e)); }
  int apart_generation(const Expr& e, int generation) const { return generation < 0 ? generation - 1 : this->generation(e); }
  // Of the rows that a fold reads, all in one pass: what these see beside them is made before.
  int folded_generation(const Node& fold) const { return generations_.at(fold.id) - 1; }
  Exit collect(const Rows& rows);
  int number(const Subset& subset) {
    const auto [known, fresh] = subset_numbers_.try_emplace(subset, static_cast<int>(subsets_.size()));
    if (fresh) subsets_.push_back(&known->first);
    return known->second;
  }
  const Subset& subset(int number) const { return *subsets_[static_cast<size_t>(number)]; }

  Stage& stage(int s) { return plan_.stages[static_cast<size_t>(s)]; }
  int add_stage(Stage s, int registers) {
    for (int r = 0; r < registers; ++r) s.out.push_back(r);
    s.registers = registers;
    s.dependences.resize(static_cast<size_t>(registers), kNothing);
    plan_.stages.push_back(std::move(s));
    return static_cast<int>(plan_.stages.size()) - 1;
  }
  int dependence(int at, int reg) { return stage(at).dependences[static_cast<size_t>(reg)]; }
  int depends_on(Dependence d) {
    std::sort(d.on.begin(), d.on.end());
    d.on.erase(std::unique(d.on.begin(), d.on.end()), d.on.end());
    std::erase(d.on, kNothing);
    if (d.roots.empty() && d.on.empty()) return kNothing;
    if (d.roots.empty() && d.on.size() == 1 && !d.moved && !d.numbered) return d.on[0];
    plan_.dependences.push_back(std::move(d));
    return static_cast<int>(plan_.dependences.size()) - 1;
  }
  Exit add_sink(int at, Sink sink) {
    auto& sinks = stage(at).sinks;
    const auto [known, fresh] = sinks_.try_emplace({at, step_key(sink.kernel, sink.args, sink.in)}, static_cast<int>(sinks.size()));
    if (fresh) sinks.push_back(std::move(sink));
    return {at, known->second};
  }

  // The sources whose rows reach a stage, and which of their partitions.
  std::map<Hash128, std::pair<Expr, Subset>> reads_of(int at) {
    std::map<Hash128, std::pair<Expr, Subset>> out;
    std::set<Hash128> whole;
    std::set<int> seen;
    std::vector<int> waiting{at};
    while (!waiting.empty()) {
      const int n = waiting.back();
      waiting.pop_back();
      if (!seen.insert(n).second) continue;
      const Stage& s = stage(n);
      if (s.source) {
        auto& [node, partitions] = out[s.source->id];
        node = s.source;
        if (s.partitions.empty()) whole.insert(s.source->id);
        partitions.insert(partitions.end(), s.partitions.begin(), s.partitions.end());
      }
      for (size_t i = 0; i < s.streams(); ++i) waiting.push_back(s.inputs[i].from.stage);
      for (const auto& made : s.numbered) {
        auto& [node, partitions] = out[made.node->id];
        node = made.node;
        if (made.partitions.empty()) whole.insert(made.node->id);
        partitions.insert(partitions.end(), made.partitions.begin(), made.partitions.end());
      }
    }
    for (const auto& source : whole) out[source].second.clear();
    return out;
  }

  Plan& plan_;
  std::map<std::tuple<Hash128, int, int>, Rows> lowered_;  // node, generation, subset
  int64_t next_numbered_ = 0;
  std::map<std::tuple<Hash128, int, int, int>, int> new_row_ids_;  // registers of a node's: stage, what they are like, subset
  std::map<Subset, int> subset_numbers_;
  std::vector<const Subset*> subsets_;
  std::map<Hash128, int> generations_;
  std::map<std::tuple<Exit, int, int, std::string>, int> readers_;  // stages that read an exit: generation, subset, kernel
  std::map<std::pair<int, std::string>, std::vector<int>> steps_;
  std::map<std::pair<int, std::string>, int> sinks_;
  std::map<std::tuple<int, Exit, int>, int> seen_rows_;  // registers of a stage by exit and column
};

// The input whose rows the node's are.
size_t anchor_of(const Node& node) {
  for (size_t i = 0; i < node.inputs.size(); ++i)
    if (!node.inputs[i]->is_one_row()) return i;
  return 0;
}

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

// A stage does what all of its operators ask for.
void add_options(graph::Options& to, const graph::Options& more) {
  if (more.priority) to.priority = to.priority ? std::max(to.priority, more.priority) : more.priority;
  to.retries = std::max(to.retries, more.retries);
  if (to.workers.empty()) {
    to.workers = more.workers, to.allow_other_workers = more.allow_other_workers;
  } else if (!more.workers.empty()) {
    std::erase_if(to.workers, [&](const auto& w) { return std::find(more.workers.begin(), more.workers.end(), w) == more.workers.end(); });
    to.allow_other_workers &= more.allow_other_workers;
    if (to.workers.empty()) to.workers = more.workers;
  }
  for (const auto& [name, amount] : more.resources) {
    const auto known = std::find_if(to.resources.begin(), to.resources.end(), [&](const auto& r) { return r.first == name; });
    if (known == to.resources.end()) to.resources.emplace_back(name, amount);
    else known->second = std::max(known->second, amount);
  }
  if (more.timeout_us) to.timeout_us = to.timeout_us ? std::min(to.timeout_us, more.timeout_us) : more.timeout_us;
}

class NodeLowering : public Lowering {
 public:
  NodeLowering(Builder& b, const Expr& e, int generation, int subset)
      : b_(b), e_(e), generation_(generation), subset_number_(subset), subset_(b.subset(subset)), anchor_(anchor_of(*e)) {}

  const Rows& input(size_t i) override {
    const Expr& in = e_->inputs.at(i);
    const bool folds = e_->op->folds;
    if (i == anchor_) return folds ? b_.lower(in, b_.folded_generation(*e_), kAll) : b_.lower(in, b_.generation_below(in, generation_), subset_number_);
    const int at = input(anchor_).stage;
    if (!in->is_one_row()) {
      const Rows& rows = folds ? b_.lower(in, b_.folded_generation(*e_), kAll) : b_.lower(in, generation_, subset_number_);
      if (rows.stage != at) throw internal(e_->op->name, ": inputs are not aligned");
      return rows;
    }
    const Rows& one = b_.lower(in, b_.generation(in), kAll);
    if (one.stage == at) return one;
    const auto [known, fresh] = seen_.try_emplace(i, Rows{at, {}, {}});
    Rows& out = known->second;
    if (!fresh) return out;
    const Exit exit = b_.collect(one);
    for (size_t c = 0; c < one.columns.size(); ++c)
      out.columns.push_back(broadcast(at, exit, static_cast<int>(one.index.size() + c), b_.dependence(one.stage, one.columns[c])));
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
    return look(at, -1, kernel, std::move(args), std::move(in), out);
  }

  const Rows& apart(size_t i) override {
    const Expr& in = e_->inputs.at(i);
    return b_.lower(in, b_.apart_generation(in, generation_), e_->op->joins_partitions ? subset_number_ : kAll);
  }

  int build(int at, int from, const std::string& kernel, Value args, std::vector<int> in) override {
    const bool each = e_->op->joins_partitions;
    const Exit exit = b_.add_sink(from, {kernel, std::move(args), std::move(in)});
    auto& inputs = b_.stage(at).inputs;
    int next = 0;
    for (const auto& i : inputs) {
      if (i.role == Input::Role::built && i.from == exit) return i.number;
      next = std::max(next, i.number + 1);
    }
    inputs.push_back({.from = exit, .role = Input::Role::built, .exchange = each ? Input::Exchange::map : Input::Exchange::all, .number = next, .by = e_});
    return next;
  }

  int new_row_ids(int at, int like) override {
    const auto [known, fresh] = b_.new_row_ids_.try_emplace({e_->id, at, like, subset_number_}, -1);
    if (!fresh) return known->second;
    Stage& s = b_.stage(at);
    const int64_t id = b_.next_numbered_++;
    std::vector<int64_t> own = subset_;
    if (own.empty() && !s.partitions.empty())
      for (int64_t p = 0; p < s.count; ++p) own.push_back(p);
    List places;
    for (size_t i = 0; i < own.size(); ++i) places.push_back(List{s.partitions.empty() ? static_cast<int64_t>(i) : s.partitions[i], own[i]});
    std::sort(places.begin(), places.end(), [](const Value& a, const Value& b) { return a.list()[0].integer() < b.list()[0].integer(); });
    s.numbered.push_back({e_, id, own});
    step(at, data::kCountNewRows, Dict{{"id", id}}, {like}, 0);
    const int ids = one(at, data::kNewRowIds, Dict{{"id", id}, {"partitions", places}}, {like});
    add(at, ids, {{{e_->id, kRowIds}}, {}});
    return known->second = ids;
  }

  std::vector<int> look(int at, int built, const std::string& kernel, Value args, std::vector<int> in, int out) override {
    std::string key = step_key(kernel, args, in);
    key += static_cast<char>(built);
    auto [known, fresh] = b_.steps_.try_emplace({at, std::move(key)});
    if (!fresh) return known->second;
    Stage& s = b_.stage(at);
    const auto& says = data::traits(kernel);
    const bool columnwise = says.columnwise || says.selects;
    const size_t first = says.selects ? 1 : 0;  // behind the mask
    const int all = columnwise || says.widens_itself ? kNothing : b_.depends_on({{}, dependences(at, in), 0, says.numbers_rows});
    std::vector<int> regs;
    for (int i = 0; i < out; ++i) {
      regs.push_back(s.registers++);
      s.dependences.push_back(columnwise ? b_.dependence(at, in[static_cast<size_t>(i) + first]) : all);
    }
    s.steps.push_back({kernel, std::move(args), std::move(in), regs, built});
    return known->second = regs;
  }

  Rows fold(int at, const std::string& kernel, Value args, std::vector<int> in, const std::vector<std::vector<int>>& from) override {
    std::vector<int> each;
    for (const auto& inputs : from) {
      std::vector<int> on;
      for (int i : inputs) on.push_back(b_.dependence(at, in[static_cast<size_t>(i)]));
      each.push_back(b_.depends_on({{}, std::move(on)}));
    }
    const Exit exit = b_.add_sink(at, {kernel, std::move(args), std::move(in)});
    return read(exit, "", {}, static_cast<int>(from.size()), 1, {}, each);
  }

  Rows ranges(int at, const std::string& kernel, Value args, std::vector<int> in) override {
    const std::vector<int> each = dependences(at, in);
    const int64_t count = args["parts"].integer();
    const Exit exit = b_.add_sink(at, {kernel, std::move(args), std::move(in)});
    return read(exit, "", {}, static_cast<int>(each.size()), subset_.empty() ? count : static_cast<int64_t>(subset_.size()), subset_, each);
  }

  Rows whole(int at, const std::string& kernel, Value args, std::vector<int> in, int out) override {
    const bool positional = data::traits(kernel).positional;
    std::vector<int> each;
    for (int i = 0; i < out; ++i) each.push_back(positional ? b_.dependence(at, in[static_cast<size_t>(i)]) : kNothing);
    const Exit exit = is_read_alone(at) && in == b_.stage(at).out ? b_.stage(at).inputs[0].from : b_.add_sink(at, {"", {}, std::move(in)});
    return read(exit, kernel, std::move(args), out, b_.stage(at).count, b_.stage(at).partitions, each);
  }

  std::vector<std::pair<Rows, int64_t>> inputs() override {
    std::vector<int64_t> firsts;
    int64_t first = 0;
    for (const auto& in : e_->inputs) firsts.push_back(first), first += in->npartitions;
    std::vector<Subset> local(firsts.size());
    for (auto p : subset_) {
      const auto i = static_cast<size_t>(std::upper_bound(firsts.begin(), firsts.end(), p) - firsts.begin()) - 1;
      local[i].push_back(p - firsts[i]);
    }
    std::vector<std::pair<Rows, int64_t>> out;
    for (size_t i = 0; i < firsts.size(); ++i) {
      const Expr& in = e_->inputs[i];
      if (subset_.empty() || !local[i].empty()) out.emplace_back(b_.lower(in, b_.generation_below(in, generation_), local[i]), firsts[i]);
    }
    return out;
  }

  Rows one_after_the_other(const std::vector<std::pair<Rows, int64_t>>& parts) override {
    Stage s;
    s.label = e_->op->name, s.count = 0;
    std::vector<std::vector<int>> on;
    for (const auto& [rows, first] : parts) {
      s.inputs.push_back({.from = b_.collect(rows), .first = s.count});
      s.count += b_.stage(rows.stage).count;
      std::vector<int> regs = rows.index;
      regs.insert(regs.end(), rows.columns.begin(), rows.columns.end());
      on.resize(regs.size());
      for (size_t i = 0; i < regs.size(); ++i) on[i].push_back(b_.depends_on({{}, {b_.dependence(rows.stage, regs[i])}, first}));
    }
    if (!subset_.empty()) s.partitions = subset_;
    const size_t index = parts[0].first.index.size();
    const int at = b_.add_stage(std::move(s), static_cast<int>(on.size()));
    for (size_t i = 0; i < on.size(); ++i) b_.stage(at).dependences[i] = b_.depends_on({{}, std::move(on[i])});
    Rows out{at, {}, {}};
    for (int r = 0; r < static_cast<int>(on.size()); ++r) (static_cast<size_t>(r) < index ? out.index : out.columns).push_back(r);
    return out;
  }

  Rows gather(int at, const std::string& kernel, Value args, std::vector<int> in, int64_t count) override {
    const std::vector<int> each = dependences(at, in);
    const int registers = static_cast<int>(in.size());
    const Exit exit = b_.add_sink(at, {"", {}, std::move(in)});
    Subset chosen = subset_;
    const Rows out = read(exit, kernel, std::move(args), registers, chosen.empty() ? count : static_cast<int64_t>(chosen.size()), chosen, each);
    b_.stage(out.stage).inputs[0].exchange = Input::Exchange::all;
    return out;
  }

  Rows input_partitions(const std::vector<int64_t>& partitions) override {
    Subset chosen = partitions;
    if (!subset_.empty() && !e_->op->folds) {
      chosen.clear();
      for (auto p : subset_) chosen.push_back(partitions.at(static_cast<size_t>(p)));
    }
    const Expr& in = e_->inputs.at(0);
    return b_.lower(in, e_->op->folds ? b_.generation(in) : b_.generation_below(in, generation_), chosen);
  }

  void name_result(int at, int reg, int64_t field, bool open) override {
    if (open) add(at, reg, {{{Hash128{}, next_result()}}, {}});
    b_.plan_.named.emplace_back(e_, field);
  }
  int64_t next_result() const override { return kResults + static_cast<int64_t>(b_.plan_.named.size()); }
  void depend(int at, int reg, int on_stage, int on_reg) override { add(at, reg, {{}, {b_.dependence(on_stage, on_reg)}}); }
  int labels(int at, int reg) override {
    std::map<int64_t, Hash128> sources;  // by their first partition
    for (const auto& root : row_sources(b_.plan_.dependences, b_.dependence(at, reg))) sources.emplace(kRowIds - root.column, root.source);
    List tables;
    std::vector<int> in{reg};
    auto reads = b_.reads_of(at);
    for (const auto& [first, source] : sources) {
      const auto& [node, wanted] = reads[source];
      const Call call(*node->op, node->args, node->inputs);
      const auto files = node->op->files(call);
      const Subset in_front = partitions_in_front(files, wanted);
      if (in_front.empty()) {
        tables.push_back(List{first, List{}});
      } else if (node->op->partition_rows) {
        tables.push_back(List{first, first_numbers(files, node->op->partition_rows(call))});
      } else {
        const Rows& rows = b_.lower(node, generation_ < 0 ? generation_ - 1 : kCounting, in_front);
        const Exit counted = b_.add_sink(
            rows.stage, {data::kRowCounts, Dict{{"files", List(files.begin(), files.end())}}, {rows.index.empty() ? rows.columns.at(0) : rows.index[0]}});
        tables.push_back(List{first, in.size()});
        in.push_back(broadcast(at, counted, 0, kNothing));
      }
    }
    return one(at, data::kRowLabels, Dict{{"sources", tables}}, in);
  }
  int64_t row_partitions(int at, int reg) override {
    int64_t most = 0;
    auto reads = b_.reads_of(at);
    for (const auto& root : row_sources(b_.plan_.dependences, b_.dependence(at, reg)))
      most = std::max(most, kRowIds - root.column + reads.at(root.source).first->npartitions);
    return most;
  }
  void open_column(int at, int reg, int64_t id) override { add(at, reg, {{{b_.stage(at).source->id, id}}, {}}); }

 private:
  std::vector<int> dependences(int at, const std::vector<int>& regs) {
    std::vector<int> out;
    for (int r : regs) out.push_back(b_.dependence(at, r));
    return out;
  }
  void add(int at, int reg, Dependence more) {
    more.on.push_back(b_.dependence(at, reg));
    b_.stage(at).dependences[static_cast<size_t>(reg)] = b_.depends_on(std::move(more));
  }
  // Whether a stage does nothing but read: what reads its rows may read them where they come from.
  bool is_read_alone(int at) {
    const Stage& s = b_.stage(at);
    return !s.source && s.whole.empty() && s.steps.empty() && s.inputs.size() == 1 && s.stream() && s.stream()->exchange == Input::Exchange::map;
  }
  // The register in which every row sees a column of a one-row exit.
  int broadcast(int at, Exit exit, int column, int dependence) {
    Stage& s = b_.stage(at);
    const auto [known, fresh] = b_.seen_rows_.try_emplace({at, exit, column}, s.registers);
    if (!fresh) return known->second;
    s.dependences.push_back(dependence);
    auto in = std::find_if(s.inputs.begin(), s.inputs.end(), [&](const Input& i) { return i.role == Input::Role::row && i.from == exit; });
    if (in == s.inputs.end()) in = s.inputs.insert(in, {.from = exit, .role = Input::Role::row, .exchange = Input::Exchange::all});
    in->seen.push_back({column, s.registers});
    return s.registers++;
  }

  Rows read(Exit exit, const std::string& kernel, Value args, int registers, int64_t count, std::vector<int64_t> partitions,
            const std::vector<int>& dependences) {
    auto [known, fresh] = b_.readers_.try_emplace({exit, generation_, b_.number(partitions), step_key(kernel, args, {})}, -1);
    if (fresh) {
      Stage s;
      s.inputs.push_back({.from = exit, .by = e_});
      s.whole = kernel, s.whole_args = std::move(args), s.count = count, s.partitions = std::move(partitions), s.label = e_->op->name;
      known->second = b_.add_stage(std::move(s), registers);
      b_.stage(known->second).dependences = dependences;
    }
    Rows out{known->second, {}, {}};
    for (int r = 0; r < registers; ++r) out.columns.push_back(r);
    return out;
  }

  Builder& b_;
  const Expr& e_;
  int generation_, subset_number_;
  const Subset& subset_;
  size_t anchor_;
  std::map<size_t, Rows> seen_;  // of other stages, as every row sees them
};

void Builder::count_generations(const std::vector<Expr>& expressions) {
  number({});  // kAll
  for (const auto& node : topological(expressions)) {
    int below = 0;
    for (size_t i = 0; i < node->inputs.size(); ++i) below = std::max(below, generation(node->inputs[i]) + (node->op->joins && i > 0 ? 1 : 0));
    generations_[node->id] = below + (node->op->folds ? 1 : 0);
  }
}

// Inputs first, with a stack of its own: a loop in a user's program makes chains of thousands of nodes.
const Rows& Builder::lower(const Expr& e, int generation, int subset) {
  struct Waiting {
    Expr node;
    int generation, subset;
    size_t anchor, next = 0;
  };
  const auto waiting = [](const Expr& node, int of_generation, int of) { return Waiting{node, of_generation, of, anchor_of(*node)}; };
  std::vector<Waiting> stack{waiting(e, generation, subset)};
  while (!stack.empty()) {
    Waiting& top = stack.back();
    const auto key = std::tuple(top.node->id, top.generation, top.subset);
    if (lowered_.contains(key)) {
      stack.pop_back();
      continue;
    }
    if (top.next < top.node->inputs.size() && !top.node->op->picks_partitions) {
      const Expr& in = top.node->inputs[top.next];
      const bool folds = top.node->op->folds, beside = in->is_one_row() && top.next != top.anchor, apart = top.node->op->joins && top.next != top.anchor;
      ++top.next;
      stack.push_back(waiting(in,
                              apart    ? apart_generation(in, top.generation)
                              : beside ? this->generation(in)
                              : folds  ? folded_generation(*top.node)
                                       : generation_below(in, top.generation),
                              (apart && !top.node->op->joins_partitions) || beside || folds ? kAll : top.subset));
      continue;
    }
    const Expr node = top.node;
    NodeLowering l(*this, node, top.generation, top.subset);
    Rows rows = node->op->lower(l, Call(*node->op, node->args, node->inputs));
    if (const auto asked = annotations_of(node->id)) {
      add_options(stage(rows.stage).options, *asked);
      if (const Input* read = stage(rows.stage).stream(); node->op->folds && read) add_options(stage(read->from.stage).options, *asked);
    }
    lowered_[key] = std::move(rows);
    stack.pop_back();
  }
  return lowered_.at({e->id, generation, subset});
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
  b.count_generations(expressions);
  for (const auto& e : expressions) {
    const Rows& rows = b.lower(e, b.generation(e), kAll);
    Result r{b.collect(rows), {}, {}};
    for (int reg : rows.columns) r.columns.push_back(b.dependence(rows.stage, reg));
    for (int reg : rows.index) r.index.push_back(b.dependence(rows.stage, reg));
    plan.results.push_back(std::move(r));
  }
  return plan;
}

}  // namespace muster::plan
