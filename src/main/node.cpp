// muster-node: a worker or a scheduler as a program of its own. The Python command `muster` starts it; so do launchers.
#include <iostream>
#include <string>
#include <vector>

#include "muster/cluster.hpp"
#include "muster/error.hpp"

namespace {
const char* const kUsage =
    "usage: muster-node worker SCHEDULER [--threads N] [--memory-limit BYTES] [--name NAME] [--listen ADDRESS] [--resource NAME=AMOUNT]... [--load "
    "LIBRARY]... [--executor COMMAND...]\n"
    "       muster-node scheduler [--listen ADDRESS]...\n";
}

int main(int argc, char** argv) {
  std::vector<std::string> args(argv + 1, argv + argc);
  try {
    if (args.empty()) {
      std::cerr << kUsage;
      return 2;
    }
    return muster::node_main(args);
  } catch (const muster::Error& e) {
    std::cerr << "muster-node: " << e.what() << '\n';
    return 1;
  }
}
