// merge, join and concat: bodies of include/muster/dataframe.hpp. What keys, kinds and suffixes mean is said here, what they may be of by the operator.
#include <algorithm>
#include <set>

#include "api/arguments.hpp"
#include "api/operators.hpp"
#include "api/session.hpp"
#include "base/error.hpp"
#include "muster/dataframe.hpp"

namespace muster {
using namespace base;
using expr::Expr;
namespace operators = api::operators;
namespace {

const std::vector<std::string> kKinds = {"inner", "left", "right", "outer", "leftsemi", "leftanti"}, kOfPython = {"cross", "left_anti", "right_anti"};
const std::vector<std::string> kValidations = {"one_to_one", "one_to_many", "many_to_one", "many_to_many"};

bool among(const std::vector<std::string>& names, const std::string& name) { return std::find(names.begin(), names.end(), name) != names.end(); }

void check_kind(const std::string& how) {
  if (among(kOfPython, how)) throw unsupported("merge: how='", how, "' is Python's, where pandas merges");
  if (!among(kKinds, how)) throw invalid("merge: how='", how, "' is none of ", base::join(kKinds, ", "), near_matches(how, kKinds));
}

// Columns that are a side's key; none: its index.
struct Keys {
  std::vector<std::string> left, right;
};

Keys keys_of(const Expr& left, const Expr& right, const Merge& m) {
  const bool by_side = !m.left_on.names.empty() || !m.right_on.names.empty() || m.left_index || m.right_index;
  if (!m.on.names.empty() && by_side) throw invalid("merge: on is the key of both sides; leave left_on, right_on, left_index and right_index out");
  Keys keys{m.on.names, m.on.names};
  if (by_side) {
    if (m.left_on.names.empty() != m.left_index) throw invalid("merge: the key of the left side is left_on or left_index, one of the two");
    if (m.right_on.names.empty() != m.right_index) throw invalid("merge: the key of the right side is right_on or right_index, one of the two");
    keys = {m.left_on.names, m.right_on.names};
    if (!m.left_index && !m.right_index && keys.left.size() != keys.right.size())
      throw invalid("merge: left_on has ", keys.left.size(), " columns, right_on ", keys.right.size());
    if (m.left_index && !m.right_index) throw unsupported("merge: the index of the left side with columns of the right one; reset_index makes it a column");
  } else if (keys.left.empty()) {
    const auto others = right->schema.names();
    for (const auto& name : left->schema.names())
      if (among(others, name)) keys.left.push_back(name);
    if (keys.left.empty()) throw invalid("merge: no column is in both frames; say left_on and right_on, or left_index and right_index");
    keys.right = keys.left;
  }
  for (const auto& key : keys.left) static_cast<void>(left->schema.only(key, "merge: left side"));
  for (const auto& key : keys.right) static_cast<void>(right->schema.only(key, "merge: right side"));
  return keys;
}

// Throws where two columns of the result would have one label.
void check_labels(const Expr& left, const Expr& right, const Keys& keys, const Merge& m) {
  std::set<std::string> shared, seen;
  for (size_t k = 0; k < std::min(keys.left.size(), keys.right.size()); ++k)
    if (keys.left[k] == keys.right[k]) shared.insert(keys.left[k]);
  const auto add = [&](const Expr& side, const Expr& other, const std::string& suffix, bool is_left) {
    const auto others = other->schema.names();
    for (const auto& name : side->schema.names()) {
      if (shared.contains(name)) {
        if (is_left) seen.insert(name);
        continue;
      }
      const std::string label = among(others, name) ? name + suffix : name;
      if (!seen.insert(label).second)
        throw invalid("merge: two columns would be labelled '", label, "', with the suffixes '", m.suffixes.first, "' and '", m.suffixes.second,
                      "'; give others");
    }
  };
  add(left, right, m.suffixes.first, true), add(right, left, m.suffixes.second, false);
}

Expr merged(Expr left, const Expr& right, const Merge& m) {
  check_kind(m.how);
  const Keys keys = keys_of(left, right, m);
  const bool whole = m.how == "right" || m.how == "outer";
  if (whole && m.right_index && !m.left_index)
    throw unsupported("merge: how='", m.how, "' by the index of the right side alone; merge the other way round, how='left', or by both indexes");
  const bool pairs = m.how != "leftsemi" && m.how != "leftanti", flipped = m.how == "right";
  if (pairs) check_labels(left, right, keys, m);
  if (!pairs && (!m.indicator.empty() || !m.validate.empty())) throw unsupported("merge: how='", m.how, "' with indicator or validate");
  if (left->schema.find(m.indicator) >= 0 || right->schema.find(m.indicator) >= 0)
    throw invalid("merge: the column '", m.indicator, "' is there already; give indicator another name");
  if (!m.validate.empty() && !among(kValidations, m.validate))
    throw invalid("merge: validate='", m.validate, "' is none of ", base::join(kValidations, ", "), near_matches(m.validate, kValidations));
  const bool unique_left = m.validate.starts_with("one_"), unique_right = m.validate.ends_with("_one");
  const Expr &stream = flipped ? right : left, &built = flipped ? left : right;
  const Value divisions = stream->divisions;
  const bool stays = m.right_index && divisions.is_list() && m.how != "outer";
  Dict arguments{{"how", flipped ? "left" : m.how},
                 {"stream_on", api::texts(flipped ? keys.right : keys.left)},
                 {"stream_index", flipped ? m.right_index : m.left_index},
                 {"built_on", api::texts(flipped ? keys.left : keys.right)},
                 {"built_index", flipped ? m.left_index : m.right_index},
                 {"suffixes", List{m.suffixes.first, m.suffixes.second}},
                 {"flipped", flipped},
                 {"keeps_divisions", stays},
                 {"keyed", false},
                 {"unique_stream", flipped ? unique_right : unique_left},
                 {"unique_built", flipped ? unique_left : unique_right}};
  if (!m.indicator.empty()) arguments.emplace_back("sides", m.indicator);
  std::vector<Expr> sides{stream, built};
  if (!m.broadcast) {
    const auto shuffled = [&](size_t i, const Value& on) {
      const int64_t parts = m.npartitions ? m.npartitions : std::max(left->npartitions, right->npartitions);
      return api::call(operators::shuffle, Dict{{"on", on}, {"partitions", parts}}, {sides[i]});
    };
    const Value of_arguments = arguments;
    const auto key = [&](const char* on, const char* index) { return of_arguments[index].boolean() ? Value() : of_arguments[on]; };
    sides = {shuffled(0, key("stream_on", "stream_index")), shuffled(1, key("built_on", "built_index"))};
  }
  Expr out = api::call(m.broadcast ? operators::merge : operators::merge_partitions, arguments, std::move(sides));
  if (stays && m.broadcast) return api::with_divisions(out, divisions);  // these rows keep their index values
  return m.npartitions && m.npartitions != out->npartitions ? api::call(operators::repartition, Dict{{"partitions", m.npartitions}}, {out}) : out;
}

template <class Rows>
Expr behind_each_other(const std::vector<Rows>& all, const std::string& join) {
  std::vector<Expr> inputs;
  for (const auto& rows : all) inputs.push_back(rows.expr);
  if (inputs.empty()) throw invalid("concat: nothing to put together");
  return api::call(operators::concat, Dict{{"join", join}}, std::move(inputs));
}
}  // namespace

DataFrame DataFrame::merge(const DataFrame& right, const Merge& how) const { return DataFrame(merged(expr, right.expr, how)); }
DataFrame DataFrame::join(const DataFrame& right, const Join& how) const {
  return DataFrame(merged(expr, right.expr,
                          {.how = how.how,
                           .left_on = how.on,
                           .left_index = how.on.names.empty(),
                           .right_index = true,
                           .suffixes = {how.lsuffix, how.rsuffix},
                           .npartitions = how.npartitions}));
}

DataFrame concat(const std::vector<DataFrame>& frames, const std::string& join) { return DataFrame(behind_each_other(frames, join)); }
Series concat(const std::vector<Series>& series) { return Series(behind_each_other(series, "outer")); }

}  // namespace muster
