// States whose rows are in an order: cut into ranges at bounds that samples of all tell, so that whoever merges one range of many states gets that alone.
#pragma once
#include <memory>
#include <vector>

#include "data/kernel.hpp"

namespace muster::kernels {

class RangedState {
 public:
  virtual ~RangedState() = default;
  /// Of a sealed state: some of its rows, as far as the order goes.
  virtual data::Batch sample() const = 0;
  /// Of any state of these arguments: rows at which `ranges` ranges of about equal size begin, but for the first. `samples` are of all states.
  virtual data::Batch bounds(const data::Batches& samples, int64_t ranges) const = 0;
  /// Of a sealed state: the rows of each range. They share the memory of this one.
  virtual std::vector<std::unique_ptr<data::Fold>> cut(const data::Batch& bounds) const = 0;
};

inline const RangedState& ranged(const data::Fold& fold) { return dynamic_cast<const RangedState&>(fold); }

}  // namespace muster::kernels
