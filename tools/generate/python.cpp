// The Python methods of every operator with their docstrings, their type stubs, and what the package looks up of operators.
#include <map>
#include <set>

#include "base/error.hpp"
#include "forms.hpp"

namespace muster::generate {
namespace {

struct Target {
  std::string file, type, about, bases = {};
};
const std::map<Owner, Target> kTargets = {{Owner::frame, {"frame", "FrameMethods", "Methods of DataFrame."}},
                                          {Owner::series, {"series", "SeriesMethods", "Methods of Series."}},
                                          {Owner::scalar, {"scalar", "ScalarMethods", "Methods of lazy scalars."}},
                                          {Owner::groupby, {"groupby", "GroupByMethods", "Aggregations of grouped rows.", "(Generic[_Result])"}},
                                          {Owner::datetime, {"datetime", "DatetimeProperties", "Properties of Series.dt."}}};

const std::string kWritten = "Written by the build from src/ops; do not edit.";

std::string docstring(const Op& op, const std::vector<Parameter>& parameters) {
  std::string out = "        \"\"\"" + op.doc.summary + "\n";
  auto section = [&](const std::string& title) { out += "\n        " + title + "\n        " + std::string(title.size(), '-') + "\n"; };
  bool any = false;
  for (const auto& given : parameters)
    for (const auto& p : op.params)
      if (p.name == given.name) {
        if (!any) section("Parameters"), any = true;
        out += "        " + p.name + "\n            " + p.doc + "\n";
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
  const std::string name = name_of(op, m);
  const auto parameters = python_parameters(m.signature, op.name);
  std::string signature = "self", given;
  for (const auto& p : parameters) {
    signature += ", " + p.stars + p.name + (p.value.empty() ? "" : "=" + p.value);
    if (!p.name.empty()) given += (given.empty() ? "\"" : ", \"") + p.name + "\": " + p.name;
  }
  std::string out = m.owner == Owner::datetime ? "    @property\n" : "";
  out += "    def " + name + "(" + signature + "):\n" + docstring(op, parameters);
  const std::string function = is_special(name) ? "_operator" : m.owner == Owner::groupby ? "_aggregate" : "_call";
  return out + "        return " + function + "(\"" + op.name + "\", self, {" + given + "})\n";
}

std::string stub(const Op& op, const Method& m) {
  const std::string name = name_of(op, m);
  std::string signature = "self";
  for (const auto& p : python_parameters(m.signature, op.name))
    signature += ", " + p.stars + p.name + (p.name.empty() ? "" : ": " + p.type) + (p.value.empty() ? "" : " = " + (p.value == "no_default" ? "..." : p.value));
  const bool overrides = name == "__eq__" || name == "__ne__";  // object's give bools
  return std::string(m.owner == Owner::datetime ? "    @property\n" : "") + "    def " + name + "(" + signature + ") -> " + result_of(op, m) + ": ..." +
         (overrides ? "  # type: ignore[override]" : "") + "\n";
}

// The operators' fallback shapes, and which of them are Python's operators.
std::string operators(const std::vector<Op>& ops) {
  std::string shapes, special;
  for (const auto& op : ops) {
    bool is_method = false, is_operator = false;
    for (const auto& m : op.on) {
      if (m.owner != Owner::frame && m.owner != Owner::series && m.owner != Owner::scalar) continue;
      is_method = true;
      is_operator |= m.name == "__" + op.name + "__";
    }
    if (is_method) shapes += "    \"" + op.name + "\": \"" + shape_of(op) + "\",\n";
    if (is_operator) special += (special.empty() ? "\"" : ", \"") + op.name + "\"";
  }
  return "\"\"\"What the operators say of themselves. " + kWritten +
         "\"\"\"\n\n# The shape in which pandas' method of the same name stands in where an operator refuses.\nSHAPES = {\n" + shapes +
         "}\n# Those of Python.\nOPERATORS = frozenset({" + special + "})\n";
}
}  // namespace

Files python_files(const std::vector<Op>& ops) {
  const std::string folder = "python/_generated/";
  Files out = {{folder + "__init__.py", "\"\"\"" + kWritten + "\"\"\"\n"}, {folder + "operators.py", operators(ops)}};
  for (const auto& [owner, target] : kTargets) {
    const std::string exports = "__all__ = [\"" + target.type + "\"]\n";
    std::string code =
        "\"\"\"" + target.about + " " + kWritten +
        "\"\"\"\n\nfrom muster._base.values import no_default  # noqa: F401\n"
        "from muster.dataframe._call import _aggregate, _call, _operator  # noqa: F401\n\n" +
        exports + "\n\nclass " + target.type + ":\n    \"\"\"" + target.about + "\"\"\"\n";
    std::string types =
        "\"\"\"Types of the " + std::string(1, static_cast<char>(std::tolower(target.about[0]))) + target.about.substr(1) + " " + kWritten +
        "\"\"\"\n\nfrom collections.abc import Callable, Mapping\nfrom typing import Any, Generic, Literal, TypeVar\n\n"
        "from muster._base.types import Axis, Function, Keep, Label, Labels\nfrom muster.dataframe._scalar import Scalar\n"
        "from muster.dataframe._frame import DataFrame\nfrom muster.dataframe._series import Series\n\n" +
        exports + "\n_Result = TypeVar(\"_Result\")  # what an aggregation gives\n\nclass " + target.type + target.bases + ":\n";
    std::set<std::string> names;
    for (const auto& op : ops)
      for (const auto& m : op.on) {
        if (m.owner != owner) continue;
        if (!names.insert(name_of(op, m)).second) throw base::invalid(op.name, ": ", target.type, " has the method ", name_of(op, m), " twice");
        code += "\n" + method(op, m);
        types += stub(op, m);
      }
    out.emplace_back(folder + target.file + ".py", code);
    out.emplace_back(folder + target.file + ".pyi", types);
  }
  return out;
}

}  // namespace muster::generate
