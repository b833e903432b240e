#include "kernels/key_table.hpp"

#include <cmath>
#include <cstring>

#include "base/error.hpp"
#include "data/dispatch.hpp"

namespace muster::kernels {
using namespace base;
using namespace data;
namespace {

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
    w = static_cast<uint8_t>(p[0]) | static_cast<uint64_t>(static_cast<uint8_t>(p[n / 2])) << (8 * (n / 2)) | static_cast<uint64_t>(static_cast<uint8_t>(p[n - 1])) << (8 * (n - 1));
  }
  return w;
}

// Up to 7 bytes and the size: equal words are equal texts.
inline uint64_t short_word(Text t) { return word_of(t.data, t.size) | static_cast<uint64_t>(t.size) << 56; }

uint64_t hash_text(Text t) {
  uint64_t h = static_cast<uint64_t>(t.size);
  for (int64_t i = 0; i < t.size; i += 8) {
    auto wide = static_cast<unsigned __int128>(h ^ word_of(t.data + i, std::min<int64_t>(8, t.size - i))) * 0x9E3779B97F4A7C15u;
    h = static_cast<uint64_t>(wide) ^ static_cast<uint64_t>(wide >> 64);
  }
  return h;
}
}  // namespace

void WordTable::grow() {
  std::vector<Slot> old(slots_.size() * 2);
  old.swap(slots_);
  for (const auto& s : old) {
    if (!s.number) continue;
    size_t at = hash(s.word) & (slots_.size() - 1);
    while (slots_[at].number) at = (at + 1) & (slots_.size() - 1);
    slots_[at] = s;
  }
}

uint32_t KeyColumn::number_of_short(uint64_t word, Text t) {
  const uint32_t n = table_.find_or_add(word, next_);
  return n == next_ ? own(t) : n;
}

uint32_t KeyColumn::number_of_long(Text t) {
  if ((long_count_ + 1) * 2 > long_.size()) {
    std::vector<std::pair<uint64_t, uint32_t>> old(std::max<size_t>(64, long_.size() * 2));
    old.swap(long_);
    for (const auto& e : old) {
      if (!e.second) continue;
      size_t at = e.first & (long_.size() - 1);
      while (long_[at].second) at = (at + 1) & (long_.size() - 1);
      long_[at] = e;
    }
  }
  const uint64_t h = hash_text(t);
  size_t at = h & (long_.size() - 1);
  for (; long_[at].second; at = (at + 1) & (long_.size() - 1))
    if (long_[at].first == h && texts_[long_[at].second].view() == t.view()) return long_[at].second;
  long_[at] = {h, next_}, ++long_count_;
  return own(t);
}

uint32_t KeyColumn::own(Text t) {
  const auto& copy = owned_.emplace_back(t.view());
  text_bytes_ += t.size + 48;
  texts_.push_back({copy.data(), t.size}), words_.push_back(0);
  return next_++;
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
  if (storage_ == Storage::text) {
    uint64_t last = 0;  // the short text before, as its word; no text has the word 0 with size 0 but ""
    uint32_t number = 0;
    for (int64_t i = 0; i < rows; ++i) {
      const Text t = c.as<Text>()[i];
      if (!t.data) {
        numbers[i] = missing();
      } else if (t.size < 8) {
        const uint64_t word = short_word(t);
        if (word != last || !number) number = number_of_short(word, t), last = word;
        numbers[i] = number;
      } else {
        numbers[i] = number_of_long(t);
      }
    }
    return;
  }
  visit_fixed(storage_, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* v = c.as<T>();
    for (int64_t i = 0; i < rows; ++i) {
      if constexpr (std::is_floating_point_v<T>) {
        if (std::isnan(v[i])) {
          numbers[i] = missing();
          continue;
        }
        const double d = v[i] == 0 ? 0.0 : static_cast<double>(v[i]);
        uint64_t word;
        std::memcpy(&word, &d, 8);
        numbers[i] = number_of(word);
      } else {
        if ((c.valid && !c.valid[i]) || (storage_ == Storage::object && v[i] < 0)) {
          numbers[i] = missing();
          continue;
        }
        const auto word = static_cast<uint64_t>(v[i]);
        if (word < static_cast<uint64_t>(kSmall)) {
          uint32_t& n = small_[word];
          if (!n) n = number_of(word);
          numbers[i] = n;
        } else {
          numbers[i] = number_of(word);
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
    return own_text(std::move(out).finish());
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
  next_pair_.assign(pairs_.size(), 1);
  parts_.assign(pairs_.size(), {{0, 0}});
}

void KeyTable::encode(Columns keys, int64_t rows, std::vector<uint32_t>& groups) {
  groups.resize(static_cast<size_t>(rows)), scratch_.resize(static_cast<size_t>(rows));
  columns_[0].encode(keys[0], rows, groups.data());
  next_ = columns_[0].size() + 1;
  for (size_t k = 1; k < columns_.size(); ++k) {
    columns_[k].encode(keys[k], rows, scratch_.data());
    auto& table = pairs_[k - 1];
    auto& next = next_pair_[k - 1];
    uint64_t last = 0;
    uint32_t number = 0;
    for (size_t i = 0; i < static_cast<size_t>(rows); ++i) {
      if (!groups[i] || !scratch_[i]) {
        groups[i] = 0;
        continue;
      }
      const uint64_t word = static_cast<uint64_t>(groups[i]) << 32 | scratch_[i];
      if (word != last) {
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

int64_t KeyTable::bytes() const {
  int64_t total = 0;
  for (const auto& c : columns_) total += c.bytes();
  for (const auto& p : pairs_) total += p.bytes();
  return total;
}

}  // namespace muster::kernels
