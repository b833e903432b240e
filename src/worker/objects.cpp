// A segment is filled once and sealed, and then only read. Its descriptor may be closed and its pages stay mapped: processes have few descriptors.
#include "worker/objects.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "base/error.hpp"
#include "muster/error.hpp"

namespace muster::worker {
using namespace base;

namespace {
std::atomic<int64_t> open_segments{0}, bytes_of_segments{0};
}  // namespace

int64_t segment_bytes() { return bytes_of_segments; }

Segment::Segment(Fd fd, size_t size) : fd_(std::move(fd)), size_(size) {
  if (!fd_) throw Error(ErrorKind::memory, concat("no descriptor for an object of ", size, " bytes; raise the limit (ulimit -n)"));
  if (open_segments >= most_descriptors()) data(), fd_.reset();
  open_segments += static_cast<bool>(fd_), bytes_of_segments += static_cast<int64_t>(size_);
}

Segment::~Segment() {
  unmap_object(std::move(mapping_), size_);
  open_segments -= static_cast<bool>(fd_), bytes_of_segments -= static_cast<int64_t>(size_);
}

void Segment::close_fd() {
  if (!fd_) return;
  data();
  fd_.reset(), --open_segments;
}

std::shared_ptr<Segment> Segment::of(const std::vector<std::string_view>& parts) {
  size_t size = 0;
  for (const auto& part : parts) size += part.size();
  SegmentWriter out(size);
  for (const auto& part : parts) out.append(part);
  return out.finish();
}

char* Segment::data() {
  std::call_once(mapped_, [this] {
    if (size_) mapping_ = map_object(fd_.get(), size_);
  });
  return mapping_.data;
}

SegmentWriter::SegmentWriter(size_t size) : slab_(slabs().take(size)), size_(size), in_place_(!slab_->is_new()) {}

std::span<char> SegmentWriter::room(size_t left) {
  constexpr size_t kSome = 1 << 20;  // stays in the cache
  left = std::min({left, size_ - at_, kSome});
  if (in_place_) return {slab_->in_place(at_ + left) + at_, left};
  scratch_.resize(kSome);
  return {scratch_.data(), left};
}

void SegmentWriter::filled(size_t bytes) {
  if (in_place_) at_ += bytes;
  else append({scratch_.data(), bytes});
}

void SegmentWriter::append(std::string_view bytes) {
  if (bytes.size() > size_ - at_) throw internal("an object that is larger than its memory");
  if (in_place_) std::memcpy(slab_->in_place(at_ + bytes.size()) + at_, bytes.data(), bytes.size());
  else slab_->append(bytes);
  at_ += bytes.size();
}

void SegmentWriter::move_in(std::string&& bytes) {
  constexpr uintptr_t kPage = 4096, kSome = 4 << 20;
  const auto begin = reinterpret_cast<uintptr_t>(bytes.data());
  uintptr_t kept = (begin + kPage - 1) / kPage * kPage;
  for (size_t at = 0; at < bytes.size(); at += kSome) {
    append(std::string_view(bytes).substr(at, kSome));
    const uintptr_t done = (begin + std::min<size_t>(at + kSome, bytes.size())) / kPage * kPage;
    if (done > kept) madvise(reinterpret_cast<void*>(kept), done - kept, MADV_DONTNEED);
    kept = std::max(kept, done);
  }
  std::string().swap(bytes);
}

Fd SegmentWriter::finish_fd() {
  Fd out = slab_->reader();
  slabs().give_back(std::move(slab_));
  return out;
}

std::shared_ptr<Segment> SegmentWriter::finish() { return std::make_shared<Segment>(finish_fd(), at_); }

}  // namespace muster::worker
