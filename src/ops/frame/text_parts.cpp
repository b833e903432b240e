// Methods of text whose result is a part of it, so that no byte is copied (strip, slice, removeprefix, get, ...), and replace of a plain text.
#include <limits>
#include <optional>

#include "kernels/python_call.hpp"
#include "kernels/texts.hpp"
#include "ops/frame/columns.hpp"

namespace muster::ops::frame {
namespace {

bool continues(char byte) { return (byte & 0xC0) == 0x80; }  // UTF-8: not the first byte of a character

int64_t characters(Text t) {
  int64_t n = 0;
  for (int64_t i = 0; i < t.size; ++i) n += !continues(t.data[i]);
  return n;
}

// Where character number `n` begins; the text's end if it has no more.
int64_t offset_of(Text t, int64_t n) {
  int64_t at = 0;
  for (; at < t.size; ++at)
    if (!continues(t.data[at]) && n-- == 0) return at;
  return t.size;
}

// Characters [start, stop), counted from the end where negative.
Text sliced(Text t, std::optional<int64_t> start, std::optional<int64_t> stop) {
  int64_t n = -1;
  auto place = [&](int64_t at) {
    if (at >= 0) return at;
    if (n < 0) n = characters(t);
    return std::max<int64_t>(0, at + n);
  };
  const int64_t from = start ? place(*start) : 0;
  if (stop && place(*stop) <= from) return {t.data, 0};
  const int64_t begin = offset_of(t, from);
  const Text rest{t.data + begin, t.size - begin};
  return {rest.data, stop ? offset_of(rest, place(*stop) - from) : rest.size};
}

Text character(Text t, int64_t at) {
  const int64_t n = characters(t);
  if (at < 0) at += n;
  if (at < 0 || at >= n) return {};
  return sliced(t, at, at + 1);
}

// Without the characters of `drop` at its ends; with no `drop` without ASCII's white space, and `beyond` is set where a character might be white space of
// another kind, which Python knows.
Text stripped(Text t, const std::string& drop, bool left, bool right, bool& beyond) {
  constexpr std::string_view kSpace = " \t\n\r\v\f";
  const std::string_view set = drop.empty() ? kSpace : std::string_view(drop);
  auto dropped = [&](char c) { return set.find(c) != std::string_view::npos; };
  auto other = [&](char c) { return drop.empty() && (static_cast<uint8_t>(c) >= 0x80 || (c >= 0x1c && c <= 0x1f)); };
  if (left) {
    while (t.size && dropped(t.data[0])) ++t.data, --t.size;
    beyond |= t.size && other(t.data[0]);
  }
  if (right) {
    while (t.size && dropped(t.data[t.size - 1])) --t.size;
    beyond |= t.size && other(t.data[t.size - 1]);
  }
  return t;
}

// Piece number `at` of a text cut at `mark`, at most `most` times from its front; missing where there are fewer.
Text piece(Text t, const std::string& mark, int64_t at, int64_t most) {
  for (int64_t i = 0;; ++i) {
    const size_t end = i < most ? t.view().find(mark) : std::string_view::npos;
    if (i == at) return {t.data, end == std::string_view::npos ? t.size : static_cast<int64_t>(end)};
    if (end == std::string_view::npos) return {};
    const auto taken = static_cast<int64_t>(end + mark.size());
    t = {t.data + taken, t.size - taken};
  }
}

// text_part {op, text, start, stop, func: the same in Python}
Map part(const Args& a) {
  const std::string op = a["op"].string(), text = a["text"].is_string() ? a["text"].string() : "";
  const std::optional<int64_t> start = a["start"].is_integer() ? std::optional(a["start"].integer()) : std::nullopt,
                               stop = a["stop"].is_integer() ? std::optional(a["stop"].integer()) : std::nullopt;
  const Value function = a["func"];
  return [=](Task& t, Columns in, int64_t rows, std::span<Column> out) {
    const Column c = spread(in[0], rows);
    const Text* from = c.as<Text>();
    Writable w(Storage::text, rows);
    Text* to = w.as<Text>();
    bool beyond = false;
    auto each = [&](auto f) {
      for (int64_t i = 0; i < rows; ++i) to[i] = from[i].data ? f(from[i]) : Text{};
    };
    if (op == "slice") each([&](Text x) { return sliced(x, start, stop); });
    else if (op == "get") each([&](Text x) { return character(x, *start); });
    else if (op == "split") each([&](Text x) { return piece(x, text, *start, stop.value_or(std::numeric_limits<int64_t>::max())); });
    else if (op == "removeprefix")
      each([&](Text x) {
        const auto n = x.view().starts_with(text) ? static_cast<int64_t>(text.size()) : 0;
        return Text{x.data + n, x.size - n};
      });
    else if (op == "removesuffix") each([&](Text x) { return Text{x.data, x.size - (x.view().ends_with(text) ? static_cast<int64_t>(text.size()) : 0)}; });
    else each([&](Text x) { return stripped(x, text, op != "rstrip", op != "lstrip", beyond); });
    if (beyond) {
      if (!function.is_opaque()) throw unsupported("str.", op, ": of characters beyond ASCII at the ends");
      out[0] = kernels::python_text(t, *function.opaque(), c, rows);
      return rows;
    }
    out[0] = std::move(w).finish(c.text_keep());
    out[0].text_kept = c.text_kept, out[0].kept_bytes = c.kept_bytes;
    return rows;
  };
}

// text_replace {text, by}
Map replaced(const Args& a) {
  const std::string text = a["text"].string(), by = a["by"].string();
  return [=](Task&, Columns in, int64_t rows, std::span<Column> out) {
    const Column c = spread(in[0], rows);
    const Text* from = c.as<Text>();
    std::vector<int64_t> found;  // places of `text`, row by row, each row's behind a -1
    int64_t bytes = 0;
    for (int64_t i = 0; i < rows; ++i) {
      found.push_back(-1);
      bytes += from[i].size;
      const auto view = from[i].view();
      for (size_t at = view.find(text); at != std::string_view::npos; at = view.find(text, at + text.size()))
        found.push_back(static_cast<int64_t>(at)), bytes += static_cast<int64_t>(by.size()) - static_cast<int64_t>(text.size());
    }
    auto memory = allocate(bytes);
    Writable w(Storage::text, rows);
    char* to = memory.get();
    size_t k = 0;
    for (int64_t i = 0; i < rows; ++i) {
      ++k;
      Text& slot = w.as<Text>()[i] = {};
      if (!from[i].data) continue;
      slot.data = to;
      int64_t done = 0;
      auto put = [&](const char* what, int64_t n) {
        if (n) std::memcpy(to, what, static_cast<size_t>(n));
        to += n;
      };
      for (; k < found.size() && found[k] >= 0; ++k) {
        put(from[i].data + done, found[k] - done), put(by.data(), static_cast<int64_t>(by.size()));
        done = found[k] + static_cast<int64_t>(text.size());
      }
      put(from[i].data + done, from[i].size - done);
      slot.size = to - slot.data;
    }
    out[0] = std::move(w).finish(memory);
    out[0].text_kept = true;
    return rows;
  };
}

Op of_text(std::string name, std::function<Dict(const Call&)> args) {
  Op op{.name = name, .on = {{internal, ""}}};
  op.schema = [](const Call& c) {
    if (!c.input().columns.at(0).type.is_text()) throw unsupported("str of ", c.input().columns[0].type.name());
    return c.input();
  };
  op.lower = [=](Lowering& l, const Call& c) {
    Rows rows = l.input();
    rows.columns[0] = l.one(rows.stage, name, args(c), {rows.columns[0]});
    return rows;
  };
  op.same_rows = true;
  return op;
}
}  // namespace

Ops text_parts_ops() {
  Op parts = of_text("text_part",
                     [](const Call& c) { return Dict{{"op", c["op"]}, {"text", c["text"]}, {"start", c["start"]}, {"stop", c["stop"]}, {"func", c["func"]}}; });
  parts.show = [](const Call& c) { return c["op"].label(); };
  Op replace = of_text("text_replace", [](const Call& c) {
    if (c["text"].string().empty()) throw unsupported("str.replace: of an empty text");
    return Dict{{"text", c["text"]}, {"by", c["by"]}};
  });
  replace.show = [](const Call& c) { return concat(c["text"].repr(), " by ", c["by"].repr()); };
  // {text, n}: the n + 1 pieces of texts cut at `text`, as columns.
  Op split{.name = "text_split", .on = {{internal, ""}}};
  split.schema = [](const Call& c) {
    if (!c.input().columns.at(0).type.is_text()) throw unsupported("str of ", c.input().columns[0].type.name());
    if (c["text"].string().empty()) throw invalid("empty separator");
    if (c["n"].integer() < 1) throw invalid("str.split: n=", c["n"].integer(), "; a frame has at least two pieces");
    Schema s{Kind::frame, {}, c.input().index, true};
    for (int64_t i = 0; i <= c["n"].integer(); ++i) s.columns.push_back({i, c.input().columns[0].type});
    return s;
  };
  split.lower = [](Lowering& l, const Call& c) {
    Rows rows = l.input();
    const int text = rows.columns[0];
    rows.columns.clear();
    for (int64_t i = 0; i <= c["n"].integer(); ++i)
      rows.columns.push_back(
          l.one(rows.stage, "text_part", Dict{{"op", "split"}, {"text", c["text"]}, {"start", i}, {"stop", c["n"]}, {"func", Value()}}, {text}));
    return rows;
  };
  split.same_rows = true;
  split.show = [](const Call& c) { return c["text"].repr(); };
  parts.kernels = {{.name = "text_part", .map = kernels::of_distinct_texts(part)}, {.name = "text_replace", .map = kernels::of_distinct_texts(replaced)}};
  return {parts, replace, split};
}

}  // namespace muster::ops::frame
