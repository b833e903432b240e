// Columns that leave a stage and that nobody reads: a top-n keeps only the columns asked for behind it, a group-by only its needed aggregates.
#include <map>

#include "plan/rules/rules.hpp"

namespace muster::plan {
using namespace base;
namespace {

// Kernels whose result column i is their input column i; "by" counts among them.
bool positional(const std::string& kernel) { return kernel.empty() || kernel == "top_rows" || kernel == "first_rows" || kernel == "last_rows" || kernel == "sort_rows"; }

Value with(const Value& args, const char* name, Value value) {
  Dict out;
  for (const auto& [k, v] : args.dict()) out.emplace_back(k, k.string() == name ? value : v);
  return out;
}

void need_by(const std::string& kernel, const Value& args, std::vector<bool>& needed) {
  if (kernel == "top_rows" || kernel == "sort_rows")
    for (const auto& b : args["by"].list()) needed[static_cast<size_t>(b.integer())] = true;
}
Value renumbered_by(const Value& args, const std::vector<int>& place) {
  List by;
  for (const auto& b : args["by"].list()) by.push_back(place[static_cast<size_t>(b.integer())]);
  return with(args, "by", by);
}

template <class T>
void keep(std::vector<T>& all, const std::vector<bool>& needed) {
  std::vector<T> kept;
  for (size_t i = 0; i < all.size(); ++i)
    if (needed[i]) kept.push_back(std::move(all[i]));
  all = std::move(kept);
}

bool prune(Plan& plan, Stage& stage, int number, size_t at) {
  data::Sink& sink = stage.sinks[at];
  const Exit exit{number, static_cast<int>(at)};
  const bool groups = sink.kernel == "group_by";
  if (!positional(sink.kernel) && !groups) return false;
  const size_t keys = groups ? sink.args["keys"].list().size() : 0;
  const size_t columns = groups ? keys + sink.args["aggregates"].list().size() : sink.in.size();
  std::vector<bool> needed(columns, false);
  for (size_t k = 0; k < keys; ++k) needed[k] = true;
  need_by(sink.kernel, sink.args, needed);
  for (const auto& r : plan.results)
    if (r.exit == exit) return false;
  for (Stage& reader : plan.stages) {
    for (const auto& b : reader.broadcasts)
      if (b.from == exit) needed[static_cast<size_t>(b.column)] = true;
    for (const auto& [from, first] : reader.alternatives)
      if (from == exit) return false;
    if (reader.source || reader.input != exit) continue;
    if (!positional(reader.whole)) return false;
    need_by(reader.whole, reader.whole_args, needed);
    std::vector<bool> used(static_cast<size_t>(reader.registers), false);
    for (const auto& s : reader.steps)
      for (int r : s.in) used[static_cast<size_t>(r)] = true;
    for (const auto& s : reader.sinks)
      for (int r : s.in) used[static_cast<size_t>(r)] = true;
    for (size_t i = 0; i < reader.out.size(); ++i)
      if (used[static_cast<size_t>(reader.out[i])]) needed[i] = true;
  }
  std::vector<int> place(columns, -1);
  int count = 0;
  for (size_t i = 0; i < columns; ++i)
    if (needed[i]) place[i] = count++;
  if (count == static_cast<int>(columns) || count == 0) return false;
  if (groups) {
    List aggregates, all = sink.args["aggregates"].list();
    for (size_t i = 0; i < all.size(); ++i)
      if (needed[keys + i]) aggregates.push_back(all[i]);
    // Inputs that no aggregate reads any more go too.
    std::vector<bool> read(sink.in.size(), false);
    for (size_t k = 0; k < keys; ++k) read[k] = true;
    for (const auto& a : aggregates)
      if (a["input"].integer() >= 0) read[keys + static_cast<size_t>(a["input"].integer())] = true;
    if (keys == 0 && !read[0]) read[0] = true;  // rows are counted by some column
    std::vector<int64_t> moved(sink.in.size(), -1);
    int64_t next = 0;
    for (size_t i = keys; i < sink.in.size(); ++i)
      if (read[i]) moved[i] = next++;
    for (auto& a : aggregates)
      if (a["input"].integer() >= 0) a = with(a, "input", moved[keys + static_cast<size_t>(a["input"].integer())]);
    keep(sink.in, read);
    sink.args = with(sink.args, "aggregates", aggregates);
  } else {
    keep(sink.in, needed);
    if (sink.kernel == "top_rows") sink.args = renumbered_by(sink.args, place);
  }
  for (Stage& reader : plan.stages) {
    for (auto& b : reader.broadcasts)
      if (b.from == exit) b.column = place[static_cast<size_t>(b.column)];
    if (reader.source || reader.input != exit) continue;
    keep(reader.out, needed);
    if (reader.whole == "sort_rows") reader.whole_args = renumbered_by(reader.whole_args, place);
  }
  return true;
}
}  // namespace

void prune_exits(Plan& plan) {
  // Readers come behind what they read, so going backwards sees what is really needed.
  for (size_t n = plan.stages.size(); n-- > 0;)
    for (size_t k = 0; k < plan.stages[n].sinks.size(); ++k)
      if (prune(plan, plan.stages[n], static_cast<int>(n), k)) drop_unused(plan);
}

}  // namespace muster::plan
