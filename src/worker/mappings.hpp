// Objects' memory files as this process sees them: mapped privately, so that a reader may write into what it sees while the object stays. A mapping
// of a slab that nobody looks at any more is kept, without its lock, for the next object in that slab: its pages need not be found again.
#pragma once
#include <cstdint>
#include <string>

#include "base/fd.hpp"

namespace muster::worker {
using base::Fd;

struct Mapping {
  char* data = nullptr;
  size_t size = 0;         // of the mapping: the slab's
  Fd file;                 // of a slab: a description of its own, locked
  std::string slab;        // its name
  uint64_t forks = 0;      // of this process when it was made or taken
};

/// `size` bytes of an object whose descriptor this is. Throws Error{memory}.
Mapping map_object(int fd, size_t size);
/// Nobody looks at its first `size` bytes any more.
void unmap_object(Mapping mapping, size_t size) noexcept;
/// Beyond this, mappings that nobody looks at are undone; 1 GiB at first.
void keep_mappings(size_t bytes);

}  // namespace muster::worker
