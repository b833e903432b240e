// Delayed calls and clusters from C++: this program is its own worker.
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <fstream>
#include <numeric>
#include <thread>

#include "api/gather.hpp"
#include "cluster/client.hpp"
#include "cluster/launch/local.hpp"
#include "muster/muster.hpp"

namespace muster {
namespace {

int64_t add(int64_t a, int64_t b) { return a + b; }
std::vector<double> ones(int64_t n) { return std::vector<double>(static_cast<size_t>(n), 1.0); }
double total(const std::vector<double>& v) { return std::accumulate(v.begin(), v.end(), 0.0); }
std::string greet(const std::string& name) { return "hello " + name; }
int64_t fails(int64_t n) { throw Error(ErrorKind::invalid, "no good: " + std::to_string(n)); }
int64_t dies(int64_t) { ::raise(SIGKILL); return 0; }
const Function<int64_t(int64_t, int64_t)> kAdd("add", add);
const Function<std::vector<double>(int64_t)> kOnes("ones", ones);
const Function<double(const std::vector<double>&)> kTotal("total", total);
const Function<std::string(const std::string&)> kGreet("greet", greet);
const Function<int64_t(int64_t)> kFails("fails", fails);
const Function<int64_t(int64_t)> kDies("dies", dies);

TEST(Delayed, CallsWaitAndRunOnce) {
  std::atomic<int> calls{0};
  auto inc = delayed([&](int x) { return ++calls, x + 1; });
  auto sum = delayed([](int a, int b) { return a + b; });
  auto x = inc(1);
  EXPECT_EQ(calls, 0);
  auto y = sum(sum(x, inc(12)), x);
  EXPECT_EQ(y.compute(), 17);
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(y.compute(1), 17);
  std::vector<Delayed<int>> many;
  for (int i = 0; i < 500; ++i) many.push_back(inc(i));
  EXPECT_EQ(delayed([](const std::vector<int>& v) { return std::accumulate(v.begin(), v.end(), 0); })(delayed_all(many)).compute(), 500 * 501 / 2);
  EXPECT_EQ(delayed([](const std::string& s, size_t n) { return s + std::to_string(n); })(std::string("a"), size_t{3}).compute(), "a3");
  auto bad = delayed([](int) -> int { throw Error(ErrorKind::invalid, "the reason"); })(1);
  try {
    static_cast<void>(sum(bad, x).compute());
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("the reason"), std::string::npos);
  }
}

TEST(Cluster, RunsRegisteredFunctions) {
  Cluster cluster({.workers = 2});
  EXPECT_EQ(cluster.workers(), 2);
  auto a = cluster.submit(kAdd, 1, 2);
  EXPECT_EQ(cluster.submit(kAdd, a, 10).result(), 13);
  EXPECT_EQ(cluster.submit(kGreet, "world").result(), "hello world");
  EXPECT_EQ(cluster.submit(kTotal, cluster.submit(kOnes, 300'000)).result(), 300'000);
  std::vector<Future<int64_t>> sums;
  for (int64_t i = 0; i < 1000; ++i) sums.push_back(cluster.submit(kAdd, i, i));
  int64_t all = 0;
  for (const auto& s : sums) all += s.result();
  EXPECT_EQ(all, 999'000);
  try {
    cluster.submit(kAdd, cluster.submit(kFails, 7), 1).result();
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind, ErrorKind::invalid);
    EXPECT_NE(std::string(e.what()).find("no good: 7"), std::string::npos);
  }
  Cluster other({.address = cluster.address()});
  EXPECT_EQ(other.submit(kAdd, 5, 6).result(), 11);
}

TEST(Cluster, AFunctionThatKillsItsWorkerIsTheOnlyOneToFail) {
  Cluster cluster({.workers = 2});
  std::vector<Future<int64_t>> sums;
  for (int64_t i = 0; i < 50; ++i) sums.push_back(cluster.submit(kAdd, i, 1));
  auto bad = cluster.submit(kDies, 1);
  EXPECT_THROW(bad.result(), Error);
  for (int64_t i = 0; i < 50; ++i) EXPECT_EQ(sums[static_cast<size_t>(i)].result(), i + 1);
}

TEST(Cluster, DataFrames) {
  const std::string path = "/tmp/muster-cluster-frames-" + std::to_string(getpid()) + ".csv";
  {
    std::ofstream out(path);
    out << "k,x\n";
    for (int i = 0; i < 10'000; ++i) out << i % 7 << ',' << i << '\n';
  }
  Cluster cluster({.workers = 2});
  const ComputeOptions there{.cluster = &cluster};
  const DataFrame df = read_csv(path, {.blocksize = 20'000});
  EXPECT_EQ(df["x"].sum().number(there), 10'000.0 * 9'999 / 2);
  EXPECT_EQ(df.groupby("k")["x"].mean().compute(there).numbers("x"), df.groupby("k")["x"].mean().compute().numbers("x"));
  const DataFrame kept = df[df["k"] == 3].persist(there);
  ::unlink(path.c_str());
  EXPECT_EQ(kept["x"].count().number(there), 1429);
  EXPECT_EQ(kept.compute().rows(), 1429);  // brought here
  EXPECT_EQ(muster::compute({kept["x"].min(), kept["x"].max()}, there).at(1).numbers("x")[0], 9999);
  EXPECT_THROW(read_csv("/nowhere/*.csv"), Error);
}

TEST(Cluster, DataFramesFromSeveralThreads) {
  const std::string path = "/tmp/muster-cluster-" + std::to_string(getpid()) + ".csv";
  {
    std::ofstream out(path);
    out << "k,x,s\n";
    for (int i = 0; i < 30'000; ++i) out << i % 7 << ',' << i << ",text " << i % 100 << '\n';
  }
  cluster::LocalOptions options;
  options.workers = 2, options.node = {"/proc/self/exe"};
  cluster::LocalCluster local(options);
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([&] {
      api::RunOptions on;
      on.cluster = std::make_shared<cluster::Client>(local.hub(), "test");
      DataFrame df = read_csv(path, {.blocksize = 40'000});
      for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(api::rows_of(api::compute({df["x"].sum().expr}, on).at(0)).columns.at(0).as<int64_t>()[0], 30'000ll * 29'999 / 2);
        EXPECT_EQ(api::compute({df.groupby("s").agg({{"x", {"std", "nunique", "max"}}, {"s", {"first"}}}).expr}, on).at(0).rows, 100);
        EXPECT_EQ(api::compute({df[df["k"] == 3].nlargest(2, "x").expr}, on).at(0).rows, 2);
      }
      const auto kept = api::persist({df[df["k"] == 3].expr, df["x"].expr}, on);
      EXPECT_EQ(api::tasks_of(kept[0]).size(), static_cast<size_t>(kept[0]->npartitions));
      EXPECT_EQ(api::compute(kept, on).at(0).rows, api::compute({df[df["k"] == 3].expr}, on).at(0).rows);
      EXPECT_EQ(api::compute(kept, {}).at(1).rows, 30'000);
    });
  for (auto& t : threads) t.join();
  ::unlink(path.c_str());
}
}  // namespace
}  // namespace muster

int main(int argc, char** argv) {
  if (auto status = muster::worker_if_asked(argc, argv)) return *status;
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
