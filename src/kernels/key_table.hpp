// Turns the values of key columns into dense group numbers 1, 2, ... in order of first appearance. Number 0 collects the rows left out.
#pragma once
#include <deque>
#include <vector>

#include "data/kernel.hpp"

namespace muster::kernels {

/// Open addressing from a 64-bit word to a dense number; the words are kept outside.
class WordTable {
 public:
  /// The number of `word`, or a new one (`next` is then taken).
  uint32_t find_or_add(uint64_t word, uint32_t next) {
    if ((count_ + 1) * 2 > slots_.size()) grow();
    for (size_t at = hash(word) & (slots_.size() - 1);; at = (at + 1) & (slots_.size() - 1)) {
      Slot& s = slots_[at];
      if (!s.number) {
        s = {word, next}, ++count_;
        return next;
      }
      if (s.word == word) return s.number;
    }
  }
  int64_t bytes() const { return static_cast<int64_t>(slots_.size() * sizeof(Slot)); }

 private:
  struct Slot {
    uint64_t word = 0;
    uint32_t number = 0;  // 0 = free
  };
  static size_t hash(uint64_t word) {
    auto wide = static_cast<unsigned __int128>(word ^ 0x2545F4914F6CDD1Du) * 0x9E3779B97F4A7C15u;
    return static_cast<size_t>(static_cast<uint64_t>(wide) ^ static_cast<uint64_t>(wide >> 64));
  }
  void grow();
  std::vector<Slot> slots_ = std::vector<Slot>(64);
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
  int64_t bytes() const { return table_.bytes() + static_cast<int64_t>(words_.size() * 8) + text_bytes_; }

 private:
  uint32_t missing() {
    if (!keep_missing_) return 0;
    if (!missing_) missing_ = next_++, words_.push_back(0), texts_.emplace_back();
    return missing_;
  }
  uint32_t number_of(uint64_t word) {
    uint32_t n = table_.find_or_add(word, next_);
    if (n == next_) words_.push_back(word), ++next_;
    return n;
  }
  uint32_t number_of_short(uint64_t word, data::Text text);
  uint32_t number_of_long(data::Text text);
  uint32_t own(data::Text text);  // a copy under the next number

  data::Storage storage_;
  bool keep_missing_;
  WordTable table_;
  std::vector<uint64_t> words_ = {0};    // by number; a fixed-width value's bits
  std::vector<data::Text> texts_ = {{}}; // by number
  std::vector<std::pair<uint64_t, uint32_t>> long_;  // texts over 7 bytes by hash, open addressing
  size_t long_count_ = 0;
  std::deque<std::string> owned_;
  int64_t text_bytes_ = 0;
  uint32_t next_ = 1, missing_ = 0;
  std::vector<uint32_t> small_ = std::vector<uint32_t>(kSmall);  // numbers of integers in [0, kSmall), 0 = not seen
  static constexpr int64_t kSmall = 4096;
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

 private:
  std::vector<KeyColumn> columns_;
  std::vector<WordTable> pairs_;                    // (group so far, number in the next column) → group, one for each key but the first
  std::vector<uint32_t> next_pair_;
  std::vector<std::vector<std::pair<uint32_t, uint32_t>>> parts_;  // per pair table: what a number was made from
  std::vector<uint32_t> scratch_;
  uint32_t next_ = 1;
};

}  // namespace muster::kernels
