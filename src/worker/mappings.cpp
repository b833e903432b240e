#include "worker/mappings.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <deque>
#include <mutex>
#include <vector>

#include "base/error.hpp"
#include "muster/error.hpp"
#include "worker/slabs.hpp"

namespace muster::worker {
using namespace base;
namespace {
constexpr size_t kPage = 4096;

std::atomic<uint64_t> forks{0};
std::atomic<int64_t> with_descriptor{0};

struct Idle {
  std::mutex mutex;
  std::deque<Mapping> mappings;  // the last one was looked at last
  size_t bytes = 0, limit = size_t{1} << 30;
  uint64_t forks = 0;
};

Idle& idle() {
  static auto* one = [] {
    pthread_atfork([] { idle().mutex.lock(); }, [] { ++forks, idle().mutex.unlock(); }, [] { ++forks, idle().mutex.unlock(); });
    return new Idle;  // readers may end after static objects
  }();
  return *one;
}

void undo(Mapping& m) {
  munmap(m.data, m.size);
  if (m.file) --with_descriptor;
}

// Mappings that are undone without the mutex.
struct Gone {
  std::deque<Mapping> mappings;
  ~Gone() {
    for (auto& m : mappings) undo(m);
  }
};

void shrink(Idle& all, size_t limit, Gone& gone) {
  while (all.bytes > limit) {
    all.bytes -= all.mappings.front().size;
    gone.mappings.push_back(std::move(all.mappings.front()));
    all.mappings.pop_front();
  }
}

// A fork makes a second owner of every mapping: those of before are given up.
void forget_shared(Idle& all, Gone& gone) {
  if (std::exchange(all.forks, forks.load()) != forks) shrink(all, 0, gone);
}

int64_t most_with_descriptor() { return std::min<int64_t>(64, most_descriptors() / 4); }

std::string slab_of(int fd) {
  char name[128];
  const ssize_t n = readlink(concat("/proc/self/fd/", fd).c_str(), name, sizeof name);
  const std::string_view found(name, static_cast<size_t>(std::max<ssize_t>(n, 0)));
  return found.find(kSlabName) == std::string_view::npos ? std::string() : std::string(found);
}

// Takes back what the reader has written: pages of its own. False where that cannot be known.
bool drop_own_pages(char* data, size_t size) {
  constexpr uint64_t kPresent = uint64_t{1} << 63, kSwapped = uint64_t{1} << 62, kOfFile = uint64_t{1} << 61;
  const Fd pagemap(open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
  const size_t pages = (size + kPage - 1) / kPage, first = reinterpret_cast<uintptr_t>(data) / kPage;
  std::vector<uint64_t> entries(std::min<size_t>(pages, 8192));
  for (size_t at = 0; at < pages;) {
    const size_t bytes = std::min(entries.size(), pages - at) * sizeof(uint64_t);
    if (!pagemap || pread(pagemap.get(), entries.data(), bytes, static_cast<off_t>((first + at) * sizeof(uint64_t))) != static_cast<ssize_t>(bytes))
      return false;
    const size_t n = bytes / sizeof(uint64_t);
    const auto own = [&](size_t i) { return (entries[i] & (kPresent | kSwapped)) && !(entries[i] & kOfFile); };
    for (size_t i = 0; i < n; ++i) {
      size_t end = i;
      while (end < n && own(end)) ++end;
      if (end > i && madvise(data + (at + i) * kPage, (end - i) * kPage, MADV_DONTNEED) != 0) return false;
      i = end;
    }
    at += n;
  }
  return true;
}
}  // namespace

Mapping map_object(int fd, size_t size) {
  Mapping out;
  Idle& all = idle();
  out.slab = slab_of(fd), out.forks = forks;
  if (!out.slab.empty()) {
    Gone gone;
    std::lock_guard lock(all.mutex);
    forget_shared(all, gone);
    const auto known = std::find_if(all.mappings.begin(), all.mappings.end(), [&](const Mapping& m) { return m.slab == out.slab; });
    if (known != all.mappings.end()) {
      Mapping found = std::move(*known);
      all.bytes -= found.size;
      all.mappings.erase(known);
      if (found.size >= size && flock(found.file.get(), LOCK_SH | LOCK_NB) == 0) return found;
      gone.mappings.push_back(std::move(found));
    }
  }
  struct stat facts {};
  if (!out.slab.empty() && with_descriptor < most_with_descriptor() && fstat(fd, &facts) == 0) {
    out.file = Fd(open(concat("/proc/self/fd/", fd).c_str(), O_RDONLY | O_CLOEXEC));
    if (out.file && flock(out.file.get(), LOCK_SH | LOCK_NB) != 0) out.file.reset();
  }
  out.size = out.file ? static_cast<size_t>(facts.st_size) : size;
  void* at = mmap(nullptr, out.size, PROT_READ | PROT_WRITE, MAP_PRIVATE, out.file ? out.file.get() : fd, 0);
  if (at == MAP_FAILED) throw Error(ErrorKind::memory, concat("cannot map ", size, " bytes of shared memory: ", std::strerror(errno)));
  out.data = static_cast<char*>(at);
  if (out.file) ++with_descriptor;
  return out;
}

void unmap_object(Mapping m, size_t size) noexcept {
  if (!m.data) return;
  Idle& all = idle();
  if (m.file && m.forks == forks && m.size <= all.limit && drop_own_pages(m.data, size)) {
    Gone gone;
    std::lock_guard lock(all.mutex);
    forget_shared(all, gone);
    if (m.forks == forks && flock(m.file.get(), LOCK_UN) == 0) {
      all.bytes += m.size;
      all.mappings.push_back(std::move(m));
      return shrink(all, all.limit, gone);
    }
  }
  undo(m);
}

void keep_mappings(size_t bytes) {
  Idle& all = idle();
  Gone gone;
  std::lock_guard lock(all.mutex);
  shrink(all, all.limit = bytes, gone);
}

}  // namespace muster::worker
