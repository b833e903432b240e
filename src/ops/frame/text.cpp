// Methods of text that have a kernel: len, and whether a plain text is in it, at its start or its end.
#include "data/dispatch.hpp"
#include "kernels/python_call.hpp"
#include "kernels/texts.hpp"
#include "ops/frame/columns.hpp"

namespace muster::ops::frame {
namespace {

bool contains(Text t, std::string_view wanted) {
  if (wanted.empty()) return true;
  const char *at = t.data, *end = t.data + t.size - static_cast<int64_t>(wanted.size());
  while (at <= end) {
    at = static_cast<const char*>(std::memchr(at, wanted[0], static_cast<size_t>(end - at + 1)));
    if (!at) return false;
    if (std::memcmp(at, wanted.data(), wanted.size()) == 0) return true;
    ++at;
  }
  return false;
}

int64_t characters(Text t) {
  int64_t n = 0;
  for (int64_t i = 0; i < t.size; ++i) n += (t.data[i] & 0xC0) != 0x80;  // UTF-8: bytes that begin a character
  return n;
}

bool is_ascii(const Text* texts, int64_t rows) {
  for (int64_t i = 0; i < rows; ++i) {
    uint64_t bits = 0;
    int64_t k = 0;
    for (; k + 8 <= texts[i].size; k += 8) {
      uint64_t word;
      std::memcpy(&word, texts[i].data + k, 8);
      bits |= word;
    }
    for (; k < texts[i].size; ++k) bits |= static_cast<uint8_t>(texts[i].data[k]);
    if (bits & 0x8080808080808080u) return false;
  }
  return true;
}

// ASCII letters in the other case; texts with other characters are Python's.
Column changed_case(Task& t, const Column& c, int64_t rows, bool lower, const Value& function) {
  const Text* texts = c.as<Text>();
  if (!is_ascii(texts, rows)) {
    if (!function.is_opaque()) throw unsupported("str.", lower ? "lower" : "upper", ": of characters beyond ASCII");
    return kernels::python_text(t, *function.opaque(), c, rows);
  }
  int64_t bytes = 0;
  for (int64_t i = 0; i < rows; ++i) bytes += texts[i].size;
  auto memory = allocate(bytes);
  Writable w(Storage::text, rows);
  char* to = memory.get();
  for (int64_t i = 0; i < rows; ++i) {
    w.as<Text>()[i] = {texts[i].data ? to : nullptr, texts[i].size};
    if (texts[i].size) std::memcpy(to, texts[i].data, static_cast<size_t>(texts[i].size));
    to += texts[i].size;
  }
  const char first = lower ? 'A' : 'a';
  for (char* p = memory.get(); p < to; ++p) *p = static_cast<char>(*p ^ (static_cast<uint8_t>(*p - first) < 26 ? 32 : 0));
  Column made = std::move(w).finish(memory);
  made.text_kept = true;
  return made;
}

// f(text) for each row; `missing` is what the others get, marked as missing where that is asked for.
template <class T, class F>
Map each_text(Storage storage, T missing, bool mark, F f) {
  return [=, of_text = kernels::OfText<T, F>(missing, f)](Task&, Columns in, int64_t rows, std::span<Column> out) {
    const Column& c = in[0];
    Writable to(storage, rows);
    of_text(c, rows, to.as<T>());
    if (mark)
      for (int64_t i = 0; i < rows; ++i)
        if (c.is_missing(i)) to.valid()[i] = 0;
    out[0] = std::move(to).finish();
    return rows;
  };
}

template <class F>
Map flags(F f) { return each_text<uint8_t>(Storage::boolean, uint8_t{0}, false, [=](Text t) { return static_cast<uint8_t>(f(t)); }); }

Map case_changed(const Args& a) {
  return [lower = a["op"].string() == "lower", function = a["func"]](Task& t, Columns in, int64_t rows, std::span<Column> out) {
    out[0] = changed_case(t, spread(in[0], rows), rows, lower, function);
    return rows;
  };
}

Map text(const Args& a) {
  const std::string op = a["op"].string(), wanted = a["text"].is_string() ? a["text"].string() : "";
  if (op == "len") return each_text<int64_t>(Storage::int64, int64_t{0}, true, characters);
  if (op == "contains") return flags([=](Text t) { return contains(t, wanted); });
  if (op == "startswith") return flags([=](Text t) { return t.view().starts_with(wanted); });
  if (op == "endswith") return flags([=](Text t) { return t.view().ends_with(wanted); });
  return kernels::of_distinct_texts(case_changed)(a);
}
}  // namespace

Ops text_ops() {
  return {{.name = "text",  // {op: len, contains, startswith, endswith, lower, upper; text; func: Python's lower or upper}
           .on = {{internal, ""}},
           .schema = [](const Call& c) {
             Schema s = c.input();
             if (!s.columns.at(0).type.is_text()) throw unsupported("str.", c["op"].string(), " of ", s.columns[0].type.name());
             const auto& op = c["op"].string();
             if (op == "lower" || op == "upper") return s;
             s.columns[0].type = op == "len" ? DType{Storage::int64, Unit::us, true} : DType{Storage::boolean};
             return s;
           },
           .lower = [](Lowering& l, const Call& c) {
             Rows rows = l.input();
             rows.columns[0] = l.one(rows.stage, "text", Dict{{"op", c["op"]}, {"text", c["text"]}, {"func", c["func"]}}, {rows.columns[0]});
             return rows;
           },
           .same_rows = true,
           .show = [](const Call& c) { return concat(c["op"].label(), " ", c["text"].repr()); },
           .kernels = {{.name = "text", .map = text}}}};
}

}  // namespace muster::ops::frame
