// The place of a missing value is what the caller says, also where NaN is among the values.
#include "kernels/lookup.hpp"

#include "data/dispatch.hpp"
#include "kernels/texts.hpp"

namespace muster::kernels {
using namespace base;
using namespace data;

std::function<void(const Column&, int64_t, uint32_t*)> places_among(const List& values, DType type, uint32_t missing) {
  if (type.is_text()) {
    std::vector<std::string> texts;
    for (const auto& v : values) texts.push_back(v.string());
    auto place = [table = std::make_shared<const TextPlaces>(std::move(texts))](Text t) { return table->of(t); };
    return OfText<uint32_t, decltype(place)>(missing, place);
  }
  return visit_fixed(type.storage, [&](auto tag) -> std::function<void(const Column&, int64_t, uint32_t*)> {
    using T = typename decltype(tag)::type;
    std::vector<T> numbers;
    for (const auto& v : values) numbers.push_back(constant_of(v, type).template as<T>()[0]);
    return [missing, table = std::make_shared<const NumberPlaces<T, uint32_t>>(std::move(numbers))](const Column& given, int64_t rows, uint32_t* out) {
      const Column c = spread(given, rows);
      table->look_up(c.as<T>(), rows, out);
      if (std::is_floating_point_v<T> || c.valid)
        for (int64_t i = 0; i < rows; ++i)
          if (c.is_missing(i)) out[i] = missing;
    };
  });
}

Column by_place(const List& values, DType type) {
  Writable w(type.storage, static_cast<int64_t>(values.size()) + 1);
  Keep texts;
  if (type.is_text()) {
    auto owned = std::make_shared<std::vector<std::string>>();
    owned->reserve(values.size());
    Text* to = w.as<Text>();
    to[0] = {};
    for (size_t i = 0; i < values.size(); ++i) {
      to[i + 1] = {};
      if (values[i].is_none()) continue;
      const auto& text = owned->emplace_back(values[i].string());
      to[i + 1] = {text.data(), static_cast<int64_t>(text.size())};
    }
    texts = std::move(owned);
  } else {
    visit_fixed(type.storage, [&](auto tag) {
      using T = typename decltype(tag)::type;
      for (size_t i = 0; i <= values.size(); ++i) {
        const Column one = constant_of(i == 0 ? Value() : values[i - 1], type);
        w.as<T>()[i] = one.as<T>()[0];
        if (one.valid) w.valid()[i] = one.valid[0];
      }
    });
  }
  return std::move(w).finish(texts);
}

}  // namespace muster::kernels
