#include "api/arguments.hpp"

#include "api/operators.hpp"
#include "api/session.hpp"
#include "base/error.hpp"
#include "io/csv/time.hpp"

namespace muster::api {
using namespace base;

Value value_of(const Literal& l) {
  return std::visit([](const auto& v) -> Value {
    using T = std::decay_t<decltype(v)>;
    if constexpr (std::is_same_v<T, std::monostate>) return {};
    else if constexpr (std::is_same_v<T, Literal::List>) {
      List out;
      for (const auto& x : v) out.push_back(value_of(x));
      return out;
    } else if constexpr (std::is_same_v<T, Literal::Dict>) {
      Dict out;
      for (const auto& [k, x] : v) out.emplace_back(k, value_of(x));
      return out;
    } else return v;
  }, l.value);
}

Value texts(const std::vector<std::string>& v) { return List(v.begin(), v.end()); }

List divisions_of(const Literal::List& divisions, const data::Field& index) {
  List out;
  for (const auto& d : divisions) {
    out.push_back(value_of(d));
    if (!index.type.is_time() || !out.back().is_string()) continue;
    const std::string text = out.back().string();
    io::csv::Instant at;
    if (!io::csv::parse_time({text.data(), static_cast<int64_t>(text.size())}, "", at)) throw type_error("divisions: '", text, "' is not a time");
    out.back() = Moment{at.in(data::Unit::ns)};
  }
  return out;
}

expr::Expr index_of(const expr::Expr& rows) {
  const auto& index = rows->schema.index;
  return call(operators::index_values, Dict{{"name", index.empty() ? Value() : index[0].label}}, {rows});
}

expr::Expr with_divisions(const expr::Expr& rows, const Value& divisions) {
  return call(operators::with_index, Dict{{"divisions", divisions}}, {rows, index_of(rows)});
}

}  // namespace muster::api
