// A freed block is kept for its class, from any thread: resident while little is, else its pages are returned and its addresses kept. Slabs are never
// unmapped.
#include "data/memory.hpp"

#include <malloc.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdlib>
#include <mutex>
#include <vector>

#include "base/error.hpp"
#include "data/pages.hpp"

namespace muster::data {
using namespace base;
namespace {
constexpr size_t kSmallest = 32 << 10, kLargest = 8 << 20;  // bytes of a block that is recycled; larger ones are made of pages
constexpr int64_t kSlabPages = 32;
std::atomic<int64_t> kept{int64_t{1} << 30};  // bytes, as keep_memory() was told

// Four classes to a power of two, and a page for what stands in front of the values: at most a fifth of a block is wasted.
constexpr size_t kPage = 4 << 10;
size_t class_of(size_t size) {
  size -= kPage;
  const size_t power = static_cast<size_t>(std::bit_width(size - 1)) - 1;
  return power * 4 + ((size - 1) >> (power - 2)) - 3;
}
size_t size_of_class(size_t c) {
  const size_t power = (c - 1) / 4, quarter = (c - 1) % 4;
  return (size_t{1} << power) + (quarter + 1) * (size_t{1} << (power - 2)) + kPage;
}

class Slabs {
 public:
  void* take(size_t c) {
    std::lock_guard lock(mutex_);
    const size_t size = size_of_class(c);
    for (auto* free : {&warm_[c], &cold_[c]}) {
      if (free->empty()) continue;
      void* block = free->back();
      free->pop_back();
      if (free == &warm_[c]) keep_resident(-static_cast<int64_t>(size));
      return block;
    }
    if (left_ < size) {
      left_ = 0;
      auto slab = reserve_pages(kSlabPages);
      if (!slab) return nullptr;
      next_ = slab.get(), left_ = kSlabPages * kPageBytes;
      slabs_.push_back(std::move(slab));
    }
    void* block = next_;
    next_ += size, left_ -= size;
    return block;
  }
  void give_back(void* block, size_t c) {
    const bool warm = keep_resident(static_cast<int64_t>(size_of_class(c)));
    if (!warm) chill(block, c);
    std::lock_guard lock(mutex_);
    (warm ? warm_ : cold_)[c].push_back(block);
  }
  void chill_all() {
    std::lock_guard lock(mutex_);
    for (size_t c = 0; c < warm_.size(); ++c) {
      if (warm_[c].empty()) continue;  // the first classes are of no size
      for (void* block : warm_[c]) chill(block, c);
      keep_resident(-static_cast<int64_t>(warm_[c].size() * size_of_class(c)));
      cold_[c].insert(cold_[c].end(), warm_[c].begin(), warm_[c].end());
      warm_[c].clear();
    }
  }

 private:
  static void chill(void* block, size_t c) { ::madvise(block, size_of_class(c), MADV_DONTNEED); }  // blocks are of whole pages

  std::mutex mutex_;
  std::array<std::vector<void*>, 128> warm_, cold_;  // free blocks: resident, or returned to the system
  std::vector<std::shared_ptr<char>> slabs_;
  char* next_ = nullptr;
  size_t left_ = 0;
};

Slabs& slabs() {
  static auto* one = new Slabs;  // blocks may be freed after static objects are gone
  return *one;
}
}  // namespace

std::shared_ptr<char> allocate(int64_t bytes) {
  const auto size = (static_cast<size_t>(bytes) + 64 + 127) & ~size_t{63};
  std::shared_ptr<void> whole;
  if (size < kSmallest) {
    whole.reset(std::aligned_alloc(64, size), std::free);
  } else if (size <= kLargest) {
    const size_t c = class_of(size);
    whole.reset(slabs().take(c), [c](void* p) {
      if (p) slabs().give_back(p, c);
    });
  } else {
    const auto pages = (static_cast<int64_t>(size) + kPageBytes - 1) / kPageBytes;
    whole = reserve_pages(pages);
    if (whole) move_pages_under(static_cast<char*>(whole.get()), pages);
  }
  if (!whole) throw Error(ErrorKind::memory, concat("cannot allocate ", bytes, " bytes"));
  return {whole, static_cast<char*>(whole.get()) + 64};
}

void keep_memory(int64_t bytes) {
  set_most_resident(kept = bytes);
  // Left alone, the C library keeps twice the largest block that was freed, up to 64 MB for each of its arenas: much under a small limit.
  constexpr int64_t kLeast = 128 << 10, kMost = 32 << 20;
  static std::atomic<bool> matters{false};
  if (bytes < 2 * kMost) matters = true;
  if (!matters) return;
  ::mallopt(M_MMAP_THRESHOLD, static_cast<int>(std::clamp(bytes / 4, kLeast, kMost)));
  ::mallopt(M_TRIM_THRESHOLD, static_cast<int>(std::clamp(bytes / 2, kLeast, 2 * kMost)));
}

void freed_memory(int64_t bytes) {
  static std::atomic<int64_t> since{0};
  const int64_t most = kept;
  if ((since += bytes) < most) return;
  since = 0;
  if (static_cast<int64_t>(::mallinfo2().fordblks) > most) ::malloc_trim(0);
}

void return_unused_memory() {
  slabs().chill_all();
  return_free_pages();
  ::malloc_trim(0);
}

}  // namespace muster::data
