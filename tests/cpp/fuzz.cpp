// Random and damaged input for the CSV reader, the Parquet reader and the wire form of expressions: fuzz SECONDS [SEED]. Any error but muster::Error is a
// finding, as is a result that depends on where the file is cut.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <sstream>

#include "api/session.hpp"
#include "muster/muster.hpp"

namespace {
using namespace muster;

std::string csv(std::mt19937& random) {
  static const char* const pieces[] = {"a",
                                       "1",
                                       "2.5",
                                       "-7",
                                       ",",
                                       ",",
                                       ",",
                                       "\n",
                                       "\n",
                                       "\n",
                                       "\"",
                                       "\"\"",
                                       "\r\n",
                                       "\r",
                                       " ",
                                       "NA",
                                       "true",
                                       "1e400",
                                       "99999999999999999999",
                                       "\xff",
                                       "é",
                                       "2020-01-01",
                                       "\"x,\ny\"",
                                       std::getenv("HOME") ? "x" : "y"};
  std::string out = random() % 2 ? "a,b,c\n" : "";
  const size_t n = random() % 400;
  for (size_t i = 0; i < n; ++i) out += pieces[random() % std::size(pieces)];
  return out;
}

std::string answer(const std::string& path, int64_t blocksize, std::mt19937& options) {
  ReadCsv o{.on_bad_lines = options() % 2 ? "skip" : "error"};
  o.blocksize = blocksize;
  if (options() % 4 == 0) o.more.emplace_back("escapechar", "\\");
  if (options() % 4 == 0) o.more.emplace_back("comment", "#");
  try {
    std::ostringstream out;
    out << read_csv(path, o).compute({.threads = 2});
    return out.str();
  } catch (const Error& e) {
    return std::getenv("MUSTER_FUZZ_ERRORS") ? e.what() : "error";
  }
}

// A Parquet file as muster writes it, some of its bytes changed or its end cut off: rows or an error.
void damaged_parquet(const std::string& csv, const std::string& folder, std::mt19937& random) {
  std::ofstream(csv, std::ios::binary) << "a,b,c\n1,x,2.5\n,yy,\n3,,1e9\n" << (random() % 2 ? "7,x,0\n8,x,0\n9,x,0\n10,y,1\n" : "");
  const char* const codecs[] = {"snappy", "zstd", "none"};
  read_csv(csv).to_parquet(folder, codecs[random() % 3]);
  const std::string path = folder + "/part.0.parquet";
  std::ifstream file(path, std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(file), {}};
  for (int damage = 0; damage < 40; ++damage) {
    std::string bytes = whole;
    for (unsigned k = random() % 4; k < 4; ++k) bytes[random() % bytes.size()] = static_cast<char>(random());
    if (random() % 8 == 0) bytes.resize(random() % bytes.size());
    std::ofstream(path, std::ios::binary) << bytes;
    try {
      const DataFrame df = read_parquet(path);
      df.compute({.threads = 2});
      df.groupby(df.columns().at(0)).size().compute({.threads = 2});
    } catch (const Error&) {
    } catch (const std::out_of_range&) {  // no column is left
    }
  }
}
}  // namespace

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 5;
  unsigned seed = argc > 2 ? static_cast<unsigned>(std::atoi(argv[2])) : static_cast<unsigned>(std::random_device{}());
  const auto start = std::chrono::steady_clock::now();
  const std::string path = "/tmp/muster-fuzz-" + std::to_string(getpid()) + ".csv";
  int64_t rounds = 0;
  for (; std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() < seconds; ++rounds, ++seed) {
    std::mt19937 random(seed);
    std::ofstream(path, std::ios::binary) << csv(random);
    const unsigned options = static_cast<unsigned>(random());
    std::mt19937 a(options), b(options);
    const auto whole = answer(path, 0, a), cut = answer(path, 1 + static_cast<int64_t>(random() % 40), b);
    if (whole != cut) {
      std::cerr << "seed " << seed << ": the answer depends on the block size\n--- whole\n" << whole << "--- cut\n" << cut;
      return 1;
    }
    damaged_parquet(path, path + ".folder", random);
    std::ofstream(path, std::ios::binary) << "a,b\n1,x\n";
    auto df = read_csv(path);
    const std::string wire = expr::encode({df[df["a"] > 0].groupby("b")["a"].mean().expr});
    for (int damage = 0; damage < 20; ++damage) {
      std::string bytes = wire;
      for (unsigned k = random() % 4; k < 4; ++k) bytes[random() % bytes.size()] = static_cast<char>(random());
      if (random() % 3 == 0) bytes.resize(random() % bytes.size());
      try {
        expr::decode(bytes);
      } catch (const Error&) {
      }
    }
  }
  unlink(path.c_str());
  std::filesystem::remove_all(path + ".folder");
  std::cout << "fuzz: " << rounds << " rounds, nothing found\n";
}
