// Slabs are written again once nobody can read them, whoever read and however that ended; mappings of them are used again and show nothing of before.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <random>
#include <string>
#include <thread>

#include "worker/objects.hpp"

namespace muster::worker {
namespace {
constexpr size_t kSize = 3 << 20;

class SlabsTest : public testing::Test {
 protected:
  void SetUp() override { TearDown(), slabs().set_limit(size_t{1} << 30), keep_mappings(size_t{1} << 30); }
  void TearDown() override { slabs().clear(), keep_mappings(0); }
};

std::shared_ptr<Segment> object(char fill, size_t size = kSize) { return Segment::of({std::string(size / 2, fill), std::string(size - size / 2, fill)}); }

std::string slab_of(const Segment& segment) {
  char name[128] = {};
  EXPECT_GT(readlink(("/proc/self/fd/" + std::to_string(segment.fd())).c_str(), name, sizeof name), 0);
  return name;
}

bool is_all(std::string_view bytes, char fill) { return bytes.size() && bytes.find_first_not_of(fill) == std::string_view::npos; }

TEST_F(SlabsTest, AreWrittenAgainOnceNobodyReads) {
  auto first = object('a');
  const std::string name = slab_of(*first);
  auto second = object('b');
  EXPECT_NE(slab_of(*second), name);
  first.reset();
  for (char fill : std::string("cdefg")) {
    auto again = object(fill, kSize - 5000 * (fill - 'c'));
    EXPECT_EQ(slab_of(*again), name);
    EXPECT_TRUE(is_all(again->view(), fill));
  }
  EXPECT_TRUE(is_all(second->view(), 'b'));
}

TEST_F(SlabsTest, ADescriptorOrAMappingAnywhereKeepsThem) {
  auto first = object('a');
  const std::string name = slab_of(*first);
  int other = dup(first->fd());
  first.reset();
  EXPECT_NE(slab_of(*object('b')), name);
  void* mapped = mmap(nullptr, kSize, PROT_READ, MAP_PRIVATE, other, 0);
  close(other);
  EXPECT_NE(slab_of(*object('c')), name);
  EXPECT_TRUE(is_all({static_cast<char*>(mapped), kSize}, 'a'));
  munmap(mapped, kSize);
  EXPECT_EQ(slab_of(*object('d')), name);
}

TEST_F(SlabsTest, AKilledReaderKeepsNone) {
  auto first = object('a');
  const std::string name = slab_of(*first);
  const pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  first.reset();
  EXPECT_NE(slab_of(*object('b')), name);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_EQ(slab_of(*object('c')), name);
}

TEST_F(SlabsTest, AChildSeesWhatItSawWhenItWasForked) {
  auto first = object('a');
  const std::string name = slab_of(*first);
  const std::string_view seen = first->view();
  int gone_on[2];
  ASSERT_EQ(pipe(gone_on), 0);
  const pid_t child = fork();
  if (child == 0) {
    char c;
    if (read(gone_on[0], &c, 1) != 1) _exit(2);
    const bool same = is_all(seen, 'a');
    auto own = object('x');  // a slab of its own
    _exit(same && is_all(own->view(), 'x') && slab_of(*own) != name ? 0 : 1);
  }
  first.reset();
  for (char fill : std::string("bcd")) EXPECT_TRUE(is_all(object(fill)->view(), fill));
  ASSERT_EQ(write(gone_on[1], "x", 1), 1);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  close(gone_on[0]), close(gone_on[1]);
}

TEST_F(SlabsTest, WhatAReaderWroteIsSeenByNobodyElse) {
  std::mt19937 random(0);
  for (int round = 0; round < 20; ++round) {
    const char fill = static_cast<char>('a' + round);
    auto one = object(fill, kSize - random() % 10'000);
    Segment other(base::Fd(dup(one->fd())), one->size());
    EXPECT_TRUE(is_all(one->view(), fill));
    for (int n = 0; n < 5; ++n) one->data()[random() % one->size()] = '!';
    EXPECT_TRUE(is_all(other.view(), fill));
  }
}

TEST_F(SlabsTest, AreBounded) {
  slabs().set_limit(2 * kSize), keep_mappings(kSize);
  std::vector<std::shared_ptr<Segment>> many;
  for (int i = 0; i < 10; ++i) {
    many.push_back(object('a'));
    EXPECT_TRUE(is_all(many.back()->view(), 'a'));
    EXPECT_LE(slabs().bytes(), 2 * kSize);
  }
  many.clear();
  slabs().set_limit(0);
  EXPECT_EQ(slabs().bytes(), 0u);
  EXPECT_TRUE(is_all(object('b')->view(), 'b'));
  EXPECT_EQ(slabs().bytes(), 0u);
}

TEST_F(SlabsTest, ManyThreadsAtOnce) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([t] {
      std::mt19937 random(static_cast<unsigned>(t));
      std::vector<std::pair<std::shared_ptr<Segment>, char>> held;
      for (int i = 0; i < 100; ++i) {
        const char fill = static_cast<char>('a' + random() % 26);
        held.emplace_back(object(fill, (1 << 20) + random() % 300'000), fill);
        if (random() % 2) held.back().first->data()[random() % (1 << 20)] = fill;
        if (held.size() > 3) held.erase(held.begin() + static_cast<std::ptrdiff_t>(random() % held.size()));
        for (const auto& [segment, of] : held) ASSERT_TRUE(is_all(segment->view(), of));
      }
    });
  for (auto& t : threads) t.join();
}

TEST_F(SlabsTest, OfAnySize) {
  for (size_t size : {size_t{1}, size_t{4095}, size_t{4096}, size_t{4097}, size_t{1} << 20, (size_t{1} << 20) + 1})
    for (char fill : std::string("ab")) {
      auto one = object(fill, size);
      EXPECT_EQ(one->size(), size);
      EXPECT_TRUE(is_all(one->view(), fill));
    }
}

}  // namespace
}  // namespace muster::worker
