// Which rows are missing, asked in loops: the way a column says it is looked up once.
#pragma once
#include <type_traits>

#include "data/column.hpp"

namespace muster::kernels {

/// Calls f(is_missing), where is_missing(row) is for the rows of a column of T that is not constant.
template <class T, class F>
void with_missing(const data::Column& c, F&& f) {
  const T* x = c.as<T>();
  if constexpr (std::is_floating_point_v<T>) {
    f([x](int64_t i) { return x[i] != x[i]; });
  } else if constexpr (std::is_same_v<T, data::Text>) {
    f([x](int64_t i) { return x[i].data == nullptr; });
  } else {
    if constexpr (std::is_same_v<T, int64_t>)
      if (c.storage == data::Storage::object) return f([x](int64_t i) { return x[i] < 0; });
    if (c.valid) f([flags = c.valid](int64_t i) { return flags[i] == 0; });
    else f([](int64_t) { return false; });
  }
}

}  // namespace muster::kernels
