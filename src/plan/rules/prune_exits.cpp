// Columns that leave a stage and that nobody reads: a top-n keeps only the columns asked for behind it, a group-by only its needed aggregates.
#include <map>

#include "plan/rules/rules.hpp"

namespace muster::plan {
using namespace base;
namespace {

// Without a kernel the rows leave as they are.
bool positional(const std::string& kernel) { return kernel.empty() || data::traits(kernel).positional; }

Value with(const Value& args, const char* name, Value value) {
  Dict out;
  for (const auto& [k, v] : args.dict()) out.emplace_back(k, k.string() == name ? value : v);
  return out;
}

// The columns that a positional kernel looks at.
void need_by(const Value& args, std::vector<bool>& needed) {
  if (!args.has("by")) return;
  for (const auto& b : args["by"].list()) needed[static_cast<size_t>(b.integer())] = true;
}
Value renumbered_by(const Value& args, const std::vector<int>& place) {
  if (!args.has("by")) return args;
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

// Who reads an exit.
struct Readers {
  std::vector<Stage*> rows;           // as their stream
  std::vector<Input*> only_row = {};  // as a row that all rows see
  std::vector<std::pair<Stage*, int>> looking = {};  // into it, by the number it has there
  bool whole = false;                 // all columns are needed
};

// True where columns went.
bool prune(data::Sink& sink, const Readers& readers) {
  const bool groups = data::traits(sink.kernel).groups;
  const bool looked_into = data::traits(sink.kernel).is_looked_into;
  if (readers.whole || (!positional(sink.kernel) && !groups && !looked_into)) return false;
  const size_t keys = groups ? sink.args["keys"].list().size() : looked_into ? static_cast<size_t>(sink.args["keys"].integer()) : 0;
  const size_t columns = groups ? keys + sink.args["aggregates"].list().size() : sink.in.size();
  std::vector<bool> needed(columns, false);
  for (size_t k = 0; k < keys; ++k) needed[k] = true;
  need_by(sink.args, needed);
  for (const Input* in : readers.only_row)
    for (const auto& seen : in->seen) needed[static_cast<size_t>(seen.column)] = true;
  for (const Stage* reader : readers.rows) {
    if (!positional(reader->whole)) return false;
    need_by(reader->whole_args, needed);
    std::vector<bool> used(static_cast<size_t>(reader->registers), false);
    for (const auto& s : reader->steps)
      for (int r : s.in) used[static_cast<size_t>(r)] = true;
    for (const auto& s : reader->sinks)
      for (int r : s.in) used[static_cast<size_t>(r)] = true;
    for (size_t i = 0; i < reader->out.size(); ++i)
      if (used[static_cast<size_t>(reader->out[i])]) needed[i] = true;
  }
  const auto each_taken = [&](auto call) {
    for (const auto& [reader, number] : readers.looking)
      for (auto& step : reader->steps)
        if (step.built == number && data::traits(step.kernel).takes_column) call(step.args, keys + static_cast<size_t>(step.args["column"].integer()));
  };
  each_taken([&](const Value&, size_t column) { needed[column] = true; });
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
    sink.args = renumbered_by(sink.args, place);
    if (looked_into) {
      List types = sink.args["types"].list();
      keep(types, needed);
      sink.args = with(sink.args, "types", types);
    }
    each_taken([&](Value& args, size_t column) { args = with(args, "column", place[column] - static_cast<int64_t>(keys)); });
  }
  for (Input* in : readers.only_row)
    for (auto& seen : in->seen) seen.column = place[static_cast<size_t>(seen.column)];
  for (Stage* reader : readers.rows) {
    keep(reader->out, needed);
    reader->whole_args = renumbered_by(reader->whole_args, place);
  }
  return true;
}
}  // namespace

void prune_exits(Plan& plan) {
  std::map<Exit, Readers> readers;
  for (const auto& r : plan.results) readers[r.exit].whole = true;
  const auto order = order_of(plan);
  for (auto n = order.rbegin(); n != order.rend(); ++n) {  // readers before what they read: by then it is known what they need
    Stage& s = plan.stages[static_cast<size_t>(*n)];
    bool pruned = false;
    for (size_t k = 0; k < s.sinks.size(); ++k) pruned |= prune(s.sinks[k], readers[{*n, static_cast<int>(k)}]);
    if (pruned) drop_unused(s);
    for (auto& in : s.inputs) {
      Readers& of = readers[in.from];
      if (in.role == Input::Role::row) of.only_row.push_back(&in);
      else if (in.role == Input::Role::built) of.looking.emplace_back(&s, in.number);
      else if (s.stream()) of.rows.push_back(&s);
      else of.whole = true;
    }
  }
}

}  // namespace muster::plan
