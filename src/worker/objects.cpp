#include "worker/objects.hpp"

#include <fcntl.h>
#include <sys/mman.h>

#include "base/error.hpp"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

namespace muster::worker {
using namespace base;

Segment::~Segment() {
  if (map_) munmap(map_, size_);
}

std::shared_ptr<Segment> Segment::create(size_t size) {
  Fd fd(memfd_create("muster", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd || posix_fallocate(fd.get(), 0, static_cast<off_t>(size)) != 0) throw Error(ErrorKind::memory, concat("no shared memory for ", size, " bytes"));
  auto s = std::make_shared<Segment>(std::move(fd), size);
  s->writing_ = true;
  return s;
}

char* Segment::data() {
  if (!map_ && size_) {
    void* at = mmap(nullptr, size_, PROT_READ | PROT_WRITE, writing_ ? MAP_SHARED : MAP_PRIVATE, fd_.get(), 0);
    if (at == MAP_FAILED) throw Error(ErrorKind::memory, concat("cannot map ", size_, " bytes of shared memory"));
    map_ = static_cast<char*>(at);
  }
  return map_;
}

void Segment::seal() {
  fcntl(fd_.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE);
  if (map_) munmap(map_, size_), map_ = nullptr;
  writing_ = false;
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
