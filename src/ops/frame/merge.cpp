// merge: the rows of two frames whose keys are equal. The first input streams, so that its order stays; of the second a table is made, which it looks into.
// merge_partitions: the same of each partition of both, where equal keys lie in equal partitions.
// groupby.transform: the columns of the second frame, of which no two rows have equal keys, beside the rows of the first.
#include <algorithm>
#include <unordered_set>

#include "ops/frame/columns.hpp"

namespace muster::ops::frame {
namespace {

using Labels = std::unordered_set<Label, LabelHash>;

// The dtype in which two keys are compared. Throws Error{unsupported} where pandas is to say what is equal.
DType compared(DType a, DType b, const Label& label) {
  const auto refuse = [&] { return unsupported("merge: key ", label.repr(), " is ", a.name(), " and ", b.name()); };
  if (a.is_object() || b.is_object()) throw refuse();
  if (a.storage == b.storage && a.unit == b.unit) return {a.storage, a.unit};
  if (!a.is_number() || !b.is_number()) throw refuse();
  const DType both = promote(a, b);
  if (a.is_integer() && b.is_integer() && !both.is_integer()) throw refuse();
  return {both.storage};
}

// {how: "inner", "left", "leftsemi" or "leftanti", stream_on, built_on, built_index, suffixes, flipped, keeps_divisions, wide}: labels of keys, or of the built
// side its index; flipped: the built side is the one whose columns come first; keeps_divisions: somebody relies on rows staying in their partitions;
// wide: integer columns of the result in which values are missing.
class Merge {
 public:
  explicit Merge(const Call& c) : call(c), flipped_(c["flipped"].boolean()) {
    how = c["how"].string();
    const auto keys = labels(c["stream_on"]);
    std::vector<Label> of_built;
    if (c["built_index"].boolean()) {
      built_index = index_fields(built());
      if (built_index.size() != 1) throw unsupported("merge on an index of several levels");
      if (keys.size() != 1) throw invalid("len(left_on) must equal the number of levels in the index of \"right\"");
    } else {
      of_built = labels(c["built_on"]);
    }
    for (size_t k = 0; k < keys.size(); ++k) {
      Key key{c.only(keys[k], "merge"), built_index.empty() ? only_of_built(of_built.at(k)) : -1, {}, false};
      const Field& other = key.built < 0 ? built_index[0] : built().columns[static_cast<size_t>(key.built)];
      const DType own = stream().columns[static_cast<size_t>(key.stream)].type;
      key.type = compared(own, other.type, keys[k]);
      key.shared = key.built >= 0 && other.label == keys[k];
      if (key.shared && flipped_ && own.storage != other.type.storage)
        throw unsupported("merge: the dtype of key ", keys[k].repr(), " depends on the rows found");
      if (key.built < 0 && call.positions(1).first(keys[k]) >= 0) throw unsupported("merge: ", keys[k].repr(), " is a key and a column of the other side");
      on.push_back(key);
    }
  }

  struct Key {
    int64_t stream, built;  // columns; -1: the index
    DType type;             // both are compared in
    bool shared;            // one column in the result
  };
  // Of the result.
  struct Taken {
    bool of_built;
    int64_t column;
    Field field;
  };
  const Schema& stream() const { return call.input(0); }
  const Schema& built() const { return call.input(1); }
  bool pairs() const { return how == "inner" || how == "left"; }

  std::vector<Taken> columns() const {
    Labels shared, left, right;
    for (const auto& k : on)
      if (k.shared) shared.insert(stream().columns[static_cast<size_t>(k.stream)].label);
    for (const auto& f : first().columns) left.insert(f.label);
    for (const auto& f : second().columns) right.insert(f.label);
    std::vector<Taken> out;
    const auto add = [&](bool of_first, const Labels& others, const Value& suffix) {
      const Schema& from = of_first ? first() : second();
      const bool of_built = of_first == flipped_;
      for (size_t i = 0; i < from.columns.size(); ++i) {
        Field f = from.columns[i];
        if (shared.contains(f.label)) {
          if (of_first) out.push_back(of_stream(f.label));
          continue;
        }
        if (others.contains(f.label) && !suffix.is_none()) {
          if (!f.label.is_string()) throw unsupported("merge: the label ", f.label.repr(), " is in both frames");
          f.label = Label(f.label.string() + suffix.string());
        }
        if (of_built && how == "left") {
          if (f.type.is_object() && !f.type.foreign) throw unsupported("merge: column ", f.label.repr(), " of objects, where rows may be missing");
          f.type.open |= f.type.is_integer() || f.type.is_boolean();
        }
        out.push_back({of_built, static_cast<int64_t>(i), std::move(f)});
      }
    };
    add(true, right, call["suffixes"].list().at(0)), add(false, left, call["suffixes"].list().at(1));
    if (call.has("wide"))
      for (const auto& at : call["wide"].list()) out.at(static_cast<size_t>(at.integer())).field.type = {Storage::float64};
    Labels seen;
    for (const auto& t : out)
      if (!seen.insert(t.field.label).second) throw unsupported("merge: the label ", t.field.label.repr(), " would be there twice");
    return out;
  }

  const Call& call;
  std::string how;
  std::vector<Key> on;
  std::vector<Field> built_index;  // where that is the key

 private:
  const Schema& first() const { return flipped_ ? built() : stream(); }
  const Schema& second() const { return flipped_ ? stream() : built(); }
  int64_t only_of_built(const Label& label) const {
    const auto at = call.positions(1).all(label);
    return at.size() == 1 ? at[0] : built().only(label, "merge");
  }
  Taken of_stream(const Label& label) const {
    const int64_t at = call.positions(0).first(label);
    return {false, at, stream().columns[static_cast<size_t>(at)]};
  }
  bool flipped_;
};

Schema merge_schema(const Call& c) {
  const Merge m(c);
  if (!m.pairs()) return m.stream();
  Schema s{Kind::frame, {}, m.built_index.empty() ? std::vector<Field>{} : m.stream().index, false};
  for (auto& taken : m.columns()) s.columns.push_back(std::move(taken.field));
  return s;
}

Rows merge_lower(Lowering& l, const Call& c) {
  const Merge m(c);
  const Rows stream = l.input(0), built = l.apart(1);
  const int at = stream.stage;
  std::vector<int> keys, in;
  List types;
  const auto index = m.built_index.empty() ? Rows{} : labelled(l, m.built(), built);
  for (const auto& k : m.on) {
    const auto operation = "merge";
    const auto s = static_cast<size_t>(k.stream), b = static_cast<size_t>(k.built);
    keys.push_back(cast(l, at, stream.columns[s], m.stream().columns[s].type, k.type, operation));
    in.push_back(k.built < 0 ? cast(l, built.stage, index.index[0], m.built_index[0].type, k.type, operation)
                             : cast(l, built.stage, built.columns[b], m.built().columns[b].type, k.type, operation));
    types.push_back(code(k.type));
  }
  const auto count = static_cast<int64_t>(keys.size());
  const auto taken = m.pairs() ? m.columns() : std::vector<Merge::Taken>{};
  for (const auto& t : taken)
    if (t.of_built) in.push_back(built.columns[static_cast<size_t>(t.column)]), types.push_back(code(m.built().columns[static_cast<size_t>(t.column)].type));
  const int table = l.build(at, built.stage, "join_build", Dict{{"keys", count}, {"types", types}, {"each", c.op.joins_partitions}}, in);
  if (!m.pairs()) {
    int found = l.look(at, table, "join_contains", Dict{}, keys, 1)[0];
    if (m.how == "leftanti") found = l.one(at, "unary", Dict{{"op", "invert"}, {"type", code(DType{Storage::boolean})}}, {found});
    return select(l, stream, found);
  }
  const auto pairs = l.look(at, table, "join_find", Dict{{"all", m.how == "left"}}, keys, 2);
  const auto take = [&](int reg) { return l.one(at, "take_rows", Dict{}, {pairs[0], reg}); };
  Rows out{at, {}, {}};
  if (m.built_index.empty()) out.index = {l.new_row_ids(at, pairs[0])};
  else for (int reg : stream.index) out.index.push_back(take(reg));
  int64_t next = 0;
  for (size_t i = 0; i < taken.size(); ++i) {
    const auto& t = taken[i];
    const auto from = static_cast<size_t>(t.column);
    if (!t.of_built) {
      out.columns.push_back(take(stream.columns[from]));
      continue;
    }
    const bool opens = m.how == "left" && t.field.type.open;
    const int reg = l.look(at, table, "join_take", Dict{{"column", next++}, {"missing", opens ? l.next_result() : int64_t{-1}}}, {pairs[1]}, 1)[0];
    l.depend(at, reg, built.stage, built.columns[from]);
    if (opens) l.name_result(at, reg, static_cast<int64_t>(i), true);
    out.columns.push_back(cast(l, at, reg, m.built().columns[from].type, t.field.type, "merge"));
  }
  return out;
}

Value revise(const Call& c, const std::vector<std::pair<int64_t, DType>>& wider, const std::vector<std::pair<int64_t, int64_t>>&) {
  const Schema s = c.op.schema(c);
  List wide = c.has("wide") ? c["wide"].list() : List{};
  for (const auto& [at, type] : wider)
    if (s.columns.at(static_cast<size_t>(at)).type.is_integer()) wide.emplace_back(at);
  return with_argument(c.args, "wide", std::move(wide));
}

// As many partitions as the first input has; equal keys lie in equal ones.
Expr merge_exchanged(const Call& c) {
  const int64_t parts = c.inputs.at(0)->npartitions;
  if (parts == 1 || c["keeps_divisions"].boolean()) return nullptr;
  const auto shuffled = [&](size_t i, const Value& on) { return expr::make(expr::op("shuffle"), Dict{{"on", on}, {"partitions", parts}}, {c.inputs.at(i)}); };
  return expr::make(expr::op("merge_partitions"), c.args, {shuffled(0, c["stream_on"]), shuffled(1, c["built_index"].boolean() ? Value() : c["built_on"])});
}

// {keys, kind, wide}: the built columns are that many keys, as the first ones of the stream, and the values of their groups.
class Transform {
 public:
  explicit Transform(const Call& c) : call(c), keys(static_cast<size_t>(c["keys"].integer())) {
    for (size_t k = 0; k < keys; ++k) types.push_back(compared(c.input(0).columns.at(k).type, c.input(1).columns.at(k).type, c.input(0).columns[k].label));
  }
  Schema schema() const {
    Schema s{call["kind"].integer() == 1 ? Kind::series : Kind::frame, {}, call.input(0).index, false};
    for (size_t i = keys; i < call.input(1).columns.size(); ++i) {
      Field f = call.input(1).columns[i];
      if (f.type.is_object()) throw unsupported("transform: ", f.label.repr(), " is of objects, of which pandas says what is missing");
      f.type.open |= f.type.is_integer() || f.type.is_boolean();
      s.columns.push_back(std::move(f));
    }
    if (call.has("wide"))
      for (const auto& at : call["wide"].list()) s.columns.at(static_cast<size_t>(at.integer())).type = {Storage::float64};
    return s;
  }

  const Call& call;
  size_t keys;
  std::vector<DType> types;
};

Rows transform_lower(Lowering& l, const Call& c) {
  const Transform m(c);
  const Rows stream = l.input(0), built = l.apart(1);
  const int at = stream.stage;
  const auto& made = c.input(1).columns;
  std::vector<int> wanted, in = built.columns;
  List types;
  for (size_t k = 0; k < m.keys; ++k) {
    wanted.push_back(cast(l, at, stream.columns[k], c.input(0).columns[k].type, m.types[k], "transform"));
    in[k] = cast(l, built.stage, built.columns[k], made[k].type, m.types[k], "transform");
    types.push_back(code(m.types[k]));
  }
  for (size_t i = m.keys; i < made.size(); ++i) types.push_back(code(made[i].type));
  const int table = l.build(at, built.stage, "join_build", Dict{{"keys", static_cast<int64_t>(m.keys)}, {"types", types}, {"each", false}}, in);
  const int found = l.look(at, table, "join_find", Dict{{"all", true}}, wanted, 2)[1];  // one for each row, in their order
  Rows out{at, {}, stream.index};
  const Schema s = m.schema();
  for (size_t i = m.keys; i < made.size(); ++i) {
    const auto field = static_cast<int64_t>(i - m.keys);
    const bool opens = s.columns[i - m.keys].type.open;
    const int reg = l.look(at, table, "join_take", Dict{{"column", field}, {"missing", opens ? l.next_result() : int64_t{-1}}}, {found}, 1)[0];
    l.depend(at, reg, built.stage, built.columns[i]);
    if (opens) l.name_result(at, reg, field, true);
    out.columns.push_back(cast(l, at, reg, made[i].type, s.columns[i - m.keys].type, "transform"));
  }
  return out;
}
}  // namespace

Ops merge_ops() {
  Op whole{.name = "merge",
           .on = {{internal, ""}},
           .schema = merge_schema,
           .lower = merge_lower,
           .joins = true,
           .exchanged = merge_exchanged,
           .revise = revise,
           .files = [](const Call& c) { return std::vector<int64_t>{0, c.inputs.at(0)->npartitions}; },
           .show = [](const Call& c) { return concat(c["how"].string(), " on ", c["stream_on"].repr()); }};
  Op each = whole;
  each.name = "merge_partitions", each.joins_partitions = true, each.exchanged = {};
  each.schema = [](const Call& c) {
    if (c.inputs.at(0)->npartitions != c.inputs.at(1)->npartitions) throw base::internal("merge_partitions: sides of different numbers of partitions");
    return merge_schema(c);
  };
  Op beside = whole;
  beside.name = "groupby.transform", beside.same_rows = true, beside.exchanged = {};
  beside.schema = [](const Call& c) { return Transform(c).schema(); };
  beside.lower = transform_lower;
  beside.show = [](const Call& c) { return concat("of groups by ", c["keys"].integer(), " columns"); };
  return {whole, each, beside};
}

}  // namespace muster::ops::frame
