// Where a client's news go: over a connection, or to a client in this process. The hub calls with its mutex held.
#pragma once
#include <string>
#include <vector>

#include "cluster/messages.hpp"

namespace muster::cluster {

/// deliver() must not wait and not call the hub.
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
