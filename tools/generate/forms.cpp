// A form that leaves something open is an error of the build, which names the operator: nothing is guessed.
#include "forms.hpp"

#include <map>

#include "base/error.hpp"

namespace muster::generate {
namespace {

// What parameters of these names are, wherever they stand; "| None" is added where that is the default.
const std::map<std::string, std::string> kTypes = {{"axis", "Axis"},
                                                   {"ddof", "int"},
                                                   {"dropna", "bool"},
                                                   {"dtype", "Any"},
                                                   {"fill_value", "Any"},
                                                   {"freq", "Any"},
                                                   {"inplace", "Literal[False]"},
                                                   {"keep", "Keep"},
                                                   {"level", "Any"},
                                                   {"limit", "int"},
                                                   {"min_count", "int"},
                                                   {"n", "int"},
                                                   {"numeric_only", "bool"},
                                                   {"other", "Any"},
                                                   {"periods", "int"},
                                                   {"shuffle_method", "Any"},
                                                   {"skipna", "bool"},
                                                   {"split_every", "Any"},
                                                   {"split_out", "Any"},
                                                   {"value", "Any"},
                                                   {"values", "Any"}};

std::string trimmed(const std::string& s) {
  const auto begin = s.find_first_not_of(' ');
  return begin == std::string::npos ? "" : s.substr(begin, s.find_last_not_of(' ') + 1 - begin);
}

// The parts between commas that stand in no bracket.
std::vector<std::string> parts(const std::string& signature) {
  std::vector<std::string> out(1);
  int depth = 0;
  for (char c : signature) {
    depth += c == '(' || c == '[' || c == '{' || c == '<';
    depth -= c == ')' || c == ']' || c == '}' || c == '>';
    if (c == ',' && depth == 0) out.emplace_back();
    else out.back() += c;
  }
  for (auto& p : out) p = trimmed(p);
  if (out.back().empty()) out.pop_back();
  return out;
}
}  // namespace

std::vector<Parameter> python_parameters(const std::string& signature, const std::string& where) {
  std::vector<Parameter> out;
  for (const auto& part : parts(signature)) {
    Parameter p;
    const auto begin = std::min(part.find_first_not_of('*'), part.size()), equals = std::min(part.find('='), part.size()),
               colon = std::min(part.find(':'), equals);
    p.stars = part.substr(0, begin);
    p.name = trimmed(part.substr(begin, colon - begin));
    if (equals < part.size()) p.value = trimmed(part.substr(equals + 1));
    if (colon < equals) p.type = trimmed(part.substr(colon + 1, equals - colon - 1));
    else if (const auto known = kTypes.find(p.name); known != kTypes.end()) p.type = known->second;
    else if (!p.name.empty()) throw invalid(where, ": the parameter ", p.name, " has no type: annotate it in the signature, as in \"", p.name, ": int = 0\"");
    if (p.value == "None" && p.type != "Any") p.type += " | None";
    out.push_back(std::move(p));
  }
  return out;
}

std::vector<Parameter> cpp_parameters(const Method& m, const std::vector<Parameter>& python) {
  std::vector<Parameter> out;
  if (!m.cpp) {
    for (const auto& p : python)
      if (p.value.empty() && !p.name.empty()) out.push_back({"", p.name, p.name == "other" ? "const Operand&" : "const Literal&", ""});
    return out;
  }
  for (const auto& part : parts(*m.cpp)) {
    const auto equals = std::min(part.find('='), part.size());
    const std::string declared = trimmed(part.substr(0, equals));
    const auto space = declared.rfind(' ');
    out.push_back({"", declared.substr(space + 1), declared.substr(0, space), equals < part.size() ? trimmed(part.substr(equals + 1)) : ""});
  }
  return out;
}

std::string result_of(const Op& op, const Method& m) {
  switch (m.owner) {
    case Owner::frame: return op.reduces ? "Series" : "DataFrame";
    case Owner::series: return op.reduces ? "Scalar" : "Series";
    case Owner::scalar: return "Scalar";
    case Owner::groupby: return "_Result";
    default: return "Series";
  }
}

}  // namespace muster::generate
