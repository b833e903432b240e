// What a client hears.
#pragma once
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "graph/graph.hpp"

namespace muster::cluster {
using base::ClientId, base::JobId, base::TaskId;

struct News {
  enum class Kind : uint8_t { done, failed, cancelled, lost, reported, ended, renew } kind;
  TaskId task;
  int64_t bytes = 0;
  std::string type{};                  // of the value, as its language names it
  graph::Blob value{};                 // small ones come along
  std::vector<std::string> holders{};  // addresses of workers that have it
  graph::Blob note{};                  // what the task reported
  TaskId cause{};                      // of a failure
  graph::Blob error{};
};

/// Where a client's news go. deliver() must not wait and not call the hub.
class ClientPeer {
 public:
  virtual ~ClientPeer() = default;
  virtual void deliver(std::vector<News>&& news) = 0;
  /// There will be no news any more: the scheduler ends.
  virtual void over(const std::string& why) { (void)why; }
  /// Results given up since the last call; asked from time to time, under the same rules.
  virtual std::vector<TaskId> take_releases() { return {}; }
};

}  // namespace muster::cluster
