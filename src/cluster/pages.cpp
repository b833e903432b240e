// Every number is asked of the hub as its clients ask (Hub::ask); what comes from users is quoted, in HTML, JSON and Prometheus' format.
#include "cluster/pages.hpp"

#include <cmath>

#include "base/error.hpp"
#include "muster/error.hpp"

namespace muster::cluster {
using namespace base;
using monitor::Page;
namespace {

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (char ch : text) {
    const auto c = static_cast<unsigned char>(ch);
    if (c == '"' || c == '\\') out += '\\', out += ch;
    else if (c < 0x20) out += concat("\\u00", "0123456789abcdef"[c >> 4], "0123456789abcdef"[c & 15]);
    else out += ch;
  }
  return out + '"';
}

std::string escaped(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '<') out += "&lt;";
    else if (c == '>') out += "&gt;";
    else if (c == '&') out += "&amp;";
    else if (c == '"') out += "&quot;";
    else out += c;
  }
  return out;
}

std::string bytes_text(int64_t n) {
  char out[32];
  if (n >= int64_t{1} << 30) std::snprintf(out, sizeof out, "%.2f GiB", static_cast<double>(n) / (1 << 30));
  else if (n >= 1 << 20) std::snprintf(out, sizeof out, "%.1f MiB", static_cast<double>(n) / (1 << 20));
  else std::snprintf(out, sizeof out, "%.1f kiB", static_cast<double>(n) / 1024);
  return out;
}

const char* const kStyle =
    "<style>body{font:14px system-ui,sans-serif;margin:2em;color:#222}table{border-collapse:collapse;margin-bottom:2em}"
    "th,td{padding:.3em .9em;border-bottom:1px solid #ddd;text-align:right}th:first-child,td:first-child{text-align:left}"
    "td.bar{width:220px;background:#eee;padding:0}td.bar div{background:#3b7dd8;height:1.2em}@media(prefers-color-scheme:dark){body{background:#181818;"
    "color:#ddd}th,td{border-color:#444}td.bar{background:#333}}</style>";

std::string status_page(Hub& hub) {
  const Value identity = hub.ask("identity", Value()), counts = hub.ask("counts", Value()), groups = hub.ask("groups", Value());
  std::string out =
      concat("<!doctype html><html lang=en><meta charset=utf-8><meta http-equiv=refresh content=2><title>muster: status</title>", kStyle,
             "<h1>muster</h1><h2>Workers</h2><table><tr><th>worker<th>threads<th>running<th>waiting<th>stored<th>process<th>limit<th>status</tr>");
  for (const auto& w : identity["workers"].list())
    out += concat("<tr><td>", escaped(w["name"].string()), "<td>", w["nthreads"].integer(), "<td>", w["executing"].integer(), "<td>", w["ready"].integer(),
                  "<td>", bytes_text(w["managed"].integer()), "<td>", bytes_text(w["memory"].integer()), "<td>", bytes_text(w["memory_limit"].integer()),
                  "<td>", escaped(w["status"].string()), "</tr>");
  out += "</table><h2>Tasks</h2><table><tr>";
  for (const auto& [name, n] : counts.dict()) out += concat("<th>", escaped(name.string()));
  out += "</tr><tr>";
  for (const auto& [name, n] : counts.dict()) out += concat("<td>", name.string() == "bytes" ? bytes_text(n.integer()) : std::to_string(n.integer()));
  out += "</tr></table><h2>Progress</h2><table><tr><th>function<th>done<th>of<th></tr>";
  for (const auto& [name, states] : groups.dict()) {
    int64_t all = 0, done = states["memory"].integer() + states["released"].integer() + states["erred"].integer();
    for (const auto& [state, n] : states.dict()) all += n.integer();
    out += concat("<tr><td>", escaped(name.string()), "<td>", done, "<td>", all, "<td class=bar><div style=\"width:", all ? 100 * done / all : 0,
                  "%\"></div></tr>");
  }
  return out + "</table></html>";
}

// Prometheus' text format; names of Dask's documentation, "Prometheus monitoring".
std::string metrics(Hub& hub) {
  const Value identity = hub.ask("identity", Value()), counts = hub.ask("counts", Value());
  std::string out = "# TYPE dask_scheduler_workers gauge\n";
  int64_t idle = 0, partly = 0, full = 0, paused = 0;
  for (const auto& w : identity["workers"].list()) {
    if (w["status"].string() == "paused") ++paused;
    else if (w["processing"].integer() == 0) ++idle;
    else if (w["processing"].integer() < w["nthreads"].integer()) ++partly;
    else ++full;
  }
  out += concat("dask_scheduler_workers{state=\"idle\"} ", idle, "\ndask_scheduler_workers{state=\"partially_saturated\"} ", partly,
                "\ndask_scheduler_workers{state=\"saturated\"} ", full, "\ndask_scheduler_workers{state=\"paused\"} ", paused, "\n");
  out += concat("# TYPE dask_scheduler_clients gauge\ndask_scheduler_clients ", identity["clients"].list().size(), "\n# TYPE dask_scheduler_tasks gauge\n");
  for (const auto& [name, n] : counts.dict())
    if (name.string() != "bytes") out += concat("dask_scheduler_tasks{state=\"", name.string(), "\"} ", n.integer(), "\n");
  out += "# TYPE dask_worker_memory_bytes gauge\n";
  for (const auto& w : identity["workers"].list()) {
    const std::string name = quoted(w["address"].string());
    out += concat("dask_worker_memory_bytes{type=\"managed\",worker=", name, "} ", w["managed"].integer(), "\n");
    out +=
        concat("dask_worker_memory_bytes{type=\"unmanaged\",worker=", name, "} ", std::max<int64_t>(0, w["memory"].integer() - w["managed"].integer()), "\n");
  }
  out += "# TYPE dask_worker_threads gauge\n";
  for (const auto& w : identity["workers"].list())
    out += concat("dask_worker_threads{worker=", quoted(w["address"].string()), "} ", w["nthreads"].integer(), "\n");
  return out;
}

Value counts_json(Hub& hub) {
  const Value identity = hub.ask("identity", Value()), counts = hub.ask("counts", Value());
  int64_t cores = 0, idle = 0, tasks = 0;
  for (const auto& w : identity["workers"].list()) cores += w["nthreads"].integer(), idle += w["processing"].integer() == 0;
  for (const auto& [name, n] : counts.dict()) tasks += name.string() == "bytes" ? 0 : n.integer();
  return Dict{{"bytes", counts["bytes"]},
              {"clients", identity["clients"].list().size()},
              {"cores", cores},
              {"erred", counts["erred"]},
              {"hosts", 1},
              {"idle", idle},
              {"memory", counts["memory"]},
              {"processing", counts["processing"]},
              {"released", counts["released"]},
              {"saturated", static_cast<int64_t>(identity["workers"].list().size()) - idle},
              {"tasks", tasks},
              {"waiting", counts["waiting"]},
              {"queued", counts["queued"]},
              {"workers", identity["workers"].list().size()}};
}
}  // namespace

std::string json(const Value& v) {
  if (v.is_none()) return "null";
  if (v.is_bool()) return v.boolean() ? "true" : "false";
  if (v.is_integer()) return std::to_string(v.integer());
  if (v.is_unsigned()) return std::to_string(v.unsigned_integer());
  if (v.is_float()) return std::isfinite(v.number()) ? concat(v.number()) : "null";
  if (v.is_string()) return quoted(v.string());
  std::string out;
  if (v.is_list()) {
    for (const auto& x : v.list()) out += (out.empty() ? "" : ", ") + json(x);
    return "[" + out + "]";
  }
  if (!v.is_dict()) return quoted(v.repr());
  for (const auto& [key, x] : v.dict()) out += (out.empty() ? "" : ", ") + quoted(key.label()) + ": " + json(x);
  return "{" + out + "}";
}

Page page(Hub& hub, const std::string& path) {
  const std::string type = "application/json";
  if (path == "/") return {302, "text/plain", "", "/status"};
  if (path == "/health") return {200, "text/plain", "ok"};
  if (path == "/status") return {200, "text/html; charset=utf-8", status_page(hub)};
  if (path == "/metrics") return {200, "text/plain; version=0.0.4", metrics(hub)};
  if (path == "/json/counts.json") return {200, type, json(counts_json(hub))};
  if (path == "/json/identity.json") return {200, type, json(hub.ask("identity", Value()))};
  if (path == "/json/groups.json") return {200, type, json(hub.ask("groups", Value()))};
  if (path == "/json/index.html")
    return {200, "text/html", "<a href=counts.json>counts.json</a> <a href=identity.json>identity.json</a> <a href=groups.json>groups.json</a>"};
  return {404, "text/plain", "There is no such page; there are /status, /health, /metrics, /json/counts.json, /json/identity.json and /json/groups.json.\n"};
}

Monitor::Monitor(Hub& hub, const std::string& address) {
  const auto colon = address.rfind(':');
  const std::string host = colon == std::string::npos ? "" : address.substr(0, colon), port = colon == std::string::npos ? address : address.substr(colon + 1);
  if (port.empty() || port.find_first_not_of("0123456789") != std::string::npos || port.size() > 5 || std::stoi(port) > 65535)
    throw invalid("dashboard address '", address, "' must look like ':8787'");
  net::Address wanted{false, host.empty() ? "127.0.0.1" : host, std::stoi(port)};
  for (int tries = 0;; ++tries) {
    try {
      auto [fd, bound] = net::listen(wanted);
      port_ = bound.port;
      const auto take = [](int socket) {  // only programs of this user
        Fd listener(socket);
        Fd taken = net::accept(listener, false);
        listener.release();
        if (taken) net::set_blocking(taken, true);
        return taken.release();
      };
      server_ = std::make_unique<monitor::HttpServer>(fd.release(), take, [&hub](const std::string& path) { return page(hub, path); });
      return;
    } catch (const Error& e) {
      if (e.kind != ErrorKind::io || tries == 20) throw;
      moved_ = true;
      wanted.port = tries == 19 || wanted.port == 0 ? 0 : wanted.port + 1;
    }
  }
}

std::string Monitor::link() const { return concat("http://127.0.0.1:", port_, "/status"); }

}  // namespace muster::cluster
