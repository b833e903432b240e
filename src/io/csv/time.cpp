// Times are cut by hand: strptime knows locales and no fractions, and costs many times as much.
#include "io/csv/time.hpp"

#include "base/error.hpp"
#include "io/csv/number.hpp"
#include "kernels/calendar.hpp"

namespace muster::io::csv {
using namespace base;
using namespace data;
namespace {

int digits(const char*& p, const char* end, int most) {
  int value = 0, n = 0;
  while (p < end && n < most && *p >= '0' && *p <= '9') value = value * 10 + (*p++ - '0'), ++n;
  return n ? value : -1;
}

bool fraction(const char*& p, const char* end, int64_t& ns) {
  int64_t scale = 100'000'000;
  ns = 0;
  const char* begin = p;
  for (; p < end && *p >= '0' && *p <= '9'; ++p, scale /= 10) ns += (*p - '0') * scale;
  return p > begin && p - begin <= 9;
}

int month_named(const char*& p, const char* end) {
  static const char* const names[] = {"january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"};
  for (int m = 0; m < 12; ++m) {
    std::string_view name = names[m];
    for (size_t n : {name.size(), size_t{3}})
      if (static_cast<size_t>(end - p) >= n && equal_folded({p, n}, name.substr(0, n))) return p += n, m + 1;
  }
  return -1;
}

struct Clock {
  int year = 1900, month = 1, day = 1, hour = 0, minute = 0, second = 0, half = -1;
  int64_t ns = 0;
  bool total(Instant& out) const {
    int h = half < 0 ? hour : hour % 12 + 12 * half;
    if (month < 1 || month > 12 || day < 1 || day > kernels::days_in_month(year, month) || h > 23 || minute > 59 || second > 59) return false;
    out = {kernels::days_from_civil(year, month, day) * 86400 + h * 3600 + minute * 60 + second, ns};
    return true;
  }
};

bool parse_iso(Text t, Instant& out) {
  const char *p = t.data, *end = p + t.size;
  Clock c;
  const char* begin = p;
  c.year = digits(p, end, 4);
  if (p - begin != 4) return false;
  char dash = p < end && *p == '/' ? '/' : '-';
  if (p < end && *p == dash) {
    begin = ++p, c.month = digits(p, end, 2);
    if (p - begin != 2) return false;
    if (p < end) {
      if (*p++ != dash) return false;
      begin = p, c.day = digits(p, end, 2);
      if (p - begin != 2) return false;
    }
  }
  if (p < end) {
    if ((*p != ' ' && *p != 'T') || ++p == end) return false;
    begin = p, c.hour = digits(p, end, 2);
    if (p - begin != 2 || p >= end || *p++ != ':') return false;
    begin = p, c.minute = digits(p, end, 2);
    if (p - begin != 2) return false;
    if (p < end) {
      if (*p++ != ':') return false;
      begin = p, c.second = digits(p, end, 2);
      if (p - begin != 2) return false;
      if (p < end && (*p++ != '.' || !fraction(p, end, c.ns))) return false;
    }
  }
  return p == end && c.total(out);
}

}  // namespace

bool parse_time(Text t, const std::string& format, Instant& out) {
  t = trimmed(t);
  if (format.empty()) return parse_iso(t, out);
  const char *p = t.data, *end = p + t.size;
  Clock c;
  for (size_t f = 0; f < format.size(); ++f) {
    if (format[f] != '%') {
      if (p >= end || *p++ != format[f]) return false;
      continue;
    }
    int ok = 0;
    switch (++f < format.size() ? format[f] : '%') {
      case 'Y': {
        const char* begin = p;
        ok = c.year = digits(p, end, 4);
        if (p - begin != 4) return false;
        break;
      }
      case 'y': ok = c.year = digits(p, end, 2), c.year += c.year < 69 ? 2000 : 1900; break;
      case 'm': ok = c.month = digits(p, end, 2); break;
      case 'd': ok = c.day = digits(p, end, 2); break;
      case 'H': case 'I': ok = c.hour = digits(p, end, 2); break;
      case 'M': ok = c.minute = digits(p, end, 2); break;
      case 'S': ok = c.second = digits(p, end, 2); break;
      case 'b': case 'B': ok = c.month = month_named(p, end); break;
      case 'f': ok = fraction(p, end, c.ns) ? 0 : -1; break;
      case 'p':
        if (end - p < 2 || (p[1] | 0x20) != 'm') return false;
        c.half = (p[0] | 0x20) == 'p', p += 2;
        break;
      case '%': ok = p < end && *p++ == '%' ? 0 : -1; break;
      default: throw unsupported("date_format: %", std::string(1, format[f]), "; known are %Y %y %m %d %H %I %M %S %f %b %B %p");
    }
    if (ok < 0) return false;
  }
  return p == end && c.total(out);
}

namespace {
// Common ways to write a time, as strftime writes them; "" is ISO 8601. The month stands in front unless asked otherwise.
const char* const kFormats[] = {"",
                                "%m/%d/%Y",
                                "%m/%d/%Y %H:%M:%S",
                                "%m/%d/%Y %H:%M",
                                "%d/%m/%Y",
                                "%d/%m/%Y %H:%M:%S",
                                "%d/%m/%Y %H:%M",
                                "%m-%d-%Y",
                                "%d-%m-%Y",
                                "%d.%m.%Y",
                                "%d %b %Y",
                                "%d-%b-%Y",
                                "%b %d, %Y",
                                "%B %d, %Y",
                                "%Y%m%d",
                                "%Y %m %d",
                                "%m/%d/%Y %I:%M:%S %p",
                                "%m/%d/%Y %I:%M %p"};

bool all_have(std::span<const Text> texts, const MissingTexts& missing, const std::string& format) {
  bool any = false;
  for (const auto& t : texts) {
    Instant at;
    if (!t.data || missing.contains(t) || is_not_a_time(t)) continue;
    if (!parse_time(t, format, at)) return false;
    any = true;
  }
  return any;
}
}  // namespace

bool guess_time_format(std::span<const Text> texts, const MissingTexts& missing, bool day_first, std::string& format) {
  for (bool preferred : {true, false})
    for (const char* candidate : kFormats) {
      if (day_first && preferred != std::string_view(candidate).starts_with("%d")) continue;
      if (all_have(texts, missing, candidate)) return format = candidate, true;
    }
  return false;
}

bool has_zone(Text t) {
  t = trimmed(t);
  Instant at;
  for (int64_t suffix : {1, 6, 5, 3}) {  // Z, +hh:mm, +hhmm, +hh
    if (t.size <= suffix + 10) continue;
    const char sign = t.data[t.size - suffix];
    if ((suffix == 1 ? sign == 'Z' : sign == '+' || sign == '-') && parse_iso({t.data, t.size - suffix}, at)) return true;
  }
  return false;
}

bool is_not_a_time(Text t) { return t.size == 3 && t.data && equal_folded(t.view(), "nat"); }

}  // namespace muster::io::csv
