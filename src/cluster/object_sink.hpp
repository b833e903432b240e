// Where the bytes of an object are put as they come: a large one in shared memory, at once.
#pragma once
#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include "muster/error.hpp"
#include "net/connection.hpp"
#include "worker/objects.hpp"

namespace muster::cluster {

constexpr size_t kSharedBytes = 1 << 20;  // larger objects lie in shared memory

class ObjectSink : public net::Sink {
 public:
  explicit ObjectSink(size_t size) {
    if (size > kSharedBytes) large_.emplace(size);
    else small_.resize(size);
  }
  std::span<char> room(size_t left) override { return large_ ? large_->room(left) : std::span(small_).subspan(small_.size() - left); }
  void filled(size_t bytes) override {
    if (large_) large_->filled(bytes);
  }
  /// Gives what has come to the object.
  void finish(worker::Object& object) {
    if (large_) object.segment = large_->finish();
    else object.small = std::make_shared<const std::string>(std::move(small_));
  }

 private:
  std::optional<worker::SegmentWriter> large_;
  std::string small_;
};

inline std::unique_ptr<net::Sink> sink_for(size_t size) { return std::make_unique<ObjectSink>(size); }

/// What a frame brought of an object of `size` bytes, as a descriptor or as its payload. Throws Error{io} where they do not fit.
inline void take_bytes(net::Frame& frame, size_t size, worker::Object& object) {
  object.bytes = static_cast<int64_t>(size);
  if (!frame.fds.empty()) object.segment = std::make_shared<worker::Segment>(std::move(frame.fds[0]), size);
  else if (frame.payload) static_cast<ObjectSink&>(*frame.payload).finish(object);
  else object.small = std::make_shared<const std::string>();
  if ((object.segment ? object.segment->size() : object.small->size()) != size) throw Error(ErrorKind::io, "an object whose size does not fit");
}

}  // namespace muster::cluster
