// Objects that are no plain data go as opaque ones under a token of what they say; none is opened here.
#include "values.hpp"

#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>

#include <map>

#include "base/error.hpp"
#include "calling.hpp"
#include "data/pickled.hpp"
#include "gil.hpp"

namespace muster::python {
using namespace base;

std::shared_ptr<const Opaque> opaque_of(nb::object object, std::string token) {
  PyObject* raw = object.release().ptr();
  // The last owner may be any thread, also after the interpreter is gone.
  std::shared_ptr<void> held(raw, [](void* p) {
    with_gil_unless_ending([&] { Py_DECREF(static_cast<PyObject*>(p)); });
  });
  return std::make_shared<const Opaque>(Opaque{std::move(token), std::move(held)});
}

nb::object unpickled(const std::string& bytes) { return call(nb::module_::import_("pickle").attr("loads"), nb::bytes(bytes.data(), bytes.size())); }

nb::object object_of(const Opaque& opaque) {
  if (const auto* pickled = data::pickled_in(opaque))
    return object_of(*pickled->opened([](const std::string& bytes) { return opaque_of(unpickled(bytes), ""); }));
  return nb::borrow(static_cast<PyObject*>(opaque.object.get()));
}

namespace {
// The expressions among the arguments, each once.
class Inputs {
 public:
  explicit Inputs(std::vector<expr::Expr>& all) : all_(all) {
    for (size_t i = 0; i < all_.size(); ++i) places_.try_emplace(all_[i]->id, i);
  }
  InputRef place(const std::shared_ptr<expr::Node>& e) {
    const auto [known, fresh] = places_.try_emplace(e->id, all_.size());
    if (fresh) all_.push_back(e);
    return {static_cast<int64_t>(known->second)};
  }

 private:
  std::vector<expr::Expr>& all_;
  std::map<Hash128, size_t> places_;
};

Value to_value(nb::handle o, Inputs& inputs) {
  if (o.is_none()) return {};
  if (PyBool_Check(o.ptr())) return o.ptr() == Py_True;
  if (PyLong_Check(o.ptr())) {
    int overflow = 0;
    long long i = PyLong_AsLongLongAndOverflow(o.ptr(), &overflow);
    if (!overflow) return static_cast<int64_t>(i);
    const auto u = overflow > 0 ? PyLong_AsUnsignedLongLong(o.ptr()) : 0;
    if (overflow < 0 || PyErr_Occurred()) {
      PyErr_Clear();
      throw unsupported("an integer of more than 64 bits: ", nb::cast<std::string>(nb::repr(o)).substr(0, 100));
    }
    return static_cast<uint64_t>(u);
  }
  if (PyFloat_Check(o.ptr())) return PyFloat_AsDouble(o.ptr());
  if (PyUnicode_Check(o.ptr())) {
    Py_ssize_t size;
    const char* text = PyUnicode_AsUTF8AndSize(o.ptr(), &size);
    if (!text) throw nb::python_error();
    return std::string(text, static_cast<size_t>(size));
  }
  if (PyList_Check(o.ptr()) || PyTuple_Check(o.ptr())) {
    List list;
    for (nb::handle item : o) list.push_back(to_value(item, inputs));
    return list;
  }
  if (PyDict_Check(o.ptr())) {
    Dict dict;
    for (auto [k, v] : nb::borrow<nb::dict>(o)) {
      auto key = to_value(k, inputs);
      dict.emplace_back(std::move(key), to_value(v, inputs));
    }
    return dict;
  }
  if (nb::isinstance<Moment>(o)) return nb::cast<Moment>(o);
  if (nb::isinstance<Opaque>(o)) return std::shared_ptr<const Opaque>(nb::cast<std::shared_ptr<Opaque>>(o));
  if (nb::isinstance<expr::Node>(o)) return inputs.place(nb::cast<std::shared_ptr<expr::Node>>(o));
  throw type_error("an argument of type ", nb::cast<std::string>(nb::str(o.type().attr("__name__"))),
                   " is not understood: ", nb::cast<std::string>(nb::repr(o)).substr(0, 100));
}

}  // namespace

Value to_value(nb::handle object, std::vector<expr::Expr>& inputs) {
  Inputs places(inputs);
  return to_value(object, places);
}

Value to_value(nb::handle object) {
  std::vector<expr::Expr> none;
  Value v = to_value(object, none);
  if (!none.empty()) throw type_error("a lazy object is not allowed here; compute it first");
  return v;
}

nb::object from_value(const Value& v) {
  if (v.is_none()) return nb::none();
  if (v.is_bool()) return nb::bool_(v.boolean());
  if (v.is_integer()) return nb::int_(v.integer());
  if (v.is_unsigned()) return nb::int_(v.unsigned_integer());
  if (v.is_float()) return nb::float_(v.number());
  if (v.is_string()) return nb::str(v.string().c_str(), v.string().size());
  if (v.is_moment()) return nb::cast(v.moment());
  if (v.is_opaque()) return object_of(*v.opaque());
  if (v.is_list()) {
    nb::list items;
    for (const auto& x : v.list()) items.append(from_value(x));
    return nb::tuple(items);
  }
  if (v.is_dict()) {
    nb::dict out;
    for (const auto& [key, value] : v.dict()) out[from_value(key)] = from_value(value);
    return out;
  }
  throw internal("no Python object for ", v.repr());
}

nb::object argument_of(const expr::Node& node, const Value& v) {
  if (v.is_input()) return nb::cast(std::const_pointer_cast<expr::Node>(node.inputs.at(static_cast<size_t>(v.input()))));
  if (v.is_opaque()) return nb::cast(std::const_pointer_cast<Opaque>(v.opaque()));
  if (v.is_list()) {
    nb::list items;
    for (const auto& x : v.list()) items.append(argument_of(node, x));
    return nb::tuple(items);
  }
  if (v.is_dict()) {
    nb::dict out;
    for (const auto& [key, value] : v.dict()) out[from_value(key)] = argument_of(node, value);
    return out;
  }
  return from_value(v);
}

}  // namespace muster::python
