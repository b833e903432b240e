// What a run says of its results: their final dtypes, and the numbers of their rows.
#pragma once
#include <cstdint>
#include <map>
#include <vector>

#include "api/run.hpp"
#include "kernels/settling.hpp"

namespace muster::api {

/// Row numbers of a source's partitions: within each file, the rows of the partitions in front.
class RowNumbers {
 public:
  /// `reports` say how many rows partitions have; those that are missing there are found by `count`.
  RowNumbers(const Run& run, Reports& reports, Count count);

  /// Whether the run left partitions out or read them in part, so that others' numbers may need a count.
  bool incomplete() const;
  /// Ids that will be resolved: what nobody counted is then counted in one run.
  void expect(const data::Column& ids, int dependence);
  /// Adds what the numbers of these ids' partitions begin with.
  void find_bases(const data::Column& ids, int dependence, std::map<int64_t, int64_t>& bases);
  /// The same of all partitions in `read`, where the ids themselves are elsewhere.
  void expect_all(int dependence, const Reports& read);
  void find_all_bases(int dependence, const Reports& read, std::map<int64_t, int64_t>& bases);

 private:
  struct Source {
    Expr node;
    std::vector<int64_t> files = {};
    std::map<int64_t, int64_t> expected = {};  // of each file by its first partition, the last whose rows are asked for
    std::map<int64_t, int64_t> bases = {};     // of partitions
    int64_t file_of(int64_t partition);
  };
  const std::map<int64_t, Source*>& sources_behind(int dependence);
  int64_t base_of(Source& s, int64_t partition);
  void count_all(Source& s);

  const Run& run_;
  Reports& reports_;
  Count count_;
  std::map<base::Hash128, Source> sources_;
  std::map<int, std::map<int64_t, Source*>> behind_;  // by their first partition, of a dependence
};

/// A result's final schema, and what is still to be done to each column.
struct Settled {
  data::Schema schema;
  std::vector<int> dependences;  // of the columns, index first
  std::vector<kernels::Settlement> columns;
};

/// Per dependence: whether an open column behind it had a missing value.
std::vector<bool> widened(const Run& run, const Reports& reports);
Settled settle(const Run& run, size_t expression, const std::vector<bool>& widened);
/// An expression over a result that stays where it is.
Expr left_there(const Run& run, size_t expression, Settled settled, RowNumbers& numbers, const Reports& read);

}  // namespace muster::api
