// What a kernel says of itself besides its code. The planner, and whoever else holds a program as data, goes by this: never by a kernel's name.
// What a kernel has not said is false of it: rules leave alone what they know nothing of.
#pragma once
#include <functional>
#include <string>

#include "base/value.hpp"

namespace muster::data {

struct Traits {
  // ---- which inputs decide whether a result becomes wider than promised (ARCHITECTURE.md, "Open dtypes"): all of them, unless it says
  /// Column i of the result is made of input i alone.
  bool columnwise = false;
  /// A step: column i of the result has the rows of input i + 1 where the first input, a mask, is true.
  bool selects = false;
  /// None: it reports itself what is missing, or has its values from its arguments.
  bool widens_itself = false;
  /// All of them, and row ids among them become numbers.
  bool numbers_rows = false;

  // ---- what a step makes of its rows
  /// No inputs: the argument "value", of dtype "type", for every row.
  bool is_constant = false;
  /// A row of the result is made of the same row of the inputs, and is hardly larger.
  bool by_row = false;
  /// It remembers the rows it was given: it is made anew for each partition, and sees the rows of that one in order.
  bool remembers_rows = false;
  /// Of what looks into a built side: it reads of that the column in its argument "column" (behind the keys), and no other.
  bool takes_column = false;
  /// It calls the guest language, and may report dtypes of what comes back.
  bool runs_python = false;
  /// Of a kernel that makes a column of dtype "type" of raw texts, and reports what it does not hold: the one that only reports, of the same arguments.
  std::string parse_check = {};
  /// Of two inputs: the comparison that the result is ("==", "<", "<=", ">", ">="), or "and" where it holds if both do; empty for anything else.
  std::function<std::string(const base::Value& args)> compares = {};
  /// True: integers among the inputs give the same as floats of these values, but for the dtype. Wherever nothing is said they may not: they wrap around.
  std::function<bool(const base::Value& args)> same_of_floats = {};
  /// True: the result has the input's values in another form, which compare as they do.
  std::function<bool(const base::Value& args)> same_values = {};

  // ---- what a fold, or a kernel of all rows of a partition, keeps
  /// Column i of the result is input i, with some of its rows or in another order: those that the inputs in the argument "by", if it has one, tell. A fold's
  /// state is such rows.
  bool positional = false;
  /// A fold of rows whose states are cut into ranges (kernels/ranged_state.hpp): its result has as many partitions as "parts" says. Where the bounds of these
  /// are given, they are its argument "bounds".
  bool ranged = false;
  /// A fold whose state is wanted itself, for steps that look into it. Its state is rows, in order; the first of its columns are keys, as many as "keys" says.
  bool is_looked_into = false;
  /// A fold of rows in groups: its first inputs are the keys, one for each of "keys"; its result has the keys and a column for each of "aggregates", {input,
  /// ...}, where `input` counts the inputs behind the keys and is negative for one that reads none.
  bool groups = false;
  /// Of a fold of one column behind a mask: the arguments with which it gives the same of the mask itself; None where it cannot.
  std::function<base::Value(const base::Value& args)> of_mask = {};
};

/// Enters a kernel's traits, in each process at start; read by every thread afterwards.
void declare_traits(const std::string& kernel, Traits traits);
/// Of an unknown kernel: none.
const Traits& traits(const std::string& kernel);

/// Kernels that the planner itself adds to what operators ask for.
inline constexpr const char *kRowCounts = "row_counts", *kRowLabels = "row_labels", *kNewRowIds = "new_row_ids", *kCountNewRows = "count_new_rows";

}  // namespace muster::data
