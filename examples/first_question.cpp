// The first question from C++: the mean departure delay by airport. Usage: first_question [GLOB]
#include <chrono>
#include <iostream>
#include <muster/muster.hpp>

int main(int argc, char** argv) try {
  const std::string files = argc > 1 ? argv[1] : "data/nycflights/*.csv";
  const auto start = std::chrono::steady_clock::now();
  auto df =
      muster::read_csv(files, {.parse_dates = {{"Date", {0, 1, 2}}}, .dtype = {{"TailNum", "str"}, {"CRSElapsedTime", "float64"}, {"Cancelled", "bool"}}});
  std::cout << df.groupby("Origin")["DepDelay"].mean().compute({.progress = true}) << '\n';
  std::cout << "C++: " << std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() << " s\n";
} catch (const muster::Error& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
