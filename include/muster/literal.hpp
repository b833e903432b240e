// Literal, Labels: arguments of an operation, as plain data.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace muster {

/// Nothing, a bool, an integer, a float, text, a list of these, or a dict from text to these.
class [[nodiscard]] Literal {
 public:
  using List = std::vector<Literal>;
  using Dict = std::vector<std::pair<std::string, Literal>>;
  Literal() = default;
  Literal(bool b) : value(b) {}
  Literal(int i) : value(int64_t{i}) {}
  Literal(int64_t i) : value(i) {}
  Literal(uint64_t i) : value(i) {}
  Literal(double d) : value(d) {}
  Literal(const char* s) : value(std::string(s)) {}
  Literal(std::string s) : value(std::move(s)) {}
  Literal(List l) : value(std::move(l)) {}
  Literal(Dict d) : value(std::move(d)) {}
  Literal(const Literal&) = default;
  Literal(Literal&&) = default;
  Literal& operator=(const Literal&) & = default;
  Literal& operator=(Literal&&) & = default;
  template <class T> void operator=(T&&) && = delete;  // a value in a result is no place to assign to

  std::variant<std::monostate, bool, int64_t, uint64_t, double, std::string, List, Dict> value;
};

/// Columns by their labels: "x", {"x", "y"}, or a vector of texts; none where nothing is said.
struct Labels {
  Labels() = default;
  Labels(const char* label) : names{label} {}
  Labels(std::string label) : names{std::move(label)} {}
  Labels(std::vector<std::string> labels) : names(std::move(labels)) {}
  Labels(std::initializer_list<std::string> labels) : names(labels) {}
  std::vector<std::string> names;
};

/// Named arguments: {{"n", 5}, {"columns", "x"}}.
using Arguments = Literal::Dict;

}  // namespace muster
