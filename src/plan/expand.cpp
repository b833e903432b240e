// Stages to task ranges: the only step whose cost grows with the number of partitions. States are merged in the order of partitions, whatever runs them.
#include <map>

#include "base/error.hpp"
#include "base/text.hpp"
#include "data/traits.hpp"
#include "plan/plan.hpp"

namespace muster::plan {
using namespace base;
using graph::Dependency;
using Rule = Dependency::Rule;
namespace {
constexpr int64_t kFanIn = 16;      // states a combine task merges
constexpr int64_t kMostStates = 64;  // states that are merged in parts, side by side

// The stages that a stage reads.
std::vector<int> read_by(const Stage& s) {
  std::vector<int> out;
  for (const auto& in : s.inputs) out.push_back(in.from.stage);
  return out;
}

int add(graph::Graph& graph, graph::Range range) {
  graph.ranges.push_back(std::move(range));
  return static_cast<int>(graph.ranges.size()) - 1;
}

// Of a sink whose partitions are looked into one by one: its rows leave as they are, and whoever looks makes the state of them.
bool built_in_place(const data::Sink& sink) { return data::traits(sink.kernel).is_looked_into && sink.args["each"].boolean(); }

// What a stage's tasks are called: what its rows are read from, as far as it reads them itself, and the user's functions; else what it leaves.
std::string label_of(const Stage& s) {
  std::vector<std::string> parts;
  const auto add = [&](const Value& label) {
    if (label.is_string() && (parts.empty() || parts.back() != label.string())) parts.push_back(label.string());
  };
  if (s.source && s.source->op->files) add(s.label);
  if (data::traits(s.whole).runs_python) add(s.whole_args["label"]);
  for (const auto& step : s.steps)
    if (data::traits(step.kernel).runs_python) add(step.args["label"]);
  if (parts.empty() && !s.source) add(s.label);
  if (parts.empty())
    for (const auto& sink : s.sinks)
      if (!sink.kernel.empty()) add(sink.kernel);
  if (parts.empty()) add(s.label);
  return join(parts, " → ");
}
}  // namespace

// With a stack of its own: a loop in a user's program makes thousands.
std::vector<int> order_of(const Plan& plan) {
  struct Visit {
    int stage;
    std::vector<int> reads;
  };
  enum : uint8_t { unseen, open, done };
  std::vector<int> order;
  std::vector<uint8_t> state(plan.stages.size(), unseen);
  std::vector<Visit> stack;
  const auto visit = [&](int n) {
    auto& mark = state[static_cast<size_t>(n)];
    if (mark == open) throw internal("plan: stages need each other");
    if (mark == done) return;
    mark = open;
    auto reads = read_by(plan.stages[static_cast<size_t>(n)]);
    stack.push_back({n, {reads.rbegin(), reads.rend()}});
  };
  for (const auto& r : plan.results) {  // others were only passed by
    visit(r.exit.stage);
    while (!stack.empty()) {
      if (auto& reads = stack.back().reads; !reads.empty()) {
        const int next = reads.back();
        reads.pop_back();
        visit(next);
      } else {
        state[static_cast<size_t>(stack.back().stage)] = done;
        order.push_back(stack.back().stage);
        stack.pop_back();
      }
    }
  }
  return order;
}

Value source_args(const Stage& s) {
  Value args = s.source->op->source(expr::Call(*s.source->op, s.source->args, s.source->inputs), s.out);  // registers of a source are numbered as its columns
  if (s.filters.is_none()) return args;
  Dict with = args.dict();
  with.emplace_back("filters", s.filters);
  return with;
}

Expanded expand(const Plan& plan) {
  Expanded out;
  out.range_of_stage.assign(plan.stages.size(), -1);
  std::map<Exit, Dependency> exits;
  std::map<std::pair<Exit, std::vector<int64_t>>, Dependency> ranges_of;  // of exits whose states are cut: the partitions that are read
  for (int n : order_of(plan)) {
    const Stage& s = plan.stages[static_cast<size_t>(n)];
    data::Program p;
    graph::Range range;
    range.count = s.count, range.partition = s.partitions, range.function = "pipeline", range.label = label_of(s), range.options = s.options;
    if (s.source) {
      p.from = data::Program::From::source, p.source = s.source->op->source_kernel;
      p.source_args = source_args(s);
    } else {
      p.from = data::Program::From::batches, p.whole = s.whole, p.whole_args = s.whole_args;
      p.streams = static_cast<int>(s.streams());
    }
    std::map<int, int> built;  // by their number, the program's inputs
    for (const auto& in : s.inputs) {
      Dependency d = exits.at(in.from);
      if (d.slices()) {
        const auto [known, fresh] = ranges_of.try_emplace({in.from, s.partitions});
        if (fresh) {
          graph::Range part;
          part.count = s.count, part.partition = s.partitions, part.function = "combine part", part.inputs = {d};
          part.label = plan.stages[static_cast<size_t>(in.from.stage)].sinks[static_cast<size_t>(in.from.sink)].kernel;
          part.options = range.options;
          known->second = {add(out.graph, std::move(part))};
        }
        d = known->second;
      }
      if (in.exchange != Rule::map) d.rule = in.exchange;
      d.first = in.first;
      const int number = static_cast<int>(range.inputs.size()) - std::max(0, p.streams - 1);  // a task has one of the streams
      for (const auto& [column, reg] : in.seen) p.broadcasts.push_back({number, column, reg});
      if (in.role == Input::Role::built) {
        built[in.number] = number;
        const auto& sink = plan.stages[static_cast<size_t>(in.from.stage)].sinks[static_cast<size_t>(in.from.sink)];
        if (built_in_place(sink)) p.builds.push_back({number, sink.kernel, sink.args});
      }
      range.inputs.push_back(d);
    }
    p.out = s.out, p.steps = s.steps, p.sinks = s.sinks, p.registers = s.registers;
    for (auto& sink : p.sinks)
      if (built_in_place(sink)) sink = {"", {}, sink.in};
    for (auto& step : p.steps)
      if (step.built >= 0) step.built = built.at(step.built);
    range.args = p.encode();
    const int at = add(out.graph, std::move(range));
    out.range_of_stage[static_cast<size_t>(n)] = at;
    for (size_t k = 0; k < s.sinks.size(); ++k) {
      Dependency d{at, Rule::map, 1, static_cast<int>(k)};
      if (built_in_place(s.sinks[k])) {
        exits[{n, static_cast<int>(k)}] = d;
        continue;
      }
      if (data::traits(s.sinks[k].kernel).is_looked_into) {
        // Its rows are there already: one task puts them together and makes of them what is looked into.
        graph::Range build;
        build.count = 1, build.function = "combine", build.label = s.sinks[k].kernel, build.options = s.options;
        build.args = Dict{{"last", false}};
        d.rule = Rule::all;
        build.inputs = {d};
        d = {add(out.graph, std::move(build))};
      } else if (data::traits(s.sinks[k].kernel).ranged) {
        graph::Range cut;
        cut.count = s.count, cut.function = "cut", cut.label = s.sinks[k].kernel, cut.options = s.options, cut.inputs = {d};
        if (!s.sinks[k].args.has("bounds")) {
          graph::Range sample = cut, bounds;
          sample.function = "sample";
          bounds.count = 1, bounds.function = "bounds", bounds.label = cut.label, bounds.options = s.options;
          bounds.args = Dict{{"kernel", s.sinks[k].kernel}, {"args", s.sinks[k].args}};
          bounds.inputs = {{add(out.graph, std::move(sample)), Rule::all}};
          cut.inputs.push_back({add(out.graph, std::move(bounds)), Rule::all});
        }
        d = {add(out.graph, std::move(cut)), Rule::slice};
      } else if (!s.sinks[k].kernel.empty()) {
        // A tree of merges in partition order: the same for any number of threads.
        const Value parts = s.sinks[k].args["parts"];
        for (int64_t count = s.count; parts.is_integer() ? count > kMostStates : d.range == at || count > 1;) {
          count = (count + kFanIn - 1) / kFanIn;
          graph::Range combine;
          combine.count = count, combine.function = "combine", combine.label = s.sinks[k].kernel, combine.options = s.options;
          combine.args = Dict{{"last", count == 1 && !parts.is_integer()}};
          d.rule = Rule::block, d.k = kFanIn;
          combine.inputs = {d};
          d = {add(out.graph, std::move(combine))};
        }
        if (parts.is_integer()) {
          graph::Range part, join;
          part.count = parts.integer(), part.function = "combine part", part.label = s.sinks[k].kernel, part.options = s.options;
          d.rule = Rule::all;
          if (d.range != at) {  // merged states are large: who needs a part gets that
            out.graph.ranges.back().args = Dict{{"last", false}, {"parts", parts}};
            d.rule = Rule::slice;
          }
          part.inputs = {d};
          d = {add(out.graph, std::move(part)), Rule::all};
          join.count = 1, join.function = "join parts", join.label = s.sinks[k].kernel, join.inputs = {d}, join.options = s.options;
          join.args = Dict{{"kernel", s.sinks[k].kernel}, {"args", s.sinks[k].args}};
          d = {add(out.graph, std::move(join))};
        }
      }
      exits[{n, static_cast<int>(k)}] = d;
    }
  }
  for (const auto& r : plan.results) {
    out.results.push_back(exits.at(r.exit));
    out.graph.ranges[static_cast<size_t>(out.results.back().range)].wanted = true;
  }
  return out;
}

}  // namespace muster::plan
