#include "worker/objects.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.hpp"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

namespace muster::worker {
using namespace base;

Segment::~Segment() {
  if (map_) munmap(map_, size_);
}

// Written with write(), which takes pages and fills them in one go: a mapping would zero them first, at half the speed.
void SegmentWriter::append(std::string_view bytes) {
  if (!fd_) fd_ = Fd(memfd_create("muster", MFD_CLOEXEC | MFD_ALLOW_SEALING));
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
    if (at == MAP_FAILED) throw Error(ErrorKind::memory, concat("cannot map ", size_, " bytes of shared memory"));
    map_ = static_cast<char*>(at);
  }
  return map_;
}

void Objects::put(TaskId id, Object object) {
  if (auto found = objects_.find(id); found != objects_.end()) bytes_ -= found->second.bytes;
  bytes_ += object.bytes;
  objects_[id] = std::move(object);
}

const Object* Objects::find(TaskId id) const {
  auto found = objects_.find(id);
  return found == objects_.end() ? nullptr : &found->second;
}

bool Objects::erase(TaskId id, uint16_t attempt) {
  auto found = objects_.find(id);
  if (found == objects_.end() || found->second.attempt != attempt) return false;
  bytes_ -= found->second.bytes;
  objects_.erase(found);
  return true;
}

void Objects::clear() { objects_.clear(), bytes_ = 0; }

}  // namespace muster::worker
