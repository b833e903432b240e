// The module muster._core: expressions, compute, and the hooks through which the engine calls Python.
#include <nanobind/nanobind.h>
#include <nanobind/stl/function.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "api/each.hpp"
#include "api/revisions.hpp"
#include "api/session.hpp"
#include "base/error.hpp"
#include "calling.hpp"
#include "calls.hpp"
#include "cluster.hpp"
#include "cluster/client.hpp"
#include "columns.hpp"
#include "data/foreign_dtypes.hpp"
#include "errors.hpp"
#include "executor.hpp"
#include "expr/annotations.hpp"
#include "expr/op.hpp"
#include "gil.hpp"
#include "kernels/python_call.hpp"
#include "kernels/spill.hpp"
#include "kernels/task_values.hpp"
#include "muster/filesystem.hpp"
#include "nodes.hpp"
#include "results.hpp"
#include "shared_memory.hpp"
#include "texts.hpp"
#include "values.hpp"
#include "waiting.hpp"
#include "worker/guest.hpp"

namespace muster::python {
using namespace base;
using namespace data;
using expr::Expr;
using expr::Node;
namespace {

using Exprs = std::vector<std::shared_ptr<Node>>;
std::vector<Expr> as_exprs(const Exprs& list) { return {list.begin(), list.end()}; }

// Where expressions run: here, with what is computed beside them, or on a cluster.
api::RunOptions run_options(Waiting& waiting, int64_t threads, std::shared_ptr<cluster::Client> client, nb::dict placing, std::shared_ptr<api::Calls> calls) {
  auto options = waiting.options(threads);
  options.cluster = std::move(client), options.placing = options_of(placing), options.calls = std::move(calls);
  options.values = [](const Opaque& values) {
    const Gil gil;
    const nb::object made = call(nb::module_::import_("muster._base.context").attr("tasks_of"), object_of(values));
    std::vector<TaskId> out;
    for (nb::handle id : made) out.push_back(TaskId::of(nb::cast<uint64_t>(id)));
    return out;
  };
  return options;
}

nb::list compute(const Exprs& exprs, int64_t threads, nb::object tick, std::shared_ptr<cluster::Client> client, nb::dict placing,
                 std::shared_ptr<api::Calls> calls) {
  Inside inside;
  Waiting waiting(std::move(tick));
  const auto options = run_options(waiting, threads, std::move(client), placing, std::move(calls));
  auto list = as_exprs(exprs);
  std::vector<std::vector<api::Gathered>> gathered;
  const auto computed = without_gil(waiting, [&] {
    auto all = api::compute(list, options);
    for (auto& c : all) gathered.push_back(api::gather(c));
    return all;
  });
  nb::list out;
  for (size_t i = 0; i < computed.size(); ++i) out.append(to_python(computed[i], gathered[i]));
  return out;
}

Exprs persist(const Exprs& exprs, int64_t threads, nb::object tick, std::shared_ptr<cluster::Client> client, nb::dict placing,
              std::shared_ptr<api::Calls> calls) {
  Inside inside;
  Waiting waiting(std::move(tick));
  const auto options = run_options(waiting, threads, std::move(client), placing, std::move(calls));
  auto list = as_exprs(exprs);
  Exprs out;
  for (auto& e : without_gil(waiting, [&] { return api::persist(list, options); })) out.push_back(std::const_pointer_cast<Node>(e));
  return out;
}

// told(number, expression or None, error or None) runs in the calling thread.
void persist_each(const Exprs& exprs, nb::object tick, std::shared_ptr<cluster::Client> client, nb::dict placing, nb::object told) {
  Inside inside;
  Waiting waiting(std::move(tick));
  const auto options = run_options(waiting, 0, std::move(client), placing, nullptr);
  const auto tell = [&](size_t number, const Expr& there, const std::exception_ptr& error) {
    const GilBack gil;
    nb::object raised = nb::none();
    if (error) raised = exception_object(error);
    call(told, number, there ? nb::cast(std::const_pointer_cast<Node>(there)) : nb::none(), raised);
  };
  auto list = as_exprs(exprs);
  without_gil(waiting, [&] {
    api::persist_each(list, options, tell);
    return 0;
  });
}

// The objects in a value, by their tokens.
void add_objects(const base::Value& v, nb::dict& to) {
  if (v.is_opaque()) to[v.opaque()->token.c_str()] = object_of(*v.opaque());
  if (v.is_list())
    for (const auto& x : v.list()) add_objects(x, to);
  if (v.is_dict())
    for (const auto& [key, x] : v.dict()) add_objects(key, to), add_objects(x, to);
}

// Columns of the whole table, cut into partitions at these rows. `holder` lives as long as they do.
Expr from_columns(const std::string& kind, nb::list index_fields, nb::list fields, nb::list payloads, const std::vector<int64_t>& cuts,
                  bool labels_integer, nb::object holder, nb::list divisions) {
  const Keep held = opaque_of(std::move(holder), "");
  Schema schema{kind_named(kind), fields_from_python(fields), fields_from_python(index_fields), labels_integer};
  std::vector<Column> columns;
  size_t at = 0;
  for (const auto* list : {&schema.index, &schema.columns})
    for (const auto& f : *list) {
      columns.push_back(column_from_python(f, payloads[at++]));
      columns.back().keep = keep_both(columns.back().keep, held);
    }
  std::vector<Batches> partitions;
  for (size_t i = 0; i + 1 < cuts.size(); ++i) {
    Batch b{cuts[i + 1] - cuts[i], {}};
    for (const auto& c : columns) b.columns.push_back(slice(c, cuts[i], b.rows));
    partitions.push_back({std::move(b)});
  }
  return api::from_partitions(std::move(partitions), schema, nb::len(divisions) ? to_value(divisions) : Value());
}

// A user's function of a partition: muster._border.calls.apply does the pandas part.
kernels::PythonRows apply(Task& task, const Opaque& function, const Batches& rows, const Schema& in, const Schema& out, bool ids) {
  const Gil gil(worker::in_pool_thread());
  std::vector<Field> index_fields = in.index;
  if (index_fields.empty()) index_fields.push_back({Label(), {Storage::int64}});
  const auto as_labels = [ids](size_t, const Column& part, int64_t n) {
    Column c = spread(part, n);
    if (c.storage == Storage::row_id && ids) {
      c.storage = Storage::int64;
    } else if (c.storage == Storage::row_id) {
      Writable local(Storage::int64, c.length);
      for (int64_t i = 0; i < c.length; ++i) local.as<int64_t>()[i] = c.as<int64_t>()[i] & 0xFFFFFFFF;
      c = std::move(local).finish();
    }
    return c;
  };
  int64_t count = 0;
  for (const auto& b : rows) count += b.rows;
  std::vector<api::Gathered> all = api::gather(rows, {in.kind, in.columns, index_fields, false}, as_labels);
  nb::list index, columns;
  size_t at = 0;
  for (const auto& f : index_fields) index.append(index_fields.size() == 1 ? index_to_python(all[at], f) : column_to_python(all[at], f)), ++at;
  for (const auto& f : in.columns) columns.append(column_to_python(all[at++], f));
  all.clear();
  const nb::object apply = nb::module_::import_("muster._border.calls").attr("apply");
  nb::object payloads = call(apply, object_of(function), index, columns, count, kind_name(out.kind), fields_to_python(out.index),
                             fields_to_python(out.columns), task.partition());
  kernels::PythonRows result{{nb::cast<int64_t>(payloads[0]), {}}, {}};
  const Keep whole = opaque_of(payloads[2], "");  // while it is there, pandas copies its values before somebody else writes to them
  at = 0;
  for (const auto* list : {&out.index, &out.columns})
    for (const auto& f : *list) {
      nb::object payload = payloads[1][at++];
      if (nb::isinstance<nb::str>(payload)) {  // the name of a wider dtype
        result.wider.emplace_back(static_cast<int64_t>(at - 1), python_dtype(nb::cast<std::string>(payload)));
        result.rows.columns.push_back(spread(constant_of(Value(), f.type), result.rows.rows));
      } else {
        result.rows.columns.push_back(column_from_python(f, payload));
        result.rows.columns.back().keep = keep_both(result.rows.columns.back().keep, whole);
      }
    }
  return result;
}

void set_filesystem_hooks(nb::object list, nb::object read, nb::object to_utf8) {
  auto held = [](nb::object o) { return opaque_of(std::move(o), ""); };
  FileSystem f;
  f.list = [list = held(list)](const std::string& url, const std::string& options) {
    const Gil gil;
    std::vector<FileInfo> out;
    const nb::object found = call(object_of(*list), url, options);
    for (nb::handle item : found) out.push_back({nb::cast<std::string>(item[0]), nb::cast<int64_t>(item[1]), nb::cast<int64_t>(item[2])});
    return out;
  };
  f.read = [read = held(read)](const std::string& url, const std::string& options, int64_t offset, char* to, int64_t size) -> int64_t {
    const Gil gil;
    auto bytes = nb::cast<nb::bytes>(call(object_of(*read), url, options, offset, size));
    const auto n = std::min<int64_t>(size, static_cast<int64_t>(bytes.size()));
    std::memcpy(to, bytes.c_str(), static_cast<size_t>(n));
    return n;
  };
  f.to_utf8 = [turn = held(to_utf8)](const std::string& text, const std::string& encoding) {
    const Gil gil;
    auto bytes = nb::cast<nb::bytes>(call(object_of(*turn), nb::bytes(text.data(), text.size()), encoding));
    return std::string(bytes.c_str(), bytes.size());
  };
  set_filesystem(std::move(f));
}
}  // namespace
}  // namespace muster::python

NB_MODULE(_core, m) {
  using namespace muster;
  using namespace muster::python;
  using muster::data::DType, muster::data::Storage, muster::data::code, muster::data::dtype_named;
  nb::set_leak_warnings(false);  // expressions may live as long as the interpreter
  register_errors(m);
  api::start();
  kernels::set_python_apply(apply);
  kernels::set_python_dtypes([](DType one, DType other) {
    const Gil gil;
    return python_dtype(nb::cast<std::string>(nb::module_::import_("muster._border.promises").attr("common_name")(python_name(one), python_name(other))));
  });
  register_nodes(m);
  register_calls(m);
  register_executor(m);
  register_shared_memory(m);
  register_cluster(m);  // before compute: it takes a client

  nb::class_<base::Moment>(m, "Moment").def(nb::init<int64_t>(), nb::arg("ns")).def_ro("ns", &base::Moment::ns);
  nb::class_<base::Opaque>(m, "Object").def_ro("token", &base::Opaque::token).def_prop_ro("value", [](const base::Opaque& o) { return object_of(o); });
  m.def("object", [](nb::object o, std::string token) { return std::const_pointer_cast<base::Opaque>(opaque_of(std::move(o), std::move(token))); });

  nb::class_<Node>(m, "Expr")
      .def_prop_ro("op", [](const Node& n) { return n.op->name; })
      .def_prop_ro("name", &Node::name)
      .def_prop_ro("args", [](const Node& n) { return argument_of(n, n.args); })
      .def_prop_ro("id", [](const Node& n) { return n.id.hex(); })
      .def_prop_ro("rows", [](const Node& n) { return n.rows.hex(); })
      .def_prop_ro("kind", [](const Node& n) { return kind_name(n.schema.kind); })
      .def_prop_ro("npartitions", [](const Node& n) { return n.npartitions; })
      .def_prop_ro("divisions", [](const Node& n) { return from_value(n.divisions); })
      .def_prop_ro("columns", [](const Node& n) { return fields_to_python(n.schema.columns); })
      .def_prop_ro("levels", [](const Node& n) { return n.positions.levels(); })
      .def("meant", [](const Node& n, nb::handle label) { return n.positions.meant(to_value(label)); })
      .def("has_column", [](const Node& n, nb::handle label) {
        return (PyUnicode_Check(label.ptr()) || PyLong_Check(label.ptr())) && n.positions.first(to_value(label)) >= 0;
      })
      .def_prop_ro("index", [](const Node& n) { return fields_to_python(n.schema.index); })
      .def_prop_ro("labels_integer", [](const Node& n) { return n.schema.labels_integer; })
      .def_prop_ro("inputs", [](const Node& n) {
        Exprs out;
        for (const auto& i : n.inputs) out.push_back(std::const_pointer_cast<Node>(i));
        return out;
      });

  auto mutable_node = [](expr::Expr e) { return std::const_pointer_cast<Node>(e); };
  m.def("call", [mutable_node](const std::string& op, const Exprs& inputs, nb::dict args) {
    std::vector<expr::Expr> all(inputs.begin(), inputs.end());
    auto value = to_value(args, all);
    return mutable_node(api::call(op, value, all));
  });
  const auto reads = [mutable_node](expr::Expr (*look)(const base::Value&)) {  // at files, for as long as that takes
    return [mutable_node, look](nb::dict args) {
      Inside inside;
      auto value = to_value(args);
      expr::Expr e;
      {
        GilReleased release;
        e = look(value);
      }
      return mutable_node(e);
    };
  };
  m.def("read_csv", reads(api::read_csv));
  m.def("read_parquet", reads(api::read_parquet));
  m.def("parquet_parts", [](nb::dict args) { return from_value(api::read_parquet(to_value(args))->args["scan"]["parts"]); });
  const auto of_files = [](base::Value (*ask)(const base::Value&, const std::string&)) {
    return [ask](nb::list files, const std::string& options) {
      Inside inside;
      auto value = to_value(files);
      base::Value found;
      {
        GilReleased release;
        found = ask(value, options);
      }
      return from_value(found);
    };
  };
  m.def("parquet_files", of_files(api::parquet_files));
  m.def("parquet_footers", of_files(api::parquet_footers));
  m.def("from_columns", [mutable_node](const std::string& kind, nb::list index, nb::list fields, nb::list payloads, const std::vector<int64_t>& cuts,
                                       bool labels_integer, nb::object holder, nb::list divisions) {
    return mutable_node(from_columns(kind, index, fields, payloads, cuts, labels_integer, std::move(holder), divisions));
  });
  m.def("compute", &compute, nb::arg("exprs"), nb::arg("threads"), nb::arg("tick").none(), nb::arg("client").none() = nb::none(),
        nb::arg("placing") = nb::dict(), nb::arg("calls").none() = nb::none());
  m.def("annotate", [](nb::object options) {
    expr::annotate(options.is_none() ? nullptr : std::make_shared<const graph::Options>(options_of(nb::cast<nb::dict>(options))));
  }, nb::arg("options").none());
  m.def("tasks_of", [](std::shared_ptr<Node> e) {
    std::vector<uint64_t> out;
    for (base::TaskId id : api::tasks_of(e)) out.push_back(id.bits());
    return out;
  });
  // [(name of a persisted expression, which of its partitions are read for this one)]
  m.def("partitions_read", [](std::shared_ptr<Node> e) {
    std::vector<std::pair<std::string, std::vector<int64_t>>> out;
    for (auto& [node, partitions] : api::partitions_read(e)) out.emplace_back(node->name(), std::move(partitions));
    return out;
  });
  // (the expression, its outcome for settle or fail)
  m.def("pending", [mutable_node](std::shared_ptr<Node> of, nb::object holder) {
    const auto [e, outcome] = api::pending(of, opaque_of(std::move(holder), ""));
    return nb::make_tuple(mutable_node(e), std::const_pointer_cast<base::Opaque>(outcome));
  });
  m.def("settle", [](const base::Opaque& outcome, std::shared_ptr<Node> persisted) { api::settle(outcome, persisted); });
  m.def("fail", [](const base::Opaque& outcome, nb::object error) {
    api::fail(outcome, [error = opaque_of(std::move(error), "")] {
      const Gil gil;
      PyObject* raised = object_of(*error).ptr();
      PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(raised)), raised);
      throw nb::python_error();
    });
  });
  m.def("described", [](std::shared_ptr<Node> e) {
    const auto what = api::described(e);
    std::string bytes;
    what.encode(bytes);
    nb::dict labels;
    add_objects(what, labels);
    return nb::make_tuple(nb::bytes(bytes.data(), bytes.size()), labels);
  });
  // description: what `described` gave, which may have been pickled.
  m.def("together", [](nb::tuple description, nb::list objects) {
    std::vector<Py_buffer> views(nb::len(objects));
    std::vector<std::string_view> bytes;
    for (size_t i = 0; i < views.size(); ++i) {
      if (PyObject_GetBuffer(nb::handle(objects[i]).ptr(), &views[i], PyBUF_SIMPLE) != 0) throw nb::python_error();
      bytes.emplace_back(static_cast<const char*>(views[i].buf), static_cast<size_t>(views[i].len));
    }
    const auto said = nb::cast<nb::bytes>(description[0]);
    const auto labels = nb::cast<nb::dict>(description[1]);
    std::string_view encoded(said.c_str(), said.size());
    const auto what = base::Value::decode(encoded, [&labels](const std::string& token) { return opaque_of(nb::object(labels[token.c_str()]), token); });
    std::exception_ptr failed;
    api::Computed computed;
    std::vector<api::Gathered> gathered;
    {
      GilReleased release;
      try {
        computed = api::together(what, bytes);
        gathered = api::gather(computed);
      } catch (...) {
        failed = std::current_exception();
      }
    }
    for (auto& v : views) PyBuffer_Release(&v);
    if (failed) std::rethrow_exception(failed);
    return to_python(computed, gathered);
  });
  // The values of nodes, a row of a partition each.
  m.def("from_values", [mutable_node](nb::list nodes, std::string token) {
    const auto count = static_cast<int64_t>(nb::len(nodes));
    const List fields{List{Value("value"), code(DType{Storage::object})}}, index{List{Value(), code(DType{Storage::int64})}};
    return mutable_node(api::call("from_values", Dict{{"rows", opaque_of(std::move(nodes), kernels::kTaskValues + token)}, {"count", count},
                                                      {"kind", static_cast<int>(Kind::frame)}, {"fields", fields}, {"index", index}}, {}));
  });
  m.def("persist", &persist, nb::arg("exprs"), nb::arg("threads"), nb::arg("tick").none(), nb::arg("client").none() = nb::none(),
        nb::arg("placing") = nb::dict(), nb::arg("calls").none() = nb::none());
  m.def("persist_each", &persist_each, nb::arg("exprs"), nb::arg("tick").none(), nb::arg("client"), nb::arg("placing"), nb::arg("told"));
  m.def("revised", [](std::shared_ptr<Node> e) { return std::const_pointer_cast<Node>(api::revised({e})[0]); });
  m.def("dtype_code", [](const std::string& name) { return code(python_dtype(name)); });
  m.def("all_are_present", &all_are_present, nb::arg("array"));
  m.def("split_texts", &split_texts, nb::arg("payload"), nb::arg("mark"), nb::arg("most"), nb::arg("out"));
  m.def("spilled_bytes", &kernels::spilled_bytes);
  // What messages call a dtype that the engine carries, a token of its content, itself: its name from now on.
  m.def("know_dtype", [](std::string name, std::string token, nb::object dtype) {
    auto definition = opaque_of(std::move(dtype), token);
    return python_name(data::know(data::ForeignDType{std::move(name), std::move(token), std::move(definition)}));
  });
  // The dtype of such a name, None where this process does not know it.
  m.def("known_dtype", [](const std::string& name) {
    const auto known = data::foreign_dtype(python_dtype(name));
    return known ? object_of(*known->definition) : nb::none();
  });
  m.def("explain", [](const Exprs& exprs) { return api::explain(as_exprs(exprs)); });
  m.def("plan_digest", [](std::shared_ptr<Node> e) { return api::plan_digest(e); });
  m.def("to_dot", [](const Exprs& exprs, bool optimized) { return api::to_dot(as_exprs(exprs), optimized); });
  m.def("encode", [](const Exprs& exprs) { auto b = api::to_bytes(as_exprs(exprs)); return nb::bytes(b.data(), b.size()); });
  m.def("decode", [](nb::bytes bytes) {
    Exprs out;
    for (auto& e : api::from_bytes({bytes.c_str(), bytes.size()})) out.push_back(std::const_pointer_cast<Node>(e));
    return out;
  });
  m.def("set_filesystem", &set_filesystem_hooks);
  m.def("set_memory_limit", &api::set_memory_limit);
  m.def("cpu_count", &api::cpu_count);
  m.def("in_pool_thread", &worker::in_pool_thread);
  m.def("memory_limit", &api::memory_limit);
  m.def("stop", [] { end_interpreter(api::stop); });  // running tasks end before the interpreter does: they may need the GIL
  m.def("hash", [](nb::bytes bytes) { return base::hash_bytes({bytes.c_str(), bytes.size()}).hex(); });
}
