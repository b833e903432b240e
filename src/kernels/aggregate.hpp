// Aggregates: a state per group that values are added to.
#pragma once
#include <memory>
#include <string>

#include "data/kernel.hpp"

namespace muster::kernels {

class DistinctSketch;
using Groups = std::span<const uint32_t>;

class Aggregate {
 public:
  virtual ~Aggregate() = default;
  /// Makes room for groups 0 .. groups; group 0 is never looked at.
  virtual void grow(uint32_t groups) = 0;
  /// groups[i] is the group of row i; nullptr: all rows are of group 1.
  virtual void add(const uint32_t* groups, const data::Column& column, int64_t rows) = 0;
  /// Group from[i] of `later` goes to group to[i].
  virtual void merge(Aggregate& later, Groups from, Groups to) = 0;
  /// The results of these groups.
  virtual data::Column finish(const std::vector<uint32_t>& groups) = 0;
  virtual int64_t bytes() const = 0;
  /// The states of groups 1 .. groups; decode() is called on a new aggregate after grow().
  virtual void encode(base::Encoder& out, size_t groups) const = 0;
  virtual void decode(base::Decoder& in, size_t groups) = 0;
};

/// `function`: sum mean var std min max count size nunique any all first last prod median quantile {q}; first_row: of the first row, there or missing.
/// `type`: of the input; options: ddof, skipna, min_count. Throws Error{type} where the function is not defined for the type.
std::unique_ptr<Aggregate> make_aggregate(const std::string& function, data::DType type, const base::Value& options);

/// Whether an aggregate keeps every value: its groups are better made one part after the other.
bool keeps_values(const std::string& function);

/// The dtype of the result. Throws as make_aggregate.
data::DType aggregate_type(const std::string& function, data::DType type);

/// The fold "group_by" {keys, aggregates, dropna, sort}: key columns, then one column per aggregate. sort: true by key, false in order of the groups' first
/// rows, none in any order.
data::Kernel group_by_kernel();

/// The different groups that a state of "group_by" has seen, once it is sealed; null if they are few, or if it is another fold.
const DistinctSketch* groups_seen(const data::Fold& fold);
/// Bytes of a row of the results of a "group_by" of these arguments, without those of texts.
int64_t group_bytes(const data::Args& args);

}  // namespace muster::kernels
