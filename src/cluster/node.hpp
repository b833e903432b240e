// A worker of a cluster: one process that stores objects, runs native tasks on its threads and guest tasks in executor processes, and hands objects to
// other workers and clients directly.
#pragma once
#include <string>
#include <vector>

namespace muster::cluster {

struct NodeOptions {
  std::string scheduler;                                    // its address
  std::string listen = {};                                  // where others fetch from; empty: a Unix socket of this host
  std::string name = {};
  int64_t threads = 1;
  int64_t memory_limit = 0;                                 // bytes; 0 = 80 % of what this process may use
  std::vector<std::pair<std::string, double>> resources = {};
  std::vector<std::string> executor = {};                   // the command that starts one; empty: none, guest tasks fail
};

/// Works until the scheduler says stop or its connection ends; returns the exit status. Throws Error{io} if there is no scheduler.
int run_node(const NodeOptions& options);

}  // namespace muster::cluster
