// Attempts that begin, grow, end and wait in random order, in a simulation of one thread: nobody waits for ever, whatever the order.
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "worker/admission.hpp"

namespace muster::worker {
namespace {

class Simulation {
 public:
  Simulation(unsigned seed, int64_t limit) : budget_(limit), admission_(budget_), random_(seed), limit_(limit) {}

  void run(int attempts, size_t threads) {
    for (int id = 0; id < attempts; ++id) {
      const int64_t bytes = draw(4) ? draw(limit_ / 2) : draw(limit_ * 5 / 4);
      all_.push_back({.bytes = bytes, .guess = draw(2) ? bytes : draw(bytes + 1), .stage = draw(3)});
      ready_.push_back(id);
    }
    int steps = 0;
    for (; !ready_.empty() || !running_.empty(); ++steps) {
      ASSERT_LT(steps, attempts * 1000) << "it does not end";
      if (running_.size() < threads && !ready_.empty() && draw(2)) begin();
      else if (!running_.empty()) go_on();
    }
    EXPECT_EQ(waiting_, 0) << "nobody runs, and some wait";
    EXPECT_EQ(budget_.used(), 0);
    for (const auto& a : all_) {
      EXPECT_TRUE(a.done != a.refused);
      EXPECT_EQ(a.refused, a.bytes > limit_) << a.bytes;
    }
  }

 private:
  struct Of {
    int64_t bytes, guess, stage;
    bool done = false, refused = false;
  };
  int64_t draw(int64_t below) { return static_cast<int64_t>(random_() % static_cast<uint64_t>(std::max<int64_t>(1, below))); }

  Admission::Attempt attempt(int id, int64_t need) {
    ++waiting_;
    return {this, need, all_[static_cast<size_t>(id)].stage, [this, id, need] { --waiting_, running_[id] = need; }};
  }
  void begin() {
    const int id = ready_.back();
    ready_.pop_back();
    const int64_t need = all_[static_cast<size_t>(id)].guess;
    if (admission_.begin(this, need)) running_[id] = need;
    else admission_.wait(attempt(id, need));
  }
  // A running attempt takes what it needs beyond its guess and ends, or is refused it and waits.
  void go_on() {
    auto at = std::next(running_.begin(), draw(static_cast<int64_t>(running_.size())));
    const auto [id, reserved] = *at;
    Of& a = all_[static_cast<size_t>(id)];
    const bool alone = running_.size() == 1, enough = reserved <= limit_ && budget_.try_take(std::max<int64_t>(0, a.bytes - reserved));
    budget_.give_back(enough ? std::max(a.bytes, reserved) : reserved);
    running_.erase(at);
    if (enough) {
      EXPECT_TRUE(alone || budget_.used() <= limit_);
      a.done = true;
    } else if (admission_.postpone(attempt(id, std::max(a.bytes, reserved)))) {
      return;
    } else {
      --waiting_;
      EXPECT_TRUE(alone) << "refused while another attempt held memory";
      a.refused = true;
    }
    admission_.end(this);
  }

  Budget budget_;
  Admission admission_;
  std::mt19937 random_;
  int64_t limit_;
  std::vector<Of> all_;
  std::vector<int> ready_;
  std::map<int, int64_t> running_;  // what is reserved for each
  int waiting_ = 0;
};

TEST(Admission, EverybodyRunsOrIsRefusedAlone) {
  for (unsigned seed = 0; seed < 2000; ++seed) Simulation(seed, 1000).run(1 + static_cast<int>(seed % 40), 1 + seed % 4);
}

TEST(Admission, WhoGivesMemoryBackIsWaitedFor) {
  Budget budget(100);
  Admission admission(budget);
  const int spill = 0, one = 0, other = 0;
  budget.hold(90);  // what can be spilled
  admission.begin_giving(&spill);
  std::vector<int> resumed;
  ASSERT_FALSE(admission.begin(&one, 50));
  admission.wait({&one, 50, 0, [&] { resumed.push_back(1); }});
  ASSERT_FALSE(admission.begin(&other, 20));
  admission.wait({&other, 20, 0, [&] { resumed.push_back(2); }});
  EXPECT_EQ(admission.wanted(), 20);
  budget.give_back(20);
  admission.room();  // for the smaller one, before all is spilled
  EXPECT_EQ(resumed, std::vector{2});
  EXPECT_EQ(admission.wanted(), 50);
  admission.end(&spill);  // in vain: the other still runs
  EXPECT_EQ(resumed, std::vector{2});
  budget.give_back(20);
  admission.end(&other);
  EXPECT_EQ(resumed, (std::vector{2, 1}));
  EXPECT_EQ(admission.wanted(), 0);
}

TEST(Admission, WhatCannotBeGivenBackIsWaitedForInVain) {
  Budget budget(100);
  Admission admission(budget);
  const int spill = 0, one = 0;
  budget.hold(90);
  admission.begin_giving(&spill);
  int resumed = 0;
  ASSERT_FALSE(admission.begin(&one, 50));
  admission.wait({&one, 50, 0, [&] { ++resumed; }});
  admission.end(&spill);  // the disk is full: it runs alone
  EXPECT_EQ(resumed, 1);
}

TEST(Admission, OneOfAnOwnerIsHurriedAlone) {
  Budget budget(100);
  Admission admission(budget);
  const int owner = 0, one = 0, other = 0;
  ASSERT_TRUE(admission.begin(&owner, 90));
  std::vector<int> resumed;
  admission.wait({&owner, 50, 0, [&] { resumed.push_back(1); }, &one});
  admission.wait({&owner, 60, 0, [&] { resumed.push_back(2); }, &other});
  admission.hurry(&owner, &other);
  EXPECT_EQ(resumed, std::vector{2});
  admission.hurry(&owner);
  EXPECT_EQ(resumed, (std::vector{2, 1}));
}

TEST(Admission, NothingOfAJobThatIsLeftBehindIsWaitedFor) {
  Budget budget(100);
  Admission admission(budget);
  const int left = 0, other = 0;
  ASSERT_TRUE(admission.begin(&left, 90));
  int resumed = 0;
  ASSERT_FALSE(admission.begin(&other, 50));
  admission.wait({&other, 50, 0, [&] { ++resumed; }});
  ASSERT_FALSE(admission.begin(&left, 50));
  admission.wait({&left, 50, 0, [] { FAIL(); }});
  EXPECT_EQ(resumed, 0);
  admission.forget(&left);
  EXPECT_EQ(resumed, 1);
  budget.give_back(90), admission.end(&left);  // it ends after all, and counts no more
  EXPECT_FALSE(admission.begin(&left, 60));
}

TEST(Admission, WhatAStoppedJobHasWaitingIsResumed) {
  Budget budget(100);
  Admission admission(budget);
  const int job = 0;
  int resumed = 0;
  ASSERT_TRUE(admission.begin(&job, 90));
  for (int i = 0; i < 3; ++i) {
    ASSERT_FALSE(admission.begin(&job, 50));
    admission.wait({&job, 50, 0, [&] { ++resumed; }});
  }
  admission.hurry(&job);
  EXPECT_EQ(resumed, 3);
}

}  // namespace
}  // namespace muster::worker
