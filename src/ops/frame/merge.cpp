// merge: the rows of two frames whose keys are equal. The first input streams, so that its order stays; of the second a table is made, which it looks into.
// "outer" is what the first finds and what of the second is alone, put in the order of the keys.
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

// Labels of what a result has beside its columns, for others to take away: the key that rows are put in order by.
Label hidden(size_t key) { return Label(concat(std::string(1, '\0'), "key ", key)); }

// A result's columns of one dtype each: in what a row is from.
enum Side : int64_t { left_only, right_only, both };

// {how: "inner", "left", "alone", "leftsemi", "leftanti" or "outer", stream_on, stream_index, built_on, built_index, suffixes, flipped, keeps_divisions, sides,
// unique_stream, unique_built, keyed, wide}: labels of keys, or of a side its index. alone: the rows of the stream that find none; flipped: the built side is
// the one whose columns come first; keeps_divisions: somebody relies on rows staying in their partitions; sides: the label of a column that says which side a
// row is from, or none; unique_...: which keys must not repeat; keyed: with the keys as hidden columns behind the others; wide: integer columns of the result
// in which values are missing.
class Merge {
 public:
  explicit Merge(const Call& c) : call(c), flipped_(c["flipped"].boolean()) {
    how = c["how"].string();
    if (c["stream_index"].boolean()) stream_index = only_level(stream());
    if (c["built_index"].boolean()) built_index = only_level(built());
    const auto of_stream = stream_index.empty() ? labels(c["stream_on"]) : List{stream_index[0].label};
    const auto of_built = built_index.empty() ? labels(c["built_on"]) : List{built_index[0].label};
    if (of_stream.size() != of_built.size()) {
      if (built_index.empty()) throw invalid("len(right_on) must equal len(left_on)");
      throw invalid("len(", flipped_ ? "right" : "left", "_on) must equal the number of levels in the index of \"", flipped_ ? "left" : "right", '"');
    }
    for (size_t k = 0; k < of_stream.size(); ++k) {
      Key key{stream_index.empty() ? c.only(of_stream[k], "merge") : kIndex, built_index.empty() ? only_of_built(of_built[k]) : kIndex, {}, false};
      const Field &own = field(stream(), stream_index, key.stream), &other = field(built(), built_index, key.built);
      key.type = compared(own.type, other.type, of_stream[k]);
      key.shared = key.stream != kIndex && key.built != kIndex && other.label == own.label;
      if (key.shared && flipped_ && leaves() && own.type.storage != other.type.storage)
        throw unsupported("merge: the dtype of key ", own.label.repr(), " depends on the rows found");
      if (key.built == kIndex && key.stream != kIndex && call.positions(1).first(own.label) >= 0)
        throw unsupported("merge: ", own.label.repr(), " is a key and a column of the other side");
      on.push_back(key);
    }
    if (!stream_index.empty() && built_index.empty()) throw unsupported("merge: the index of the side whose order stays, and columns of the other");
  }

  static constexpr int64_t kIndex = -1;
  struct Key {
    int64_t stream, built;  // columns, or kIndex
    DType type;             // both are compared in
    bool shared;            // one column in the result
  };
  enum class From { stream, built, sides };
  // Of the result.
  struct Taken {
    From from;
    int64_t column;
    Field field;
  };
  const Schema& stream() const { return call.input(0); }
  const Schema& built() const { return call.input(1); }
  bool pairs() const { return how == "inner" || leaves(); }
  // Whether rows of the stream are there that found none.
  bool leaves() const { return how == "left" || how == "alone"; }
  // What pandas says of keys of the stream, or of the built side, that repeat.
  std::string repeats(bool of_stream) const {
    const bool both_sides = call["unique_stream"].boolean() && call["unique_built"].boolean(), left = of_stream != flipped_;
    const char* wanted = both_sides ? "one-to-one" : left ? "one-to-many" : "many-to-one";
    return concat("Merge keys are not unique in ", left ? "left" : "right", " dataset; not a ", wanted, " merge");
  }
  int64_t side_of_alone() const { return flipped_ ? right_only : left_only; }
  // Of the result of pairs.
  std::vector<Field> index() const { return !stream_index.empty() ? stream_index : built_index.empty() ? std::vector<Field>{} : stream().index; }

  std::vector<Taken> columns() const {
    Labels shared, left, right;
    for (const auto& k : on)
      if (k.shared) shared.insert(stream().columns[static_cast<size_t>(k.stream)].label);
    for (const auto& f : first().columns) left.insert(f.label);
    for (const auto& f : second().columns) right.insert(f.label);
    std::vector<Taken> out;
    const auto add = [&](bool of_first, const Labels& others, const Value& suffix) {
      const Schema& from = of_first ? first() : second();
      const auto side = of_first == flipped_ ? From::built : From::stream;
      for (size_t i = 0; i < from.columns.size(); ++i) {
        Field f = from.columns[i];
        if (shared.contains(f.label)) {
          if (of_first) out.push_back(shared_key(f.label));
          continue;
        }
        if (others.contains(f.label) && !suffix.is_none()) {
          if (!f.label.is_string()) throw unsupported("merge: the label ", f.label.repr(), " is in both frames");
          f.label = Label(f.label.string() + suffix.string());
        }
        if (side == From::built && leaves()) {
          if (f.type.is_object() && !f.type.foreign) throw unsupported("merge: column ", f.label.repr(), " of objects, where rows may be missing");
          f.type.open |= f.type.is_integer() || f.type.is_boolean();
        }
        out.push_back({side, static_cast<int64_t>(i), std::move(f)});
      }
    };
    add(true, right, call["suffixes"].list().at(0)), add(false, left, call["suffixes"].list().at(1));
    if (call.has("sides")) out.push_back({From::sides, 0, {call["sides"], {Storage::int8}}});
    for (size_t k = 0; k < on.size() && call["keyed"].boolean(); ++k) {
      DType type = on[k].type;
      type.open = field(stream(), stream_index, on[k].stream).type.open;
      out.push_back({From::stream, on[k].stream, {hidden(k), type}});
    }
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
  std::vector<Field> stream_index, built_index;  // where that is the key

 private:
  const Schema& first() const { return flipped_ ? built() : stream(); }
  const Schema& second() const { return flipped_ ? stream() : built(); }
  static std::vector<Field> only_level(const Schema& s) {
    auto out = index_fields(s);
    if (out.size() != 1) throw unsupported("merge on an index of several levels");
    return out;
  }
  static const Field& field(const Schema& s, const std::vector<Field>& index, int64_t column) {
    return column == kIndex ? index.at(0) : s.columns[static_cast<size_t>(column)];
  }
  int64_t only_of_built(const Label& label) const {
    const auto at = call.positions(1).all(label);
    return at.size() == 1 ? at[0] : built().only(label, "merge");
  }
  Taken shared_key(const Label& label) const {
    const int64_t at = call.positions(0).first(label);
    return {From::stream, at, stream().columns[static_cast<size_t>(at)]};
  }
  bool flipped_;
};

Schema merge_schema(const Call& c) {
  const Merge m(c);
  if (!m.pairs()) return m.stream();
  Schema s{Kind::frame, {}, m.index(), false};
  for (auto& taken : m.columns()) s.columns.push_back(std::move(taken.field));
  return s;
}

// The keys of rows, in the dtypes that they are compared in.
std::vector<int> key_registers(Lowering& l, const Merge& m, const Rows& rows, const Schema& schema, const std::vector<Field>& index,
                               int64_t Merge::Key::*column) {
  const Rows seen = index.empty() ? rows : labelled(l, schema, rows);
  std::vector<int> out;
  for (const auto& k : m.on) {
    const auto at = static_cast<size_t>(k.*column);
    const bool is_index = k.*column == Merge::kIndex;
    out.push_back(cast(l, rows.stage, is_index ? seen.index[0] : rows.columns[at], is_index ? index[0].type : schema.columns[at].type, k.type, "merge"));
  }
  return out;
}

// A table of these columns, the first of which are the keys; the number that steps look into it by.
int table_of(Lowering& l, const Merge& m, int at, int from, List types, std::vector<int> in, std::string repeats) {
  Dict args{{"keys", static_cast<int64_t>(m.on.size())}, {"types", std::move(types)}, {"each", m.call.op.joins_partitions}};
  if (!repeats.empty()) args.emplace_back("repeats", std::move(repeats));
  return l.build(at, from, "join_build", std::move(args), std::move(in));
}

Rows merge_lower(Lowering& l, const Call& c) {
  const Merge m(c);
  const Rows stream = l.input(0), built = l.apart(1);
  const int at = stream.stage;
  auto keys = key_registers(l, m, stream, m.stream(), m.stream_index, &Merge::Key::stream);
  auto in = key_registers(l, m, built, m.built(), m.built_index, &Merge::Key::built);
  List types;
  for (const auto& k : m.on) types.push_back(code(k.type));
  if (c["unique_stream"].boolean()) {
    const Rows again = l.apart(2);
    const auto once = key_registers(l, m, again, m.stream(), m.stream_index, &Merge::Key::stream);
    const int own = table_of(l, m, at, again.stage, types, once, m.repeats(true));
    keys[0] = l.look(at, own, "join_checked", Dict{}, {keys[0]}, 1)[0];
  }
  const auto taken = m.pairs() ? m.columns() : std::vector<Merge::Taken>{};
  for (const auto& t : taken)
    if (t.from == Merge::From::built)
      in.push_back(built.columns[static_cast<size_t>(t.column)]), types.push_back(code(m.built().columns[static_cast<size_t>(t.column)].type));
  const int table = table_of(l, m, at, built.stage, types, in, c["unique_built"].boolean() ? m.repeats(false) : "");
  if (!m.pairs()) {
    int found = l.look(at, table, "join_contains", Dict{}, keys, 1)[0];
    if (m.how == "leftanti") found = l.one(at, "unary", Dict{{"op", "invert"}, {"type", code(DType{Storage::boolean})}}, {found});
    return select(l, stream, found);
  }
  const auto pairs = l.look(at, table, "join_find", Dict{{"found", m.how != "alone"}, {"not_found", m.leaves()}}, keys, 2);
  const auto take = [&](int reg) { return l.one(at, "take_rows", Dict{}, {pairs[0], reg}); };
  Rows out{at, {}, {}};
  if (m.stream_index.empty() && m.built_index.empty()) out.index = {l.new_row_ids(at, pairs[0])};
  else
    for (int reg : (m.stream_index.empty() ? stream : labelled(l, m.stream(), stream)).index) out.index.push_back(take(reg));
  int64_t next = 0;
  for (size_t i = 0; i < taken.size(); ++i) {
    const auto& t = taken[i];
    const auto from = static_cast<size_t>(t.column);
    if (t.from == Merge::From::sides) {
      out.columns.push_back(l.one(at, "join_sides", Dict{{"alone", m.side_of_alone()}, {"both", int64_t{both}}}, {pairs[1]}));
    } else if (t.from == Merge::From::stream) {
      const int reg = t.column == Merge::kIndex ? out.index[0] : take(stream.columns[from]);
      const DType own = t.column == Merge::kIndex ? m.stream_index[0].type : m.stream().columns[from].type;
      out.columns.push_back(cast(l, at, reg, own, t.field.type, "merge"));
    } else {
      const bool opens = m.leaves() && t.field.type.open;
      const int reg = l.look(at, table, "join_take", Dict{{"column", next++}, {"missing", opens ? l.next_result() : int64_t{-1}}}, {pairs[1]}, 1)[0];
      l.depend(at, reg, built.stage, built.columns[from]);
      if (opens) l.name_result(at, reg, static_cast<int64_t>(i), true);
      out.columns.push_back(cast(l, at, reg, m.built().columns[from].type, t.field.type, "merge"));
    }
  }
  return out;
}

Value with(const Value& args, const Dict& others) {
  Dict out = others;
  for (const auto& [k, v] : args.dict())
    if (std::none_of(others.begin(), others.end(), [&](const auto& other) { return other.first == k; })) out.emplace_back(k, v);
  return out;
}

// What the first side finds, then what of the second is alone, in the order of the keys: rows of equal ones stay in theirs.
Expr outer(const Call& c) {
  const Expr &left = c.inputs.at(0), &right = c.inputs.at(1);
  const bool by_index = c["stream_index"].boolean();
  const Dict kept{{"how", "left"}, {"keyed", !by_index}};
  const Dict alone{{"how", "alone"}, {"keyed", !by_index}, {"flipped", true}, {"unique_stream", false}, {"unique_built", false},
                   {"stream_on", c["built_on"]}, {"built_on", c["stream_on"]}, {"stream_index", c["built_index"]}, {"built_index", c["stream_index"]}};
  const Expr found = make(c.op, with(c.args, kept), c.inputs), others = make(c.op, with(c.args, alone), {right, left});
  const Expr all = make(expr::op("concat"), Dict{{"join", "outer"}}, {found, others});
  List keys, columns;
  for (size_t i = 0; i < all->schema.columns.size(); ++i) {
    const Label& label = all->schema.columns[i].label;
    if (label == hidden(keys.size())) keys.push_back(label);
    else columns.push_back(static_cast<int64_t>(i));
  }
  // pandas compares times as numbers, of which the missing one is the lowest.
  const auto is_time = [&](const Label& key) { return all->schema.columns[static_cast<size_t>(all->positions.first(key))].type.is_time(); };
  const auto times = std::count_if(keys.begin(), keys.end(), is_time);
  if (times && times != static_cast<int64_t>(keys.size())) throw unsupported("merge: the order of times and other keys together");
  const int64_t partitions = std::max(left->npartitions, right->npartitions);
  Dict order{{"of_index", by_index}, {"ascending", true}, {"na_position", times ? "first" : "last"}, {"partitions", partitions}};
  order.emplace_back("by", by_index ? Value() : Value(keys));
  Expr sorted = make(expr::op("sort"), order, {all});
  if (const auto index = index_fields(found->schema); by_index && !(index[0].label == index_fields(sorted->schema)[0].label))
    sorted = make(expr::op("with_index"), Dict{}, {sorted, make(expr::op("index_values"), Dict{{"name", index[0].label}}, {sorted})});
  if (by_index) return sorted;
  const Expr seen = make(expr::op("take_columns"), Dict{{"at", columns}, {"series", false}}, {sorted});
  const Expr counts = make(expr::op("row_counts"), Dict{}, {seen});
  return make(expr::op("reset_index"), Dict{{"drop", true}}, seen->npartitions > 1 ? std::vector{seen, counts} : std::vector{seen});
}

Expr merge_instead(const Call& c) {
  if (c["how"].string() == "outer") return outer(c);
  if (c["unique_stream"].boolean() && c.inputs.size() == 2) return make(c.op, c.args, {c.inputs[0], c.inputs[1], c.inputs[0]});
  return nullptr;
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
  std::vector<Expr> sides;
  for (size_t i = 0; i < c.inputs.size(); ++i) {
    const bool of_built = i == 1, by_index = c[of_built ? "built_index" : "stream_index"].boolean();
    const Value on = by_index ? Value() : c[of_built ? "built_on" : "stream_on"];
    sides.push_back(make(expr::op("shuffle"), Dict{{"on", on}, {"partitions", parts}}, {c.inputs[i]}));
  }
  return make(expr::op("merge_partitions"), c.args, sides);
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
  const int found = l.look(at, table, "join_find", Dict{{"found", true}, {"not_found", true}}, wanted, 2)[1];  // one for each row, in their order
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
           .instead = merge_instead,
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
  beside.name = "groupby.transform", beside.same_rows = true, beside.instead = {}, beside.exchanged = {};
  beside.schema = [](const Call& c) { return Transform(c).schema(); };
  beside.lower = transform_lower;
  beside.show = [](const Call& c) { return concat("of groups by ", c["keys"].integer(), " columns"); };
  return {whole, each, beside};
}

}  // namespace muster::ops::frame
