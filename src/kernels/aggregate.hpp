// Aggregates: a state per group that values are added to.
#pragma once
#include <memory>
#include <string>

#include "data/kernel.hpp"

namespace muster::kernels {

class Aggregate {
 public:
  virtual ~Aggregate() = default;
  /// Makes room for groups 0 .. groups; group 0 is never looked at.
  virtual void grow(uint32_t groups) = 0;
  /// groups[i] is the group of row i; nullptr: all rows are of group 1.
  virtual void add(const uint32_t* groups, const data::Column& column, int64_t rows) = 0;
  /// Group g of `later` goes to group to[g].
  virtual void merge(Aggregate& later, const std::vector<uint32_t>& to) = 0;
  /// The results of these groups.
  virtual data::Column finish(const std::vector<uint32_t>& groups) = 0;
  virtual int64_t bytes() const = 0;
  /// The states of groups 1 .. groups; decode() is called on a new aggregate after grow().
  virtual void encode(base::Encoder& out, size_t groups) const = 0;
  virtual void decode(base::Decoder& in, size_t groups) = 0;
};

/// `function`: sum mean var std min max count size nunique any all first last prod. `type`: of the input; options: ddof, skipna, min_count.
/// Throws Error{type} where the function is not defined for the type.
std::unique_ptr<Aggregate> make_aggregate(const std::string& function, data::DType type, const base::Value& options);

/// The dtype of the result. Throws as make_aggregate.
data::DType aggregate_type(const std::string& function, data::DType type);

/// The fold "group_by" {keys, aggregates, dropna, sort}: key columns, then one column per aggregate.
data::Kernel group_by_kernel();

}  // namespace muster::kernels
