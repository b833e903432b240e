#include "results.hpp"

#include "base/error.hpp"
#include "columns.hpp"

namespace muster::python {
using data::Kind;
namespace {

// Bools that stay open have the name of what they are in pandas.
nb::object result_to_python(const api::Gathered& values, const data::Field& field) {
  const nb::tuple column = column_to_python(values, field);
  return field.type.is_boolean() && field.type.open ? nb::make_tuple(column[0], "bool objects", column[2]) : column;
}
}  // namespace

const char* kind_name(Kind k) {
  static const char* const names[] = {"frame", "series", "index", "scalar", "row"};
  return names[static_cast<int>(k)];
}

Kind kind_named(const std::string& name) {
  for (int k = 0; k < 5; ++k)
    if (name == kind_name(static_cast<Kind>(k))) return static_cast<Kind>(k);
  throw base::invalid("unknown kind ", name);
}

nb::dict to_python(const api::Computed& c, const std::vector<api::Gathered>& gathered) {
  nb::list index, columns;
  size_t at = 0;
  for (const auto& f : c.schema.index) index.append(c.schema.index.size() == 1 ? index_to_python(gathered[at], f) : column_to_python(gathered[at], f)), ++at;
  for (const auto& f : c.schema.columns) columns.append(result_to_python(gathered[at++], f));
  nb::dict out;
  out["kind"] = kind_name(c.schema.kind), out["index"] = index, out["columns"] = columns, out["rows"] = c.rows;
  out["labels_integer"] = c.schema.labels_integer;
  nb::list partitions;
  for (auto n : c.partition_rows) partitions.append(n);
  out["partition_rows"] = partitions;
  return out;
}

}  // namespace muster::python
