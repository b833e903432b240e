// A source that would be read again, for a result of its own rows (x.cumsum(), x - x.mean()), is read once where the columns needed the second time are
// small: the stage that reads it first hands them on. What both stages make of them by themselves is handed on ready: the rows behind a filter, not those in
// front.
#include <algorithm>
#include <map>
#include <set>

#include "plan/rules/rules.hpp"

namespace muster::plan {
using namespace base;
using data::Step;
namespace {

std::string step_key(const Step& step, const std::vector<int>& in) {
  std::string key = step.kernel + '\0';
  step.args.encode(key);
  key.append(reinterpret_cast<const char*>(in.data()), in.size() * sizeof(int));
  return key;
}

// What the first stage must hand on for the second, worked out before either is changed.
class Handing {
 public:
  Handing(const Stage& first, const Stage& second) : first_(first), second_(second) {
    for (size_t s = 0; s < first.steps.size(); ++s) {
      const Step& step = first.steps[s];
      if (!data::traits(step.kernel).selects) known_[step_key(step, step.in)] = step.out;
      else
        for (size_t c = 0; c < step.out.size(); ++c) selected_[{step.in[0], step.in[c + 1]}] = step.out[c];
    }
    for (int r : second.out) place_[r] = {r, 0, {r}};
    for (const auto& step : second.steps) (moves(step) ? move(step) : stay(step));
    for (const auto& sink : second.sinks) need(sink.in);
  }
  /// False where the columns are not of the same rows, or there are none.
  bool possible() const {
    std::set<int> rows;
    for (int r : needed_) rows.insert(place_.at(r).rows);
    return rows.size() == 1;
  }
  /// Source columns that what is handed on is made of, for each column.
  std::vector<std::set<int>> made_of() const {
    std::vector<std::set<int>> out;
    for (int r : needed_) out.push_back(place_.at(r).sources);
    return out;
  }
  void apply(Stage& first, Stage& second, int first_number) const {
    first.out.insert(first.out.end(), second.out.begin(), second.out.end());
    std::sort(first.out.begin(), first.out.end());
    first.out.erase(std::unique(first.out.begin(), first.out.end()), first.out.end());
    first.registers = first_.registers + static_cast<int>(more_dependences_.size());
    first.dependences.insert(first.dependences.end(), more_dependences_.begin(), more_dependences_.end());
    first.steps.insert(first.steps.end(), more_.begin(), more_.end());
    data::Sink sink{"", {}, {}};
    for (int r : needed_) sink.in.push_back(place_.at(r).reg);
    first.sinks.push_back(std::move(sink));
    second.source = nullptr, second.filters = {};
    second.inputs.insert(second.inputs.begin(), {.from = {first_number, static_cast<int>(first.sinks.size()) - 1}});
    second.out = needed_, second.steps = staying_;
  }

 private:
  static constexpr int kConstant = -1;
  // A register of the second stage that does not depend on what it is told: its place in the first, the filter that its rows are behind (0: none; or
  // kConstant), and the source columns it is made of.
  struct Place {
    int reg, rows;
    std::set<int> sources;
  };
  bool moves(const Step& step) const {
    const auto& kernel = data::traits(step.kernel);
    if (kernel.is_constant) return true;
    return kernel.by_row && std::all_of(step.in.begin(), step.in.end(), [&](int r) { return place_.contains(r); }) && rows_of(step) != kConstant;
  }
  int rows_of(const Step& step) const {
    int rows = kConstant;
    for (int r : step.in) rows = std::max(rows, place_.at(r).rows);
    return rows;
  }
  void move(const Step& step) {
    Step moved{step.kernel, step.args, {}, {}};
    for (int r : step.in) moved.in.push_back(place_.at(r).reg);
    if (data::traits(step.kernel).selects) {
      Step rest{step.kernel, step.args, {moved.in[0]}, {}};
      for (size_t c = 0; c < step.out.size(); ++c) {
        const auto known = selected_.find({moved.in[0], moved.in[c + 1]});
        int reg = known == selected_.end() ? fresh(step.out[c]) : known->second;
        if (known == selected_.end()) rest.in.push_back(moved.in[c + 1]), rest.out.push_back(reg);
        place_[step.out[c]] = {reg, moved.in[0] + 1, place_.at(step.in[c + 1]).sources};
      }
      if (!rest.out.empty()) more_.push_back(std::move(rest));
      return;
    }
    std::set<int> sources;
    for (int r : step.in) sources.insert(place_.at(r).sources.begin(), place_.at(r).sources.end());
    const auto known = known_.find(step_key(moved, moved.in));
    if (known != known_.end()) moved.out = known->second;
    else
      for (int r : step.out) moved.out.push_back(fresh(r));
    for (size_t c = 0; c < step.out.size(); ++c) place_[step.out[c]] = {moved.out[c], rows_of(step), sources};
    if (known == known_.end()) more_.push_back(std::move(moved));
    if (data::traits(step.kernel).is_constant) staying_.push_back(step);  // made in both
  }
  void stay(const Step& step) { need(step.in), staying_.push_back(step); }
  void need(const std::vector<int>& regs) {
    for (int r : regs)
      if (const auto place = place_.find(r); place != place_.end() && place->second.rows != kConstant && is_needed_.insert(r).second) needed_.push_back(r);
  }
  int fresh(int second) {
    more_dependences_.push_back(second_.dependences[static_cast<size_t>(second)]);
    return first_.registers + static_cast<int>(more_dependences_.size()) - 1;
  }

  const Stage &first_, &second_;
  std::map<std::string, std::vector<int>> known_;       // steps of the first stage
  std::map<std::pair<int, int>, int> selected_;         // its columns behind a mask
  std::map<int, Place> place_;
  std::vector<int> needed_;                             // of the second stage: what it is handed
  std::set<int> is_needed_;
  std::vector<Step> more_, staying_;
  std::vector<int> more_dependences_;                   // of registers that the first stage gets
};
}  // namespace

void keep_rows(Plan& plan, int64_t most) {
  std::map<std::pair<Hash128, std::vector<int64_t>>, int> read;  // the stages that read sources first
  for (int n : order_of(plan)) {
    Stage& s = plan.stages[static_cast<size_t>(n)];
    if (!s.source || !s.source->op->bytes) continue;
    const auto [known, fresh] = read.try_emplace({s.source->id, s.partitions}, n);
    if (fresh) continue;
    Stage& first = plan.stages[static_cast<size_t>(known->second)];
    const Handing handing(first, s);
    if (!handing.possible()) continue;
    int64_t bytes = 0;
    const expr::Call call(*s.source->op, s.source->args, s.source->inputs);
    const auto columns = s.source->op->bytes(call);
    for (const auto& sources : handing.made_of()) {
      int64_t largest = 0;
      for (int r : sources) largest = std::max(largest, columns.at(static_cast<size_t>(r)));
      bytes += largest;
    }
    if (bytes > most) continue;
    most -= bytes;
    handing.apply(first, s, known->second);
  }
}

}  // namespace muster::plan
