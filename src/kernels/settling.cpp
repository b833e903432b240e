// Values are not changed in place: others may have the column.
#include "kernels/settling.hpp"

#include <limits>

#include "base/error.hpp"
#include "data/dispatch.hpp"

namespace muster::kernels {
using namespace base;
using namespace data;
namespace {

Column numbers_of(const Column& ids, const std::map<int64_t, int64_t>& first_numbers) {
  Writable out(Storage::int64, ids.length);
  const int64_t* id = ids.as<int64_t>();
  for (int64_t begin = 0, end = 0; begin < ids.length; begin = end) {
    const int64_t partition = id[begin] >> 32;
    while (end < ids.length && id[end] >> 32 == partition) ++end;
    const int64_t base = first_numbers.at(partition);
    for (int64_t i = begin; i < end; ++i) out.as<int64_t>()[i] = base + (id[i] & 0xFFFFFFFF);
  }
  return std::move(out).finish();
}

Column as_float(const Column& c) {
  Writable out(Storage::float64, c.length);
  visit_fixed(c.storage, [&](auto tag) {
    using T = typename decltype(tag)::type;
    for (int64_t i = 0; i < c.length; ++i) out.as<double>()[i] = c.is_missing(i) ? std::numeric_limits<double>::quiet_NaN() : static_cast<double>(c.as<T>()[i]);
  });
  return std::move(out).finish();
}
}  // namespace

Value Settlement::encode() const {
  List numbers;
  for (const auto& [partition, first] : first_numbers) numbers.push_back(partition), numbers.push_back(first);
  return Dict{{"first_numbers", numbers}, {"to_float", to_float}};
}

Settlement Settlement::decode(const Value& value) {
  Settlement out;
  const auto& numbers = value["first_numbers"].list();
  for (size_t i = 0; i + 1 < numbers.size(); i += 2) out.first_numbers.emplace_hint(out.first_numbers.end(), numbers[i].integer(), numbers[i + 1].integer());
  out.to_float = value["to_float"].boolean();
  return out;
}

Column settle(const Column& part, int64_t rows, const Settlement& s) {
  Column column = spread(part, rows);
  if (column.storage == Storage::row_id) return numbers_of(column, s.first_numbers);
  return s.to_float ? as_float(column) : column;
}

Kernel settle_kernel() {
  return {.name = "settle", .map = [](const Args& a) -> Map {
            return [s = Settlement::decode(a)](Task&, Columns in, int64_t rows, std::span<Column> out) {
              out[0] = settle(in[0], rows, s);
              return rows;
            };
          }};
}

}  // namespace muster::kernels
