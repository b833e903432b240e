// Objects of a worker: results and copies, immutable, under their task's id. Large ones lie in shared memory that other processes of this host
// map privately: they may write into what they see, the object stays as it is.
#pragma once
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.hpp"
#include "base/ids.hpp"
#include "graph/graph.hpp"
#include "kernels/pipeline.hpp"
#include "kernels/spill.hpp"
#include "worker/mappings.hpp"
#include "worker/object_key.hpp"
#include "worker/slabs.hpp"

namespace muster::worker {
using base::Fd, base::TaskId;

/// Bytes of all segments of this process.
int64_t segment_bytes();

/// An object's memory file, mapped on first use. Beyond most_descriptors() a new one is mapped at once and keeps none.
class Segment {
 public:
  /// Throws Error{memory} where there is no descriptor.
  Segment(Fd fd, size_t size);
  ~Segment();
  Segment(const Segment&) = delete;
  /// A new one of these parts, one after the other. Throws Error{memory}.
  static std::shared_ptr<Segment> of(const std::vector<std::string_view>& parts);
  /// To hand it to another process; -1 where only its bytes can be.
  int fd() const { return fd_.get(); }
  /// Keeps the mapping only: for who hands it to nobody.
  void close_fd();
  size_t size() const { return size_; }
  /// Mapped privately: nobody else sees what is written there.
  char* data();
  std::string_view view() { return {data(), size_}; }

 private:
  Fd fd_;
  size_t size_;
  std::once_flag mapped_;
  Mapping mapping_;
};

/// Writes a new object part by part, into a slab.
class SegmentWriter {
 public:
  /// Of so many bytes. Throws Error{memory}.
  explicit SegmentWriter(size_t size);
  /// Where the next bytes may be put, `left` at most; they count once filled() says how many there are.
  std::span<char> room(size_t left);
  void filled(size_t bytes);
  void append(std::string_view bytes);
  /// As append(); their memory is given back meanwhile, so that they are not there twice.
  void move_in(std::string&& bytes);
  /// The descriptor of all that was written, for readers.
  Fd finish_fd();
  std::shared_ptr<Segment> finish();

 private:
  std::unique_ptr<Slab> slab_;
  size_t size_, at_ = 0;
  bool in_place_;         // its pages are there
  std::string scratch_;   // where they are not
};

struct Object {
  uint16_t attempt = 0;
  bool native = false;                                   // encoded outputs of the engine, not of a guest
  uint32_t output = kAllOutputs;                         // that it has alone
  std::string type{};                                    // as its language names it
  int64_t bytes = 0;
  graph::Blob small{};
  std::shared_ptr<Segment> segment{};
  std::shared_ptr<const std::vector<kernels::Output>> outputs{};  // of a native task, not encoded yet, or opened; the one that it has
  std::shared_ptr<const std::map<uint32_t, kernels::Output>> states{};  // that were opened, of several outputs
  std::vector<std::shared_ptr<const kernels::Spilled>> spilled{};  // then it is nowhere else; each of several outputs

  /// What holds these bytes.
  std::shared_ptr<const void> keep() const { return segment ? std::shared_ptr<const void>(segment) : small; }
  std::string_view view() const { return segment ? segment->view() : small ? std::string_view(*small) : std::string_view(); }
};

}  // namespace muster::worker
