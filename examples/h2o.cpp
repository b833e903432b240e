// The group-by questions of the h2o benchmark, from C++. Usage: h2o FILE.parquet; the table has id1 ... id6, v1, v2, v3.
#include <chrono>
#include <functional>
#include <iostream>
#include <muster/muster.hpp>

int main(int argc, char** argv) try {
  if (argc != 2) {
    std::cerr << "usage: h2o FILE.parquet\n";
    return 2;
  }
  const auto x = muster::read_parquet(argv[1]);
  const muster::GroupBy how{.sort = false, .dropna = false};
  const std::vector<std::pair<const char*, std::function<muster::Table()>>> questions = {
      {"q1", [&] { return x.groupby("id1", how)["v1"].sum().compute(); }},
      {"q2", [&] { return x.groupby({"id1", "id2"}, how)["v1"].sum().compute(); }},
      {"q3", [&] { return x.groupby("id3", how).agg({{"v1", {"sum"}}, {"v3", {"mean"}}}).compute(); }},
      {"q4", [&] { return x.groupby("id4", how).agg({{"v1", {"mean"}}, {"v2", {"mean"}}, {"v3", {"mean"}}}).compute(); }},
      {"q5", [&] { return x.groupby("id6", how).agg({{"v1", {"sum"}}, {"v2", {"sum"}}, {"v3", {"sum"}}}).compute(); }},
      {"q6", [&] { return x.groupby({"id4", "id5"}, how).agg({{"v3", {"median", "std"}}}).compute(); }},
      {"q10", [&] { return x.groupby({"id1", "id2", "id3", "id4", "id5", "id6"}, how).agg({{"v3", {"sum"}}, {"v1", {"count"}}}).compute(); }}};
  for (const auto& [name, answer] : questions) {
    const auto start = std::chrono::steady_clock::now();
    const auto table = answer();
    double sum = 0;  // of the last column: what it answers in one number
    for (double v : table.numbers(table.columns().back())) sum += v == v ? v : 0;
    std::cout << name << ' ' << table.rows() << ' ' << sum << ' ' << std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() << " s\n";
  }
} catch (const muster::Error& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
