// Turns the values of key columns into dense group numbers 1, 2, ... in order of first appearance. Number 0 collects the rows left out.
#pragma once
#include <deque>
#include <vector>

#include "data/kernel.hpp"

namespace muster::kernels {

/// Both halves of a 64 x 64 bit product, folded: every bit of the input reaches every bit of the result.
inline uint64_t mix(uint64_t word) {
  const auto wide = static_cast<unsigned __int128>(word ^ 0x2545F4914F6CDD1Du) * 0x9E3779B97F4A7C15u;
  return static_cast<uint64_t>(wide) ^ static_cast<uint64_t>(wide >> 64);
}

/// Open addressing from a 64-bit word to a dense number; the words are kept outside.
class WordTable {
 public:
  /// The number of `word`, or a new one (`next` is then taken).
  uint32_t find_or_add(uint64_t word, uint32_t next) {
    if ((count_ + 1) * 2 > slots_.size()) grow();
    for (size_t at = mix(word) & (slots_.size() - 1);; at = (at + 1) & (slots_.size() - 1)) {
      Slot& s = slots_[at];
      if (!s.number) {
        s = {word, next}, ++count_;
        return next;
      }
      if (s.word == word) return s.number;
    }
  }
  void prefetch(uint64_t word) const { if (!slots_.empty()) __builtin_prefetch(&slots_[mix(word) & (slots_.size() - 1)]); }
  int64_t bytes() const { return static_cast<int64_t>(slots_.size() * sizeof(Slot)); }

 private:
  struct Slot {
    uint64_t word = 0;
    uint32_t number = 0;  // 0 = free
  };
  void grow();
  std::vector<Slot> slots_;  // none before the first word
  size_t count_ = 0;
};

/// The distinct texts of a column: those of up to 16 bytes lie in the table itself.
class TextTable {
 public:
  /// What a text is looked for by.
  struct Probe {
    uint64_t hash, first, second;
  };
  /// The number of a text that is there, or a new one (`next` is then taken, and `added` set).
  uint32_t find_or_add(data::Text text, const Probe& probe, uint32_t next, const std::vector<data::Text>& texts, bool& added);
  static Probe probe(data::Text text);
  static uint64_t hash(data::Text text) { return probe(text).hash; }
  void prefetch(uint64_t hash) const { if (!slots_.empty()) __builtin_prefetch(&slots_[hash & (slots_.size() - 1)]); }
  /// The number of a text of at most 16 bytes if it is where it is looked for first, else 0.
  uint32_t at_once(const Probe& p, int64_t size) const {
    if (slots_.empty()) return 0;
    const Slot& s = slots_[p.hash & (slots_.size() - 1)];
    return size <= 16 && s.first == p.first && s.second == p.second && s.size == size ? s.number : 0;
  }
  int64_t bytes() const { return static_cast<int64_t>(slots_.size() * sizeof(Slot) + hashes_.capacity() * 8); }

 private:
  struct alignas(32) Slot {          // never in two lines of the cache
    uint64_t first = 0, second = 0;  // of a long text: its hash, and nothing
    int32_t size = 0;
    uint32_t number = 0;             // 0 = free
  };
  void grow();
  std::vector<Slot> slots_;
  std::vector<uint64_t> hashes_ = {0};  // by number, for growing
  size_t count_ = 0;
};

/// The distinct values of one column.
class KeyColumn {
 public:
  /// `missing`: a missing value is a value like others; else it gets number 0.
  KeyColumn(data::Storage storage, bool missing) : storage_(storage), keep_missing_(missing) {}
  void encode(const data::Column& column, int64_t rows, uint32_t* numbers);
  uint32_t size() const { return next_ - 1; }
  /// The values with these numbers.
  data::Column values(const std::vector<uint32_t>& numbers) const;
  int64_t bytes() const {
    return table_.bytes() + text_table_.bytes() +
           static_cast<int64_t>(words_.capacity() * 8 + texts_.capacity() * 16 + (of_code_.capacity() + whole_.capacity() + direct_.capacity()) * 4) +
           text_bytes_ + kept_bytes_;
  }
  /// Lets go of texts' memory that holds much else: they are copied.
  void compact();

 private:
  uint32_t missing() {
    if (!keep_missing_) return 0;
    if (!missing_) missing_ = next_++, is_text() ? texts_.emplace_back() : (words_.push_back(0), data::Text());
    return missing_;
  }
  uint32_t number_of(uint64_t word) {
    uint32_t n = table_.find_or_add(word, next_);
    if (n == next_) words_.push_back(word), ++next_;
    return n;
  }
  bool is_text() const { return storage_ == data::Storage::text; }
  void encode_text(const data::Column& column, int64_t rows, uint32_t* numbers);
  void encode_codes(const data::Column& column, int64_t rows, uint32_t* numbers);
  uint32_t number_of(data::Text text, const TextTable::Probe& probe, bool kept);
  uint32_t* direct(uint64_t word);

  data::Storage storage_;
  bool keep_missing_;
  WordTable table_;
  std::vector<uint64_t> words_ = {0};    // by number; a fixed-width value's bits
  TextTable text_table_;
  std::vector<data::Text> texts_ = {{}}; // by number
  std::vector<std::shared_ptr<char>> owned_;  // blocks of copied texts
  char* free_ = nullptr;
  int64_t free_bytes_ = 0, text_bytes_ = 0, kept_bytes_ = 0;
  std::vector<data::Keep> kept_;         // memory of texts that need no copy
  std::shared_ptr<const data::Dictionary> dictionary_;
  std::vector<uint32_t> of_code_;        // numbers of the dictionary's texts; 0 = not asked yet
  uint32_t next_ = 1, missing_ = 0;
  std::vector<uint32_t> whole_;          // of floats: numbers of small whole ones
  std::vector<uint32_t> direct_;         // numbers of small integers; 0 = not seen
};

/// Groups of rows equal in every key.
class KeyTable {
 public:
  KeyTable(const std::vector<data::Storage>& keys, bool keep_missing);
  /// The group number of each row.
  void encode(data::Columns keys, int64_t rows, std::vector<uint32_t>& groups);
  uint32_t size() const { return next_ - 1; }
  /// The key columns of the groups with these numbers.
  std::vector<data::Column> values(const std::vector<uint32_t>& groups) const;
  int64_t bytes() const;
  void compact();

 private:
  std::vector<KeyColumn> columns_;
  // Groups of pairs of small numbers: an array over both. Left for the hash table once it would get too large.
  struct Grid {
    std::vector<uint32_t> cells;
    uint32_t rows = 0, columns = 0;  // powers of two; 0 = given up
    bool usable = true;
  };
  bool fit(size_t k, uint32_t groups, uint32_t numbers);
  std::vector<Grid> grids_;
  std::vector<WordTable> pairs_;                    // (group so far, number in the next column) → group, one for each key but the first
  std::vector<uint32_t> next_pair_;
  std::vector<std::vector<std::pair<uint32_t, uint32_t>>> parts_;  // per pair table: what a number was made from
  std::vector<uint32_t> scratch_;
  uint32_t next_ = 1;
};

}  // namespace muster::kernels
