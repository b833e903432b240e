// A parser writes a value or a missing one for every row, and reports what the promised type cannot hold instead of throwing: the row may be one that is read
// again from elsewhere.
#include "io/csv/parse.hpp"

#include <algorithm>
#include <map>

#include "base/error.hpp"
#include "io/csv/number.hpp"
#include "io/csv/time.hpp"
#include "kernels/calendar.hpp"

namespace muster::io::csv {
using namespace base;
using namespace data;
namespace {

// What every parser of a column knows.
struct Spec {
  explicit Spec(const Args& a)
      : id(a["id"].integer()),
        label(a["label"].label()),
        type(dtype_of(a["type"].integer())),
        forced(a["forced"].boolean()),
        dialect(Dialect::decode(a["dialect"])),
        missing([&] {
          std::vector<std::string> texts;
          for (const auto& t : a["missing"].list()) texts.push_back(t.string());
          return texts;
        }()),
        format(a.is_dict() && a["format"].is_string() ? a["format"].string() : "") {
    for (const auto& t : a["true"].list()) trues.push_back(t.string());
    for (const auto& t : a["false"].list()) falses.push_back(t.string());
  }
  int64_t id;
  std::string label;
  DType type;
  bool forced;
  Dialect dialect;
  MissingTexts missing;
  std::string format;
  std::vector<std::string> trues, falses;

  bool is_missing(Text t) const { return !t.data || missing.contains(t); }
  bool word(Text t, uint8_t& value) const {
    auto view = t.view();
    if (equal_folded(view, "true") || std::find(trues.begin(), trues.end(), view) != trues.end()) return value = 1, true;
    if (equal_folded(view, "false") || std::find(falses.begin(), falses.end(), view) != falses.end()) return value = 0, true;
    return false;
  }
  [[noreturn]] void refuse(Task& t, Text text, const std::string& why) const {
    Error e = invalid("read_csv: column '", label, "': ", why);
    if (t.locate) e.message += " (" + t.locate(text.data) + ")";
    throw Error(e.kind, e.message);
  }
  void saw_missing(Task& t, Text text) const {
    if (forced && type.is_boolean()) refuse(t, text, concat("Bool column has NA values in column ", id));
    if (forced) refuse(t, text, concat("Integer column has NA values in column ", id));
    auto& seen = t.report.missing;
    if (std::find(seen.begin(), seen.end(), id) == seen.end()) seen.push_back(id);
    if (type.storage == Storage::uint64) wider(t, {Storage::text}, text);  // pandas: no float holds every uint64
  }
  void wider(Task& t, DType to, Text text) const {
    if (forced)
      refuse(t, text,
             concat("cannot convert '", std::string(text.view().substr(0, 60)), "' to ", type.name(), "; leave its dtype to be inferred, or give dtype={'",
                    label, "': str}"));
    for (auto& [column, type_seen] : t.report.wider)
      if (column == id) {
        if (to.storage == Storage::text) type_seen = to;
        return;
      }
    t.report.wider.emplace_back(id, to);
  }
};

// What an int column should have been, seeing a text that is neither an int64 nor missing.
DType wider_than_integer(const Spec& s, Text text) {
  int64_t i;
  double d;
  auto kind = slow_integer(text, s.dialect.thousands, i);
  if (kind == IntegerText::beyond_signed) return {Storage::uint64, Unit::us, true};
  if (kind == IntegerText::none && slow_decimal(text, s.dialect.decimal, s.dialect.thousands, d)) return {Storage::float64};
  return {Storage::text};
}

// One integer field the fast path did not take. False: missing.
template <class T>
bool integer_slow(Task& t, const Spec& s, Text text, T& value) {
  if (s.is_missing(text)) return s.saw_missing(t, text), false;
  int64_t i = 0;
  auto kind = slow_integer(text, s.dialect.thousands, i);
  bool fits;
  if constexpr (std::is_same_v<T, uint64_t>) fits = (kind == IntegerText::fits && i >= 0) || kind == IntegerText::beyond_signed;
  else
    fits = kind == IntegerText::fits && i >= static_cast<int64_t>(std::numeric_limits<T>::min()) &&
           i <= static_cast<int64_t>(std::min<uint64_t>(std::numeric_limits<T>::max(), INT64_MAX));
  if (fits) return value = static_cast<T>(i), true;
  s.wider(t, s.type.storage == Storage::uint64 ? DType{Storage::text} : wider_than_integer(s, text), text);
  value = 0;
  return true;
}

template <class T>
Map parse_integers(std::shared_ptr<const Spec> s) {
  return [s](Task& t, Columns in, int64_t rows, std::span<Column> out) {
    const Text* texts = in[0].as<Text>();
    Writable to(s->type.storage, rows);
    T* values = to.as<T>();
    const bool look_first = s->missing.has_numbers();
    for (int64_t i = 0; i < rows; ++i) {
      int64_t v;
      if (texts[i].data && !look_first && fast_integer(texts[i].data, texts[i].size, v) && (sizeof(T) == 8 || static_cast<int64_t>(static_cast<T>(v)) == v) &&
          (std::is_signed_v<T> || v >= 0)) {
        values[i] = static_cast<T>(v);
      } else {
        values[i] = 0;
        if (!integer_slow(t, *s, texts[i], values[i])) to.valid()[i] = 0;
      }
    }
    out[0] = std::move(to).finish();
    return rows;
  };
}

template <class T>
Map parse_floats(std::shared_ptr<const Spec> s) {
  return [s](Task& t, Columns in, int64_t rows, std::span<Column> out) {
    const Text* texts = in[0].as<Text>();
    Writable to(s->type.storage, rows);
    T* values = to.as<T>();
    const bool look_first = s->missing.has_numbers(), fast = s->dialect.decimal == '.' && !look_first;
    for (int64_t i = 0; i < rows; ++i) {
      double v;
      if (fast && texts[i].data && fast_decimal(texts[i].data, texts[i].size, v)) {
        values[i] = static_cast<T>(v);
        continue;
      }
      values[i] = std::numeric_limits<T>::quiet_NaN();
      if (s->is_missing(texts[i])) continue;
      if (slow_decimal(texts[i], s->dialect.decimal, s->dialect.thousands, v)) values[i] = static_cast<T>(v);
      else s->wider(t, {Storage::text}, texts[i]);
    }
    out[0] = std::move(to).finish();
    return rows;
  };
}

Map parse_booleans(std::shared_ptr<const Spec> s) {
  return [s](Task& t, Columns in, int64_t rows, std::span<Column> out) {
    const Text* texts = in[0].as<Text>();
    Writable to(Storage::boolean, rows);
    for (int64_t i = 0; i < rows; ++i) {
      auto& value = to.as<uint8_t>()[i] = 0;
      if (s->is_missing(texts[i])) {
        s->saw_missing(t, texts[i]), to.valid()[i] = 0;
      } else if (!s->word(texts[i], value)) {
        double number;  // dtype=bool takes numbers 0 and 1, as casting the parsed column does
        if (s->forced && slow_decimal(texts[i], '.', 0, number) && (number == 0 || number == 1)) value = number != 0;
        else if (s->forced) s->refuse(t, texts[i], concat("cannot safely convert passed user dtype of bool: '", std::string(texts[i].view()), "'"));
        else s->wider(t, {Storage::text}, texts[i]);
      }
    }
    out[0] = std::move(to).finish();
    return rows;
  };
}

Map parse_texts(std::shared_ptr<const Spec> s) {
  return [s](Task&, Columns in, int64_t rows, std::span<Column> out) {
    const Text* texts = in[0].as<Text>();
    Writable to(Storage::text, rows);
    for (int64_t i = 0; i < rows; ++i) {
      const Text t = texts[i];
      to.as<Text>()[i] = t.data && !s->missing.contains(t) ? t : Text{};
    }
    out[0] = std::move(to).finish(in[0].text_keep());
    return rows;
  };
}

Map parse_times(std::shared_ptr<const Spec> s) {
  return [s](Task& t, Columns in, int64_t rows, std::span<Column> out) {
    const Text* texts = in[0].as<Text>();
    Writable to(s->type.storage, rows);
    for (int64_t i = 0; i < rows; ++i) {
      Instant at;
      if (s->is_missing(texts[i]) || is_not_a_time(texts[i])) to.valid()[i] = 0;
      else if (!parse_time(texts[i], s->format, at)) s->wider(t, {Storage::text}, texts[i]);
      else if (!at.fits(s->type.unit)) s->wider(t, {Storage::timestamp, Unit::ns}, texts[i]);
      to.as<int64_t>()[i] = at.in(s->type.unit);
    }
    out[0] = std::move(to).finish();
    return rows;
  };
}

// Several columns as one date: year, month and day as integers, or any texts joined by blanks.
Map parse_date_parts(std::shared_ptr<const Spec> s) {
  return [s](Task& t, Columns in, int64_t rows, std::span<Column> out) {
    Writable to(s->type.storage, rows);
    std::string joined;
    for (int64_t i = 0; i < rows; ++i) {
      int64_t parts[3];
      Instant at;
      bool civil = in.size() == 3;
      for (size_t c = 0; civil && c < 3; ++c) {
        const Text text = in[c].as<Text>()[i];
        civil = text.data && fast_integer(text.data, text.size, parts[c]);
      }
      if (civil && parts[0] >= 1000 && parts[0] <= 9999 && parts[1] >= 1 && parts[1] <= 12 && parts[2] >= 1 &&
          parts[2] <= kernels::days_in_month(parts[0], parts[1])) {
        to.as<int64_t>()[i] = kernels::days_from_civil(parts[0], parts[1], parts[2]) * 86400 * per_second(s->type.unit);
        continue;
      }
      joined.clear();
      bool gone = false;
      for (const auto& c : in) {
        const Text text = c.as<Text>()[i];
        gone |= s->is_missing(text);
        if (!joined.empty()) joined += ' ';
        joined += text.view();
      }
      if (gone) to.valid()[i] = 0;
      else if (!parse_time({joined.data(), static_cast<int64_t>(joined.size())}, s->format, at))
        s->refuse(t, in[0].as<Text>()[i], concat("'", joined, "' is not a date; give date_format, or parse the parts with muster.dataframe.to_datetime"));
      to.as<int64_t>()[i] = at.in(s->type.unit);
    }
    out[0] = std::move(to).finish();
    return rows;
  };
}

Map parser_of(const Args& a) {
  auto s = std::make_shared<const Spec>(a);
  switch (s->type.storage) {
    case Storage::boolean: return parse_booleans(s);
    case Storage::text: return parse_texts(s);
    case Storage::timestamp: return parse_times(s);
    case Storage::float32: return parse_floats<float>(s);
    case Storage::float64: return parse_floats<double>(s);
    case Storage::int8: return parse_integers<int8_t>(s);
    case Storage::int16: return parse_integers<int16_t>(s);
    case Storage::int32: return parse_integers<int32_t>(s);
    case Storage::int64: return parse_integers<int64_t>(s);
    case Storage::uint8: return parse_integers<uint8_t>(s);
    case Storage::uint16: return parse_integers<uint16_t>(s);
    case Storage::uint32: return parse_integers<uint32_t>(s);
    case Storage::uint64: return parse_integers<uint64_t>(s);
    default: throw unsupported("read_csv: column '", s->label, "': dtype ", s->type.name());
  }
}

// Before a filter: what decides an int or bool column's dtype is seen in every row, also in rows the filter drops.
Map checker_of(const Args& a) {
  auto parse = parser_of(a);
  auto s = std::make_shared<const Spec>(a);
  return [s, parse](Task& t, Columns in, int64_t rows, std::span<Column>) {
    const Text* texts = in[0].as<Text>();
    int64_t plain = 0, unused;
    if (s->type.is_integer() && !s->missing.has_numbers())
      while (plain < rows && texts[plain].data && fast_integer(texts[plain].data, texts[plain].size, unused)) ++plain;
    if (plain == rows) return rows;
    Column parsed;
    return parse(t, in, rows, std::span(&parsed, 1));
  };
}
}  // namespace

DType infer_type(std::span<const Text> texts, const MissingTexts& missing_texts, const Dialect& dialect, const Value& words, bool& missing) {
  bool integer = true, is_unsigned = false, negative = false, decimal = true, boolean = true, any = false;
  missing = false;
  auto word = [&](Text t) {
    auto v = t.view();
    if (equal_folded(v, "true") || equal_folded(v, "false")) return true;
    for (const auto& list : words.list())
      for (const auto& w : list.list())
        if (w.string() == v) return true;
    return false;
  };
  for (const auto& t : texts) {
    if (!t.data || missing_texts.contains(t)) {
      missing = true;
      continue;
    }
    any = true;
    int64_t i;
    double d;
    if (integer) {
      auto kind = slow_integer(t, dialect.thousands, i);
      if (kind == IntegerText::beyond) return {Storage::text};
      integer = kind != IntegerText::none;
      is_unsigned |= kind == IntegerText::beyond_signed;
      negative |= integer && kind == IntegerText::fits && i < 0;
    }
    if (!integer && decimal) decimal = slow_decimal(t, dialect.decimal, dialect.thousands, d);
    boolean = boolean && word(t);
    if (!integer && !decimal && !boolean) return {Storage::text};
  }
  if (!any) return {Storage::float64};
  if (integer && is_unsigned) return negative || missing ? DType{Storage::text} : DType{Storage::uint64, Unit::us, true};
  if (integer) return missing ? DType{Storage::float64} : DType{Storage::int64, Unit::us, true};
  if (decimal) return {Storage::float64};
  return {Storage::boolean, Unit::us, true};
}

std::vector<Kernel> parse_kernels() {
  return {{.name = "csv.parse", .map = parser_of, .traits = {.parse_check = "csv.check"}},
          {.name = "csv.check", .map = checker_of},
          {.name = "csv.date_parts", .map = [](const Args& a) { return parse_date_parts(std::make_shared<const Spec>(a)); }}};
}

}  // namespace muster::io::csv
