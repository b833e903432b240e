#include "worker/slabs.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <random>

#include "base/error.hpp"
#include "muster/error.hpp"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

namespace muster::worker {
using namespace base;
namespace {
constexpr size_t kPage = 4096;

// That are kept: each has a descriptor.
size_t most_kept() { return static_cast<size_t>(std::min<int64_t>(64, most_descriptors() / 4)); }

Error no_memory(size_t size) { return Error(ErrorKind::memory, concat("no shared memory for an object of ", size, " bytes: ", std::strerror(errno))); }

// A little more than asked for, so that the next object, which is a little larger, finds room.
size_t capacity_for(size_t size) {
  const size_t step = std::max(kPage, std::bit_floor(size) / 8);
  return (size + step - 1) / step * step;
}

std::string fresh_name() {
  static std::random_device device;
  static std::mutex mutex;
  std::lock_guard lock(mutex);
  constexpr char kDigits[] = "0123456789abcdef";
  std::string name = kSlabName;
  for (int word = 0; word < 4; ++word)
    for (uint32_t bits = device(), i = 0; i < 8; ++i, bits >>= 4) name += kDigits[bits & 15];
  return name;
}
}  // namespace

const char* const kSlabName = "muster-slab-";

int64_t most_descriptors() {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  return static_cast<int64_t>(std::min<rlim_t>(files.rlim_cur, 1 << 30)) / 2;
}

Slab::Slab(size_t capacity) : file_(memfd_create(fresh_name().c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING)), capacity_(capacity) {
  if (!file_ || ftruncate(file_.get(), static_cast<off_t>(capacity)) != 0) throw no_memory(capacity);
  void* at = mmap(nullptr, capacity, PROT_READ | PROT_WRITE, MAP_SHARED, file_.get(), 0);
  if (at == MAP_FAILED) throw no_memory(capacity);
  map_ = static_cast<char*>(at);
}

Slab::~Slab() {
  if (map_) munmap(map_, capacity_);
}

char* Slab::in_place(size_t size) {
  const size_t end = std::min(capacity_, (size + kPage - 1) / kPage * kPage);
  if (mapped_ < end) {
    if (madvise(map_ + mapped_, end - mapped_, MADV_POPULATE_WRITE) != 0 && (errno != EINVAL || fallocate(file_.get(), 0, 0, static_cast<off_t>(end)) != 0))
      throw no_memory(size);
    mapped_ = end;
  }
  return map_;
}

void Slab::append(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(file_.get(), bytes.data(), std::min(bytes.size(), size_t{1} << 30));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) throw no_memory(capacity_);
    bytes.remove_prefix(static_cast<size_t>(n));
  }
}

Fd Slab::reader() {
  if (!std::exchange(sealed_, true)) fcntl(file_.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE);
  Fd own(open(concat("/proc/self/fd/", file_.get()).c_str(), O_RDONLY | O_CLOEXEC));
  if (own && flock(own.get(), LOCK_SH | LOCK_NB) == 0) return own;
  lost_ = true;
  Fd same(fcntl(file_.get(), F_DUPFD_CLOEXEC, 0));
  if (!same) throw Error(ErrorKind::memory, "no descriptor for an object; raise the limit (ulimit -n)");
  return same;
}

bool Slab::has_readers() const {
  if (lost_ || flock(file_.get(), LOCK_EX | LOCK_NB) != 0) return true;
  flock(file_.get(), LOCK_UN);
  return false;
}

std::unique_ptr<Slab> Slabs::take(size_t size) {
  {
    Gone gone;
    std::lock_guard lock(mutex_);
    gone = forget_parents();
    for (auto s = kept_.begin(); s != kept_.end(); ++s)
      if ((*s)->capacity() >= size && (*s)->capacity() / 2 <= size && !(*s)->has_readers()) {
        auto out = std::move(*s);
        bytes_ -= out->capacity();
        kept_.erase(s);
        return out;
      }
  }
  return std::make_unique<Slab>(capacity_for(std::max<size_t>(size, 1)));
}

void Slabs::give_back(std::unique_ptr<Slab> slab) {
  Gone of_parents, gone;
  std::lock_guard lock(mutex_);
  of_parents = forget_parents();
  bytes_ += slab->capacity();
  kept_.push_back(std::move(slab));
  gone = shrink(limit_, most_kept());
}

Slabs::Gone Slabs::shrink(size_t bytes, size_t count) {
  Gone gone;
  while (bytes_ > bytes || kept_.size() > count) {
    bytes_ -= kept_.front()->capacity();
    gone.push_back(std::move(kept_.front()));
    kept_.pop_front();
  }
  return gone;
}

// Parent and child have the same descriptions of files, and so the same locks: each would find the other's slabs free.
Slabs::Gone Slabs::forget_parents() { return std::exchange(owner_, ::getpid()) != ::getpid() ? shrink(0, 0) : Gone(); }

void Slabs::set_limit(size_t bytes) {
  Gone gone;
  std::lock_guard lock(mutex_);
  limit_ = bytes;
  gone = shrink(limit_, most_kept());
}

void Slabs::clear() {
  Gone gone;
  std::lock_guard lock(mutex_);
  gone = shrink(0, 0);
}

size_t Slabs::bytes() const {
  std::lock_guard lock(mutex_);
  return bytes_;
}

Slabs& slabs() {
  static Slabs one;
  return one;
}

}  // namespace muster::worker
