// Bytes on disk for what does not fit into the memory budget: one file, without a name, for the process. Every piece carries a checksum.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace muster::kernels {

/// A piece of the spill file; its place is free again when the last owner is gone.
class Spilled {
 public:
  virtual ~Spilled() = default;
  /// The bytes. Throws Error{io} if they are not those that were written.
  virtual std::string read() const = 0;
  virtual int64_t bytes() const = 0;
};

/// Writes bytes to the spill file, in the folder of MUSTER_TEMPORARY_DIRECTORY, TMPDIR or /tmp. Throws Error{io} with the way out when the disk is full.
std::shared_ptr<const Spilled> spill(std::string_view bytes);

/// Bytes written so far by this process, for tests and logs.
int64_t spilled_bytes();

}  // namespace muster::kernels
