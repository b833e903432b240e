// Bodies of include/muster/table.hpp.
#include "api/table.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ostream>

#include "base/error.hpp"
#include "data/dispatch.hpp"
#include "kernels/calendar.hpp"

namespace muster {
using namespace base;
using namespace data;
namespace {
// Column number among index columns and columns.
size_t find(const Table::Contents& t, const std::string& name) {
  for (size_t i = 0; i < t.schema.columns.size(); ++i)
    if (t.schema.columns[i].label.label() == name) return t.schema.index.size() + i;
  for (size_t i = 0; i < t.schema.index.size(); ++i)
    if (t.schema.index[i].label.label() == name) return i;
  auto names = t.schema.names();
  throw missing("table: column '", name, "' not found", near_matches(name, names), "; columns are ", join(names, ", "));
}
const Field& field(const Table::Contents& t, size_t c) { return c < t.schema.index.size() ? t.schema.index[c] : t.schema.columns[c - t.schema.index.size()]; }

std::string iso(int64_t ns) {
  const int64_t day = 86'400'000'000'000, days = ns >= 0 ? ns / day : -((-ns + day - 1) / day), rest = ns - days * day;
  const auto c = kernels::civil_from_days(days);
  char text[48];
  std::snprintf(text, sizeof text, rest ? "%04d-%02d-%02d %02d:%02d:%02d" : "%04d-%02d-%02d", int(c.year), int(c.month), int(c.day),
                int(rest / 3'600'000'000'000), int(rest / 60'000'000'000 % 60), int(rest / 1'000'000'000 % 60));
  return text;
}

std::string shown(const Value& v) {
  if (v.is_none()) return "NaN";
  if (v.is_moment()) return iso(v.moment().ns);
  if (v.is_float()) {
    char text[48];
    std::snprintf(text, sizeof text, "%.6g", v.number());
    return text;
  }
  return v.label();
}
}  // namespace

Literal literal_of(const Value& v) {
  if (v.is_none()) return {};
  if (v.is_bool()) return v.boolean();
  if (v.is_integer()) return v.integer();
  if (v.is_unsigned()) return v.unsigned_integer();
  if (v.is_float()) return v.number();
  if (v.is_moment()) return iso(v.moment().ns);
  return v.label();
}

Table::Table(std::shared_ptr<const Contents> contents) : contents_(std::move(contents)) {}
int64_t Table::rows() const { return contents_->rows.rows; }
std::vector<std::string> Table::columns() const { return contents_->schema.names(); }
std::vector<std::string> Table::index() const {
  std::vector<std::string> out;
  for (const auto& f : contents_->schema.index) out.push_back(f.label.is_none() ? "" : f.label.label());
  return out;
}
std::string Table::dtype(const std::string& column) const { return field(*contents_, find(*contents_, column)).type.name(); }

Literal Table::at(const std::string& column, int64_t row) const {
  const auto c = find(*contents_, column);
  if (row < 0 || row >= rows()) throw missing("table: row ", row, " of ", rows());
  return literal_of(value_at(contents_->rows.columns[c], row, field(*contents_, c).type));
}

std::vector<double> Table::numbers(const std::string& column) const {
  const auto c = find(*contents_, column);
  const auto& f = field(*contents_, c);
  if (!f.type.is_numeric()) throw type_error("table: column '", column, "' is ", f.type.name(), ", no number");
  std::vector<double> out;
  for (int64_t i = 0; i < rows(); ++i) {
    Value v = value_at(contents_->rows.columns[c], i, f.type);
    out.push_back(v.is_none() ? std::nan("") : v.number());
  }
  return out;
}

std::vector<std::string> Table::texts(const std::string& column) const {
  const auto c = find(*contents_, column);
  std::vector<std::string> out;
  for (int64_t i = 0; i < rows(); ++i) {
    Value v = value_at(contents_->rows.columns[c], i, field(*contents_, c).type);
    out.push_back(v.is_none() ? "" : shown(v));
  }
  return out;
}

std::ostream& operator<<(std::ostream& out, const Table& table) {
  const auto& t = *table.contents_;
  constexpr int64_t kShown = 60;
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < t.rows.rows; ++i)
    if (t.rows.rows <= kShown || i < 5 || i >= t.rows.rows - 5) rows.push_back(i);
  const size_t n = t.rows.columns.size(), index = t.schema.index.size();
  std::vector<std::vector<std::string>> cells(n);
  std::vector<size_t> widths(n);
  for (size_t c = 0; c < n; ++c) {
    const auto& f = field(t, c);
    cells[c].push_back(f.label.is_none() ? "" : f.label.label());
    for (auto i : rows) cells[c].push_back(shown(value_at(t.rows.columns[c], i, f.type)));
    for (const auto& s : cells[c]) widths[c] = std::max(widths[c], s.size());
  }
  for (size_t r = 0; r <= rows.size(); ++r) {
    if (r && t.rows.rows > kShown && r == 6) out << "...\n";
    for (size_t c = 0; c < n; ++c) {
      const std::string pad(widths[c] - cells[c][r].size(), ' ');
      out << (c ? "  " : "") << (c < index ? cells[c][r] + pad : pad + cells[c][r]);
    }
    out << '\n';
  }
  return out;
}

}  // namespace muster
