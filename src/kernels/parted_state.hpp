// States whose parts go separate ways: whoever merges one part of many states gets, reads and opens that alone.
#pragma once
#include <memory>

#include "data/kernel.hpp"

namespace muster::kernels {

class PartedState {
 public:
  virtual ~PartedState() = default;
  /// Bytes of the state, also of what it has spilled.
  virtual int64_t all_bytes() const = 0;
  /// Of a sealed state: a state of what lies in parts `begin` .. `end` - 1 of kRowParts. It shares the memory of this one.
  virtual std::unique_ptr<data::Fold> parts(int64_t begin, int64_t end) const = 0;
};

/// The same of a fold that another one is made of.
inline int64_t all_bytes(const data::Fold& fold) { return dynamic_cast<const PartedState&>(fold).all_bytes(); }
inline std::unique_ptr<data::Fold> parts_of(const data::Fold& fold, int64_t begin, int64_t end) {
  return dynamic_cast<const PartedState&>(fold).parts(begin, end);
}

}  // namespace muster::kernels
