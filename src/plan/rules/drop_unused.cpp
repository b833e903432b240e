// Column pruning: backwards from the sinks, what no later step needs goes. A step that reports (csv.check) stays.
#include "plan/rules/rules.hpp"

namespace muster::plan {

void drop_unused(Stage& s) {
  std::vector<bool> needed(static_cast<size_t>(s.registers), false);
  auto need = [&](const std::vector<int>& regs) {
    for (int r : regs) needed[static_cast<size_t>(r)] = true;
  };
  for (const auto& sink : s.sinks) need(sink.in);
  std::vector<data::Step> kept;
  for (size_t i = s.steps.size(); i-- > 0;) {
    data::Step& step = s.steps[i];
    bool used = step.out.empty();
    for (int r : step.out) used |= needed[static_cast<size_t>(r)];
    if (!used) continue;
    if (data::traits(step.kernel).selects) {
      data::Step narrow{step.kernel, step.args, {step.in[0]}, {}};
      for (size_t c = 0; c < step.out.size(); ++c)
        if (needed[static_cast<size_t>(step.out[c])]) narrow.in.push_back(step.in[c + 1]), narrow.out.push_back(step.out[c]);
      step = std::move(narrow);
    }
    need(step.in);
    kept.push_back(std::move(step));
  }
  s.steps.assign(std::make_move_iterator(kept.rbegin()), std::make_move_iterator(kept.rend()));
  if (s.source) {
    std::vector<int> out;
    for (int r : s.out)
      if (needed[static_cast<size_t>(r)]) out.push_back(r);
    s.out = std::move(out);
  }
  for (auto& in : s.inputs) std::erase_if(in.seen, [&](const auto& seen) { return !needed[static_cast<size_t>(seen.reg)]; });
  std::erase_if(s.inputs, [&](const Input& in) {
    const auto looks = [&](const data::Step& step) { return step.built == in.number; };
    return (in.role == Input::Role::row && in.seen.empty()) || (in.role == Input::Role::built && std::none_of(s.steps.begin(), s.steps.end(), looks));
  });
}

void drop_unused(Plan& plan) {
  for (Stage& s : plan.stages) drop_unused(s);
}

}  // namespace muster::plan
