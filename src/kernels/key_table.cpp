// A value's number never changes: arrays and tables grow, and what was numbered in a smaller one keeps its number. Slots are fetched some rows ahead, since
// tables are larger than caches.
#include "kernels/key_table.hpp"

#include <bit>
#include <cmath>
#include <cstring>

#include "base/error.hpp"
#include "data/dispatch.hpp"

namespace muster::kernels {
using namespace base;
using namespace data;
namespace {
constexpr int64_t kAhead = 512;              // rows whose table slots are fetched before they are looked at
constexpr int64_t kTextsAhead = 128;         // of texts: their bytes stay in the first cache beside the slots
constexpr uint64_t kDirect = 1 << 17;        // integers below this are looked up in an array
constexpr size_t kWhole = 4096;              // floats below this that are whole numbers, too
constexpr size_t kGrid = 1 << 22;            // cells of an array over pairs of numbers
constexpr int64_t kTextBlock = 64 << 10;     // bytes of copied texts allocated at a time

// Up to 8 bytes of a text as a word, without reading outside it.
inline uint64_t word_of(const char* p, int64_t n) {
  uint64_t w = 0;
  if (n >= 8) {
    std::memcpy(&w, p, 8);
  } else if (n >= 4) {
    uint32_t low, high;
    std::memcpy(&low, p, 4), std::memcpy(&high, p + n - 4, 4);
    w = low | static_cast<uint64_t>(high) << (8 * (n - 4));
  } else if (n > 0) {
    w = static_cast<uint8_t>(p[0]) | static_cast<uint64_t>(static_cast<uint8_t>(p[n / 2])) << (8 * (n / 2)) |
        static_cast<uint64_t>(static_cast<uint8_t>(p[n - 1])) << (8 * (n - 1));
  }
  return w;
}
// The bytes 8 to 15.
inline uint64_t second_word(Text t) {
  if (t.size <= 8) return 0;
  uint64_t w;
  std::memcpy(&w, t.data + t.size - 8, 8);
  return w >> (8 * (16 - t.size));
}
}  // namespace

TextTable::Probe TextTable::probe(Text t) {
  if (t.size <= 16) {
    const uint64_t first = word_of(t.data, t.size), second = second_word(t);
    return {mix(first ^ mix(second + static_cast<uint64_t>(t.size))), first, second};
  }
  auto h = static_cast<uint64_t>(t.size);
  for (int64_t i = 0; i < t.size; i += 8) h = mix(h ^ word_of(t.data + i, std::min<int64_t>(8, t.size - i)));
  return {h, h, 0};
}

void WordTable::grow() {
  std::vector<Slot> old(std::max<size_t>(64, slots_.size() * 2));
  old.swap(slots_);
  for (const auto& s : old) {
    if (!s.number) continue;
    size_t at = mix(s.word) & (slots_.size() - 1);
    while (slots_[at].number) at = (at + 1) & (slots_.size() - 1);
    slots_[at] = s;
  }
}

void TextTable::grow() {
  std::vector<Slot> old(std::max<size_t>(64, slots_.size() * 2));
  old.swap(slots_);
  for (const auto& s : old) {
    if (!s.number) continue;
    size_t at = hashes_[s.number] & (slots_.size() - 1);
    while (slots_[at].number) at = (at + 1) & (slots_.size() - 1);
    slots_[at] = s;
  }
}

uint32_t TextTable::find_or_add(Text t, const Probe& p, uint32_t next, const std::vector<Text>& texts, bool& added) {
  if ((count_ + 1) * 2 > slots_.size()) grow();
  const bool is_short = t.size <= 16;
  const Slot wanted{p.first, p.second, static_cast<int32_t>(t.size), next};
  for (size_t at = p.hash & (slots_.size() - 1);; at = (at + 1) & (slots_.size() - 1)) {
    Slot& s = slots_[at];
    if (!s.number) {
      s = wanted, ++count_, added = true;
      if (hashes_.size() <= next) hashes_.resize(next + 1);
      hashes_[next] = p.hash;
      return next;
    }
    if (s.first == wanted.first && s.second == wanted.second && s.size == wanted.size && (is_short || texts[s.number].view() == t.view())) return s.number;
  }
}

uint32_t KeyColumn::number_of(Text t, const TextTable::Probe& probe, bool kept) {
  bool added = false;
  const uint32_t n = text_table_.find_or_add(t, probe, next_, texts_, added);
  if (!added) return n;
  if (!kept && t.size) {
    if (free_bytes_ < t.size) {
      free_bytes_ = std::max(kTextBlock, t.size);
      free_ = owned_.emplace_back(allocate(free_bytes_)).get();
      text_bytes_ += free_bytes_;
    }
    std::memcpy(free_, t.data, static_cast<size_t>(t.size));
    t.data = free_;
    free_ += t.size, free_bytes_ -= t.size;
  }
  texts_.push_back(t);
  return next_++;
}

void KeyColumn::compact() {
  int64_t bytes = 0;
  for (const auto& t : texts_) bytes += t.size;
  if (kept_bytes_ + text_bytes_ <= 2 * bytes) return;
  auto memory = allocate(bytes);
  char* at = memory.get();
  for (auto& t : texts_) {
    if (!t.size) continue;
    std::memcpy(at, t.data, static_cast<size_t>(t.size));
    t.data = at, at += t.size;
  }
  owned_ = {memory}, kept_.clear(), of_code_ = {}, dictionary_.reset();
  text_bytes_ = bytes, kept_bytes_ = free_bytes_ = 0;
}

void KeyColumn::encode_codes(const Column& c, int64_t rows, uint32_t* numbers) {
  if (dictionary_ != c.dictionary) {
    dictionary_ = c.dictionary;
    of_code_.assign(dictionary_->texts.size() + 1, 0);
    kept_.push_back(dictionary_);
    for (const auto& t : dictionary_->texts) kept_bytes_ += static_cast<int64_t>(sizeof t) + t.size;
  }
  const auto gone = static_cast<uint32_t>(dictionary_->texts.size());
  for (int64_t i = 0; i < rows; ++i) {
    const uint32_t code = c.codes[i];
    uint32_t n = of_code_[code];
    if (!n) {
      if (code == gone) {
        n = missing();
      } else {
        const Text t = dictionary_->texts[code];
        n = of_code_[code] = number_of(t, TextTable::probe(t), true);
      }
    }
    numbers[i] = n;
  }
}

void KeyColumn::encode_text(const Column& c, int64_t rows, uint32_t* numbers) {
  const Text* texts = c.as<Text>();
  TextTable::Probe probes[kTextsAhead];
  for (int64_t begin = 0; begin < rows; begin += kTextsAhead) {
    const int64_t end = std::min(rows, begin + kTextsAhead);
    for (int64_t i = begin; i < end; ++i)
      if (texts[i].data) text_table_.prefetch((probes[i - begin] = TextTable::probe(texts[i])).hash);
    for (int64_t i = begin; i < end; ++i) {
      if (!texts[i].data) {
        numbers[i] = missing();
        continue;
      }
      const uint32_t known = text_table_.at_once(probes[i - begin], texts[i].size);
      numbers[i] = known ? known : number_of(texts[i], probes[i - begin], false);
    }
  }
}

// The place of a small integer's number, or null: the array grows with the number of different values.
uint32_t* KeyColumn::direct(uint64_t word) {
  if (word < direct_.size()) return &direct_[word];
  if (word >= kDirect && word >= static_cast<uint64_t>(next_) * 32) return nullptr;
  size_t size = std::max<size_t>(1024, direct_.size());
  while (size <= word) size *= 2;
  if (size > (1 << 24)) return nullptr;
  const size_t before = direct_.size();
  direct_.resize(size);
  for (uint32_t n = 1; n < words_.size(); ++n)  // numbers given before the array reached so far
    if (words_[n] >= before && words_[n] < size && n != missing_) direct_[words_[n]] = n;
  return &direct_[word];
}

void KeyColumn::encode(const Column& c, int64_t rows, uint32_t* numbers) {
  if (c.constant) {
    Column one = c;
    one.constant = false;
    uint32_t n;
    encode(one, 1, &n);
    for (int64_t i = 0; i < rows; ++i) numbers[i] = n;
    return;
  }
  if (is_text()) return c.codes ? encode_codes(c, rows, numbers) : encode_text(c, rows, numbers);
  visit_fixed(storage_, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* v = c.as<T>();
    if constexpr (std::is_floating_point_v<T>) {
      if (whole_.empty()) whole_.resize(kWhole);
      for (int64_t i = 0; i < rows; ++i) {
        const uint32_t* known = whole_.data();  // of whole numbers seen already, in a loop without calls
        for (; i < rows && v[i] > -1 && v[i] < kWhole; ++i) {
          const auto whole = static_cast<int32_t>(v[i]);
          if (static_cast<T>(whole) != v[i] || !known[whole]) break;
          numbers[i] = known[whole];
        }
        if (i == rows) break;
        if (std::isnan(v[i])) {
          numbers[i] = missing();
          continue;
        }
        const double d = v[i] == 0 ? 0.0 : static_cast<double>(v[i]);
        uint64_t word;
        std::memcpy(&word, &d, 8);
        if (d >= 0 && d < kWhole && d == static_cast<double>(static_cast<int32_t>(d))) {
          uint32_t& n = whole_[static_cast<size_t>(d)];
          if (!n) n = number_of(word);
          numbers[i] = n;
        } else {
          numbers[i] = number_of(word);
        }
      }
    } else {
      for (int64_t begin = 0; begin < rows; begin += kAhead) {
        const int64_t end = std::min(rows, begin + kAhead);
        if (next_ > 4096)
          for (int64_t i = begin; i < end; ++i)
            if (const auto word = static_cast<uint64_t>(v[i]); word >= direct_.size()) table_.prefetch(word);
        int64_t i = begin;
        if (!c.valid) {  // numbers known already, in a loop without calls
          const uint32_t* known = direct_.data();
          const uint64_t size = direct_.size();
          for (; i < end && static_cast<uint64_t>(v[i]) < size && known[static_cast<uint64_t>(v[i])]; ++i) numbers[i] = known[static_cast<uint64_t>(v[i])];
        }
        for (; i < end; ++i) {
          if ((c.valid && !c.valid[i]) || (storage_ == Storage::object && v[i] < 0)) {
            numbers[i] = missing();
            continue;
          }
          const auto word = static_cast<uint64_t>(v[i]);
          if (word < direct_.size()) {
            uint32_t& n = direct_[word];
            if (!n) n = next_++, words_.push_back(word);
            numbers[i] = n;
          } else if (uint32_t* n = direct(word)) {
            if (!*n) *n = next_++, words_.push_back(word);
            numbers[i] = *n;
          } else {
            numbers[i] = number_of(word);
          }
        }
      }
    }
  });
}

Column KeyColumn::values(const std::vector<uint32_t>& numbers) const {
  const auto n = static_cast<int64_t>(numbers.size());
  Writable out(storage_, n);
  if (storage_ == Storage::text) {
    for (int64_t i = 0; i < n; ++i) out.as<Text>()[i] = texts_[numbers[static_cast<size_t>(i)]];
    Column texts = std::move(out).finish(std::make_shared<std::pair<std::vector<std::shared_ptr<char>>, std::vector<Keep>>>(owned_, kept_));
    texts.text_kept = true;
    return texts;
  }
  visit_fixed(storage_, [&](auto tag) {
    using T = typename decltype(tag)::type;
    for (int64_t i = 0; i < n; ++i) {
      const uint32_t number = numbers[static_cast<size_t>(i)];
      const bool gone = missing_ && number == missing_;
      if constexpr (std::is_floating_point_v<T>) {
        double d;
        std::memcpy(&d, &words_[number], 8);
        out.as<T>()[i] = gone ? std::numeric_limits<T>::quiet_NaN() : static_cast<T>(d);
      } else {
        out.as<T>()[i] = static_cast<T>(words_[number]);
        if (gone) out.valid()[i] = 0;
      }
    }
  });
  return std::move(out).finish();
}

KeyTable::KeyTable(const std::vector<Storage>& keys, bool keep_missing) {
  for (auto s : keys) columns_.emplace_back(s, keep_missing);
  pairs_.resize(keys.size() > 1 ? keys.size() - 1 : 0);
  grids_.resize(pairs_.size());
  next_pair_.assign(pairs_.size(), 1);
  parts_.assign(pairs_.size(), {{0, 0}});
}

// Makes the array over pairs large enough for groups and numbers up to these; false: the hash table it is.
bool KeyTable::fit(size_t k, uint32_t groups, uint32_t numbers) {
  Grid& g = grids_[k];
  if (!g.usable) return false;
  if (groups < g.rows && numbers < g.columns) return true;
  const uint32_t rows = std::max(g.rows, std::bit_ceil(groups + 1)), columns = std::max(g.columns, std::bit_ceil(numbers + 1));
  const bool fits =
      static_cast<size_t>(rows) * columns <= kGrid && static_cast<size_t>(rows) * columns <= 1024 + 64 * size_t{next_pair_[k]} * 4 + (size_t{1} << 18);
  const auto& parts = parts_[k];
  if (!fits) {
    g = {{}, 0, 0, false};
    for (uint32_t n = 1; n < parts.size(); ++n) pairs_[k].find_or_add(static_cast<uint64_t>(parts[n].first) << 32 | parts[n].second, n);
    return false;
  }
  g.rows = rows, g.columns = columns;
  g.cells.assign(static_cast<size_t>(rows) * columns, 0);
  for (uint32_t n = 1; n < parts.size(); ++n) g.cells[static_cast<size_t>(parts[n].first) * columns + parts[n].second] = n;
  return true;
}

void KeyTable::encode(Columns keys, int64_t rows, std::vector<uint32_t>& groups) {
  groups.resize(static_cast<size_t>(rows)), scratch_.resize(static_cast<size_t>(rows));
  columns_[0].encode(keys[0], rows, groups.data());
  next_ = columns_[0].size() + 1;
  for (size_t k = 1; k < columns_.size(); ++k) {
    columns_[k].encode(keys[k], rows, scratch_.data());
    auto& table = pairs_[k - 1];
    auto& next = next_pair_[k - 1];
    if (fit(k - 1, next_, columns_[k].size())) {
      Grid& g = grids_[k - 1];
      for (size_t i = 0; i < static_cast<size_t>(rows); ++i) {
        if (!groups[i] || !scratch_[i]) {
          groups[i] = 0;
          continue;
        }
        uint32_t& cell = g.cells[static_cast<size_t>(groups[i]) * g.columns + scratch_[i]];
        if (!cell) cell = next++, parts_[k - 1].emplace_back(groups[i], scratch_[i]);
        groups[i] = cell;
      }
      next_ = next;
      continue;
    }
    uint64_t last = 0;
    uint32_t number = 0;
    for (size_t i = 0; i < static_cast<size_t>(rows); ++i) {
      if (!groups[i] || !scratch_[i]) {
        groups[i] = 0;
        continue;
      }
      const uint64_t word = static_cast<uint64_t>(groups[i]) << 32 | scratch_[i];
      if (word != last) {
        if (i + 16 < static_cast<size_t>(rows)) table.prefetch(static_cast<uint64_t>(groups[i + 16]) << 32 | scratch_[i + 16]);
        number = table.find_or_add(word, next);
        if (number == next) parts_[k - 1].emplace_back(groups[i], scratch_[i]), ++next;
        last = word;
      }
      groups[i] = number;
    }
    next_ = next;
  }
}

std::vector<Column> KeyTable::values(const std::vector<uint32_t>& groups) const {
  std::vector<Column> out(columns_.size());
  std::vector<uint32_t> at = groups, numbers(groups.size());
  for (size_t k = columns_.size(); k-- > 1;) {
    for (size_t i = 0; i < at.size(); ++i) numbers[i] = parts_[k - 1][at[i]].second, at[i] = parts_[k - 1][at[i]].first;
    out[k] = columns_[k].values(numbers);
  }
  out[0] = columns_[0].values(at);
  return out;
}

void KeyTable::compact() {
  for (auto& c : columns_) c.compact();
}

int64_t KeyTable::bytes() const {
  int64_t total = 0;
  for (const auto& c : columns_) total += c.bytes();
  for (const auto& p : pairs_) total += p.bytes();
  for (const auto& p : parts_) total += static_cast<int64_t>(p.capacity() * sizeof p[0]);
  for (const auto& g : grids_) total += static_cast<int64_t>(g.cells.size() * 4);
  return total;
}

}  // namespace muster::kernels
