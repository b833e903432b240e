// Free pages are mappings of their own, so that one can be moved or unmapped alone. Everything here outlives static objects: memory may come back at the end
// of the process.
#include "data/pages.hpp"

#include <sys/mman.h>

#include <atomic>
#include <fstream>
#include <mutex>
#include <vector>

namespace muster::data {
namespace {
constexpr auto kSize = static_cast<size_t>(kPageBytes);

struct Free {
  std::mutex mutex;
  std::vector<char*> pages;  // each a mapping of its own
  std::atomic<int64_t> resident{0}, most{1 << 30};
};
Free& free_pages() {
  static auto* one = new Free;  // memory may be given back after static objects are gone
  return *one;
}

// In a virtual machine whose kernel tells the host which huge pages are free, the host takes their memory away, and touching them again takes five times as
// long as touching small pages. Elsewhere the order that says so is not a number of pages.
bool host_takes_huge_pages() {
  static const bool taken = [] {
    std::ifstream file("/sys/module/page_reporting/parameters/page_reporting_order");
    int64_t order;
    return file >> order && order >= 0 && order < 64;
  }();
  return taken;
}

void give_back(char* first, int64_t pages) {
  auto& f = free_pages();
  int64_t kept = 0;
  while (kept < pages && keep_resident(kPageBytes)) ++kept;
  if (kept < pages) ::munmap(first + kept * kPageBytes, static_cast<size_t>(pages - kept) * kSize);
  std::lock_guard lock(f.mutex);
  for (int64_t i = 0; i < kept; ++i) f.pages.push_back(first + i * kPageBytes);
}
}  // namespace

std::shared_ptr<char> reserve_pages(int64_t pages) {
  const size_t size = static_cast<size_t>(pages) * kSize;
  void* raw = ::mmap(nullptr, size + kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (raw == MAP_FAILED) return nullptr;
  auto at = reinterpret_cast<uintptr_t>(raw), aligned = (at + kSize - 1) / kSize * kSize;
  if (aligned > at) ::munmap(raw, aligned - at);
  if (const size_t behind = at + kSize - aligned) ::munmap(reinterpret_cast<void*>(aligned + size), behind);
  ::madvise(reinterpret_cast<void*>(aligned), size, host_takes_huge_pages() ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
  return {reinterpret_cast<char*>(aligned), [pages](char* p) { give_back(p, pages); }};
}

void move_pages_under(char* first, int64_t pages) {
  auto& f = free_pages();
  std::vector<char*> taken;
  {
    std::lock_guard lock(f.mutex);
    for (; static_cast<int64_t>(taken.size()) < pages && !f.pages.empty(); f.pages.pop_back()) taken.push_back(f.pages.back());
  }
  keep_resident(-static_cast<int64_t>(taken.size()) * kPageBytes);
  for (size_t i = 0; i < taken.size(); ++i) {
    char* to = first + static_cast<int64_t>(i) * kPageBytes;
    if (::mremap(taken[i], kSize, kSize, MREMAP_MAYMOVE | MREMAP_FIXED, to) != MAP_FAILED) continue;
    // Too many mappings, perhaps: the page goes, and what it should have replaced may be gone too.
    ::munmap(taken[i], kSize);
    ::mmap(to, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
  }
}

bool keep_resident(int64_t bytes) {
  auto& f = free_pages();
  if ((f.resident += bytes) <= f.most || bytes <= 0) return true;
  f.resident -= bytes;
  return false;
}

void set_most_resident(int64_t bytes) { free_pages().most = bytes; }

void return_free_pages() {
  auto& f = free_pages();
  std::lock_guard lock(f.mutex);
  for (char* page : f.pages) ::munmap(page, kSize);
  keep_resident(-static_cast<int64_t>(f.pages.size()) * kPageBytes);
  f.pages.clear();
}

}  // namespace muster::data
