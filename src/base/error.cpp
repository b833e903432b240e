// What an error says is put together when it is thrown or passes a place, not when it is read.
#include "base/error.hpp"

#include <algorithm>

namespace muster {

Error::Error(ErrorKind k, std::string m, std::string p) : kind(k), message(std::move(m)), python(std::move(p)) { compose(); }
Error::~Error() = default;
Error::Error(const Error&) = default;
const char* Error::what() const noexcept { return text_.c_str(); }

Error& Error::through(std::string where) {
  trail.push_back(std::move(where));
  compose();
  return *this;
}

void Error::compose() {
  text_ = message;
  for (const auto& line : trail) text_ += "\n  in " + line;
}

namespace base {
namespace {
// Levenshtein (1966) distance, two rows at a time.
size_t distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0]++;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t next = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (std::tolower(a[i - 1]) != std::tolower(b[j - 1]))});
      diagonal = row[j], row[j] = next;
    }
  }
  return row[b.size()];
}
}  // namespace

std::string near_matches(const std::string& name, const std::vector<std::string>& names) {
  std::vector<std::pair<size_t, std::string>> found;
  if (name.size() > 200) return {};
  for (const auto& other : names) {
    if (other.size() > 200) continue;
    size_t d = distance(name, other);
    if (d <= 2 || d * 3 <= name.size()) found.emplace_back(d, other);
  }
  std::stable_sort(found.begin(), found.end(), [](auto& a, auto& b) { return a.first < b.first; });
  std::string out;
  for (size_t i = 0; i < found.size() && i < 3; ++i) out += (i ? ", " : "; did you mean ") + found[i].second;
  return out.empty() ? out : out + "?";
}
}  // namespace base
}  // namespace muster
