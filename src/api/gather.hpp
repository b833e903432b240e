// A result's parts put together, each column in one piece.
#pragma once
#include "api/session.hpp"

namespace muster::api {

/// One column of a result. Text is in Arrow's form: `offsets` of length + 1 int64, `text_bytes` bytes, a bitmap of what is there, or null where all is.
struct Gathered {
  data::Column values;  // of text nothing but its storage and length
  std::shared_ptr<const int64_t> offsets;
  std::shared_ptr<const uint8_t> bytes, bitmap;
  int64_t text_bytes = 0;
};

/// The rows of all parts, index columns first. Each part is given up as soon as it is copied, and its memory used for what is still to come.
MUSTER_API std::vector<Gathered> gather(data::Batches parts, const data::Schema& schema, const Finish& finish);
/// A result for Python.
MUSTER_API std::vector<Gathered> gather(Computed& result);
/// A result for C++: text stays where it is.
MUSTER_API data::Batch rows_of(Computed& result);

}  // namespace muster::api
