// The fields in one order, written and read side by side: a program is the same bytes in every process.
#include "data/program.hpp"

namespace muster::data {
using namespace base;
namespace {
Value registers_of(const std::vector<int>& in) { return List(in.begin(), in.end()); }
std::vector<int> registers(const Value& v) {
  std::vector<int> out;
  for (const auto& r : v.list()) out.push_back(static_cast<int>(r.integer()));
  return out;
}
}  // namespace

Value Program::encode() const {
  List inputs, built, all_steps, all_sinks;
  for (const auto& b : broadcasts) inputs.push_back(List{b.input, b.column, b.reg});
  for (const auto& b : builds) built.push_back(List{b.input, b.kernel, b.args});
  for (const auto& s : steps) all_steps.push_back(List{s.kernel, s.args, registers_of(s.in), registers_of(s.out), s.built});
  for (const auto& s : sinks) all_sinks.push_back(List{s.kernel, s.args, registers_of(s.in)});
  return List{static_cast<int>(from), source, source_args, whole, whole_args, registers_of(out), inputs, all_steps, all_sinks, registers, streams, built};
}

Program Program::decode(const Value& value) {
  const auto& v = value.list();
  Program p;
  p.from = static_cast<From>(v.at(0).integer()), p.source = v.at(1).string(), p.source_args = v.at(2);
  p.whole = v.at(3).string(), p.whole_args = v.at(4), p.out = data::registers(v.at(5));
  for (const auto& b : v.at(6).list()) p.broadcasts.push_back({int(b.list().at(0).integer()), int(b.list().at(1).integer()), int(b.list().at(2).integer())});
  for (const auto& s : v.at(7).list())
    p.steps.push_back(
        {s.list().at(0).string(), s.list().at(1), data::registers(s.list().at(2)), data::registers(s.list().at(3)), int(s.list().at(4).integer())});
  for (const auto& s : v.at(8).list()) p.sinks.push_back({s.list().at(0).string(), s.list().at(1), data::registers(s.list().at(2))});
  p.registers = static_cast<int>(v.at(9).integer()), p.streams = static_cast<int>(v.at(10).integer());
  for (const auto& b : v.at(11).list()) p.builds.push_back({int(b.list().at(0).integer()), b.list().at(1).string(), b.list().at(2)});
  return p;
}

}  // namespace muster::data
