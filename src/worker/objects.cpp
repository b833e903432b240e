// A segment is filled once and sealed, and then only read. Its descriptor may be closed and its pages stay mapped: processes have few descriptors.
#include "worker/objects.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/error.hpp"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

namespace muster::worker {
using namespace base;

namespace {
std::atomic<int64_t> open_segments{0}, bytes_of_segments{0};
}  // namespace

int64_t most_descriptors() {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  return static_cast<int64_t>(std::min<rlim_t>(files.rlim_cur, 1 << 30)) / 2;
}

int64_t segment_bytes() { return bytes_of_segments; }

Segment::Segment(Fd fd, size_t size) : fd_(std::move(fd)), size_(size) {
  if (!fd_) throw Error(ErrorKind::memory, concat("no descriptor for an object of ", size, " bytes; raise the limit (ulimit -n)"));
  if (open_segments >= most_descriptors()) data(), fd_.reset();
  open_segments += static_cast<bool>(fd_), bytes_of_segments += static_cast<int64_t>(size_);
}

Segment::~Segment() {
  if (map_) munmap(map_, size_);
  open_segments -= static_cast<bool>(fd_), bytes_of_segments -= static_cast<int64_t>(size_);
}

void Segment::close_fd() {
  if (!fd_) return;
  data();
  fd_.reset(), --open_segments;
}

// Written with write(), which takes pages and fills them in one go: a mapping would zero them first, at half the speed.
void SegmentWriter::append(std::string_view bytes) {
  if (!fd_) fd_ = Fd(memfd_create("muster", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd_) throw Error(ErrorKind::memory, concat("no shared memory for an object: ", std::strerror(errno)));
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd_.get(), bytes.data(), std::min(bytes.size(), size_t{1} << 30));
    if (n <= 0) throw Error(ErrorKind::memory, concat("no shared memory for an object of ", size_ + bytes.size(), " bytes and more"));
    bytes.remove_prefix(static_cast<size_t>(n)), size_ += static_cast<size_t>(n);
  }
}

std::shared_ptr<Segment> SegmentWriter::finish() {
  fcntl(fd_.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE);
  return std::make_shared<Segment>(std::move(fd_), size_);
}

std::shared_ptr<Segment> Segment::of(const std::vector<std::string_view>& parts) {
  SegmentWriter out;
  for (const auto& part : parts) out.append(part);
  return out.finish();
}

char* Segment::data() {
  if (!map_ && size_) {
    void* at = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd_.get(), 0);
    if (at == MAP_FAILED) throw Error(ErrorKind::memory, concat("cannot map ", size_, " bytes of shared memory: ", std::strerror(errno)));
    map_ = static_cast<char*>(at);
  }
  return map_;
}

}  // namespace muster::worker
