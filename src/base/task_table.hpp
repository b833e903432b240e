// A table by task: arrays of pages by job and number, since tasks are dense numbers. Neighbours lie beside each other, and a page of which nothing is left
// is freed.
#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/ids.hpp"

namespace muster::base {

template <class T>
class TaskTable {
 public:
  TaskTable() = default;
  TaskTable(const TaskTable&) = delete;

  /// Null where there is none. Valid until it is erased.
  T* find(TaskId id) { return const_cast<T*>(std::as_const(*this).find(id)); }
  const T* find(TaskId id) const {
    const Job* job = job_of(id.job);
    if (!job) return nullptr;
    const size_t page = id.index / kPage - job->first;
    if (page >= job->pages.size() || !job->pages[page]) return nullptr;
    const auto& entry = job->pages[page]->entries[id.index % kPage];
    return entry ? &*entry : nullptr;
  }
  bool contains(TaskId id) const { return find(id) != nullptr; }
  /// The entry, and whether it was made now.
  std::pair<T*, bool> try_emplace(TaskId id) {
    if (id.job != last_id_ || !last_) last_id_ = id.job, last_ = &jobs_[id.job];
    auto& pages = last_->pages;
    const size_t number = id.index / kPage;
    if (pages.empty()) last_->first = number;
    for (; number < last_->first; --last_->first) pages.emplace_front();
    while (pages.size() <= number - last_->first) pages.emplace_back();
    auto& page = pages[number - last_->first];
    if (!page) page = std::make_unique<Page>(), ++last_->used;
    auto& entry = page->entries[id.index % kPage];
    const bool fresh = !entry;
    if (fresh) entry.emplace(), ++page->used, ++size_;
    return {&*entry, fresh};
  }
  T& operator[](TaskId id) { return *try_emplace(id).first; }
  bool erase(TaskId id) {
    if (!find(id)) return false;
    Job& job = *const_cast<Job*>(job_of(id.job));
    auto& page = job.pages[id.index / kPage - job.first];
    page->entries[id.index % kPage].reset();
    --size_;
    if (--page->used) return true;
    page.reset();
    if (--job.used) {
      for (; !job.pages.front(); ++job.first) job.pages.pop_front();
      while (!job.pages.back()) job.pages.pop_back();
      return true;
    }
    jobs_.erase(id.job);
    last_ = nullptr;
    return true;
  }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  /// f(TaskId, const T&) for all.
  template <class F>
  void each(F f) const {
    for (const auto& [id, job] : jobs_)
      for (size_t p = 0; p < job.pages.size(); ++p)
        for (size_t i = 0; job.pages[p] && i < kPage; ++i)
          if (const auto& entry = job.pages[p]->entries[i]) f(TaskId{id, static_cast<uint32_t>((job.first + p) * kPage + i)}, *entry);
  }

 private:
  static constexpr size_t kPage = std::clamp<size_t>(std::bit_floor(4096 / sizeof(std::optional<T>)), 16, 512);  // entries: 4 KiB
  struct Page {
    std::array<std::optional<T>, kPage> entries;
    size_t used = 0;
  };
  struct Job {
    std::deque<std::unique_ptr<Page>> pages;  // from the first that is there to the last: many tables hold a few of many tasks, which move on
    size_t first = 0;                         // number of the first
    size_t used = 0;                          // that are there
  };
  const Job* job_of(JobId id) const {
    if (id == last_id_ && last_) return last_;
    const auto found = jobs_.find(id);
    return found == jobs_.end() ? nullptr : &found->second;
  }
  std::unordered_map<JobId, Job> jobs_;
  JobId last_id_ = kNone;
  Job* last_ = nullptr;  // that was written to last
  size_t size_ = 0;
};

}  // namespace muster::base
