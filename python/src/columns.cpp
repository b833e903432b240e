// Numbers are not copied on either way: an array keeps the engine's memory, a column NumPy's.
#include "columns.hpp"

#include <nanobind/ndarray.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>

#include "base/error.hpp"
#include "calling.hpp"
#include "data/dispatch.hpp"
#include "gil.hpp"
#include "values.hpp"

namespace muster::python {
using namespace base;
using namespace data;
namespace {

template <class T>
nb::object array_over(const T* values, int64_t length, Keep keep) {
  auto* owner = new Keep(std::move(keep));
  nb::capsule capsule(owner, [](void* p) noexcept { delete static_cast<Keep*>(p); });
  size_t shape = static_cast<size_t>(length);
  return nb::cast(nb::ndarray<nb::numpy, T>(const_cast<T*>(values), 1, &shape, capsule));
}

nb::object present_of(const Column& c) {
  if (!c.valid) return nb::none();
  return array_over(reinterpret_cast<const uint8_t*>(c.valid), c.length, c.keep);
}

template <class T>
nb::object array_over(const std::shared_ptr<const T>& values, int64_t length) { return array_over(values.get(), length, values); }

template <class T>
struct Input {
  const T* values;
  int64_t length;
  Keep keep;
};
template <class T>
Input<T> input(nb::handle object) {
  auto array = nb::cast<nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>>(object);
  auto* held = new nb::object(nb::borrow(object));
  Keep keep(held, [](const void* p) {
    with_gil_unless_ending([&] { delete static_cast<const nb::object*>(p); });
  });
  return {array.data(), static_cast<int64_t>(array.shape(0)), std::move(keep)};
}
}  // namespace

std::string python_name(DType type) { return type.is_object() && type.foreign ? concat("object:", type.foreign) : type.name(); }

DType python_dtype(const std::string& name) {
  if (name == "object") return {Storage::object};
  if (name.starts_with("object:")) return {Storage::object, Unit::us, false, std::stoull(name.substr(7))};
  return dtype_named(name);
}

nb::tuple column_to_python(const api::Gathered& g, const Field& field) {
  nb::object payload;
  const Column& c = g.values;
  if (c.storage == Storage::text)
    payload = nb::make_tuple(array_over(g.offsets, c.length + 1), array_over(g.bytes, g.text_bytes),
                             g.bitmap ? array_over(g.bitmap, (c.length + 7) / 8) : nb::none());
  else if (c.storage == Storage::object) {
    nb::list sources;
    if (c.foreign)
      for (const auto& s : c.foreign->sources) sources.append(object_of(*s));
    payload = nb::make_tuple(array_over(c.as<int64_t>(), c.length, c.keep), sources);
  }
  else
    visit_fixed(c.storage, [&](auto tag) {
      using T = typename decltype(tag)::type;
      payload = nb::make_tuple(array_over(c.as<T>(), c.length, c.keep), present_of(c));
    });
  return nb::make_tuple(from_value(field.label), python_name(field.type), payload);
}

nb::tuple index_to_python(const api::Gathered& g, const Field& field) {
  const Column& c = g.values;
  const auto* v = c.as<int64_t>();
  bool numbered = field.label.is_none() && field.type == DType{Storage::int64} && !c.valid;
  for (int64_t begin = 0; begin < c.length && numbered; begin += 4096) {  // a loop the compiler makes vectors of
    bool steps = true;
    for (int64_t i = begin; i < std::min(begin + 4096, c.length); ++i) steps &= v[i] == v[0] + i;
    numbered = steps;
  }
  if (!numbered) return column_to_python(g, field);
  return nb::make_tuple(from_value(field.label), python_name(field.type), c.length ? v[0] : 0);
}

Column column_from_python(const Field& field, nb::handle payload) {
  const DType type = field.type;
  auto parts = nb::cast<nb::tuple>(payload);
  Column out;
  out.storage = type.storage;
  if (type.is_text()) {
    auto offsets = input<int64_t>(parts[0]);
    auto bytes = input<uint8_t>(parts[1]);
    const int64_t n = offsets.length - 1;
    Writable texts(Storage::text, n);
    const uint8_t* bitmap = nullptr;
    if (!parts[2].is_none()) bitmap = input<uint8_t>(parts[2]).values;
    const auto start = nb::cast<int64_t>(parts[3]);  // of the first value's bit
    static const char empty = 0;
    for (int64_t i = 0; i < n; ++i) {
      const bool present = !bitmap || (bitmap[(start + i) >> 3] >> ((start + i) & 7) & 1);
      const int64_t size = offsets.values[i + 1] - offsets.values[i];
      texts.as<Text>()[i] = present ? Text{size ? reinterpret_cast<const char*>(bytes.values) + offsets.values[i] : &empty, size} : Text{};
    }
    return std::move(texts).finish(bytes.keep);
  }
  if (type.is_object()) {
    auto positions = input<int64_t>(parts[0]);
    out.values = positions.values, out.length = positions.length, out.keep = positions.keep;
    out.foreign = std::make_shared<const Foreign>(Foreign{{opaque_of(nb::borrow(parts[1]), "")}, field.label.is_none() ? "" : field.label.repr()});
    return out;
  }
  visit_fixed(type.storage, [&](auto tag) {
    using T = typename decltype(tag)::type;
    auto values = input<T>(parts[0]);
    out.values = values.values, out.length = values.length, out.keep = values.keep;
  });
  if (!parts[1].is_none()) {
    auto present = input<uint8_t>(parts[1]);
    out.valid = present.values, out.keep = keep_both(out.keep, present.keep);
  }
  return out;
}

Batch row_of_value(nb::object value) {
  const nb::object payload = call(nb::module_::import_("muster._border.values").attr("payload_of"), std::move(value));
  Writable index(Storage::int64, 1);
  index.as<int64_t>()[0] = 0;
  return {1, {std::move(index).finish(), column_from_python({Value("value"), {Storage::object}}, payload)}};
}

nb::object numbers(const std::vector<int64_t>& values) {
  auto held = std::make_shared<const std::vector<int64_t>>(values);
  return array_over(held->data(), static_cast<int64_t>(held->size()), held);
}

nb::list fields_to_python(const std::vector<Field>& fields) {
  nb::list out;
  for (const auto& f : fields) out.append(nb::make_tuple(from_value(f.label), python_name(f.type), f.type.open));
  return out;
}

std::vector<Field> fields_from_python(nb::handle list) {
  std::vector<Field> out;
  for (nb::handle f : list) {
    out.push_back({to_value(f[0]), python_dtype(nb::cast<std::string>(f[1]))});
  }
  return out;
}

}  // namespace muster::python
