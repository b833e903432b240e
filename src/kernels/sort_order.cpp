// Each column becomes a number whose order as an unsigned one is that of its values, of as few bits as its values need; what fits into 64 bits together is one
// word, and rows are sorted by that at once. Texts that repeat are their rank among the distinct ones; of others the eight bytes behind what all have in common
// come first, and rows that agree in these are compared. Rows of equal words are sorted by the next one.
#include "kernels/sort_order.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <numeric>

#include "base/error.hpp"
#include "data/dispatch.hpp"
#include "kernels/key_table.hpp"
#include "kernels/missing.hpp"

namespace muster::kernels {
using namespace base;
using namespace data;
namespace {
constexpr int64_t kFew = 512;               // rows that are sorted by comparing words
constexpr int64_t kMostRanked = 256 << 10;  // distinct texts
constexpr int64_t kRowsOfRanked = 4;        // rows that each of them has at least
constexpr int64_t kChecked = 16 << 10;      // rows between two looks at how many there are

// A column as numbers, one for each row.
struct Codes {
  std::vector<uint64_t> of;
  int bits = 0;
  std::vector<Text> texts = {};  // of rows that equal codes do not say to be equal
};

// Rows by one word: equal ones are told apart by their texts, if there are any, then by the next level.
struct Level {
  std::vector<uint64_t> words;
  int bits = 0;
  std::vector<Text> texts = {};
  bool descending = false;
};

class Ordering {
 public:
  Ordering(std::span<const Batch> batches, const SortKeys& keys) : batches_(batches) {
    for (const auto& b : batches) rows_ += b.rows;
    if (rows_ > std::numeric_limits<uint32_t>::max()) throw Error(ErrorKind::memory, concat("sort: ", rows_, " rows in one partition; make more partitions"));
    for (const auto& key : keys) {
      const Storage storage = storage_of(key.column);
      for (auto& codes : storage == Storage::text ? of_text(key) : of_fixed(key)) add(std::move(codes), key.descending);
    }
  }

  std::vector<uint32_t> order() {
    std::vector<uint32_t> out(static_cast<size_t>(rows_));
    std::iota(out.begin(), out.end(), 0u);
    if (levels_.empty() || rows_ < 2) return out;
    std::vector<WordRow> entries(out.size());
    for (uint32_t r : out) entries[r].row = r;
    sort(entries, 0);
    for (size_t i = 0; i < entries.size(); ++i) out[i] = entries[i].row;
    return out;
  }

 private:
  Storage storage_of(size_t column) const {
    for (const auto& b : batches_) return b.columns.at(column).storage;
    return Storage::int64;
  }
  template <class F>
  void each_batch(size_t column, F f) const {
    int64_t at = 0;
    for (const auto& b : batches_) {
      if (b.rows) f(b.columns[column], b.rows, at);
      at += b.rows;
    }
  }

  // Codes that few bits are needed for share a word.
  void add(Codes codes, bool descending) {
    if (codes.bits == 0) return;
    if (!levels_.empty() && levels_.back().texts.empty() && levels_.back().bits + codes.bits <= 64) {
      Level& last = levels_.back();
      for (size_t i = 0; i < codes.of.size(); ++i) last.words[i] = last.words[i] << codes.bits | codes.of[i];
      last.bits += codes.bits;
    } else {
      levels_.push_back({std::move(codes.of), codes.bits});
    }
    levels_.back().texts = std::move(codes.texts), levels_.back().descending = descending;
  }

  std::vector<Codes> of_fixed(const SortKey& key) const {
    Codes out{std::vector<uint64_t>(static_cast<size_t>(rows_))}, gone{{}, 0};
    uint64_t low = ~uint64_t{0}, high = 0;
    bool any_missing = false;
    each_batch(key.column, [&](const Column& c, int64_t rows, int64_t at) {
      visit_fixed(c.storage, [&](auto tag) {
        using T = typename decltype(tag)::type;
        const T* v = c.as<T>();
        const int64_t step = c.constant ? 0 : 1;
        with_missing<T>(c, [&](auto missing) {
          for (int64_t i = 0; i < rows; ++i) {
            const uint64_t word = ordered_word(v[i * step]);
            const bool is_gone = missing(i * step);
            out.of[static_cast<size_t>(at + i)] = word;
            any_missing |= is_gone;
            if (!is_gone) low = std::min(low, word), high = std::max(high, word);
          }
        });
      });
    });
    if (low > high) return {};  // all missing
    const uint64_t range = high - low;
    const bool apart = any_missing && range == ~uint64_t{0};  // no number is left for what is missing
    const uint64_t first = any_missing && key.missing_first && !apart ? 1 : 0, of_missing = first || apart ? 0 : range + 1;
    if (key.descending)
      for (auto& w : out.of) w = high - w + first;
    else
      for (auto& w : out.of) w = w - low + first;
    if (any_missing) {
      if (apart) gone = {std::vector<uint64_t>(out.of.size(), key.missing_first ? 1 : 0), 1};
      each_batch(key.column, [&](const Column& c, int64_t rows, int64_t at) {
        visit_fixed(c.storage, [&](auto tag) {
          with_missing<typename decltype(tag)::type>(c, [&](auto missing) {
            for (int64_t i = 0; i < rows; ++i)
              if (missing(c.constant ? 0 : i)) {
                out.of[static_cast<size_t>(at + i)] = of_missing;
                if (apart) gone.of[static_cast<size_t>(at + i)] = key.missing_first ? 0 : 1;
              }
          });
        });
      });
    }
    out.bits = std::bit_width(any_missing && !apart ? range + 1 : range);
    if (apart) return {std::move(gone), std::move(out)};
    return {std::move(out)};
  }

  std::vector<Codes> of_text(const SortKey& key) const {
    Codes ranked = rows_ < 4 * kChecked ? Codes{std::vector<uint64_t>(1)} : ranks(key);
    if (ranked.bits || ranked.of.empty()) return {std::move(ranked)};
    std::vector<Text> texts;
    texts.reserve(static_cast<size_t>(rows_));
    each_batch(key.column, [&](const Column& c, int64_t rows, int64_t) {
      for (int64_t i = 0; i < rows; ++i) texts.push_back(c.as<Text>()[c.constant ? 0 : i]);
    });
    Codes gone{std::vector<uint64_t>(texts.size()), 0}, words{std::vector<uint64_t>(texts.size()), 64};
    const size_t common = common_prefix(texts);
    int64_t longest = 0;
    for (const auto& t : texts) longest = std::max(longest, t.size - static_cast<int64_t>(common));
    const bool whole = longest <= 7;  // their sizes go along, and tell texts that end in zero bytes apart
    for (size_t i = 0; i < texts.size(); ++i) {
      const Text& t = texts[i];
      if (!t.data) {
        gone.of[i] = 1, gone.bits = 1;
        continue;
      }
      uint64_t word = 0;
      const auto size = t.size - static_cast<int64_t>(common);
      if (size > 0) std::memcpy(&word, t.data + common, static_cast<size_t>(std::min<int64_t>(8, size)));
      word = __builtin_bswap64(word);
      if (whole) word |= static_cast<uint64_t>(size);
      words.of[i] = key.descending ? ~word : word;
    }
    if (gone.bits && key.missing_first)
      for (auto& g : gone.of) g ^= 1;
    if (!whole) words.texts = std::move(texts);
    return {std::move(gone), std::move(words)};
  }

  // The rank of each text among the distinct ones; no bits where these are too many, nothing at all where all are equal.
  Codes ranks(const SortKey& key) const {
    KeyColumn distinct(Storage::text, true);
    std::vector<uint32_t> numbers(static_cast<size_t>(rows_));
    bool many = false;
    each_batch(key.column, [&](const Column& c, int64_t rows, int64_t at) {
      const Column all = spread(c, rows);
      for (int64_t done = 0; done < rows && !many; done += kChecked) {
        const int64_t more = std::min(kChecked, rows - done);
        distinct.encode(slice(all, done, more), more, numbers.data() + at + done);
        const auto size = static_cast<int64_t>(distinct.size());
        many = size > kMostRanked || (more == kChecked && size * kRowsOfRanked > at + done + more);
      }
    });
    Codes out{std::vector<uint64_t>(static_cast<size_t>(rows_))};
    if (many) return out;
    std::vector<uint32_t> all(distinct.size());
    std::iota(all.begin(), all.end(), 1u);
    const Column texts = distinct.values(all);
    const auto text = [&](uint32_t number) { return texts.as<Text>()[number - 1]; };
    std::sort(all.begin(), all.end(), [&](uint32_t a, uint32_t b) {
      const Text x = text(a), y = text(b);
      if (!x.data || !y.data) return (x.data == nullptr) != (y.data == nullptr) && (x.data == nullptr) == key.missing_first;
      return key.descending ? y.view() < x.view() : x.view() < y.view();
    });
    if (all.size() < 2) return {};
    std::vector<uint64_t> rank(all.size() + 1);
    for (size_t i = 0; i < all.size(); ++i) rank[all[i]] = i;
    for (size_t i = 0; i < numbers.size(); ++i) out.of[i] = rank[numbers[i]];
    out.bits = std::bit_width(all.size() - 1);
    return out;
  }

  static size_t common_prefix(const std::vector<Text>& texts) {
    const Text* first = nullptr;
    size_t common = 0;
    for (const auto& t : texts) {
      if (!t.data) continue;
      if (!first) {
        first = &t, common = static_cast<size_t>(t.size);
        continue;
      }
      common = std::min(common, static_cast<size_t>(t.size));
      if (common && std::memcmp(first->data, t.data, common) != 0)
        common = static_cast<size_t>(std::mismatch(first->data, first->data + common, t.data).first - first->data);
    }
    return common;
  }

  void sort(std::span<WordRow> entries, size_t level) {
    const Level& l = levels_[level];
    for (auto& e : entries) e.word = l.words[e.row];
    sort_words(entries, scratch_);
    if (l.texts.empty() && level + 1 == levels_.size()) return;
    each_run(entries, [](const WordRow& a, const WordRow& b) { return a.word == b.word; }, [&](std::span<WordRow> equal) {
      if (l.texts.empty()) return sort(equal, level + 1);
      std::sort(equal.begin(), equal.end(), [&](const WordRow& a, const WordRow& b) {
        const int order = l.texts[a.row].view().compare(l.texts[b.row].view());
        return order ? (order < 0) != l.descending : a.row < b.row;
      });
      if (level + 1 == levels_.size()) return;
      each_run(equal, [&](const WordRow& a, const WordRow& b) { return l.texts[a.row].view() == l.texts[b.row].view(); },
               [&](std::span<WordRow> same) { sort(same, level + 1); });
    });
  }
  // Calls f for each run of more than one entry that are equal.
  template <class Equal, class F>
  static void each_run(std::span<WordRow> entries, Equal equal, F f) {
    for (size_t begin = 0, end = 1; begin < entries.size(); begin = end) {
      for (end = begin + 1; end < entries.size() && equal(entries[begin], entries[end]);) ++end;
      if (end - begin > 1) f(entries.subspan(begin, end - begin));
    }
  }

  std::span<const Batch> batches_;
  int64_t rows_ = 0;
  std::vector<Level> levels_;
  std::vector<WordRow> scratch_;
};
// By the `bytes` bytes from bit `shift` on, from the last to the first; those that are equal everywhere are passed over.
void radix_sort(std::span<WordRow> rows, int shift, int bytes, std::vector<WordRow>& scratch) {
  if (scratch.size() < rows.size()) scratch.resize(rows.size());
  std::array<std::array<uint32_t, 256>, 8> counts{};
  const auto most = static_cast<size_t>(bytes);
  for (const auto& e : rows)
    for (size_t b = 0; b < most; ++b) ++counts[b][e.word >> shift >> (8 * b) & 255];
  std::span<WordRow> from = rows, to(scratch.data(), rows.size());
  for (size_t b = 0; b < most; ++b) {
    auto& count = counts[b];
    if (std::any_of(count.begin(), count.end(), [&](uint32_t n) { return n == rows.size(); })) continue;
    uint32_t at = 0;
    for (auto& n : count) at += std::exchange(n, at);
    for (const auto& e : from) to[count[e.word >> shift >> (8 * b) & 255]++] = e;
    std::swap(from, to);
  }
  if (from.data() != rows.data()) std::copy(from.begin(), from.end(), rows.begin());
}
}  // namespace

// First by as many of the leading bytes as tell most rows apart; the few that agree in these are sorted by themselves.
void sort_words(std::span<WordRow> rows, std::vector<WordRow>& scratch) {
  constexpr int kSpareBits = 2;  // more than there are rows
  if (std::is_sorted(rows.begin(), rows.end(), [](const WordRow& a, const WordRow& b) { return a.word < b.word; })) return;
  if (static_cast<int64_t>(rows.size()) < kFew) {
    std::sort(rows.begin(), rows.end(), [](const WordRow& a, const WordRow& b) { return a.word < b.word || (a.word == b.word && a.row < b.row); });
    return;
  }
  uint64_t differing = 0;
  for (const auto& e : rows) differing |= e.word ^ rows[0].word;
  const int bits = std::bit_width(differing), bytes = std::min((bits + 7) / 8, (static_cast<int>(std::bit_width(rows.size())) + kSpareBits + 7) / 8);
  const int shift = std::max(0, bits - 8 * bytes);
  radix_sort(rows, shift, bytes, scratch);
  if (shift == 0) return;
  for (size_t begin = 0, end; begin < rows.size(); begin = end) {
    for (end = begin + 1; end < rows.size() && rows[end].word >> shift == rows[begin].word >> shift;) ++end;
    if (end - begin > 1) sort_words(rows.subspan(begin, end - begin), scratch);
  }
}

std::vector<uint32_t> sort_order(std::span<const Batch> rows, const SortKeys& keys) { return Ordering(rows, keys).order(); }

int compare_rows(const Batch& a, int64_t i, const Batch& b, int64_t k, const SortKeys& keys) {
  for (const auto& key : keys) {
    const Column &x = a.columns[key.column], &y = b.columns[key.column];
    const int64_t left = x.constant ? 0 : i, right = y.constant ? 0 : k;
    const bool gone = x.is_missing(left), other = y.is_missing(right);
    if (gone != other) return gone == key.missing_first ? -1 : 1;
    if (gone) continue;
    const int order = visit(x.storage, [&](auto tag) {
      using T = typename decltype(tag)::type;
      const T &u = x.as<T>()[left], &v = y.as<T>()[right];
      if constexpr (std::is_same_v<T, Text>) return u.view().compare(v.view());
      else return u < v ? -1 : v < u ? 1 : 0;
    });
    if (order) return (order < 0) != key.descending ? -1 : 1;
  }
  return 0;
}

}  // namespace muster::kernels
