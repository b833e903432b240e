// Rows sorted into parts by the hash of their keys, batch by batch: in memory, or spilled. What a group-by of many groups keeps instead of a table.
#pragma once
#include <array>
#include <deque>
#include <memory>
#include <vector>

#include "data/kernel.hpp"
#include "kernels/spill.hpp"

namespace muster::kernels {

constexpr int kRowParts = 256;  // the top 8 bits of a row's hash

/// Hashes of rows by their key columns: equal keys have equal hashes, whatever dictionary or width they come in.
class RowHasher {
 public:
  explicit RowHasher(size_t keys) : dictionaries_(keys) {}
  /// `gone` gets a 1 for rows with a missing key.
  void hash(data::Columns keys, int64_t rows, std::vector<uint64_t>& hashes, std::vector<uint8_t>& gone);

 private:
  struct Known {
    std::shared_ptr<const data::Dictionary> dictionary;
    std::vector<uint64_t> hashes;
  };
  std::vector<Known> dictionaries_;
};

/// Numbers rows 1, 2, ... by their keys, in order of first appearance; used again for the next rows.
class RowTable {
 public:
  /// The group of each row; `first` gets the first row of each group, from group 1 on.
  void encode(data::Columns keys, int64_t rows, const uint64_t* hashes, std::vector<uint32_t>& groups, std::vector<int64_t>& first);

 private:
  struct Slot {
    uint64_t hash;
    uint32_t group;  // 0 = free
  };
  std::vector<Slot> slots_;
};

class RowParts {
 public:
  /// `numbered`: rows know their numbers.
  explicit RowParts(bool numbered) : numbered_(numbered) {}
  /// Adds rows; column 0.. are `columns`, behind them the rows' hashes and, if asked for, numbers (partition << 32 | first + i). Rows with gone[i] are left out
  /// if `gone` is not empty.
  void add(data::Columns columns, int64_t rows, const std::vector<uint64_t>& hashes, const std::vector<uint8_t>& gone, int64_t first_number);
  /// Shares the rows of another, behind its own.
  void append(const RowParts& later);
  /// Moves what is in memory to the spill file.
  void shed();
  /// The rows of a part, in order, as one batch; no columns if there are none.
  data::Batch part(int part) const;
  bool empty() const { return here_.empty() && runs_.empty(); }
  /// Of the rows in memory.
  int64_t bytes() const { return bytes_; }
  /// What is kept in memory to find spilled ones.
  int64_t kept_bytes() const;
  /// Of the rows of a part, spilled or not.
  int64_t bytes(int part) const;
  /// The rows of parts `begin` .. `end` - 1; all of them are decoded as they are.
  void encode(base::Encoder& out, int64_t begin, int64_t end) const;
  void decode(base::Decoder& in);

 private:
  struct Chunk {
    data::Batch rows;
    std::array<uint32_t, kRowParts + 1> begins;
    int64_t bytes = 0;
  };
  struct Here {                                            // in memory: one or the other
    std::shared_ptr<const Chunk> chunk;
    std::shared_ptr<const PackedParts> packed;             // as they came from elsewhere
  };
  // Rows of a part that lie in memory, piece by piece.
  struct Pieces {
    int64_t rows = 0;
    std::vector<std::vector<data::ColumnRows>> columns;
    std::deque<data::Batches> opened;
  };
  Pieces pieces_of(int part) const;
  data::Batch in_memory(int part) const;
  std::vector<std::shared_ptr<const SpilledParts>> runs_;  // before those in memory
  std::vector<Here> here_;
  bool numbered_;
  int64_t bytes_ = 0;
};

}  // namespace muster::kernels
