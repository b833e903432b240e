// Rows by their keys, for the rows of another side to look into. Missing keys equal each other, as they do in pandas' joins.
#pragma once
#include <cstdint>
#include <vector>

#include "data/column.hpp"

namespace muster::kernels {

/// Read only once it is made: many tasks look into it at once.
class JoinTable {
 public:
  /// Of rows with these keys, none of them constant. Throws Error{memory} for more rows than can be numbered.
  JoinTable(std::vector<data::Column> keys, int64_t rows);

  /// Pairs of equal rows: of each row that is looked for, in order, the rows here, in theirs.
  struct Pairs {
    std::vector<int64_t> looked_for, found;
  };
  /// Where `found`; where `not_found`, a row that equals none is there once, with -1 for what was found.
  void find(std::span<const data::Column> keys, int64_t rows, bool found, bool not_found, Pairs& out) const;
  /// The first row here whose key another has too; -1 where there is none.
  int64_t first_repeated() const;
  /// 1 for rows that equal one here.
  void contains(std::span<const data::Column> keys, int64_t rows, uint8_t* out) const;
  int64_t bytes() const;

 private:
  struct Words;
  uint64_t bucket(uint64_t word) const;
  void lay(const Words& words);
  template <class Each>
  void look(std::span<const data::Column> keys, int64_t rows, Each each) const;

  std::vector<data::Column> keys_;
  int64_t count_;
  bool exact_ = false;                 // one key of fixed width: its bits are the word, and equal words equal keys
  bool dense_ = false;                 // and they lie close together: a bucket for each
  uint64_t lowest_ = 0;                // of dense ones
  int shift_ = 0;                      // of others: the top bits of the word's hash say the bucket
  std::vector<uint32_t> ends_;         // bucket b is ends_[b] .. ends_[b + 1] - 1 of what follows
  std::vector<uint32_t> rows_;
  std::vector<uint64_t> words_;        // beside them, where a bucket holds several
  std::vector<uint32_t> missing_;      // rows whose exact key is missing
};

}  // namespace muster::kernels
