// rank: the place of each value in their order, among all or in its group, beside the rows. Rows go twice to other partitions: so that those of a group are
// together, or all are in order ("rank_rows"; of these "rank_finished" makes what partitions know of each other), and back to where they came from
// ("rank_places"), where each row looks its rank up ("rank"). Python's `ranked` (python/muster/dataframe/_rank.py) puts these together.
#include "kernels/ranks.hpp"

#include "ops/frame/columns.hpp"

namespace muster::ops::frame {
namespace {
constexpr int64_t kHashes = 1 << 16;  // that partitions of groups are ranges of

size_t keys_of(const Call& c) { return static_cast<size_t>(c["keys"].integer()); }
bool hashed(const Call& c) { return c["hashed"].boolean(); }
Value ranking(const Call& c, bool by_hash) {
  Dict out{{"hashed", by_hash}};
  for (const char* name : {"keys", "descending", "method", "na", "pct", "dropna"}) out.emplace_back(name, c[name]);
  return out;
}
// Rows that know where they are from: the row there is their index.
Schema placed(std::vector<Field> columns) { return {Kind::frame, std::move(columns), {{"row", {Storage::uint32}}}, false}; }

Op rank_rows() {
  Op op{.name = "rank_rows", .on = {{internal, ""}}};
  op.schema = [](const Call& c) {
    std::vector<Field> columns{{"partition", {Storage::uint32}}, {"rank", {Storage::float64}}};
    const auto& given = c.input().columns;
    for (size_t k = 0; k < given.size(); ++k) {
      const DType type = given[k].type;
      if (type.is_object() || (k == keys_of(c) && !type.is_numeric() && !type.is_time())) throw unsupported("rank: of ", type.name());
    }
    if (hashed(c)) return placed(std::move(columns));
    columns.push_back({"mark", {Storage::int32}});
    columns.insert(columns.end(), given.begin(), given.end());
    return placed(std::move(columns));
  };
  op.lower = [](Lowering& l, const Call& c) {
    const Rows rows = l.input();
    const int at = rows.stage;
    const int64_t parts = c.inputs[0]->npartitions;
    std::vector<int> in = rows.columns;
    const auto from = l.step(at, "split_row_ids", Dict{}, {l.new_row_ids(at, any_register(rows))}, 2);
    in.insert(in.end(), from.begin(), from.end());
    Dict order{{"parts", parts}};
    List by, descending;
    if (hashed(c)) {
      by.emplace_back(in.size()), descending.emplace_back(false);
      in.push_back(l.one(at, "hash_rows", Dict{}, {rows.columns.begin(), rows.columns.begin() + static_cast<std::ptrdiff_t>(keys_of(c))}));
      List bounds;
      for (int64_t p = 1; p < parts; ++p) bounds.emplace_back(p * kHashes / parts);
      order.emplace_back("bounds", bounds), order.emplace_back("bounds_type", code(DType{Storage::uint16})), order.emplace_back("in_parts_only", true);
    } else {
      for (size_t k = 0; k <= keys_of(c); ++k) by.emplace_back(k), descending.emplace_back(k == keys_of(c) && c["descending"].boolean());
    }
    order.emplace_back("by", by), order.emplace_back("descending", descending), order.emplace_back("missing_first", c["na"] == Value("top"));
    const Rows all = l.ranges(at, "order_rows", order, in);
    const size_t more = hashed(c) ? 0 : 1 + rows.columns.size();
    Rows ranked = l.whole(all.stage, "rank_rows", ranking(c, hashed(c)), all.columns, static_cast<int>(3 + more));
    ranked.index = {ranked.columns[1]};
    ranked.columns.erase(ranked.columns.begin() + 1);
    return ranked;
  };
  op.folds = true, op.sets_divisions = true;
  op.partitions = [](const Call& c) { return c.inputs[0]->npartitions; };
  op.exchanged = [](const Call& c) -> Expr {  // a group may be too large for a partition
    if (!hashed(c)) return nullptr;
    const Value in_order = ranking(c, false);
    const Expr rows = make(expr::op("rank_rows"), in_order, c.inputs);
    return make(expr::op("rank_finished"), in_order, {rows, make(expr::op("rank_edges"), in_order, {rows})});
  };
  op.show = [](const Call& c) { return concat(c["method"].string(), hashed(c) ? ", groups by hash" : ", in order"); };
  op.kernels = kernels::rank_kernels();
  return op;
}

// What others have of the groups of a partition, of rows in order.
Op rank_edges() {
  Op op{.name = "rank_edges", .on = {{internal, ""}}};
  op.schema = [](const Call&) { return Schema{Kind::scalar, {{Value(), {Storage::text}}}, {}, false}; };
  op.lower = [](Lowering& l, const Call& c) {
    const Rows rows = l.input();
    std::vector<int> in{rows.columns[2], rows.columns[1]};
    in.insert(in.end(), rows.columns.begin() + 3, rows.columns.end());
    return l.fold(rows.stage, "rank_edges", ranking(c, false), in, {{}});
  };
  op.folds = true;
  return op;
}

// Of "rank_rows" of rows in order what it makes of hashed ones; with the same arguments.
Op rank_finished() {
  Op op{.name = "rank_finished", .on = {{internal, ""}}};
  op.schema = [](const Call& c) { return placed({c.input().columns.begin(), c.input().columns.begin() + 2}); };
  op.beside = [](const Call& c, const Expr& input) { return std::vector{make(expr::op("rank_edges"), c.args, {input})}; };
  op.lower = [](Lowering& l, const Call& c) {
    const Rows rows = l.input();
    const int rank = l.one(rows.stage, "finish_ranks", Dict{{"pct", c["pct"]}}, {rows.columns[1], rows.columns[2], l.input(1).columns[0]});
    return Rows{rows.stage, {rows.columns[0], rank}, rows.index};
  };
  op.same_rows = true;
  return op;
}

Op rank_places() {
  Op op{.name = "rank_places", .on = {{internal, ""}}};
  op.schema = [](const Call& c) { return placed({c.input().columns[1]}); };
  op.lower = [](Lowering& l, const Call& c) {
    const Rows rows = l.input();
    const int64_t parts = c.inputs[0]->npartitions;
    List bounds;
    for (int64_t p = 1; p < parts; ++p) bounds.emplace_back(p);
    const Rows all = l.ranges(rows.stage, "order_rows",
                              Dict{{"by", List{1}}, {"descending", List{false}}, {"missing_first", false}, {"parts", parts}, {"bounds", bounds},
                                   {"bounds_type", code(DType{Storage::uint32})}, {"in_parts_only", true}},
                              {rows.index[0], rows.columns[0], rows.columns[1]});
    return Rows{all.stage, {all.columns[2]}, {all.columns[0]}};
  };
  op.folds = true, op.sets_divisions = true;
  op.partitions = [](const Call& c) { return c.inputs[0]->npartitions; };
  return op;
}

// Inputs: the rows, whose columns are ranked, and of each its ranks.
Op rank() {
  Op op{.name = "rank", .on = {{internal, ""}}};
  op.schema = [](const Call& c) {
    Schema s = c.input();
    for (auto& f : s.columns) f.type = {Storage::float64};
    return s;
  };
  op.lower = [](Lowering& l, const Call&) {
    const Rows rows = l.input();
    const int at = rows.stage, row = l.one(at, "rows_of_partition", Dict{}, {any_register(rows)});
    Rows out{at, {}, rows.index};
    for (size_t i = 0; i < rows.columns.size(); ++i) {
      const Rows ranks = l.apart(1 + i);
      const List types{code(DType{Storage::uint32}), code(DType{Storage::float64})};
      const int table =
          l.build(at, ranks.stage, "put_rows", Dict{{"keys", 1}, {"types", types}, {"each", true}}, {ranks.index[0], ranks.columns[0]});
      out.columns.push_back(l.look(at, table, "take_put", Dict{{"column", 0}}, {row}, 1)[0]);
    }
    return out;
  };
  op.same_rows = true, op.joins = true, op.joins_partitions = true;
  return op;
}
}  // namespace

Ops rank_ops() { return {rank_rows(), rank_edges(), rank_finished(), rank_places(), rank()}; }

}  // namespace muster::ops::frame
