// Several threads compute at once over one pool, one of them stops: for ThreadSanitizer, and answers must be right.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <random>
#include <stdexcept>
#include <thread>

#include "api/session.hpp"
#include "muster/muster.hpp"
#include "worker/guest.hpp"
#include "worker/local.hpp"

namespace muster {
namespace {

TEST(Concurrency, ThreadsShareThePool) {
  const std::string path = "/tmp/muster-concurrency-" + std::to_string(getpid()) + ".csv";
  {
    std::ofstream out(path);
    out << "k,x,s\n";
    for (int i = 0; i < 60'000; ++i) out << i % 7 << ',' << i << ",text " << i % 100 << '\n';
  }
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 4; ++i) {
        DataFrame df = read_csv(path, {.blocksize = 40'000});
        EXPECT_EQ(df["x"].sum().number({.threads = 3}), 60'000.0 * 59'999 / 2);
        EXPECT_EQ(df.groupby("s").agg({{"x", {"std", "nunique"}}}).compute({.threads = 2}).rows(), 100);
        EXPECT_EQ(df[df["k"] == 3].nlargest(2, "x").compute().numbers("x")[0], 59'993);
        EXPECT_EQ(df.persist().len(), 60'000);
        if (t == 0) {  // a computation that is stopped leaves the others alone
          api::RunOptions stop{.threads = 2, .tick = [](const worker::Progress&) { return true; }};
          try {
            api::compute({df.groupby("s")["x"].mean().expr}, stop);  // may be done before it is asked
          } catch (const Error& e) {
            EXPECT_EQ(e.kind, ErrorKind::cancelled);
          }
        }
      }
    });
  for (auto& t : threads) t.join();
  unlink(path.c_str());
}

// Tasks in levels, each reading some of the level before; what a task made must be there for as long as one that reads it runs.
class Levels : public worker::GuestTasks {
 public:
  Levels(unsigned seed, size_t levels, size_t width, unsigned broken) : broken_(broken), seed_(seed), results_(levels * width) {
    std::mt19937 random(seed);
    auto graph = std::make_shared<graph::Graph>();
    graph::Range range{.count = static_cast<int64_t>(levels * width), .function = "guest", .label = "levels"};
    range.begins.push_back(0);
    for (size_t i = 0; i < levels * width; ++i) {
      for (size_t n = i < width ? 0 : 1 + random() % 3; n > 0; --n) needs_.push_back(static_cast<uint32_t>((i / width - 1) * width + random() % width));
      begins_.push_back(static_cast<uint32_t>(needs_.size()));
      range.begins.push_back(begins_.back());
      if (i >= (levels - 1) * width) range.wanted_tasks.push_back(static_cast<uint32_t>(i));
    }
    for (uint32_t n : needs_) range.needs.push_back({worker::kLocalJob, n});
    graph->ranges.push_back(std::move(range));
    graph_ = std::move(graph);
  }
  static std::shared_ptr<const graph::Graph> graph_of(const std::shared_ptr<Levels>& tasks) {
    auto graph = std::make_shared<graph::Graph>(*tasks->graph_);
    graph->ranges[0].args = std::make_shared<const base::Opaque>(base::Opaque{"", tasks});
    return graph;
  }

  bool inside(int64_t) const override { return false; }
  void run(int64_t index, worker::Beside&) override {
    const auto i = static_cast<size_t>(index);
    int64_t sum = 1;
    for (uint32_t n = begins_[i]; n < begins_[i + 1]; ++n) {
      const auto& input = results_[needs_[n]];
      if (!input) {
        ++freed;
        return;
      }
      for (int64_t x : *input) sum += x;
      if (n % 4 == 0) std::this_thread::yield();
    }
    if ((i * 2654435761u + seed_) % 100 < broken_) throw std::runtime_error("as it should");
    results_[i] = std::make_unique<std::vector<int64_t>>(200, sum % 1000);
  }
  void free(int64_t index) override { results_[static_cast<size_t>(index)].reset(); }
  static inline std::atomic<int> freed{0};  // inputs that were gone when their reader ran

 private:
  unsigned broken_, seed_;
  std::vector<std::unique_ptr<std::vector<int64_t>>> results_;
  std::vector<uint32_t> needs_, begins_{0};
  std::shared_ptr<const graph::Graph> graph_;
};

TEST(Concurrency, TasksOwnTheirInputsWhileOthersFail) {
  for (unsigned seed = 0; seed < 60; ++seed) {
    auto tasks = std::make_shared<Levels>(seed, 5, 60, seed % 3 == 0 ? 0 : seed % 4 * 3);
    auto job = worker::run(Levels::graph_of(tasks), seed % 5, nullptr);
    if (seed % 7 == 6) {
      job->cancel();
      continue;  // whoever ends last takes the job along
    }
    while (!job->wait(std::chrono::milliseconds(100))) {}
    if (auto error = job->error()) {
      try {
        std::rethrow_exception(error);
      } catch (const std::exception& e) {
        EXPECT_STREQ(e.what(), "as it should");
      }
    }
  }
  EXPECT_EQ(Levels::freed, 0);
}
}  // namespace
}  // namespace muster
