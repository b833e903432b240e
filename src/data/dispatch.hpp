// The one switch over storages: visit(storage, [](auto tag) { using T = typename decltype(tag)::type; ... }).
#pragma once
#include <type_traits>

#include "base/error.hpp"
#include "data/column.hpp"

namespace muster::data {

template <class T> struct Tag { using type = T; };

/// Calls `f` with the C++ type of a fixed-width storage (bool as uint8_t, times, objects and row ids as int64_t).
template <class F>
auto visit_fixed(Storage storage, F&& f) {
  switch (storage) {
    case Storage::boolean: case Storage::uint8: return f(Tag<uint8_t>{});
    case Storage::int8: return f(Tag<int8_t>{});
    case Storage::int16: return f(Tag<int16_t>{});
    case Storage::int32: return f(Tag<int32_t>{});
    case Storage::uint16: return f(Tag<uint16_t>{});
    case Storage::uint32: return f(Tag<uint32_t>{});
    case Storage::uint64: return f(Tag<uint64_t>{});
    case Storage::float32: return f(Tag<float>{});
    case Storage::float64: return f(Tag<double>{});
    case Storage::int64: case Storage::timestamp: case Storage::duration: case Storage::object: case Storage::row_id: return f(Tag<int64_t>{});
    case Storage::text: break;
  }
  throw base::internal("visit_fixed: text has no fixed width");
}

/// As visit_fixed, with Text for text.
template <class F>
auto visit(Storage storage, F&& f) {
  if (storage == Storage::text) return f(Tag<Text>{});
  return visit_fixed(storage, f);
}

}  // namespace muster::data
