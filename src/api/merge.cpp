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

const std::vector<std::string> kKinds = {"inner", "left", "right", "leftsemi", "leftanti"}, kOfPython = {"outer", "cross", "left_anti", "right_anti"};

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

// A label that neither side has.
std::string unused(const Expr& left, const Expr& right) {
  std::string name = "index";
  while (left->schema.find(name) >= 0 || right->schema.find(name) >= 0) name += "_";
  return name;
}

Expr merged(Expr left, const Expr& right, const Merge& m) {
  check_kind(m.how);
  Keys keys = keys_of(left, right, m);
  if (m.how == "right" && m.right_index) throw unsupported("merge: how='right' by the index of the right side; merge the other way round, how='left'");
  const bool pairs = m.how != "leftsemi" && m.how != "leftanti", flipped = m.how == "right", stays = m.right_index && left->divisions.is_list();
  if (pairs) check_labels(left, right, keys, m);
  const Value divisions = left->divisions;
  if (m.left_index) {  // beside the rows, as a key
    keys.left = {unused(left, right)};
    left = api::call(operators::assign, Dict{{"columns", Dict{{keys.left[0], InputRef{1}}}}}, {left, api::index_of(left)});
  }
  const Dict arguments{{"how", flipped ? "left" : m.how},
                       {"stream_on", api::texts(flipped ? keys.right : keys.left)},
                       {"built_on", api::texts(flipped ? keys.left : keys.right)},
                       {"built_index", m.right_index},
                       {"suffixes", List{m.suffixes.first, m.suffixes.second}},
                       {"flipped", flipped},
                       {"keeps_divisions", stays}};
  std::vector<Expr> sides{left, right};
  if (flipped) std::swap(sides[0], sides[1]);
  if (!m.broadcast) {
    const auto shuffled = [&](size_t i, const Value& on) {
      const int64_t parts = m.npartitions ? m.npartitions : std::max(left->npartitions, right->npartitions);
      return api::call(operators::shuffle, Dict{{"on", on}, {"partitions", parts}}, {sides[i]});
    };
    sides = {shuffled(0, arguments[1].second), shuffled(1, m.right_index ? Value() : arguments[2].second)};
  }
  Expr out = api::call(m.broadcast ? operators::merge : operators::merge_partitions, arguments, std::move(sides));
  if (m.left_index) out = api::call(operators::drop, Dict{{"columns", api::texts(keys.left)}}, {out});
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
