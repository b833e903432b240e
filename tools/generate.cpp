// Writes the Python methods of every operator: generate FOLDER. Run by the build; src/ops is the source.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>

#include "api/session.hpp"
#include "expr/op.hpp"

namespace {
using namespace muster::expr;

struct Target {
  const char *file, *type, *about;
};
const std::map<Owner, Target> kTargets = {{Owner::frame, {"frame", "FrameMethods", "Methods of DataFrame."}},
                                          {Owner::series, {"series", "SeriesMethods", "Methods of Series."}},
                                          {Owner::scalar, {"scalar", "ScalarMethods", "Methods of lazy scalars."}},
                                          {Owner::groupby, {"groupby", "GroupByMethods", "Aggregations of grouped rows."}},
                                          {Owner::datetime, {"datetime", "DatetimeProperties", "Properties of Series.dt."}}};

// "a, b=1, c=(1, 2)" → names a, b, c.
std::vector<std::string> parameters(const std::string& signature) {
  std::vector<std::string> names;
  int depth = 0;
  std::string current;
  auto close = [&] {
    auto begin = current.find_first_not_of(" *");
    auto end = current.find('=');
    if (begin != std::string::npos && begin < end) names.push_back(current.substr(begin, end == std::string::npos ? end : end - begin));
    current.clear();
  };
  for (char c : signature) {
    depth += c == '(' || c == '[';
    depth -= c == ')' || c == ']';
    if (c == ',' && depth == 0) close();
    else current += c;
  }
  close();
  return names;
}

std::string docstring(const Op& op, const std::vector<std::string>& names) {
  std::string out = "        \"\"\"" + op.doc.summary + "\n";
  auto section = [&](const std::string& title) { out += "\n        " + title + "\n        " + std::string(title.size(), '-') + "\n"; };
  bool any = false;
  for (const auto& name : names)
    for (const auto& p : op.params)
      if (p.name == name) {
        if (!any) section("Parameters"), any = true;
        out += "        " + name + "\n            " + p.doc + "\n";
      }
  if (!op.doc.returns.empty()) section("Returns"), out += "        " + op.doc.returns + "\n";
  if (!op.doc.raises.empty()) {
    section("Raises");
    for (const auto& [type, when] : op.doc.raises) out += "        " + type + "\n            " + when + "\n";
  }
  if (!op.doc.notes.empty()) section("Notes"), out += "        " + op.doc.notes + "\n";
  if (!op.doc.example.empty()) {
    section("Examples");
    std::string line;
    for (char c : op.doc.example.substr(op.doc.example.find_first_not_of('\n'))) {
      if (c != '\n') line += c;
      else out += line.empty() ? "\n" : "        " + line + "\n", line.clear();
    }
  }
  return out + "        \"\"\"\n";
}

std::string method(const Op& op, const Method& m) {
  const std::string name = m.name.empty() ? op.name : m.name;
  const auto names = parameters(m.signature);
  std::string out = m.owner == Owner::datetime ? "    @property\n" : "";
  out += "    def " + name + "(self" + (m.signature.empty() ? "" : ", " + m.signature) + "):\n" + docstring(op, names);
  out += std::string("        return ") + (name.starts_with("__") ? "_operator" : m.owner == Owner::groupby ? "_aggregate" : "_call") + "(\"" + op.name + "\", self, {";
  for (size_t i = 0; i < names.size(); ++i) out += (i ? ", " : "") + ("\"" + names[i] + "\": ") + names[i];
  return out + "})\n";
}
}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: generate FOLDER\n";
    return 2;
  }
  muster::api::start();
  const std::filesystem::path folder = argv[1];
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "__init__.py") << "\"\"\"Written by the build from src/ops; do not edit.\"\"\"\n";
  for (const auto& [owner, target] : kTargets) {
    std::ofstream out(folder / (std::string(target.file) + ".py"));
    out << "\"\"\"" << target.about << " Written by the build from src/ops; do not edit.\"\"\"\n\nfrom muster._base.values import no_default  # noqa: F401\nfrom muster.dataframe._call import _aggregate, _call, _operator  # noqa: F401\n\n\nclass " << target.type << ":\n    \"\"\"" << target.about << "\"\"\"\n";
    for (const Op* op : all_ops())
      for (const auto& m : op->on)
        if (m.owner == owner) out << "\n" << method(*op, m);
  }
  return 0;
}
