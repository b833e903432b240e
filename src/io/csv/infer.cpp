// Samples are whole rows, so that no field is cut. A type that turns out too narrow later is reported by the scan: what is found here is a promise, not the
// truth.
#include "io/csv/infer.hpp"

#include <unistd.h>

#include <algorithm>
#include <optional>
#include <set>

#include "base/error.hpp"
#include "io/csv/parse.hpp"
#include "io/csv/time.hpp"
#include "io/csv/tokenize.hpp"
#include "io/source.hpp"

namespace muster::io::csv {
using namespace base;
using namespace data;
namespace {
constexpr int64_t kSample = 64 << 10;  // bytes of each sampled file, at least

char one_byte(const Value& v, const char* name, char otherwise) {
  if (v.is_none()) return otherwise;
  if (!v.is_string() || v.string().size() != 1) throw invalid("read_csv: ", name, " must be one character, got ", v.repr());
  return v.string()[0];
}

Dialect dialect_of(const Value& a) {
  Dialect d;
  const Value& sep = a.has("sep") ? a["sep"] : a["delimiter"];
  if (sep.is_string() && (sep.string() == "\\s+" || sep.string() == " +")) d.whitespace = true, d.separator = ' ';
  else if (sep.is_string() && sep.string().size() > 1) throw unsupported("read_csv: sep=", sep.repr(), ": a separator of one character or '\\s+'");
  else d.separator = one_byte(sep, "sep", ',');
  if (a["delim_whitespace"].is_bool() && a["delim_whitespace"].boolean()) d.whitespace = true, d.separator = ' ';
  d.quote = one_byte(a["quotechar"], "quotechar", '"');
  if (a["quoting"].is_integer() && a["quoting"].integer() == 3) d.quote = 0;  // csv.QUOTE_NONE
  d.escape = one_byte(a["escapechar"], "escapechar", 0);
  d.comment = one_byte(a["comment"], "comment", 0);
  d.decimal = one_byte(a["decimal"], "decimal", '.');
  d.thousands = one_byte(a["thousands"], "thousands", 0);
  auto flag = [&](const char* name, bool otherwise) { return a[name].is_none() ? otherwise : a[name].boolean(); };
  d.double_quote = flag("doublequote", true);
  d.skip_initial_space = flag("skipinitialspace", false);
  d.skip_blank_lines = flag("skip_blank_lines", true);
  d.ragged = a.has("usecols");
  if (a["encoding"].is_string()) {
    std::string name;
    for (char c : a["encoding"].string()) name += c == '_' ? '-' : static_cast<char>(std::tolower(c));
    if (name != "utf-8" && name != "utf8" && name != "ascii" && name != "us-ascii" && name != "utf-8-sig") d.encoding = name;
  }
  if (a["on_bad_lines"].is_string()) d.bad_lines = a["on_bad_lines"].string();
  if (d.bad_lines != "error" && d.bad_lines != "warn" && d.bad_lines != "skip")
    throw invalid("read_csv: on_bad_lines must be 'error', 'warn' or 'skip', got '", d.bad_lines, "'");
  return d;
}

Head head_of(const Value& a) {
  Head h;
  if (a["skiprows"].is_list()) for (const auto& line : a["skiprows"].list()) h.skip.push_back(line.integer());
  else if (!a["skiprows"].is_none()) for (int64_t i = 0; i < a["skiprows"].integer(); ++i) h.skip.push_back(i);
  std::sort(h.skip.begin(), h.skip.end());
  const Value& header = a["header"];
  if (header.is_string() && header.string() == "infer") h.header = a.has("names") ? -1 : 0;
  else if (header.is_list()) throw unsupported("read_csv: header=", header.repr(), ": a header of several rows");
  else h.header = header.is_none() ? -1 : header.integer();
  return h;
}

// pandas' rule: an empty name is "Unnamed: i", a repeated one "a.1", "a.2".
std::vector<Label> labels_of(const std::vector<std::string>& header) {
  std::vector<Label> out;
  std::set<std::string> used(header.begin(), header.end()), taken;
  for (size_t i = 0; i < header.size(); ++i) {
    std::string name = header[i].empty() ? concat("Unnamed: ", i) : header[i];
    std::string free = name;
    for (int n = 1; taken.contains(free) || (n > 1 && used.contains(free)); ++n) free = concat(name, ".", n);
    taken.insert(free);
    out.emplace_back(free);
  }
  return out;
}

// Sampled texts of every field; the blocks they point into.
struct Sample {
  std::vector<std::string> header;
  int64_t width = 0;
  bool implicit_index = false;  // rows are one field longer than the header
  std::vector<std::vector<Text>> fields;
  std::vector<std::shared_ptr<char>> blocks;
  std::vector<std::unique_ptr<Tokenizer>> tokenizers;
};

// An error of the tokenizer with the file and line at which the row starts.
Error in_line(const Error& e, const std::string& path, std::string_view before) {
  if (e.message != "EOF inside string") return e;
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  return Error(e.kind, concat("read_csv: file '", path, "', line ", line, ": EOF inside string starting in this row; a quote is not closed"),
               "pandas.errors.ParserError");
}

void add_sample(const Scan& scan, size_t file, int64_t size, bool no_index, Sample& sample) {
  auto stream = open_stream(scan.files[file].path, scan.options, scan.compression_of_file(file), scan.dialect.encoding, 0);
  for (;; size *= 4) {
    auto block = allocate(size);
    int64_t have = 0;
    bool ended = false;
    if (!sample.blocks.empty() && size > kSample * 4096)
      throw invalid("read_csv: file '", scan.files[file].path, "': no row end in the first ", size, " bytes");
    stream = open_stream(scan.files[file].path, scan.options, scan.compression_of_file(file), scan.dialect.encoding, 0);
    while (have < size && !ended) {
      auto n = stream->read(block.get() + have, size - have);
      have += n, ended = n == 0;
    }
    std::vector<std::string> names;
    int64_t begin = 0;
    try {
      if (!read_head(scan.dialect, scan.head, block.get(), have, ended, names, begin)) continue;
    } catch (const Error& e) {
      throw in_line(e, scan.files[file].path, {block.get(), static_cast<size_t>(begin)});
    }
    if (sample.blocks.empty()) {
      sample.header = names;
      std::vector<Text> first;
      Tokenizer probe(scan.dialect, 1, {});
      int64_t at = begin;
      bool complete = true;
      try {
        while (at < have && first.empty() && complete) complete = probe.row(block.get(), have, ended, at, first);
      } catch (const Error& e) {
        throw in_line(e, scan.files[file].path, {block.get(), static_cast<size_t>(at)});
      }
      if (!complete && !ended) continue;
      if (names.empty() && first.empty()) {
        Error e = invalid("read_csv: file '", scan.files[file].path, "': No columns to parse from file");
        e.python = "pandas.errors.EmptyDataError";
        throw e;
      }
      sample.width = names.empty() ? static_cast<int64_t>(first.size()) : static_cast<int64_t>(names.size());
      sample.implicit_index = !names.empty() && static_cast<int64_t>(first.size()) == sample.width + 1 && !scan.dialect.ragged;
      if (sample.implicit_index && no_index)
        throw unsupported("read_csv: file '", scan.files[file].path,
                          "': its rows have one field more than its header, and index_col=False; name all columns");
      sample.width += sample.implicit_index;
      sample.fields.resize(static_cast<size_t>(sample.width));
    }
    std::vector<int64_t> all(static_cast<size_t>(sample.width));
    for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int64_t>(i);
    auto tokenizer = std::make_unique<Tokenizer>(scan.dialect, sample.width, all);
    Rows rows;
    tokenizer->run(block.get() + begin, have - begin, ended, rows);
    if (rows.count == 0 && rows.bad.empty() && !ended) continue;
    for (size_t c = 0; c < all.size(); ++c) sample.fields[c].insert(sample.fields[c].end(), rows.fields[c].begin(), rows.fields[c].end());
    sample.blocks.push_back(block);
    sample.tokenizers.push_back(std::move(tokenizer));
    return;
  }
}

int64_t default_blocksize() {
  // The peer's rule: an tenth of the memory of a core, at most 64 MB.
  const int64_t memory = sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE), cores = std::max<int64_t>(1, sysconf(_SC_NPROCESSORS_ONLN));
  return std::min<int64_t>(memory / cores / 10, 64'000'000);
}

std::vector<std::string> missing_texts(const Value& a, const Label& label) {
  std::vector<std::string> out;
  const Value& given = a["na_values"];
  const bool keep = a["keep_default_na"].is_none() || a["keep_default_na"].boolean();
  if (!a["na_filter"].is_none() && !a["na_filter"].boolean()) return out;
  auto add = [&](const Value& v) {
    if (v.is_string()) out.push_back(v.string());
    else if (v.is_list()) throw invalid("read_csv: na_values holds ", v.repr(), ": texts or numbers");
    else {
      out.push_back(v.repr());
      if (v.is_integer()) out.push_back(v.repr() + ".0");
      if (v.is_float() && v.number() == static_cast<double>(static_cast<int64_t>(v.number()))) out.push_back(concat(static_cast<int64_t>(v.number())));
    }
  };
  auto add_all = [&](const Value& v) {
    if (v.is_list()) for (const auto& x : v.list()) add(x);
    else if (!v.is_none()) add(v);
  };
  if (given.is_dict()) {
    for (const auto& [k, v] : given.dict())
      if (k == label) add_all(v);
  } else {
    add_all(given);
  }
  if (keep) out.insert(out.end(), MissingTexts::pandas_default().begin(), MissingTexts::pandas_default().end());
  return out;
}

struct Dates {
  std::vector<std::pair<Label, std::vector<int64_t>>> combined;
  std::set<int64_t> single;
};

Dates dates_of(const Value& given, const std::vector<Label>& labels) {
  Dates out;
  auto position = [&](const Value& v) {
    for (size_t i = 0; i < labels.size(); ++i)
      if (labels[i] == v) return static_cast<int64_t>(i);
    if (v.is_integer() && v.integer() >= 0 && v.integer() < static_cast<int64_t>(labels.size())) return v.integer();
    std::vector<std::string> names;
    for (const auto& l : labels) names.push_back(l.label());
    throw invalid("read_csv: Missing column provided to 'parse_dates': ", v.repr(), near_matches(v.label(), names), "; columns are ", join(names, ", "));
  };
  auto positions = [&](const Value& list) {
    std::vector<int64_t> at;
    for (const auto& v : list.list()) at.push_back(position(v));
    return at;
  };
  if (given.is_list()) {
    for (const auto& v : given.list()) {
      if (!v.is_list()) {
        out.single.insert(position(v));
        continue;
      }
      auto parts = positions(v);
      std::string name;
      for (auto p : parts) name += (name.empty() ? "" : "_") + labels[static_cast<size_t>(p)].label();
      out.combined.emplace_back(name, parts);
    }
  } else if (given.is_dict()) {
    for (const auto& [name, v] : given.dict()) out.combined.emplace_back(name, v.is_list() ? positions(v) : std::vector{position(v)});
  } else if (!given.is_none() && !given.is_bool()) {
    throw type_error("read_csv: parse_dates must be True, a list of columns, a list of lists or a dict of lists, got ", given.repr());
  }
  return out;
}
}  // namespace

Value ColumnSource::encode() const {
  return List{label, code(type), forced, List(fields.begin(), fields.end()), is_path, format, List(missing.begin(), missing.end()), is_index};
}

ColumnSource ColumnSource::decode(const Value& value) {
  const auto& v = value.list();
  ColumnSource c{v.at(0), dtype_of(v.at(1).integer()), v.at(2).boolean(), {}, v.at(4).boolean(), v.at(7).boolean(), v.at(5).string(), {}};
  for (const auto& f : v.at(3).list()) c.fields.push_back(f.integer());
  for (const auto& m : v.at(6).list()) c.missing.push_back(m.string());
  return c;
}

Inferred infer(const Value& a) {
  Inferred out;
  Scan& scan = out.scan;
  scan.options = a["storage_options"].is_string() ? a["storage_options"].string() : "", scan.reader = a["reader"];
  for (const auto& path : a["urlpath"].list()) {
    auto found = list_files(path.string(), scan.options);
    scan.files.insert(scan.files.end(), found.begin(), found.end());
  }
  if (scan.files.empty()) throw invalid("read_csv: the list of files is empty");
  scan.dialect = dialect_of(a), scan.head = head_of(a);
  scan.compression = a["compression"].is_none() ? "" : a["compression"].string();
  if (scan.compression == "gz") scan.compression = "gzip";
  if (scan.compression == "zst") scan.compression = "zstd";
  const Value& blocksize = a["blocksize"];
  scan.blocksize = blocksize.is_none() ? 0 : blocksize.is_string() ? default_blocksize() : blocksize.integer();
  if (scan.blocksize < 0) throw invalid("read_csv: blocksize must be positive or None, got ", scan.blocksize);

  Sample sample;
  std::set<size_t> sampled{0, scan.files.size() / 2, scan.files.size() - 1};
  for (size_t f : sampled) {
    if (f != 0 && scan.files[f].size == 0) continue;
    add_sample(scan, f, kSample, a["index_col"].is_bool(), sample);
  }
  scan.header = sample.header, scan.width = sample.width;

  std::vector<Label> labels;
  bool numbered = false;
  if (a["names"].is_list()) {
    for (const auto& n : a["names"].list()) {
      if (std::find(labels.begin(), labels.end(), n) != labels.end()) throw invalid("Duplicate names are not allowed.");
      labels.push_back(n);
    }
    if (static_cast<int64_t>(labels.size()) < sample.width) throw unsupported("read_csv: ", labels.size(), " names for rows of ", sample.width, " fields");
    scan.width = std::max<int64_t>(scan.width, static_cast<int64_t>(labels.size()));
    sample.fields.resize(labels.size());
    for (auto& texts : sample.fields) texts.resize(sample.fields[0].size());
  } else if (scan.head.header < 0) {
    for (int64_t i = 0; i < sample.width; ++i) labels.emplace_back(i);
    numbered = true;
  } else {
    labels = labels_of(sample.header);
    if (sample.implicit_index) labels.insert(labels.begin(), Label());
  }
  std::vector<std::string> names;
  for (const auto& l : labels) names.push_back(l.label());

  std::vector<bool> used(labels.size(), true);
  if (a["usecols"].is_list()) {
    used.assign(labels.size(), false);
    for (const auto& u : a["usecols"].list()) {
      bool known = false;
      for (size_t i = 0; i < labels.size(); ++i)
        if (labels[i] == u || (u.is_integer() && !numbered && u.integer() == static_cast<int64_t>(i))) used[i] = known = true;
      if (!known)
        throw invalid("read_csv: Usecols do not match columns, columns expected but not found: [", u.repr(), "]", near_matches(u.label(), names),
                      "; columns are ", join(names, ", "));
    }
  }

  const Value& dtype = a["dtype"];
  auto forced = [&](const Label& label, int64_t position) -> const Value* {
    if (dtype.is_string()) return &dtype;
    if (!dtype.is_dict()) return nullptr;
    for (const auto& [k, v] : dtype.dict())
      if (k == label || (!numbered && k.is_integer() && k.integer() == position)) return &v;
    return a["dtype_of_others"].is_none() ? nullptr : &a["dtype_of_others"];
  };
  const bool assume_missing = !a["assume_missing"].is_none() && a["assume_missing"].boolean();
  const Value words = List{a["true_values"].is_none() ? Value(List{}) : a["true_values"], a["false_values"].is_none() ? Value(List{}) : a["false_values"]};
  Dates dates = dates_of(a["parse_dates"], labels);
  const bool day_first = a["dayfirst"].is_bool() && a["dayfirst"].boolean();
  const Value& formats = a["date_format"];
  auto format_for = [&](const Label& label) -> std::optional<std::string> {
    const Value* given = formats.is_string() ? &formats : nullptr;
    if (formats.is_dict())
      for (const auto& [k, v] : formats.dict())
        if (k == label) given = &v;
    if (!given) return {};
    if (given->string() == "mixed") throw unsupported("read_csv: date_format='mixed' of column ", label.repr(), "; leave it out of parse_dates");
    return given->string() == "ISO8601" ? "" : given->string();  // as the formats here call it
  };
  std::set<int64_t> parts;
  for (const auto& [label, fields] : dates.combined) {
    ColumnSource c{label, {Storage::timestamp}, true, fields, false, false, "", missing_texts(a, label)};
    if (auto f = format_for(label)) c.format = *f;
    else {
      std::vector<std::string> joined;
      for (size_t r = 0; r < sample.fields[0].size() && r < 100; ++r) {
        std::string text;
        for (auto f2 : fields) text += (text.empty() ? "" : " ") + std::string(sample.fields[static_cast<size_t>(f2)][r].view());
        joined.push_back(text);
      }
      std::vector<Text> texts;
      for (const auto& j : joined) texts.push_back({j.data(), static_cast<int64_t>(j.size())});
      if (!guess_time_format(texts, MissingTexts({}), day_first, c.format)) c.format = "%Y %m %d";
    }
    out.columns.push_back(std::move(c));
    parts.insert(fields.begin(), fields.end());
  }
  for (size_t i = 0; i < labels.size(); ++i) {
    if (!used[i] || parts.contains(static_cast<int64_t>(i))) continue;
    ColumnSource c{labels[i], {}, false, {static_cast<int64_t>(i)}, false, sample.implicit_index && i == 0, "", missing_texts(a, labels[i])};
    MissingTexts missing(c.missing);
    const auto& texts = sample.fields[i];
    bool any_missing = false;
    if (dates.single.contains(static_cast<int64_t>(i))) {
      c.type = {Storage::timestamp};
      const auto given = format_for(labels[i]);
      if (given) c.format = *given;
      bool any = false;
      if (!given && !guess_time_format(texts, missing, day_first, c.format))
        for (const auto& t : texts) {
          if (!t.data || missing.contains(t) || is_not_a_time(t)) continue;
          any = true;
          const auto view = t.view();
          if (std::any_of(view.begin(), view.end(), [](char x) { return x >= '0' && x <= '9'; }))
            throw unsupported("read_csv: column ", labels[i].repr(), " holds '", std::string(view),
                              has_zone(t) ? "', a time with a zone" : "', which is no time in a known form",
                              "; leave it out of parse_dates, or give date_format");
        }
      if (any) c.type = {Storage::text};  // without a value it is a column of times that are missing
      if (given && c.format.empty())
        for (const auto& t : texts)
          if (t.data && has_zone(t))
            throw unsupported("read_csv: column ", labels[i].repr(), " holds times with a zone ('", std::string(t.view()),
                              "'); leave it out of parse_dates");
      if (c.type.storage == Storage::timestamp)
        for (const auto& t : texts) {
          Instant at;
          if (t.data && parse_time(t, c.format, at) && !at.fits(Unit::us)) c.type.unit = Unit::ns;
        }
    } else if (const Value* d = forced(labels[i], static_cast<int64_t>(i))) {
      if (d->string() == "category") throw unsupported("read_csv: dtype 'category' of column ", labels[i].repr(), "; use str");
      c.type = dtype_named(d->string()), c.forced = true;
      if (c.type.is_time())
        throw type_error("read_csv: the dtype ", c.type.name(), " is not supported for parsing, pass this column using parse_dates instead");
    } else {
      c.type = infer_type(texts, missing, scan.dialect, words, any_missing);
      if (assume_missing && c.type.is_integer()) c.type = {Storage::float64};
    }
    out.columns.push_back(std::move(c));
  }
  if (const Value& path = a["include_path_column"]; path.is_string() || (path.is_bool() && path.boolean())) {
    ColumnSource c{path.is_string() ? path.string() : "path", {Storage::text}, false, {}, true, false, "", {}};
    for (const auto& other : out.columns)
      if (other.label == c.label)
        throw invalid("read_csv: Files already contain the column name: ", c.label.label(),
                      ", so the path column cannot use this name; set include_path_column to a unique name");
    out.columns.push_back(std::move(c));
  }
  return out;
}

}  // namespace muster::io::csv
