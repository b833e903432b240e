// From a path to a scan: the footers of all files, what they have in common, and which row groups can hold a row that is wanted.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <thread>
#include <unordered_map>
#include <unordered_set>

#include "base/error.hpp"
#include "io/parquet/scan.hpp"
#include "io/source.hpp"
#include "muster/error.hpp"

namespace muster::io::parquet {
using namespace base;
using namespace data;
namespace {
constexpr size_t kReaders = 16;  // footers read at a time

// The dtype that holds the values of both columns, as pandas.concat finds it; none where there is none.
std::optional<DType> common(const Leaf& a, const Leaf& b) {
  if (a.type == b.type) return a.type;
  if (!a.type || !b.type) return {};
  if (a.about == "null") return b.type;
  if (b.about == "null") return a.type;
  auto number = [](const DType& t) { return t.is_integer() || t.storage == Storage::float32 || t.storage == Storage::float64; };
  if (!number(*a.type) || !number(*b.type)) return {};
  auto bits = [](const DType& t) { return 8 << ((static_cast<int>(t.storage) - static_cast<int>(t.is_signed() ? Storage::int8 : Storage::uint8)) % 4); };
  if (!a.type->is_integer() || !b.type->is_integer()) {
    for (const auto& t : {*a.type, *b.type})
      if (t.storage == Storage::float64 || (t.is_integer() && bits(t) > 16)) return DType{Storage::float64};
    return DType{Storage::float32};
  }
  if (a.type->is_signed() == b.type->is_signed()) return bits(*a.type) > bits(*b.type) ? a.type : b.type;
  const int with_sign = bits(a.type->is_signed() ? *a.type : *b.type), without = bits(a.type->is_signed() ? *b.type : *a.type);
  const int both = std::max(with_sign, 2 * without);
  return both > 64 ? DType{Storage::float64} : DType{both == 16 ? Storage::int16 : both == 32 ? Storage::int32 : Storage::int64};
}

// %41 is A.
std::string unquoted(std::string_view text) {
  std::string out;
  auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1; };
  for (size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? digit(text[i + 1]) : -1, low = high >= 0 ? digit(text[i + 2]) : -1;
    if (low >= 0) out += static_cast<char>(high * 16 + low), i += 2;
    else out += text[i];
  }
  return out;
}

// "key=value" folders between the root and the file.
std::vector<std::pair<std::string, std::string>> hive_of(const std::string& path, const std::string& root) {
  std::vector<std::pair<std::string, std::string>> out;
  if (!path.starts_with(root)) return out;
  std::string_view rest = std::string_view(path).substr(root.size());
  for (size_t slash; (slash = rest.find('/')) != std::string_view::npos; rest.remove_prefix(slash + 1)) {
    const auto folder = rest.substr(0, slash);
    if (const auto equal = folder.find('='); equal != std::string_view::npos && equal)
      out.emplace_back(unquoted(folder.substr(0, equal)), unquoted(folder.substr(equal + 1)));
  }
  return out;
}

bool whole_number(const std::string& text) {
  const size_t sign = text.size() > 1 && text[0] == '-' ? 1 : 0;
  return !text.empty() && text.size() < 19 && text.find_first_not_of("0123456789", sign) == std::string::npos;
}

// A statistic's bytes as a number or text.
Value statistic(const Leaf& leaf, const std::string& bytes) {
  auto as = [&](auto tag) -> Value {
    decltype(tag) v;
    if (bytes.size() != sizeof v) return {};
    std::memcpy(&v, bytes.data(), sizeof v);
    if constexpr (std::is_floating_point_v<decltype(tag)>) return static_cast<double>(v);
    else return static_cast<int64_t>(v);
  };
  switch (leaf.physical) {
    case Physical::int32: return as(int32_t{});
    case Physical::int64: return as(int64_t{});
    case Physical::float32: return as(float{});
    case Physical::float64: return as(double{});
    case Physical::bytes: return bytes;
    default: return {};
  }
}

// -1, 0, 1; 2 where the two cannot be compared.
int order(const Value& a, const Value& b) {
  if (a.is_string() && b.is_string()) return (a.string() > b.string()) - (a.string() < b.string());
  if (a.is_integer() && b.is_integer()) return (a.integer() > b.integer()) - (a.integer() < b.integer());
  if ((a.is_unsigned() && b.is_integer()) || (a.is_integer() && b.is_unsigned())) return a.is_unsigned() ? 1 : -1;
  if (!a.is_number() || !b.is_number()) return 2;
  const double x = a.number(), y = b.number();
  return std::isnan(x) || std::isnan(y) ? 2 : (x > y) - (x < y);
}

bool may_hold_one(const Leaf& leaf, const Chunk& chunk, const std::string& op, Value wanted, int64_t rows) {
  if (!leaf.type || !chunk.statistics.min || !chunk.statistics.max) {
    const bool all_missing = rows && chunk.statistics.nulls == rows;
    return !all_missing || op == "!=" || op == "not in" || op == "is";
  }
  if (leaf.type->is_integer() && !leaf.type->is_signed()) return true;  // ordered as unsigned
  const Value low = statistic(leaf, *chunk.statistics.min), high = statistic(leaf, *chunk.statistics.max);
  auto plain = [&](const Value& v) -> Value {
    if (!v.is_moment()) return v;
    if (!leaf.type->is_time()) return {};
    return v.moment().ns / (1'000'000'000 / per_second(leaf.type->unit));  // rounded to zero: one more unit is allowed below
  };
  const int slack = leaf.type->is_time() ? 1 : 0;
  auto below = [&](const Value& v) { const int o = order(v, slack && low.is_integer() ? Value(low.integer() - slack) : low); return o == -1; };
  auto above = [&](const Value& v) { const int o = order(v, slack && high.is_integer() ? Value(high.integer() + slack) : high); return o == 1; };
  if (op == "in" && wanted.is_list()) {
    for (const auto& v : wanted.list())
      if (!below(plain(v)) && !above(plain(v))) return true;
    return wanted.list().empty();
  }
  wanted = plain(wanted);
  if (op == "==" || op == "=") return !below(wanted) && !above(wanted);
  if (op == ">" || op == ">=") return !(above(wanted) || (op == ">" && !slack && order(wanted, high) == 0));
  if (op == "<" || op == "<=") return !(below(wanted) || (op == "<" && !slack && order(wanted, low) == 0));
  return true;
}
}  // namespace

bool may_hold(const Metadata& metadata, const RowGroup& group, const Value& filters) {
  if (!filters.is_list() || filters.list().empty()) return true;
  for (const auto& conjunction : filters.list()) {
    bool possible = true;
    for (const auto& term : conjunction.list()) {
      const auto& t = term.list();
      for (size_t i = 0; i < metadata.leaves.size() && possible; ++i)
        if (metadata.leaves[i].name == t.at(0).label())
          possible = may_hold_one(metadata.leaves[i], group.chunks[i], t.at(1).string(), t.at(2), group.rows);
    }
    if (possible) return true;
  }
  return false;
}

std::vector<std::shared_ptr<const Metadata>> metadata_of(const std::vector<FileInfo>& files, const std::string& options) {
  std::vector<std::shared_ptr<const Metadata>> out(files.size());
  std::vector<std::exception_ptr> errors(files.size());
  std::atomic<size_t> next{0};
  auto read = [&] {
    for (size_t i; (i = next++) < files.size();) try {
        out[i] = metadata_of(files[i], options);
      } catch (...) {
        errors[i] = std::current_exception();
      }
  };
  std::vector<std::thread> readers;
  for (size_t i = 1; i < std::min(kReaders, files.size()); ++i) readers.emplace_back(read);
  read();
  for (auto& r : readers) r.join();
  for (const auto& e : errors)
    if (e) std::rethrow_exception(e);
  return out;
}

std::vector<United> united(const std::vector<std::shared_ptr<const Metadata>>& files) {
  std::vector<std::unordered_map<std::string_view, size_t>> places(files.size());
  std::vector<United> out;
  std::unordered_set<std::string_view> known;
  for (size_t f = 0; f < files.size(); ++f)
    for (size_t i = 0; i < files[f]->leaves.size(); ++i) {
      const Leaf& leaf = files[f]->leaves[i];
      places[f].try_emplace(leaf.name, i);
      if (known.insert(leaf.name).second || f == 0) out.push_back({leaf, f, {}});
    }
  for (auto& column : out)
    for (size_t f = 0; f < files.size() && !column.unlike; ++f) {
      const auto at = places[f].find(column.leaf.name);
      if (at == places[f].end()) {
        column.missing |= files[f]->rows > 0;
        continue;
      }
      const Leaf& leaf = files[f]->leaves[at->second];
      const auto both = common(column.leaf, leaf);
      if (!both && (column.leaf.type || leaf.type)) {
        column.unlike = f;
        break;
      }
      column.leaf.type = both;
      if (leaf.about != "null" && column.leaf.about == "null") column.leaf.about = leaf.about, column.file = f;
      for (const auto& group : files[f]->row_groups) {
        const int64_t nulls = leaf.about == "null" ? group.rows : leaf.optional ? group.chunks[at->second].statistics.nulls : 0;
        column.missing |= nulls > 0, column.unknown |= nulls < 0;
      }
    }
  return out;
}

Scan infer(const Value& a) {
  Scan scan;
  scan.options = a["storage_options"].is_string() ? a["storage_options"].string() : "", scan.reader = a["reader"];
  for (const auto& file : a["files"].list()) scan.files.push_back(decode_file(file));
  const auto all = metadata_of(scan.files, scan.options);
  for (const auto& column : united(all)) {
    const std::string& name = column.leaf.name;
    if (a["elsewhere"].is_list() && std::find(a["elsewhere"].list().begin(), a["elsewhere"].list().end(), Value(name)) != a["elsewhere"].list().end()) continue;
    if (column.unlike) {
      const auto said = [&](size_t file) {
        const auto& leaf = *std::find_if(all[file]->leaves.begin(), all[file]->leaves.end(), [&](const Leaf& l) { return l.name == name; });
        return concat(leaf.type ? leaf.type->name() : leaf.about, " in '", scan.files[file].path, "'");
      };
      const auto clash = concat("column '", name, "' is ", said(*column.unlike), " and ", said(column.file));
      throw Error(ErrorKind::io, concat(clash, "; read them one by one, or write them anew with one type"), "builtins.ValueError");
    }
    if (!column.leaf.type) continue;
    DType type = *column.leaf.type;
    if (type.is_integer() && column.missing) type = {Storage::float64};
    else if (type.is_integer() || type.is_boolean()) type.open = column.missing || column.unknown;
    scan.columns.push_back({name, name, type, {}});
  }
  // Hive partitions: folders "key=value".
  const std::string root = a["root"].is_string() ? a["root"].string() : "";
  const auto keys = hive_of(scan.files[0].path, root);
  for (size_t k = 0; k < keys.size(); ++k) {
    Wanted column{keys[k].first, keys[k].first, {Storage::int64}, {}};
    std::vector<std::string> texts;
    for (const auto& file : scan.files) {
      const auto own = hive_of(file.path, root);
      if (own.size() != keys.size() || own[k].first != keys[k].first)
        throw Error(ErrorKind::io, concat("'", file.path, "' lies in other folders than '", scan.files[0].path, "'"), "builtins.ValueError");
      texts.push_back(own[k].second);
    }
    if (!std::all_of(texts.begin(), texts.end(), whole_number)) column.type = {Storage::text};
    for (const auto& text : texts)
      if (text == "__HIVE_DEFAULT_PARTITION__") column.values.emplace_back();
      else column.values.push_back(column.type.is_text() ? Value(text) : Value(static_cast<int64_t>(std::stoll(text))));
    scan.columns.push_back(std::move(column));
  }
  const int64_t blocksize = a["blocksize"].is_integer() ? a["blocksize"].integer() : 0;
  for (size_t f = 0; f < all.size(); ++f) {
    int64_t bytes = 0;
    bool open = false;
    for (size_t g = 0; g < all[f]->row_groups.size(); ++g) {
      const auto& group = all[f]->row_groups[g];
      if (!may_hold(*all[f], group, a["filters"])) {
        open = false;
        continue;
      }
      if (open && bytes + group.bytes <= blocksize) scan.parts.back().last = static_cast<int64_t>(g) + 1;
      else scan.parts.push_back({static_cast<int64_t>(f), static_cast<int64_t>(g), static_cast<int64_t>(g) + 1}), bytes = 0, open = true;
      bytes += group.bytes;
    }
  }
  if (scan.parts.empty()) scan.parts.push_back({0, 0, 0});  // no row anywhere: one empty partition
  return scan;
}

}  // namespace muster::io::parquet
