// Brings objects from where they are: a thread that asks workers, one question at a time per holder, over connections it keeps.
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "net/socket.hpp"
#include "worker/objects.hpp"

namespace muster::cluster {
using base::TaskId;

/// Connections to workers that are not in use. Throws Error{io} where a worker does not answer or does not have the object.
class Peers {
 public:
  /// `attempt` 65535 = any. Through a Unix socket a large object comes as shared memory.
  worker::Object get(const std::string& holder, TaskId id, uint16_t attempt, double seconds);
  void put(const std::string& holder, TaskId id, const worker::Object& object, double seconds);

 private:
  net::Fd connection(const std::string& holder);
  void give_back(const std::string& holder, net::Fd fd);
  std::mutex mutex_;
  std::multimap<std::string, net::Fd> idle_;
};

struct Fetched {
  TaskId id;
  uint16_t attempt;
  std::string holder;
  bool ok;
  worker::Object object;
};

class Fetcher {
 public:
  explicit Fetcher(std::function<void(Fetched&&)> done);
  ~Fetcher() { stop(); }
  void fetch(TaskId id, uint16_t attempt, const std::string& holder);
  void stop();

 private:
  void run();
  std::function<void(Fetched&&)> done_;
  Peers peers_;
  std::mutex mutex_;
  std::condition_variable work_;
  std::deque<Fetched> queue_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace muster::cluster
