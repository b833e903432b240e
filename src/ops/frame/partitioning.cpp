// The rows stay in order, the borders between partitions move: concat, repartition.
#include <algorithm>
#include <map>
#include <unordered_map>

#include "data/dispatch.hpp"
#include "ops/frame/columns.hpp"

namespace muster::ops::frame {
namespace {

// The dtype of a column that some inputs have, as pandas concatenates it. Throws Error{unsupported} where that is an object column.
DType joined(const std::vector<DType>& types, bool everywhere, const Label& label) {
  DType out = types[0];
  for (const DType& t : types) {
    if (t == out) continue;
    if (t.is_object() || out.is_object() || t.is_text() != out.is_text() || t.is_boolean() != out.is_boolean() ||
        (t.is_time() || out.is_time() ? t.storage != out.storage : false))
      throw unsupported("concat: column ", label.repr(), " is ", out.name(), " and ", t.name());
    out = out.is_time() ? DType{out.storage, std::max(out.unit, t.unit)} : promote(out, t);
  }
  if (everywhere) return out;
  if (out.is_boolean() || out.is_object()) throw unsupported("concat: column ", label.repr(), " of dtype ", out.name(), " is not in every frame");
  return out.is_integer() ? DType{Storage::float64} : out;
}

Schema concat_schema(const Call& c) {
  const Schema& first = c.input();
  const bool numbered = std::all_of(c.inputs.begin(), c.inputs.end(), [](const auto& in) { return in->schema.index.empty(); });
  Schema s{first.kind, {}, numbered ? std::vector<Field>{} : index_fields(first), first.labels_integer};
  const bool inner = c["join"] == Value("inner");
  if (!inner && c["join"] != Value("outer")) throw invalid("'join' must be 'inner' or 'outer', got ", c["join"].repr());
  for (const auto& in : c.inputs) {
    if (in->schema.kind != first.kind || (first.kind != Kind::frame && first.kind != Kind::series)) throw unsupported("concat: frames and series together");
    const auto index = numbered ? std::vector<Field>{} : index_fields(in->schema);
    if (index.size() != s.index.size()) throw unsupported("concat: indexes of different form");
    for (size_t i = 0; i < index.size(); ++i) {
      if (index[i].type.is_object() && !(index[i].type == s.index[i].type)) throw unsupported("concat: object indexes");
      s.index[i].type = joined({s.index[i].type, index[i].type}, true, s.index[i].label);
      if (!(s.index[i].label == index[i].label)) s.index[i].label = {};
    }
    s.labels_integer &= in->schema.labels_integer;
  }
  if (first.kind == Kind::series) {
    std::vector<DType> types;
    Label name = first.columns[0].label;
    for (const auto& in : c.inputs) {
      types.push_back(in->schema.columns[0].type);
      if (!(in->schema.columns[0].label == name)) name = {};
    }
    s.columns = {{name, joined(types, true, name)}};
    return s;
  }
  if (std::all_of(c.inputs.begin(), c.inputs.end(), [&](const auto& in) { return same_labels(in->schema, first); })) {
    for (size_t i = 0; i < first.columns.size(); ++i) {
      std::vector<DType> types;
      for (const auto& in : c.inputs) types.push_back(in->schema.columns[i].type);
      s.columns.push_back({first.columns[i].label, joined(types, true, first.columns[i].label)});
    }
    return s;
  }
  std::vector<Label> labels;
  std::vector<std::vector<DType>> types;  // of each, in the inputs that have it
  std::unordered_map<Label, size_t, LabelHash> seen;
  for (const auto& in : c.inputs)
    for (const auto& [label, type] : in->schema.columns) {
      if (in->positions.all(label).size() > 1) throw unsupported("concat: the label ", label.repr(), " is there twice");
      const auto [at, fresh] = seen.try_emplace(label, labels.size());
      if (fresh) labels.push_back(label), types.emplace_back();
      types[at->second].push_back(type);
    }
  for (size_t i = 0; i < labels.size(); ++i) {
    const bool everywhere = types[i].size() == c.inputs.size();
    if (everywhere || !inner) s.columns.push_back({labels[i], joined(types[i], everywhere, labels[i])});
  }
  return s;
}

Rows concat_lower(Lowering& l, const Call& c) {
  const Schema out = concat_schema(c);
  auto parts = l.inputs();
  std::map<int64_t, const Node*> inputs;  // by their first partition
  int64_t begin = 0;
  for (const auto& node : c.inputs) inputs[begin] = node.get(), begin += node->npartitions;
  int64_t moved = 0;  // so that no two inputs have the same row ids
  for (auto& [rows, first] : parts) {
    const Node* node = inputs.at(first);
    first = moved;
    if (out.index.empty()) moved += l.row_partitions(rows.stage, rows.index.at(0));
    const Schema* in = &node->schema;
    Rows made{rows.stage, {}, {}};
    if (!out.index.empty()) rows = labelled(l, *in, rows);
    for (size_t i = 0; i < rows.index.size(); ++i) {
      if (out.index.empty()) made.index.push_back(first ? l.one(rows.stage, "move_row_ids", Dict{{"first", first}}, {rows.index[i]}) : rows.index[i]);
      else made.index.push_back(cast(l, rows.stage, rows.index[i], index_fields(*in)[i].type, out.index[i].type, "concat"));
    }
    const bool positional = out.kind == Kind::series || same_labels(*in, out);
    for (size_t i = 0; i < out.columns.size(); ++i) {
      const int64_t at = positional ? static_cast<int64_t>(i) : node->positions.first(out.columns[i].label);
      const DType to = out.columns[i].type;
      if (at >= 0) made.columns.push_back(cast(l, rows.stage, rows.columns[static_cast<size_t>(at)], in->columns[static_cast<size_t>(at)].type, to, "concat"));
      else made.columns.push_back(l.one(rows.stage, "spread", Dict{}, {constant(l, rows.stage, Value(), to), any_register(rows)}));
    }
    rows = made;
  }
  return l.one_after_the_other(parts);
}

Map move_row_ids(const Args& a) {
  const int64_t by = a["first"].integer() << 32;
  return [by](Task&, Columns in, int64_t rows, std::span<Column> out) {
    Writable ids(Storage::row_id, rows);
    for (int64_t i = 0; i < rows; ++i) ids.as<int64_t>()[i] = in[0].as<int64_t>()[i] + by;
    out[0] = std::move(ids).finish();
    return rows;
  };
}

// Where new partition `p` of `m` begins among `rows` rows: at a border of the old ones when these are more.
std::vector<int64_t> borders(const Batches& all, size_t number, int64_t m) {
  std::vector<int64_t> old{0};  // borders of the old partitions
  int64_t rows = 0, last = -1;
  for (const auto& b : all) {
    if (!b.rows) continue;
    const int64_t p = b.columns[number].as<int64_t>()[0];
    if (p != last && rows) old.push_back(rows);
    last = p, rows += b.rows;
  }
  old.push_back(rows);
  const auto n = static_cast<int64_t>(old.size()) - 1;
  std::vector<int64_t> out;
  for (int64_t p = 0; p <= m; ++p) out.push_back(n >= m ? old[static_cast<size_t>(p * n / m)] : static_cast<int64_t>(static_cast<__int128>(p) * rows / m));
  return out;
}

Whole even_share(const Args& a) {
  const int64_t m = a["partitions"].integer();
  return [m](Task& t, Batches all) {
    Batches out;
    if (all.empty()) return out;
    const auto cuts = borders(all, all[0].columns.size() - 1, m);
    const int64_t begin = cuts[static_cast<size_t>(t.partition())], end = cuts[static_cast<size_t>(t.partition()) + 1];
    int64_t at = 0;
    for (const auto& b : all) {
      const int64_t from = std::max(begin, at) - at, to = std::min(end, at + b.rows) - at;
      if (to > from) {
        Batch part{to - from, {}};
        for (const auto& c : b.columns) part.columns.push_back(slice(c, from, to - from));
        out.push_back(std::move(part));
      }
      at += b.rows;
    }
    if (out.empty()) {
      Batch none;
      for (const auto& c : all[0].columns) none.columns.push_back(slice(c, 0, 0));
      out.push_back(std::move(none));
    }
    return out;
  };
}

// Rows whose index value is in [bound p, bound p + 1); the first partition has all below, the last all from its bound on: no row is lost.
Whole share_between(const Args& a) {
  const auto bounds = a["divisions"].list();
  const DType type = dtype_of(a["type"].integer());
  return [=](Task& t, Batches all) {
    const auto p = static_cast<size_t>(t.partition());
    const Column low = constant_of(bounds[p], type), high = constant_of(bounds[p + 1], type);
    const bool first = p == 0, last = p + 2 == bounds.size();
    Batches out;
    for (const auto& b : all) {
      std::vector<int64_t> kept;
      visit(type.storage, [&](auto tag) {
        using T = typename decltype(tag)::type;
        auto key = [](const T& v) {
          if constexpr (std::is_same_v<T, Text>) return v.view();
          else return v;
        };
        const auto from = key(low.as<T>()[0]), to = key(high.as<T>()[0]);
        for (int64_t i = 0; i < b.rows; ++i) {
          const auto v = key(b.columns[0].as<T>()[b.columns[0].constant ? 0 : i]);
          if ((first || !(v < from)) && (last || v < to)) kept.push_back(i);
        }
      });
      if (kept.empty() && !out.empty()) continue;
      Batch part{static_cast<int64_t>(kept.size()), {}};
      for (const auto& c : b.columns) part.columns.push_back(take(c, kept));
      out.push_back(std::move(part));
    }
    return out;
  };
}

int64_t new_partitions(const Call& c) {
  return c["divisions"].is_list() ? static_cast<int64_t>(c["divisions"].list().size()) - 1 : partition_count(c, "repartition");
}

Schema repartition_schema(const Call& c) {
  if (!c["divisions"].is_list()) return c.input();
  if (c.input().index.size() != 1) throw invalid("repartition by divisions needs an index, not row numbers");
  const auto &wanted = c["divisions"].list(), &known = c.inputs[0]->divisions.is_list() ? c.inputs[0]->divisions.list() : wanted;
  check_divisions(wanted, c.input().index[0]);
  if (!(c["force"] == Value(true)) && (is_below(known.front(), wanted.front()) || is_below(wanted.back(), known.back())))
    throw invalid("left side of old and new divisions are different, or the right side: ", known.front().repr(), " to ", known.back().repr(), ", asked ",
                  wanted.front().repr(), " to ", wanted.back().repr(), "; force=True reaches beyond");
  return c.input();
}

Rows repartition_lower(Lowering& l, const Call& c) {
  const Rows rows = l.input();
  std::vector<int> in = rows.index;
  in.insert(in.end(), rows.columns.begin(), rows.columns.end());
  const bool bounded = c["divisions"].is_list();
  if (!bounded) in.push_back(l.one(rows.stage, "partition_numbers", Dict{}, {any_register(rows)}));
  Value args = bounded ? Dict{{"divisions", c["divisions"]}, {"type", code(c.input().index.at(0).type)}} : Dict{{"partitions", c["partitions"]}};
  const Rows all = l.gather(rows.stage, bounded ? "share_between" : "even_share", std::move(args), in, new_partitions(c));
  const auto index = all.columns.begin() + static_cast<std::ptrdiff_t>(rows.index.size());
  return {all.stage, {index, index + static_cast<std::ptrdiff_t>(rows.columns.size())}, {all.columns.begin(), index}};
}
}  // namespace

Ops partitioning_ops() {
  Ops ops;
  // {join} of any number of frames or series
  ops.push_back({.name = "concat", .on = {{internal, ""}}, .schema = concat_schema, .lower = concat_lower,
                 .partitions = [](const Call& c) {
                   int64_t n = 0;
                   for (const auto& in : c.inputs) n += in->npartitions;
                   return n;
                 },
                 .picks_partitions = true, .show = [](const Call& c) { return concat(c.inputs.size(), " frames"); },
                 .kernels = {{.name = "move_row_ids", .map = move_row_ids}}});
  const Doc unknown{.summary = "The same rows without known divisions.", .returns = "As the input. Lazy.", .example = R"(
>>> df = dd.from_pandas(pd.DataFrame({"x": [1, 2]}), npartitions=2)
>>> df.known_divisions, df.clear_divisions().known_divisions
(True, False)
)"};
  ops.push_back({.name = "clear_divisions",
                 .on = {{frame, ""}, {series, ""}},
                 .doc = unknown,
                 .schema = [](const Call& c) { return c.input(); },
                 .lower = [](Lowering& l, const Call&) { return l.input(); },
                 .same_rows = true,
                 .sets_divisions = true,
                 .show = [](const Call&) { return std::string(); }});
  // {partitions} or {divisions, force: these need not reach as far as those known}
  ops.push_back({.name = "repartition",
                 .on = {{internal, ""}},
                 .schema = repartition_schema,
                 .lower = repartition_lower,
                 .folds = true,
                 .sets_divisions = true,
                 .partitions = new_partitions,
                 .show = [](const Call& c) { return concat("to ", new_partitions(c)); },
                 .kernels = {{.name = "even_share", .whole = even_share}, {.name = "share_between", .whole = share_between}}});
  return ops;
}

}  // namespace muster::ops::frame
