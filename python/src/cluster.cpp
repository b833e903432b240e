// Calls that wait or move bytes do so without the GIL. A view of shared memory lives as long as something looks at it.
#include "cluster.hpp"

#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "calling.hpp"
#include "cluster/client.hpp"
#include "cluster/launch/local.hpp"
#include "cluster/pages.hpp"
#include "columns.hpp"
#include "gil.hpp"
#include "kernels/pipeline.hpp"
#include "kernels/python_call.hpp"
#include "kernels/wire.hpp"
#include "shared_memory.hpp"
#include "values.hpp"

namespace muster::python {
using namespace base;
using cluster::Client, cluster::Known, cluster::LocalCluster, cluster::LocalOptions, cluster::TaskError;
namespace {

std::vector<TaskId> ids(const std::vector<uint64_t>& list) {
  std::vector<TaskId> out;
  for (uint64_t b : list) out.push_back(TaskId::of(b));
  return out;
}

graph::Blob blob(nb::handle bytes) {
  char* data;
  Py_ssize_t size;
  if (PyBytes_AsStringAndSize(bytes.ptr(), &data, &size) != 0) throw nb::python_error();
  return std::make_shared<const std::string>(data, static_cast<size_t>(size));
}

template <class F>
auto free_of_gil(F f) {
  GilReleased release;
  return f();
}

constexpr double kLargestPriority = 8'000'000;  // in the engine's units an int
}  // namespace

graph::Options options_of(nb::dict o) {
  graph::Options out;
  for (auto [key, value] : o) {
    const auto name = nb::cast<std::string>(key);
    if (value.is_none()) continue;
    if (name == "priority") out.priority = static_cast<int>(std::lround(std::clamp(nb::cast<double>(value), -kLargestPriority, kLargestPriority) * 256));
    else if (name == "retries") out.retries = nb::cast<int>(value);
    else if (name == "workers") out.workers = nb::cast<std::vector<std::string>>(value);
    else if (name == "allow_other_workers") out.allow_other_workers = nb::cast<bool>(value);
    else if (name == "timeout") out.timeout_us = static_cast<int64_t>(nb::cast<double>(value) * 1e6);
    else if (name == "resources")
      for (auto [r, amount] : nb::cast<nb::dict>(value)) out.resources.emplace_back(nb::cast<std::string>(r), nb::cast<double>(amount));
  }
  return out;
}

namespace {
// A range of (labels, functions, function_of, arguments, begins, needs, wanted, options): tasks of one set of options, labels and functions by number,
// arguments as bytes, inputs as ids (job 0: number of this submit).
graph::Range range_of_part(nb::handle p) {
  graph::Range r;
  r.function = "python", r.labels = nb::cast<std::vector<std::string>>(p[0]), r.label = r.labels.empty() ? "python" : r.labels[0];
  for (nb::handle f : nb::cast<nb::list>(p[1])) r.functions.push_back(blob(f));
  r.function_of = nb::cast<std::vector<uint32_t>>(p[2]);
  for (nb::handle a : nb::cast<nb::list>(p[3])) r.arguments.push_back(blob(a));
  r.count = static_cast<int64_t>(r.arguments.size());
  r.begins = nb::cast<std::vector<uint32_t>>(p[4]), r.needs = ids(nb::cast<std::vector<uint64_t>>(p[5]));
  auto wanted = nb::cast<std::vector<uint32_t>>(p[6]);
  if (wanted.size() == r.arguments.size()) r.wanted = true;
  else r.wanted_tasks = std::move(wanted);
  r.options = options_of(nb::cast<nb::dict>(p[7]));
  return r;
}

// An object as Python sees it: a buffer.
nb::object object_view(const worker::Object& o) {
  if (o.segment) return mapped(o.segment);
  return nb::bytes(o.small->data(), o.small->size());
}
}  // namespace

void register_cluster(nb::module_& m) {
  kernels::set_python_border(
      [](const Opaque& object) {
        const Gil gil;
        auto bytes = nb::cast<nb::bytes>(call(nb::module_::import_("muster._base.serialize").attr("dumps_by_value"), object_of(object)));
        return std::string(bytes.c_str(), bytes.size());
      },
      [](const std::string& bytes, const std::string& token) {
        const Gil gil;
        return opaque_of(unpickled(bytes), token);
      },
      [](const Opaque& source, const std::vector<int64_t>& places, const std::string& column) {
        const Gil gil;
        const nb::object made = call(nb::module_::import_("muster._border.objects").attr("pickled"), object_of(source), numbers(places), column);
        std::vector<kernels::PickledObjects> out;
        for (nb::handle piece : made) {
          auto bytes = nb::cast<nb::bytes>(piece[2]);
          out.push_back({nb::cast<int64_t>(piece[0]), nb::cast<bool>(piece[1]), {bytes.c_str(), bytes.size()}});
        }
        return out;
      });
  api::set_client_here([] {
    const Gil gil;
    return nb::cast<std::shared_ptr<Client>>(call(nb::module_::import_("muster._base.registry").attr("given"), "core")());
  });
  nb::class_<LocalCluster>(m, "LocalCluster")
      .def("__init__", [](LocalCluster* self, int64_t workers, int64_t threads, int64_t memory_limit, std::vector<std::string> executor,
                          std::vector<std::string> listen, std::string worker_listen, std::vector<std::pair<std::string, double>> resources,
                          int allowed_failures) {
        LocalOptions o;
        o.workers = workers, o.threads = threads, o.memory_limit = memory_limit, o.executor = std::move(executor);
        o.hub.listen = std::move(listen), o.listen = std::move(worker_listen), o.resources = std::move(resources);
        o.hub.allowed_failures = allowed_failures;
        GilReleased release;
        new (self) LocalCluster(std::move(o));
      })
      .def_prop_ro("addresses", [](LocalCluster& c) { return c.hub()->addresses(); })
      .def("scale", [](LocalCluster& c, int64_t n) { free_of_gil([&] { c.scale(n); return 0; }); })
      .def("size", [](LocalCluster& c) { return c.size(); })
      .def("wait_for_workers", [](LocalCluster& c, int64_t n, double seconds) { free_of_gil([&] { c.wait_for_workers(n, seconds); return 0; }); })
      .def("ask", [](LocalCluster& c, const std::string& name, nb::object argument) {
        const Value v = to_value(argument);
        return from_value(free_of_gil([&] { return c.hub()->ask(name, v); }));
      }, nb::arg("name"), nb::arg("argument").none())
      .def("close", [](LocalCluster& c) { free_of_gil([&] { c.close(); return 0; }); });

  nb::class_<cluster::Monitor>(m, "Monitor")
      .def("__init__", [](cluster::Monitor* self, LocalCluster& c, const std::string& address) { new (self) cluster::Monitor(*c.hub(), address); },
           nb::keep_alive<1, 2>())
      .def_prop_ro("link", &cluster::Monitor::link)
      .def_prop_ro("moved", &cluster::Monitor::moved);

  nb::class_<Client>(m, "ClusterClient")
      .def("__init__", [](Client* self, nb::object where, const std::string& name, double seconds, uint32_t depth) {
        LocalCluster* local = nullptr;
        std::string address;
        if (!nb::try_cast(where, local)) address = nb::cast<std::string>(where);
        GilReleased release;
        if (local) new (self) Client(local->hub(), name);
        else new (self) Client(address, name, seconds, depth);
      })
      .def_prop_ro("id", &Client::id)
      .def_prop_ro("connected", &Client::connected)
      .def("close", [](Client& c) { free_of_gil([&] { c.close(); return 0; }); })
      // parts: tuples of python_range's arguments. Returns the id of the first task.
      .def("submit", [](Client& c, nb::list parts, bool own_job) {
        graph::Graph g;
        for (nb::handle p : parts)
          g.ranges.push_back(range_of_part(p));
        return free_of_gil([&] { return c.submit(std::move(g), own_job).bits(); });
      })
      .def("submit_nothing", [](Client& c, int64_t count) {  // a range of tasks that do nothing: what the runtime costs
        graph::Graph g;
        g.ranges.push_back({.count = count, .function = "nothing", .label = "nothing"});
        g.ranges.push_back({.count = 1, .function = "nothing", .inputs = {{0, graph::Dependency::Rule::all, 1, -1}}, .wanted = true, .label = "all"});
        return free_of_gil([&] { return c.submit(std::move(g), true).bits() + static_cast<uint64_t>(count); });
      })
      .def("promise", [](Client& c, const std::string& label, bool renewable) { return free_of_gil([&] { return c.promise(label, renewable).bits(); }); })
      // `part`: as of submit, of one task whose inputs are ids.
      .def("bind", [](Client& c, uint64_t task, nb::tuple p) {
        graph::Graph g;
        g.ranges.push_back(range_of_part(p));
        free_of_gil([&] { c.bind(TaskId::of(task), std::move(g)); return 0; });
      })
      .def("refuse", [](Client& c, uint64_t task, const TaskError& error) { free_of_gil([&] { c.refuse(TaskId::of(task), error); return 0; }); })
      .def("want", [](Client& c, const std::vector<uint64_t>& t) { auto l = ids(t); free_of_gil([&] { c.want(l); return 0; }); })
      .def("release", [](Client& c, uint64_t t) { c.release(TaskId::of(t)); })
      .def("cancel", [](Client& c, const std::vector<uint64_t>& t, bool force) {
        auto l = ids(t);
        free_of_gil([&] { c.cancel(l, force); return 0; });
      })
      .def("retry", [](Client& c, const std::vector<uint64_t>& t) { auto l = ids(t); free_of_gil([&] { c.retry(l); return 0; }); })
      .def("keep", [](Client& c, const std::vector<uint64_t>& t) { auto l = ids(t); free_of_gil([&] { c.keep(l); return 0; }); })
      .def("hold", [](Client& c, uint64_t holder, const std::vector<uint64_t>& t) {
        auto l = ids(t);
        free_of_gil([&] { c.hold(TaskId::of(holder), l); return 0; });
      })
      .def("wait", [](Client& c, const std::vector<uint64_t>& t, bool any, double seconds) {
        auto l = ids(t);
        return free_of_gil([&] { return c.wait(l, any, seconds); });
      })
      .def("watch", [](Client& c, const std::vector<uint64_t>& t) { c.watch(ids(t)); })
      .def("changes", [](Client& c, double seconds) {
        std::vector<uint64_t> out;
        for (TaskId id : free_of_gil([&] { return c.changes(seconds); })) out.push_back(id.bits());
        return out;
      })
      .def("status", [](Client& c, uint64_t t) { return cluster::name_of(c.known(TaskId::of(t)).status); })
      .def("known", [](Client& c, uint64_t t) {  // (status, bytes, type, error, holders)
        const Known k = c.known(TaskId::of(t));
        return nb::make_tuple(cluster::name_of(k.status), k.bytes, k.type, k.error ? nb::cast(*k.error) : nb::none(), k.holders, k.cause.bits());
      })
      .def("get", [](Client& c, uint64_t t) { return object_view(free_of_gil([&] { return c.get(TaskId::of(t)); })); })
      // Bytes of an object, in parts that are copied once. Returns its id.
      .def("scatter", [](Client& c, nb::list parts, const std::string& type, const std::vector<std::string>& holders) {
        const Buffers buffers(parts);
        return free_of_gil([&] {
          worker::Object o;
          o.type = type, o.bytes = static_cast<int64_t>(buffers.bytes());
          const auto views = buffers.views();
          if (buffers.bytes() > 64 * 1024) {
            o.segment = worker::Segment::of(views);
          } else {
            std::string small;
            for (const auto& v : views) small += v;
            o.small = std::make_shared<const std::string>(std::move(small));
          }
          return c.scatter(o, holders).bits();
        });
      })
      .def("ask", [](Client& c, const std::string& name, nb::object argument, double seconds) {
        const Value v = to_value(argument);
        return from_value(free_of_gil([&] { return c.ask(name, v, seconds); }));
      }, nb::arg("name"), nb::arg("argument").none(), nb::arg("seconds") = 30.0);
}

}  // namespace muster::python
