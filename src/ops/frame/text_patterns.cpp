// Methods of text that take a regular expression, for patterns that RE2 and Python's re read alike (python/muster/dataframe/_patterns.py says which):
// contains, match, fullmatch, count, replace and extract. Single texts that they read differently are Python's.
#include <re2/re2.h>

#include <array>

#include "kernels/python_call.hpp"
#include "kernels/texts.hpp"
#include "ops/frame/columns.hpp"

namespace muster::ops::frame {
namespace {
using re2::StringPiece;

StringPiece piece(Text t) { return {t.data, static_cast<size_t>(t.size)}; }

// Looks for a plain text by its byte that the texts at hand have least of.
class Literal {
 public:
  explicit Literal(std::string text) : text_(std::move(text)) {}
  void look_at(const Text* texts, int64_t rows) {
    constexpr int64_t kSample = 32;
    std::array<int64_t, 256> seen{};
    for (int64_t i = 0; i < std::min(rows, kSample); ++i)
      for (int64_t k = 0; k < texts[i].size; ++k) ++seen[static_cast<uint8_t>(texts[i].data[k])];
    for (size_t i = 0; i < text_.size(); ++i)
      if (seen[static_cast<uint8_t>(text_[i])] < seen[static_cast<uint8_t>(text_[at_])]) at_ = i;
  }
  bool in(Text t) const {
    if (text_.empty()) return true;
    const auto size = static_cast<int64_t>(text_.size()), before = static_cast<int64_t>(at_);
    const char *from = t.data + before, *end = t.data + t.size - size + before + 1;
    while (from < end) {
      from = static_cast<const char*>(std::memchr(from, text_[at_], static_cast<size_t>(end - from)));
      if (!from) return false;
      if (std::memcmp(from - before, text_.data(), text_.size()) == 0) return true;
      ++from;
    }
    return false;
  }

 private:
  std::string text_;
  size_t at_ = 0;
};

bool has_other_than_ascii(Text t) {
  uint8_t bits = 0;
  for (int64_t i = 0; i < t.size; ++i) bits |= static_cast<uint8_t>(t.data[i]);
  return bits & 0x80;
}

enum class Method { contains, match, fullmatch, count, replace, extract };
Method method_of(const std::string& name) {
  static constexpr std::string_view kNames[] = {"contains", "match", "fullmatch", "count", "replace", "extract"};
  for (int i = 0; i < 6; ++i)
    if (kNames[i] == name) return static_cast<Method>(i);
  throw base::internal("text_pattern: ", name);
}

std::unique_ptr<const RE2> compiled(const std::string& pattern) {
  RE2::Options options(RE2::Quiet);
  auto made = std::make_unique<const RE2>(pattern, options);
  if (!made->ok()) throw unsupported("regular expression ", pattern, ": ", made->error());
  return made;
}

class Pattern {
 public:
  explicit Pattern(const Args& a)
      : method_(method_of(a["op"].string())),
        re_(compiled(a["pattern"].string())),
        literal_(a["literal"].string()),
        ascii_(a["ascii"].boolean()),
        line_(a["line"].boolean()),
        by_(a["by"].is_string() ? a["by"].string() : ""),
        function_(a["func"]) {
    for (const auto& label : a["labels"].list()) labels_.push_back(label);
  }

  int64_t operator()(Task& t, Columns in, int64_t rows, std::span<Column> out) const {
    const Column& c = in[0];
    if (c.codes && !c.constant) {
      const auto known = std::static_pointer_cast<const std::vector<Column>>(kernels::memo(c.dictionary, memo_, [&]() -> Keep {
        if (static_cast<int64_t>(c.dictionary->texts.size()) > 8 * rows) return nullptr;
        return std::make_shared<std::vector<Column>>(of(t, distinct(c.dictionary)));
      }));
      if (known) {
        const std::vector<int64_t> at(c.codes, c.codes + rows);
        for (size_t i = 0; i < out.size(); ++i) out[i] = take((*known)[i], at);
        return rows;
      }
    }
    auto made = of(t, spread(c, rows));
    std::move(made.begin(), made.end(), out.begin());
    return rows;
  }

 private:
  // The texts of a dictionary and, last, a missing one.
  static Column distinct(const std::shared_ptr<const Dictionary>& d) {
    Writable texts(Storage::text, static_cast<int64_t>(d->texts.size()) + 1);
    *std::copy(d->texts.begin(), d->texts.end(), texts.as<Text>()) = Text{};
    return std::move(texts).finish(d);
  }
  bool is_pythons(Text t) const { return (ascii_ && has_other_than_ascii(t)) || (line_ && t.size && std::memchr(t.data, '\n', static_cast<size_t>(t.size))); }
  Storage storage() const { return method_ == Method::count ? Storage::int64 : method_ < Method::count ? Storage::boolean : Storage::text; }

  std::vector<Column> of(Task& t, const Column& c) const {
    const Text* texts = c.as<Text>();
    Literal literal = literal_;
    literal.look_at(texts, c.length);
    std::vector<Writable> to;
    for (size_t i = 0; i < (method_ == Method::extract ? labels_.size() : 1); ++i) to.emplace_back(storage(), c.length);
    std::vector<int64_t> pythons;
    std::vector<std::pair<int64_t, size_t>> written;  // of replace: the rows with a text of their own, and where it begins
    std::string memory;
    std::vector<StringPiece> groups(labels_.size() + 1);
    for (int64_t i = 0; i < c.length; ++i) {
      const Text text = texts[i];
      const bool asked = text.data && literal.in(text);
      if (asked && is_pythons(text)) {
        pythons.push_back(i);
        continue;
      }
      switch (method_) {
        case Method::contains:
        case Method::match:
        case Method::fullmatch: to[0].as<uint8_t>()[i] = asked && re_->Match(piece(text), 0, static_cast<size_t>(text.size), anchor(), nullptr, 0); break;
        case Method::count:
          to[0].as<int64_t>()[i] = asked ? count(text) : 0;
          if (!text.data) to[0].valid()[i] = 0;
          break;
        case Method::replace: {
          const size_t begin = memory.size();
          to[0].as<Text>()[i] = text;
          if (asked && replace(text, memory)) written.emplace_back(i, begin);
          break;
        }
        case Method::extract: {
          const bool found =
              asked && re_->Match(piece(text), 0, static_cast<size_t>(text.size), RE2::UNANCHORED, groups.data(), static_cast<int>(groups.size()));
          for (size_t g = 0; g < labels_.size(); ++g) {
            const StringPiece& group = groups[g + 1];
            to[g].as<Text>()[i] = found && group.data() ? Text{group.data(), static_cast<int64_t>(group.size())} : Text{};
          }
          break;
        }
      }
    }
    Keep own;
    if (!written.empty()) {
      auto kept = std::make_shared<std::string>(std::move(memory));
      for (size_t w = 0; w < written.size(); ++w) {
        const size_t end = w + 1 < written.size() ? written[w + 1].second : kept->size();
        to[0].as<Text>()[written[w].first] = {kept->data() + written[w].second, static_cast<int64_t>(end - written[w].second)};
      }
      own = kept;
    }
    bool kept = c.text_kept;
    if (!pythons.empty()) {
      const auto made = ask_python(t, take(c, pythons));
      for (size_t g = 0; g < to.size(); ++g) {
        put(made.at(g), pythons, to[g]);
        own = keep_both(own, made[g].keep), kept &= made[g].text_kept;
      }
    }
    std::vector<Column> out;
    for (auto& w : to) {
      if (storage() != Storage::text) {
        out.push_back(std::move(w).finish());
        continue;
      }
      out.push_back(std::move(w).finish(keep_both(c.text_keep(), own)));
      out.back().text_kept = kept, out.back().kept_bytes = c.kept_bytes;
    }
    return out;
  }

  RE2::Anchor anchor() const { return method_ == Method::contains ? RE2::UNANCHORED : method_ == Method::match ? RE2::ANCHOR_START : RE2::ANCHOR_BOTH; }

  // A match is never empty: where these go on, pandas' engines differ.
  int64_t count(Text t) const {
    int64_t n = 0;
    StringPiece found;
    for (size_t at = 0; re_->Match(piece(t), at, static_cast<size_t>(t.size), RE2::UNANCHORED, &found, 1); ++n)
      at = static_cast<size_t>(found.data() - t.data) + found.size();
    return n;
  }
  bool replace(Text t, std::string& to) const {
    size_t at = 0;
    StringPiece found;
    for (; re_->Match(piece(t), at, static_cast<size_t>(t.size), RE2::UNANCHORED, &found, 1); at = static_cast<size_t>(found.data() - t.data) + found.size()) {
      to.append(t.data + at, static_cast<size_t>(found.data() - t.data) - at);
      to += by_;
    }
    if (at) to.append(t.data + at, static_cast<size_t>(t.size) - at);
    return at > 0;
  }

  std::vector<Column> ask_python(Task& t, const Column& texts) const {
    if (!function_.is_opaque()) throw unsupported("regular expression ", re_->pattern(), ": of characters beyond ASCII, or of several lines");
    Writable index(Storage::int64, texts.length);
    for (int64_t i = 0; i < texts.length; ++i) index.as<int64_t>()[i] = i;
    Schema in{Kind::frame, {{0, {Storage::text}}}, {{Label(), {Storage::int64}}}, false},
        out{method_ == Method::extract ? Kind::frame : Kind::series, {}, {}, false};
    if (method_ != Method::extract) out.columns.push_back({Label(), {storage()}});
    for (const auto& label : labels_) out.columns.push_back({label, {Storage::text}});
    return kernels::python_apply()(t, *function_.opaque(), {{texts.length, {std::move(index).finish(), texts}}}, in, out, false).rows.columns;
  }
  void put(const Column& from, const std::vector<int64_t>& rows, Writable& to) const {
    for (size_t i = 0; i < rows.size(); ++i) {
      if (from.storage == Storage::text) to.as<Text>()[rows[i]] = from.as<Text>()[i];
      else if (from.storage == Storage::int64) to.as<int64_t>()[rows[i]] = from.as<int64_t>()[i];
      else to.as<uint8_t>()[rows[i]] = from.as<uint8_t>()[i];
    }
  }

  Method method_;
  std::shared_ptr<const RE2> re_;
  Literal literal_;
  bool ascii_, line_;
  std::string by_;
  Value function_;
  std::vector<Label> labels_;
  uint64_t memo_ = kernels::new_memo();
};
}  // namespace

Ops text_patterns_ops() {
  // {op, pattern, literal: in every match; ascii: other texts are Python's; line: texts of several lines are; by: of replace; labels: of extract, one for
  // each group; func: the same in Python}
  Op op{.name = "text_pattern", .on = {{internal, ""}}};
  op.schema = [](const Call& c) {
    Schema s = c.input();
    if (!s.columns.at(0).type.is_text()) throw unsupported("str of ", s.columns[0].type.name());
    const Method method = method_of(c["op"].string());
    if (const auto re = compiled(c["pattern"].string()); method == Method::extract) {
      const auto& labels = c["labels"].list();
      if (re->NumberOfCapturingGroups() != static_cast<int>(labels.size()))
        throw unsupported("regular expression ", re->pattern(), ": ", re->NumberOfCapturingGroups(), " groups");
      s.kind = Kind::frame, s.columns.clear();
      for (size_t i = 0; i < labels.size(); ++i) s.columns.push_back({labels[i], {Storage::text}});
      s.labels_integer = !labels.empty() && labels[0].is_integer();
      return s;
    }
    if (method != Method::replace) s.columns[0].type = method == Method::count ? DType{Storage::int64, Unit::us, true} : DType{Storage::boolean};
    return s;
  };
  op.lower = [](Lowering& l, const Call& c) {
    Rows rows = l.input();
    const auto columns = method_of(c["op"].string()) == Method::extract ? static_cast<int>(c["labels"].list().size()) : 1;
    rows.columns = l.step(rows.stage, "text_pattern", c.args, {rows.columns[0]}, columns);
    return rows;
  };
  op.same_rows = true;
  op.show = [](const Call& c) { return concat(c["op"].label(), " ", c["pattern"].repr()); };
  op.kernels = {{.name = "text_pattern", .map = [](const Args& a) -> Map { return Pattern(a); }}};
  return {op};
}

}  // namespace muster::ops::frame
