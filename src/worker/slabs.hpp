// Memory files that objects are written to, one after the other: a page that is there is written six times as fast as one that is made.
//
// Who may still read a slab is the kernel's to say. A reader gets a description of the file of its own, read only, with a shared lock (flock) on it;
// every descriptor and mapping that comes of it, in whatever process, keeps the lock until it is gone, also when that process is killed. A slab is
// written again where an exclusive lock would be granted. The file is sealed: it is written through the one mapping of the process that made it.
#pragma once
#include <deque>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "base/fd.hpp"

namespace muster::worker {
using base::Fd;

/// Descriptors that objects of this process may keep open: half of what it may open at all.
int64_t most_descriptors();

class Slab {
 public:
  /// Throws Error{memory}.
  explicit Slab(size_t capacity);
  ~Slab();
  Slab(const Slab&) = delete;
  size_t capacity() const { return capacity_; }
  /// Nothing was written to it yet: then append() makes pages and fills them in one go, at half the cost of filling a mapping of them.
  bool is_new() const { return !sealed_; }
  /// Throws Error{memory}.
  void append(std::string_view bytes);
  /// Of one that is not new: where to write, with pages for the first `size` bytes. Throws Error{memory}.
  char* in_place(size_t size);
  /// A descriptor for readers; the slab is not to be written until the last of what comes of it is gone.
  Fd reader();
  bool has_readers() const;

 private:
  Fd file_;
  size_t capacity_, mapped_ = 0;             // bytes whose pages the mapping knows
  char* map_ = nullptr;
  bool sealed_ = false, lost_ = false;       // lost: readers cannot be told from its writer
};

/// The slabs of this process that are kept for the next object. Thread safe; a child process that was forked starts with none.
class Slabs {
 public:
  /// A slab of `size` bytes or more that nobody reads. Throws Error{memory}.
  std::unique_ptr<Slab> take(size_t size);
  /// Keeps it. Beyond the limit those that were written longest ago are given up: their memory is free once their readers are gone.
  void give_back(std::unique_ptr<Slab> slab);
  /// 1 GiB at first; 0 keeps none.
  void set_limit(size_t bytes);
  void clear();
  /// Of those that are kept.
  size_t bytes() const;

 private:
  using Gone = std::vector<std::unique_ptr<Slab>>;  // destroyed without the mutex: their memory is freed then
  [[nodiscard]] Gone shrink(size_t bytes, size_t count);
  [[nodiscard]] Gone forget_parents();
  mutable std::mutex mutex_;
  std::deque<std::unique_ptr<Slab>> kept_;   // the last one was written last
  size_t bytes_ = 0, limit_ = size_t{1} << 30;
  int owner_ = 0;                            // process
};

Slabs& slabs();

/// Every slab's name begins so, as /proc shows it; it is a name of its own.
extern const char* const kSlabName;

}  // namespace muster::worker
