// lookup: each value by what a table says of it, missing where it says nothing. Series.map of a dict or a Series.
#include "data/dispatch.hpp"
#include "kernels/lookup.hpp"
#include "ops/frame/columns.hpp"

namespace muster::ops::frame {
namespace {

// A text column by places: their texts are its dictionary.
void text_by_place(const Column& table, const std::shared_ptr<const Dictionary>& dictionary, const uint32_t* places, int64_t rows, Column& out) {
  const Text* texts = table.as<Text>();
  const auto gone = static_cast<uint32_t>(dictionary->texts.size());
  Writable w(Storage::text, rows);
  auto codes = allocate(rows * 4);
  auto* to = reinterpret_cast<uint32_t*>(codes.get());
  for (int64_t i = 0; i < rows; ++i) {
    w.as<Text>()[i] = texts[places[i]];
    to[i] = texts[places[i]].data ? places[i] - 1 : gone;
  }
  out = std::move(w).finish(table.keep);
  out.keep = keep_both(out.keep, codes), out.text_kept = true;
  out.codes = to, out.dictionary = dictionary;
}

// lookup {type, keys, values, result, first}: keys of the input's dtype, none for its missing values; a result that is missing is reported under `first`.
Map lookup(const Args& a) {
  const DType result = dtype_of(a["result"].integer());
  const int64_t first = a["first"].integer();
  List keys = a["keys"].list(), values = a["values"].list();
  uint32_t missing = 0;
  for (size_t i = 0; i < keys.size() && !missing; ++i)
    if (keys[i].is_none()) {  // goes to the end, behind the places of the others
      std::swap(keys[i], keys.back()), std::swap(values[i], values.back());
      keys.pop_back();
      missing = static_cast<uint32_t>(values.size());
    }
  const Column table = kernels::by_place(values, result);
  std::shared_ptr<Dictionary> dictionary;
  if (result.is_text()) {
    dictionary = std::make_shared<Dictionary>();
    dictionary->texts.assign(table.as<Text>() + 1, table.as<Text>() + table.length), dictionary->keep = table.keep;
  }
  return [=, places_of = kernels::places_among(keys, dtype_of(a["type"].integer()), missing)](Task& t, Columns in, int64_t rows, std::span<Column> out) {
    auto memory = allocate(rows * 4);
    auto* places = reinterpret_cast<uint32_t*>(memory.get());
    places_of(in[0], rows, places);
    if (result.is_text()) {
      text_by_place(table, dictionary, places, rows, out[0]);
      return rows;
    }
    Writable w(result.storage, rows);
    visit_fixed(result.storage, [&](auto tag) {
      using T = typename decltype(tag)::type;
      const T* from = table.as<T>();
      T* to = w.as<T>();
      for (int64_t i = 0; i < rows; ++i) to[i] = from[places[i]];
    });
    if (table.valid) {
      uint8_t all = 1;
      uint8_t* valid = w.valid();
      for (int64_t i = 0; i < rows; ++i) valid[i] = table.valid[places[i]], all &= valid[i];
      if (all) w.forget_valid();
      else t.report.missing.push_back(first);
    }
    out[0] = std::move(w).finish();
    return rows;
  };
}

// Integers and bools that turn out to be missing somewhere are floats and objects.
DType result_of(const Call& c) {
  DType t = dtype_of(c["dtype"].integer());
  t.open = t.is_integer() || t.is_boolean();
  return t;
}
}  // namespace

Ops lookup_ops() {
  return {{.name = "lookup",  // {keys, values, dtype}
           .on = {{internal, ""}},
           .schema = [](const Call& c) {
             Schema s = c.input();
             s.columns.at(0).type = result_of(c);
             return s;
           },
           .lower = [](Lowering& l, const Call& c) {
             Rows rows = l.input();
             const DType result = result_of(c);
             rows.columns[0] = l.one(rows.stage, "lookup",
                                     Dict{{"type", code(c.input().columns.at(0).type)},
                                          {"keys", c["keys"]},
                                          {"values", c["values"]},
                                          {"result", code(result)},
                                          {"first", l.next_result()}},
                                     {rows.columns[0]});
             l.name_result(rows.stage, rows.columns[0], 0, result.open);
             return rows;
           },
           .same_rows = true,
           .revise = [](const Call& c, const std::vector<std::pair<int64_t, DType>>&, const std::vector<std::pair<int64_t, int64_t>>&) -> Value {
             if (!dtype_of(c["dtype"].integer()).is_integer()) return c.args;
             return Dict{{"keys", c["keys"]}, {"values", c["values"]}, {"dtype", code(DType{Storage::float64})}};
           },
           .show = [](const Call& c) { return concat("of ", c["keys"].list().size(), " values"); },
           .kernels = {{.name = "lookup", .map = lookup, .traits = {.widens_itself = true}}}}};
}

}  // namespace muster::ops::frame
