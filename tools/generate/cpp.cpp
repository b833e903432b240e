// The typed C++ methods of DataFrame and Series: declarations for include/muster/dataframe.hpp, bodies for src/api/dataframe.cpp. And the names of all
// operators, for src/api.
#include <algorithm>
#include <cctype>
#include <set>

#include "base/error.hpp"
#include "forms.hpp"

namespace muster::generate {
namespace {

const std::string kWritten = "// Written by the build from src/ops; do not edit.\n";

// A default of Python's as C++ writes it; empty for None, which is what is not given.
std::string literal(const std::string& value) {
  if (value == "None" || value == "no_default") return "";
  if (value == "True") return "true";
  if (value == "False") return "false";
  return value.starts_with('\'') ? '"' + value.substr(1, value.size() - 2) + '"' : value;
}

std::string listed(const std::vector<Parameter>& parameters, bool with_defaults) {
  std::string out;
  for (const auto& p : parameters) out += (out.empty() ? "" : ", ") + p.type + " " + p.name + (with_defaults && !p.value.empty() ? " = " + p.value : "");
  return out;
}

// Those of Python that are words of C++ end in "_", as Python has it with its own.
std::string identifier(std::string name) {
  static const std::set<std::string> kWords = {"and", "or", "xor", "not"};
  for (auto& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return kWords.contains(name) ? name + "_" : name;
}

std::string names_of(const std::vector<Op>& ops) {
  std::string out =
      kWritten + "#pragma once\n\n/// The operators' names: whoever calls one that is not there does not compile.\nnamespace muster::api::operators {\n";
  for (const auto& op : ops) out += "inline constexpr const char* " + identifier(op.name) + " = \"" + op.name + "\";\n";
  return out + "}  // namespace muster::api::operators\n";
}
}  // namespace

Files cpp_files(const std::vector<Op>& ops) {
  std::string frame = kWritten, series = kWritten, bodies = kWritten;
  for (const auto& op : ops)
    for (const auto& m : op.on) {
      const std::string name = name_of(op, m);
      if ((m.owner != Owner::frame && m.owner != Owner::series) || is_special(name)) continue;
      const auto python = python_parameters(m.signature, op.name), typed = cpp_parameters(m, python);
      const std::string owner = m.owner == Owner::frame ? "DataFrame" : "Series", result = m.owner == Owner::frame ? owner : result_of(op, m);
      (m.owner == Owner::frame ? frame : series) += "  /// " + op.doc.summary + "\n  " + result + " " + name + "(" + listed(typed, true) + ") const;\n";
      std::string given;
      for (const auto& p : python) {
        const bool is_typed = std::any_of(typed.begin(), typed.end(), [&](const auto& t) { return t.name == p.name; });
        const std::string value = is_typed ? "argument(" + p.name + ")" : literal(p.value);
        if (!value.empty()) given += (given.empty() ? "{\"" : ", {\"") + p.name + "\", " + value + "}";
      }
      for (const auto& t : typed)
        if (std::none_of(python.begin(), python.end(), [&](const auto& p) { return t.name == p.name; }))
          throw base::invalid(op.name, ": C++'s parameter ", t.name, " is none of Python's");
      bodies += result + " " + owner + "::" + name + "(" + listed(typed, false) + ") const { return " + result + "(called(\"" + op.name + "\", expr, {" +
                given + "})); }\n";
    }
  return {{"include/muster/dataframe_methods.inc", frame},
          {"include/muster/series_methods.inc", series},
          {"src/api/method_bodies.inc", bodies},
          {"src/api/operators.hpp", names_of(ops)}};
}

}  // namespace muster::generate
