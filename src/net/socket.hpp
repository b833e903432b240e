// Stream sockets on this host: addresses, listening, connecting, and who is at the other end.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "base/fd.hpp"

namespace muster::net {

using base::Fd;

/// unix://@name (or a path) or tcp://host:port.
struct Address {
  bool local = false;       // Unix
  std::string host_or_path;
  int port = 0;
  /// Throws Error{invalid} with what an address looks like.
  static Address parse(const std::string& text);
  std::string text() const;
};

/// Listens; port 0 takes a free one. Throws Error{invalid} on a host that is not loopback: until connections are encrypted nothing leaves this machine;
/// Error{io} when the port is taken.
std::pair<Fd, Address> listen(const Address& address);
/// Waits up to `seconds`. Throws Error{io}.
Fd connect(const Address& address, double seconds);
/// Accepts a connection of the same user; an empty Fd when there is none, or somebody else's.
Fd accept(const Fd& listener, bool local);

void set_blocking(const Fd& fd, bool blocking);

}  // namespace muster::net
