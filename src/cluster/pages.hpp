// The monitor of a cluster: what it shows, and where. It asks the hub and changes nothing.
#pragma once
#include <string>

#include "base/value.hpp"
#include "cluster/hub.hpp"
#include "monitor/http.hpp"

namespace muster::cluster {

/// A page by its path; status 404 where there is none.
monitor::Page page(Hub& hub, const std::string& path);
/// A value as JSON.
std::string json(const base::Value& value);

/// Serves the pages of a hub on loopback: `address` is ":8787", "127.0.0.1:8787" or a port; a port that is taken gives way to the next free one.
class Monitor {
 public:
  /// Throws Error{invalid} on an address that is not on loopback.
  Monitor(Hub& hub, const std::string& address);
  std::string link() const;
  bool moved() const { return moved_; }  // the port asked for was taken

 private:
  int port_ = 0;
  bool moved_ = false;
  std::unique_ptr<monitor::HttpServer> server_;
};

}  // namespace muster::cluster
