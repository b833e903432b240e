// Bytes on disk for what does not fit into the memory budget: one file, without a name, for the process. Every piece carries a checksum.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/wire.hpp"

namespace muster::kernels {

/// A piece of the spill file; its place is free again when the last owner is gone.
class Spilled {
 public:
  virtual ~Spilled() = default;
  /// The bytes. Throws Error{io} if they are not those that were written.
  virtual std::string read() const = 0;
  /// Some of them, unchecked.
  virtual std::string read(int64_t begin, int64_t size) const = 0;
  virtual int64_t bytes() const = 0;
};

/// Writes bytes to the spill file, in the folder of MUSTER_TEMPORARY_DIRECTORY, TMPDIR or /tmp. Throws Error{io} with the way out when the disk is full.
std::shared_ptr<const Spilled> spill(std::string_view bytes);

/// Parts that are read one by one.
class Parts {
 public:
  virtual ~Parts() = default;
  /// Of a part: its bytes, in `room` where they are not in memory, and how many they are. Throws Error{io} if they are not those that were written.
  virtual std::string_view read(size_t part, std::string& room) const = 0;
  virtual int64_t bytes(size_t part) const = 0;
  /// What holds the bytes of parts that are in memory.
  virtual std::shared_ptr<const void> keep() const { return nullptr; }
  /// What all this takes in memory.
  virtual int64_t kept_bytes() const = 0;
};

/// Parts that lie behind each other in memory: as they travel, so that whoever needs one opens only that.
class PackedParts : public Parts {
 public:
  /// They stay where they lie if something holds these bytes. Throws Error{io} on bytes that are not `parts` parts.
  PackedParts(base::Decoder& in, size_t parts);
  std::string_view read(size_t part) const { return bytes_.substr(begin(part), ends_.at(part) - begin(part)); }
  std::string_view read(size_t part, std::string&) const override { return read(part); }
  int64_t bytes(size_t part) const override { return static_cast<int64_t>(ends_.at(part) - begin(part)); }
  std::shared_ptr<const void> keep() const override { return keep_; }
  int64_t kept_bytes() const override { return static_cast<int64_t>(bytes_.size() + ends_.capacity() * sizeof(uint64_t)); }

 private:
  size_t begin(size_t part) const { return part ? ends_.at(part - 1) : 0; }
  std::vector<uint64_t> ends_;
  std::shared_ptr<const void> keep_;
  std::string_view bytes_;
};

/// Writes what PackedParts reads.
class PackedPartsWriter {
 public:
  PackedPartsWriter(base::Encoder& out, size_t parts) : out_(out), at_(out.size()), ends_(parts) { out_ << ends_ << uint64_t{0}, begin_ = out_.size(); }
  ~PackedPartsWriter();
  PackedPartsWriter(const PackedPartsWriter&) = delete;
  /// Adds the next part: what `write` puts into the encoder it is given.
  template <class Write>
  void add(Write write) { write(out_), ends_.at(next_++) = out_.size() - begin_; }

 private:
  base::Encoder& out_;
  size_t at_, begin_ = 0, next_ = 0;
  std::vector<uint64_t> ends_;
};

/// Many small parts, spilled one behind the other in few pieces. Each carries a checksum.
class SpilledParts : public Parts {
 public:
  /// Adds the next part, as PackedPartsWriter does; an empty one takes no room.
  template <class Write>
  void add(Write write) {
    base::Encoder out;
    write(out);
    add_bytes(out.bytes());
  }
  /// Writes what is not written yet; nothing is added behind it.
  void close();
  std::string_view read(size_t part, std::string& room) const override;
  int64_t bytes(size_t part) const override;
  int64_t kept_bytes() const override {
    const size_t lists = ends_.capacity() * sizeof(uint32_t) + pieces_.capacity() * sizeof(Piece);
    return static_cast<int64_t>(lists) + kPieceBytes * static_cast<int64_t>(pieces_.size());
  }

 private:
  struct Piece {
    size_t first;  // part
    std::shared_ptr<const Spilled> spilled;
  };
  struct Place {
    const Piece* piece;
    uint32_t begin, end;
  };
  static constexpr int64_t kPieceBytes = 96;  // of a piece on the heap
  void add_bytes(std::string_view bytes);
  Place place_of(size_t part) const;
  std::string open_;            // the piece that is being filled
  size_t first_ = 0;            // its first part
  std::vector<uint32_t> ends_;  // of each part, in its piece
  std::vector<Piece> pieces_;
};

/// Bytes written so far by this process, for tests and logs.
int64_t spilled_bytes();

}  // namespace muster::kernels
