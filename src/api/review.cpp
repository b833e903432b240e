// A partition is held against the one in front of it. Behind one that began at a wrong place nothing is believed, neither an error nor a wider dtype, until
// it was read again.
#include "api/review.hpp"

#include <algorithm>
#include <map>
#include <mutex>

#include "expr/op.hpp"

namespace muster::api {
using namespace base;
using namespace data;
namespace {

DType wider_of(DType a, DType b) {
  if (a.is_text() || b.is_text()) return {Storage::text};
  return b;
}

// Where partitions ended in runs that were believed, so that reading a file partition by partition looks at each byte twice at most.
class KnownEnds {
 public:
  void put(const Hash128& source, int64_t partition, int64_t end) {
    std::lock_guard lock(mutex_);
    const Hash128 first = first_of(source);
    if (ends_.size() > 64 && !ends_.contains(first)) ends_.clear();
    ends_[first][partition] = end;
  }
  int64_t get(const Hash128& source, int64_t partition) {
    std::lock_guard lock(mutex_);
    const auto known = ends_.find(first_of(source));
    if (known == ends_.end()) return -1;
    const auto end = known->second.find(partition);
    return end == known->second.end() ? -1 : end->second;
  }
  void follow(const Hash128& older, const Hash128& newer) {
    std::lock_guard lock(mutex_);
    const Hash128 first = first_of(older);
    if (revised_.size() > 4096) revised_.clear();
    if (first != newer) revised_[newer] = first;
  }

 private:
  Hash128 first_of(const Hash128& source) const {
    const auto found = revised_.find(source);
    return found == revised_.end() ? source : found->second;
  }
  std::mutex mutex_;
  std::map<Hash128, std::map<int64_t, int64_t>> ends_;  // by sources as they were before they were revised
  std::map<Hash128, Hash128> revised_;                  // what they were made of
};
KnownEnds& known_ends() {
  static auto* ends = new KnownEnds;  // never destroyed: threads of an ending process may still look
  return *ends;
}
}  // namespace

void same_ranges(const expr::Expr& older, const expr::Expr& newer) { known_ends().follow(older->id, newer->id); }

void review(const expr::Expr& source, const std::vector<worker::TaskResult>& results, const graph::Range& range, const Recount& recount, Revision& revision,
            std::exception_ptr& error) {
  const auto files = source->op->files ? source->op->files(expr::Call(*source->op, source->args, source->inputs)) : std::vector<int64_t>{};
  auto end_of = [&](int64_t partition) {
    if (const int64_t known = known_ends().get(source->id, partition); known >= 0) return known;
    int64_t first = partition;
    while (!std::binary_search(files.begin(), files.end(), first) && known_ends().get(source->id, first - 1) < 0) --first;
    const auto reports = recount(first, partition);
    for (const auto& [p, report] : reports)
      if (report.end >= 0) known_ends().put(source->id, p, report.end);
    return reports.at(partition).end;
  };
  int64_t before_end = -1, before = -2;
  bool trusted = true;
  for (size_t i = 0; i < results.size(); ++i) {
    const auto& r = results[i];
    if (!r.ran) continue;
    const int64_t partition = range.partition.empty() ? static_cast<int64_t>(i) : range.partition[i];
    const bool first = std::binary_search(files.begin(), files.end(), partition);
    const bool beside = !first && before == partition - 1 && before_end >= 0;
    if (!beside) trusted = true;
    if (!beside && r.report.guessed) before_end = end_of(partition - 1);
    if ((beside && r.report.begin >= 0) || r.report.guessed) {
      if (r.report.begin != before_end) {
        revision.begins.emplace_back(partition, before_end);
        trusted = false;
      }
    }
    if (trusted && r.error && !error) error = r.error;
    if (trusted)
      for (auto [column, type] : r.report.wider) {
        if (column >= expr::kResults) continue;
        auto [known, fresh] = revision.wider.try_emplace(column, type);
        if (!fresh) known->second = wider_of(known->second, type);
      }
    before = partition, before_end = r.report.end;
    if (trusted && before_end >= 0 && r.report.begin >= 0) known_ends().put(source->id, partition, before_end);
  }
}

}  // namespace muster::api
