#include "net/messages.hpp"

namespace muster::net {
using namespace base;
using graph::Graph, graph::Range, graph::Dependency, graph::Blob;

void encode(Encoder& out, const Value& value) {
  std::string bytes;
  value.encode(bytes);
  out << bytes;
}

// Objects of the guest travel as their own bytes in place of a token: api/wire.cpp wrote them.
Value decode_value(Decoder& in) {
  auto bytes = in.get<std::string_view>();
  return Value::decode(bytes, [](const std::string& token) { return std::make_shared<const Opaque>(Opaque{token, nullptr}); });
}

void encode(Encoder& out, const Graph& g) {
  out << static_cast<uint64_t>(g.ranges.size());
  for (const Range& r : g.ranges) {
    out << r.count << r.function;
    encode(out, r.args);
    out << r.partition << static_cast<uint64_t>(r.inputs.size());
    for (const auto& d : r.inputs) out << d.range << static_cast<uint8_t>(d.rule) << d.k << d.output << d.first;
    out << static_cast<uint8_t>(r.wanted) << r.wanted_tasks << static_cast<uint8_t>(r.reports) << r.label;
    const auto& o = r.options;
    out << o.priority << o.retries << static_cast<uint64_t>(o.workers.size());
    for (const auto& w : o.workers) out << w;
    out << static_cast<uint8_t>(o.allow_other_workers) << static_cast<uint64_t>(o.resources.size());
    for (const auto& [name, amount] : o.resources) out << name << amount;
    out << o.timeout_us << r.begins << static_cast<uint64_t>(r.needs.size());
    for (TaskId n : r.needs) out << n;
    out << r.output;
    out << static_cast<uint64_t>(r.functions.size());
    for (const auto& f : r.functions) out << *f;
    out << r.function_of << static_cast<uint64_t>(r.labels.size());
    for (const auto& l : r.labels) out << l;
    out << static_cast<uint64_t>(r.arguments.size());
    for (const auto& a : r.arguments) out << *a;
  }
}

std::shared_ptr<const Graph> decode_graph(Decoder& in) {
  auto g = std::make_shared<Graph>();
  g->ranges.resize(in.count());
  for (Range& r : g->ranges) {
    r.count = in.get<int64_t>(), r.function = in.get<std::string>();
    r.args = decode_value(in);
    r.partition = in.list<int64_t>();
    r.inputs.resize(in.count());
    for (auto& d : r.inputs) d.range = in.get<int>(), d.rule = static_cast<Dependency::Rule>(in.get<uint8_t>()), d.k = in.get<int64_t>(), d.output = in.get<int>(), d.first = in.get<int64_t>();
    r.wanted = in.get<uint8_t>(), r.wanted_tasks = in.list<uint32_t>(), r.reports = in.get<uint8_t>(), r.label = in.get<std::string>();
    auto& o = r.options;
    o.priority = in.get<int>(), o.retries = in.get<int>();
    o.workers.resize(in.count());
    for (auto& w : o.workers) w = in.get<std::string>();
    o.allow_other_workers = in.get<uint8_t>();
    o.resources.resize(in.count());
    for (auto& [name, amount] : o.resources) name = in.get<std::string>(), amount = in.get<double>();
    o.timeout_us = in.get<int64_t>(), r.begins = in.list<uint32_t>();
    r.needs.resize(in.count());
    for (auto& n : r.needs) n = in.get<TaskId>();
    r.output = in.get<int>();
    r.functions.resize(in.count());
    for (auto& f : r.functions) f = std::make_shared<const std::string>(in.get<std::string>());
    r.function_of = in.list<uint32_t>();
    r.labels.resize(in.count());
    for (auto& l : r.labels) l = in.get<std::string>();
    r.arguments.resize(in.count());
    for (auto& a : r.arguments) a = std::make_shared<const std::string>(in.get<std::string>());
    const auto count = static_cast<uint64_t>(r.count);
    if (r.count < 0 || (!r.labels.empty() && r.labels.size() != r.functions.size()) || (!r.partition.empty() && r.partition.size() != count) || (!r.function_of.empty() && r.function_of.size() != count) || (!r.arguments.empty() && r.arguments.size() != count))
      throw Error(ErrorKind::io, "a graph whose lists do not fit its tasks");
    for (uint32_t f : r.function_of)
      if (f >= r.functions.size()) throw Error(ErrorKind::io, "a graph that names a function it does not have");
  }
  return g;
}

}  // namespace muster::net
