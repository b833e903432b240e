// A table by attempt, on the table by task: of most tasks there is one; others that are not answered yet stand behind it.
#pragma once
#include <cstdint>
#include <memory>
#include <utility>

#include "base/task_table.hpp"

namespace muster::base {

/// A task, and the number of one attempt at it.
using AttemptKey = std::pair<TaskId, uint16_t>;

template <class T>
class AttemptTable {
 public:
  /// Null where there is none. Valid until an attempt at the same task is erased.
  T* find(AttemptKey key) { return const_cast<T*>(std::as_const(*this).find(key)); }
  const T* find(AttemptKey key) const {
    const Entry* entry = tasks_.find(key.first);
    while (entry && entry->attempt != key.second) entry = entry->behind.get();
    return entry ? &entry->value : nullptr;
  }
  bool contains(AttemptKey key) const { return find(key) != nullptr; }
  /// The entry, and whether it was made now.
  std::pair<T*, bool> try_emplace(AttemptKey key) {
    if (T* known = find(key)) return {known, false};
    const auto [first, fresh] = tasks_.try_emplace(key.first);
    if (!fresh) first->behind = std::make_unique<Entry>(std::move(*first)), first->value = T();
    first->attempt = key.second;
    ++size_;
    return {&first->value, true};
  }
  bool erase(AttemptKey key) {
    Entry* entry = tasks_.find(key.first);
    if (!entry) return false;
    if (entry->attempt != key.second) {
      while (entry->behind && entry->behind->attempt != key.second) entry = entry->behind.get();
      if (!entry->behind) return false;
      entry->behind = std::move(entry->behind->behind);
    } else if (const auto next = std::move(entry->behind)) {
      *entry = std::move(*next);
    } else {
      tasks_.erase(key.first);
    }
    --size_;
    return true;
  }
  size_t size() const { return size_; }
  /// f(AttemptKey, const T&) for all.
  template <class F>
  void each(F f) const {
    tasks_.each([&](TaskId task, const Entry& first) {
      for (const Entry* entry = &first; entry; entry = entry->behind.get()) f(AttemptKey(task, entry->attempt), entry->value);
    });
  }

 private:
  struct Entry {
    T value{};
    std::unique_ptr<Entry> behind{};
    uint16_t attempt = 0;
  };
  TaskTable<Entry> tasks_;
  size_t size_ = 0;
};

}  // namespace muster::base
