#include "data/memory.hpp"

#include <malloc.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdlib>
#include <map>
#include <mutex>
#include <vector>

#include "base/error.hpp"

namespace muster::data {
using namespace base;
namespace {
constexpr size_t kSmallest = 32 << 10, kLargest = 32 << 20;  // bytes of a block that is recycled
constexpr size_t kHuge = 2 << 20, kSlab = 64 << 20;

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

void* map_pages(size_t size) {
  void* raw = ::mmap(nullptr, size + kHuge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (raw == MAP_FAILED) return nullptr;
  auto at = reinterpret_cast<uintptr_t>(raw), aligned = (at + kHuge - 1) / kHuge * kHuge;
  if (aligned > at) ::munmap(raw, aligned - at);
  if (const size_t behind = at + kHuge - aligned) ::munmap(reinterpret_cast<void*>(aligned + size), behind);
  ::madvise(reinterpret_cast<void*>(aligned), size, MADV_HUGEPAGE);
  return reinterpret_cast<void*>(aligned);
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
      if (free == &warm_[c]) kept_ -= static_cast<int64_t>(size);
      return block;
    }
    if (left_ < size) {
      next_ = static_cast<char*>(map_pages(kSlab));
      if (!next_) {
        left_ = 0;
        return nullptr;
      }
      left_ = kSlab;
    }
    void* block = next_;
    next_ += size, left_ -= size;
    return block;
  }
  void give_back(void* block, size_t c) {
    const auto size = static_cast<int64_t>(size_of_class(c));
    const bool warm = kept_ + size <= most_kept_;
    if (!warm) chill(block, c);
    std::lock_guard lock(mutex_);
    (warm ? warm_ : cold_)[c].push_back(block);
    if (warm) kept_ += size;
  }
  // Blocks of whole huge pages beyond the classes; one that is at most a quarter too large will do.
  void* take_large(size_t& size) {
    {
      std::lock_guard lock(mutex_);
      const auto found = large_.lower_bound(size);
      if (found != large_.end() && found->first <= size + size / 4) {
        size = found->first;
        void* block = found->second;
        large_.erase(found);
        kept_ -= static_cast<int64_t>(size);
        return block;
      }
    }
    return map_pages(size);
  }
  void give_back_large(void* block, size_t size) {
    {
      std::lock_guard lock(mutex_);
      if (kept_ + static_cast<int64_t>(size) <= most_kept_) {
        large_.emplace(size, block);
        kept_ += static_cast<int64_t>(size);
        return;
      }
    }
    ::munmap(block, size);
  }
  void keep(int64_t bytes) { most_kept_ = bytes; }
  void chill_all() {
    std::lock_guard lock(mutex_);
    for (size_t c = 0; c < warm_.size(); ++c) {
      for (void* block : warm_[c]) chill(block, c);
      cold_[c].insert(cold_[c].end(), warm_[c].begin(), warm_[c].end());
      warm_[c].clear();
    }
    for (const auto& [size, block] : large_) ::munmap(block, size);
    large_.clear();
    kept_ = 0;
  }

 private:
  static void chill(void* block, size_t c) { ::madvise(block, size_of_class(c), MADV_DONTNEED); }  // blocks are of whole pages

  std::mutex mutex_;
  std::array<std::vector<void*>, 128> warm_, cold_;  // free blocks: resident, or returned to the system
  std::multimap<size_t, void*> large_;               // free and resident, by their size
  std::atomic<int64_t> kept_{0}, most_kept_{1 << 30};  // bytes of the resident ones
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
    size_t pages = (size + kHuge - 1) / kHuge * kHuge;
    void* block = slabs().take_large(pages);
    whole.reset(block, [pages](void* p) {
      if (p) slabs().give_back_large(p, pages);
    });
  }
  if (!whole) throw Error(ErrorKind::memory, concat("cannot allocate ", bytes, " bytes"));
  return {whole, static_cast<char*>(whole.get()) + 64};
}

void keep_memory(int64_t bytes) { slabs().keep(bytes); }

void return_unused_memory() {
  slabs().chill_all();
  ::malloc_trim(0);
}

}  // namespace muster::data
