// What a Table holds.
#pragma once
#include "data/column.hpp"
#include "data/schema.hpp"
#include "muster/table.hpp"

namespace muster {

struct Table::Contents {
  data::Schema schema;
  data::Batch rows;  // index columns first
};

Literal literal_of(const base::Value& value);

}  // namespace muster
