// Tasks from C++: calls that wait in this process, and registered functions on workers that are this program, started again.
#include <cmath>
#include <iostream>

#include "muster/muster.hpp"

int64_t add(int64_t a, int64_t b) { return a + b; }
double root(double x) { return std::sqrt(x); }
static const muster::Function<int64_t(int64_t, int64_t)> kAdd("add", add);
static const muster::Function<double(double)> kRoot("root", root);

int main(int argc, char** argv) {
  if (auto status = muster::worker_if_asked(argc, argv)) return *status;
  auto inc = muster::delayed([](int i) { return i + 1; });
  auto sum = muster::delayed([](int a, int b) { return a + b; });
  std::cout << "inc(1) + inc(12) on threads: " << sum(inc(1), inc(12)).compute() << '\n';
  muster::Cluster cluster({.workers = 2});
  auto three = cluster.submit(kAdd, 1, 2);
  std::cout << "add(add(1, 2), 10) on " << cluster.workers() << " workers: " << cluster.submit(kAdd, three, 10).result() << '\n';
  double total = 0;
  for (const auto& f : cluster.map(kRoot, std::vector<double>{1, 4, 9, 16})) total += f.result();
  std::cout << "sum of roots: " << total << '\n';
}
