// A table by task against a hash table, entry by entry.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

#include "base/attempt_table.hpp"
#include "base/task_table.hpp"

namespace muster::base {
namespace {

TEST(TaskTable, HoldsWhatAMapHolds) {
  std::mt19937 random(7);
  TaskTable<std::string> table;
  std::map<TaskId, std::string> map;
  const uint32_t jobs[] = {1, 4097, 0xFFFFFFFE};
  for (int step = 0; step < 200'000; ++step) {
    const TaskId id{jobs[random() % 3], random() % (step % 1000 < 500 ? 50 : 40'000)};
    switch (random() % 4) {
      case 0: {
        const auto [entry, fresh] = table.try_emplace(id);
        EXPECT_EQ(fresh, map.try_emplace(id).second);
        *entry = map[id] = std::to_string(step);
        break;
      }
      case 1: EXPECT_EQ(table.erase(id), map.erase(id) == 1); break;
      default: {
        const auto* entry = table.find(id);
        const auto other = map.find(id);
        ASSERT_EQ(entry != nullptr, other != map.end());
        if (entry) EXPECT_EQ(*entry, other->second);
      }
    }
    ASSERT_EQ(table.size(), map.size());
  }
  std::map<TaskId, std::string> all;
  table.each([&](TaskId id, const std::string& text) { all[id] = text; });
  EXPECT_EQ(all, map);
  for (const auto& [id, text] : all) EXPECT_TRUE(table.erase(id));
  EXPECT_TRUE(table.empty());
  EXPECT_FALSE(table.contains({kNone, 0}));
}

TEST(AttemptTable, HoldsWhatAMapHolds) {
  std::mt19937 random(11);
  AttemptTable<std::string> table;
  std::map<AttemptKey, std::string> map;
  for (int step = 0; step < 100'000; ++step) {
    const AttemptKey key{{4097, random() % 40}, static_cast<uint16_t>(random() % 4)};
    switch (random() % 3) {
      case 0: {
        const auto [entry, fresh] = table.try_emplace(key);
        EXPECT_EQ(fresh, map.try_emplace(key).second);
        if (fresh) EXPECT_EQ(*entry, "");
        *entry = map[key] = std::to_string(step);
        break;
      }
      case 1: EXPECT_EQ(table.erase(key), map.erase(key) == 1); break;
      default: {
        const auto* entry = table.find(key);
        const auto other = map.find(key);
        ASSERT_EQ(entry != nullptr, other != map.end());
        if (entry) EXPECT_EQ(*entry, other->second);
      }
    }
    ASSERT_EQ(table.size(), map.size());
  }
  std::map<AttemptKey, std::string> all;
  table.each([&](AttemptKey key, const std::string& text) { all[key] = text; });
  EXPECT_EQ(all, map);
}
}  // namespace
}  // namespace muster::base
