// is_in: whether values are among some.
#include "data/dispatch.hpp"
#include "kernels/elementwise.hpp"
#include "kernels/lookup.hpp"
#include "kernels/texts.hpp"

namespace muster::kernels {
using namespace base;
using namespace data;

Map is_in(const Args& args) {
  const DType type = dtype_of(args["type"].integer());
  const List& wanted = args["values"].list();
  const bool missing = args["missing"].boolean();
  if (type.is_text()) {
    std::vector<std::string> texts;
    for (const auto& v : wanted) texts.push_back(v.string());
    auto found = [set = std::make_shared<const TextPlaces>(std::move(texts))](Text t) { return static_cast<uint8_t>(set->of(t) != 0); };
    return [of_text = OfText<uint8_t, decltype(found)>(missing, found)](Task&, Columns in, int64_t rows, std::span<Column> out) {
      Writable to(Storage::boolean, rows);
      of_text(in[0], rows, to.as<uint8_t>());
      out[0] = std::move(to).finish();
      return rows;
    };
  }
  return visit_fixed(type.storage, [&](auto tag) -> Map {
    using T = typename decltype(tag)::type;
    std::vector<T> values;
    for (const auto& v : wanted) values.push_back(constant_of(v, type).template as<T>()[0]);
    return [missing, set = std::make_shared<const NumberPlaces<T, uint8_t>>(std::move(values))](Task&, Columns in, int64_t rows, std::span<Column> out) {
      const Column a = spread(in[0], rows);
      Writable to(Storage::boolean, rows);
      auto* found = to.as<uint8_t>();
      set->look_up(a.as<T>(), rows, found);
      if (std::is_floating_point_v<T> || a.valid)
        for (int64_t i = 0; i < rows; ++i)
          if (a.is_missing(i)) found[i] = missing;
      out[0] = std::move(to).finish();
      return rows;
    };
  });
}

}  // namespace muster::kernels
