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

#include "muster/error.hpp"
#include "net/socket.hpp"
#include "worker/objects.hpp"

namespace muster::cluster {
using base::TaskId;

/// Why a holder cannot hand an object out that it has (damaged bytes, objects that do not travel), or cannot take one.
struct Refused : Error {
  explicit Refused(Error why) : Error(std::move(why)) {}
};

/// Connections to workers that are not in use. Throws Error{io} where a worker does not answer or does not have the object.
class Peers {
 public:
  /// `attempt` 65535 = any. All of the object, or more of it than the output that the key names: what came is said by Object::output. Through a Unix
  /// socket a large object comes as shared memory. Throws Refused.
  worker::Object get(const std::string& holder, worker::ObjectKey key, uint16_t attempt, double seconds);
  /// Waits until the holder has room for more. Throws Refused.
  void put(const std::string& holder, TaskId id, const worker::Object& object, double seconds);

 private:
  net::Fd connection(const std::string& holder);
  void give_back(const std::string& holder, net::Fd fd);
  std::mutex mutex_;
  std::multimap<std::string, net::Fd> idle_;
};

struct Fetched {
  worker::ObjectKey key;  // that was asked for
  uint16_t attempt;
  std::string holder;
  bool ok;
  worker::Object object;
};

class Fetcher {
 public:
  explicit Fetcher(std::function<void(Fetched&&)> done);
  ~Fetcher() { stop(); }
  void fetch(worker::ObjectKey key, uint16_t attempt, const std::string& holder);
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
