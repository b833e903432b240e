// Delayed calls and clusters from C++: this program is its own worker.
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <set>
#include <thread>

#include "api/gather.hpp"
#include "cluster/client.hpp"
#include "cluster/launch/local.hpp"
#include "kernels/wire.hpp"
#include "muster/muster.hpp"
#include "worker/native.hpp"
#include "worker/store.hpp"

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
  const DataFrame sums = df.groupby("k").agg({{"x", {"sum"}}}).rename({{"x", "sum"}}).reset_index();
  for (const DataFrame& moved : {df.merge(sums, {.how = "left", .on = "k"}), df.merge(sums, {.on = "k", .broadcast = false}).sort_values("x"),
                                 df.sort_values({"k", "x"}, {.ascending = {false, true}}), df.set_index("k", {.divisions = {0, 3, 6}}).repartition(2),
                                 df.shuffle("k", {.npartitions = 3}).sort_values("x"), df.rolling(50, {.min_periods = 1}).mean(), df.drop_duplicates("k")})
    EXPECT_EQ(moved.compute(there).numbers("x"), moved.compute().numbers("x"));
  EXPECT_EQ(df.groupby("k")["x"].transform("max").compute(there).numbers("x"), df.groupby("k")["x"].transform("max").compute().numbers("x"));
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

// Short tasks: a worker runs many of them one behind the other, those that read nothing and have no arguments as one run.
std::atomic<int64_t> calls{0};  // in this process
constexpr int64_t kGated = 300;  // the call that waits until the test lets it go on

std::string gate() {
  const char* path = std::getenv("MUSTER_TEST_GATE");
  return path ? path : "";
}

bool seen(const std::string& path) {
  for (int i = 0; i < 2000 && !std::filesystem::exists(path); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  return std::filesystem::exists(path);
}

const bool kRegistered = [] {
  worker::register_native("number", [](std::string_view arguments, const std::vector<std::string_view>&) {
    const int64_t n = arguments.empty() ? calls++ : std::stoll(std::string(arguments));
    if (n % 7 == 3) throw Error(ErrorKind::invalid, "no good: " + std::to_string(n));
    return std::to_string(n);
  });
  worker::register_native("gated", [](std::string_view arguments, const std::vector<std::string_view>&) {
    const int64_t n = calls++;
    if (n == kGated) {
      std::ofstream(gate() + ".begun").flush();
      if (!seen(gate() + ".open")) throw Error(ErrorKind::io, "the gate stays closed");
    }
    return arguments.empty() ? std::string("done") : std::string(arguments);
  });
  worker::register_native("size", [](std::string_view, const std::vector<std::string_view>& inputs) {
    return std::to_string(inputs.size()) + " of " + std::to_string(inputs.back().size());
  });
  worker::register_native("budget", [](std::string_view, const std::vector<std::string_view>&) { return std::to_string(worker::budget().used()); });
  return true;
}();

graph::Range natives(const std::string& name, int64_t count, bool arguments) {
  graph::Range range{.count = count, .function = "native", .args = base::Dict{{"name", name}}, .wanted = true, .label = name};
  for (int64_t i = 0; arguments && i < count; ++i) range.arguments.push_back(std::make_shared<const std::string>(std::to_string(i)));
  return range;
}

struct OneWorker {
  explicit OneWorker(int64_t workers = 1) : local(options(workers)), client(local.hub(), "test") {}
  static cluster::LocalOptions options(int64_t workers) {
    cluster::LocalOptions out;
    out.workers = workers, out.node = {"/proc/self/exe"};
    return out;
  }
  std::vector<base::TaskId> submit(std::vector<graph::Range> ranges) {
    graph::Graph graph{std::move(ranges)};
    std::vector<base::TaskId> out(static_cast<size_t>(graph.tasks()));
    const base::TaskId first = client.submit(std::move(graph), true);
    for (uint32_t i = 0; i < out.size(); ++i) out[i] = {first.job, first.index + i};
    return out;
  }
  std::string text(base::TaskId task) {
    const auto object = client.get(task);
    return *kernels::decode_output(object.view(), 0).text;
  }
  int64_t used() {
    const auto task = submit({natives("budget", 1, false)}).front();
    EXPECT_TRUE(client.wait({task}, false, 60));
    const int64_t out = std::stoll(text(task));
    client.release(task);
    return out;
  }
  // Once all that was released is gone.
  int64_t used_at_last(int64_t hoped) {
    int64_t out = used();
    for (int i = 0; i < 100 && out != hoped; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(50)), out = used();
    return out;
  }
  cluster::LocalCluster local;
  cluster::Client client;
};

TEST(ShortTasks, ThoseThatFailFailAloneWithTheirOwnError) {
  OneWorker on;
  const int64_t before = on.used();
  for (const bool arguments : {false, true}) {
    SCOPED_TRACE(arguments);
    const auto tasks = on.submit({natives("number", 3000, arguments)});
    ASSERT_TRUE(on.client.wait(tasks, false, 60));
    std::set<int64_t> numbers;
    for (size_t i = 0; i < tasks.size(); ++i) {
      const auto known = on.client.known(tasks[i]);
      int64_t n = 0;
      if (known.status == cluster::Status::error) {
        ASSERT_EQ(known.error->error, ErrorKind::invalid);
        ASSERT_EQ(known.error->message.rfind("no good: ", 0), 0u) << known.error->message;
        n = std::stoll(known.error->message.substr(9));
        EXPECT_EQ(n % 7, 3);
        EXPECT_NE(known.error->notes.at(0).find("partition " + std::to_string(i)), std::string::npos) << known.error->notes.at(0);
      } else {
        ASSERT_EQ(known.status, cluster::Status::finished);
        n = std::stoll(on.text(tasks[i]));
        EXPECT_NE(n % 7, 3);
      }
      EXPECT_TRUE(numbers.insert(n).second) << n;
      if (arguments) EXPECT_EQ(n, static_cast<int64_t>(i));
    }
    EXPECT_EQ(*numbers.rbegin(), static_cast<int64_t>(tasks.size()) - 1);
    for (const auto& task : tasks) on.client.release(task);
  }
  EXPECT_EQ(on.used_at_last(before), before);
}

TEST(ShortTasks, ThoseThatAreCancelledWhileOthersRunAreTheOnlyOnes) {
  const std::string path = "/tmp/muster-gate-" + std::to_string(getpid());
  for (const bool arguments : {false, true}) {
    SCOPED_TRACE(arguments);
    ::setenv("MUSTER_TEST_GATE", path.c_str(), 1);
    OneWorker on;
    const int64_t before = on.used();
    const auto tasks = on.submit({natives("gated", 3000, arguments)});
    ASSERT_TRUE(seen(path + ".begun"));
    std::set<base::TaskId> cancelled;
    for (size_t i = 0; i < tasks.size(); i += 3)
      if (on.client.known(tasks[i]).status == cluster::Status::pending) cancelled.insert(tasks[i]);
    EXPECT_GT(cancelled.size(), 500u);
    on.client.cancel({cancelled.begin(), cancelled.end()}, false);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));  // the worker hears of it while the batch runs
    std::ofstream(path + ".open").flush();
    ASSERT_TRUE(on.client.wait(tasks, false, 60));
    for (size_t i = 0; i < tasks.size(); ++i) {
      const auto status = on.client.known(tasks[i]).status;
      ASSERT_EQ(status, cancelled.contains(tasks[i]) ? cluster::Status::cancelled : cluster::Status::finished) << i;
      if (status == cluster::Status::finished) EXPECT_EQ(on.text(tasks[i]), arguments ? std::to_string(i) : "done");
    }
    for (const auto& task : tasks) on.client.release(task);
    EXPECT_EQ(on.used_at_last(before), before);
    for (const char* end : {".begun", ".open"}) ::unlink((path + end).c_str());
  }
}

TEST(ShortTasks, AJobThatIsCancelledWhileABatchRunsLeavesTheWorkerToOthers) {
  const std::string path = "/tmp/muster-gate-" + std::to_string(getpid());
  ::setenv("MUSTER_TEST_GATE", path.c_str(), 1);
  OneWorker on;
  const int64_t before = on.used();
  const auto tasks = on.submit({natives("gated", 3000, false)});
  ASSERT_TRUE(seen(path + ".begun"));
  on.client.cancel(tasks, true);
  const auto others = on.submit({natives("number", 100, true)});
  std::ofstream(path + ".open").flush();
  ASSERT_TRUE(on.client.wait(others, false, 60));
  EXPECT_EQ(on.text(others.at(99)), "99");
  for (const auto& task : tasks) on.client.release(task);
  for (const auto& task : others) on.client.release(task);
  EXPECT_EQ(on.used_at_last(before), before);
  for (const char* end : {".begun", ".open"}) ::unlink((path + end).c_str());
}

// What has left no rows is kept as a run, and is an object like others: read here, fetched from another worker, freed one by one.
TEST(ShortTasks, ResultsThatHoldNothingAreObjectsLikeOthers) {
  OneWorker on(2);
  graph::Range nothing{.count = 20'000, .function = "nothing", .label = "nothing"};
  graph::Range sizes = natives("size", 20'000 / 50, false);
  sizes.inputs = {{0, graph::Dependency::Rule::block, 50}};
  for (int round = 0; round < 3; ++round) {
    const auto tasks = on.submit({nothing, sizes});
    const std::vector<base::TaskId> wanted(tasks.begin() + 20'000, tasks.end());
    ASSERT_TRUE(on.client.wait(wanted, false, 60));
    for (const auto& task : wanted) EXPECT_EQ(on.text(task), "50 of 0");
    for (const auto& task : wanted) on.client.release(task);
  }
}
}  // namespace
}  // namespace muster

int main(int argc, char** argv) {
  if (auto status = muster::worker_if_asked(argc, argv)) return *status;
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
