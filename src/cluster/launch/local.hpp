// A cluster on this machine: the scheduler in this process, workers as child processes that are started again when they die.
#pragma once
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "cluster/hub.hpp"

namespace muster::cluster {

struct LocalOptions {
  int64_t workers = 1, threads = 1;
  int64_t memory_limit = 0;                 // bytes of each worker; 0 = its share of what this process may use
  std::vector<std::string> node = {};       // the command that starts a worker; empty: muster-node beside the library
  std::vector<std::string> executor = {};   // the command that starts an executor; empty: none
  std::vector<std::string> load = {};       // libraries workers load first
  std::string listen = {};                  // workers' own addresses: empty = Unix sockets, tcp://127.0.0.1:0 = loopback
  std::vector<std::pair<std::string, double>> resources = {};
  HubOptions hub = {};
};

class LocalCluster {
 public:
  /// Returns when the workers are there. Throws Error{io} if they do not come.
  explicit LocalCluster(LocalOptions options);
  ~LocalCluster();
  const std::shared_ptr<Hub>& hub() const { return hub_; }
  /// Starts or ends workers until there are so many.
  void scale(int64_t workers);
  void wait_for_workers(int64_t workers, double seconds);
  int64_t size();
  void close();

 private:
  void start_worker();   // in the hub's loop, with the mutex held, as the next
  void start_missing();
  void replace_early_ends();
  LocalOptions options_;
  std::shared_ptr<Hub> hub_;
  std::mutex mutex_;
  std::map<int64_t, pid_t> children_;  // by worker number
  int64_t names_ = 0, wanted_ = 0, early_ends_ = 0;
  std::string failure_;
  bool closed_ = false;
};

/// Where muster-node is: $MUSTER_NODE, or beside libmuster.so.
std::string node_program();

}  // namespace muster::cluster
