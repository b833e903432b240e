// Several threads compute at once over one pool, one of them stops: for ThreadSanitizer, and answers must be right.
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "api/session.hpp"
#include "muster/muster.hpp"

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
}  // namespace
}  // namespace muster
