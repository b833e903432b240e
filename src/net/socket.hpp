// Stream sockets on this host: addresses, listening, connecting, and who is at the other end.
#pragma once
#include <sys/types.h>

#include <string>
#include <string_view>
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

constexpr size_t kMostFds = 200;  // descriptors that go with one message

/// As sendmsg and recvmsg, with descriptors that the socket carries along: these stay the sender's. What is received is closed on exec.
ssize_t send_with(int socket, std::string_view bytes, const std::vector<int>& fds, int flags);
/// `cut`: this process had no descriptor left for some of them.
ssize_t receive_with(int socket, char* to, size_t size, std::vector<Fd>& fds, int flags, bool& cut);

}  // namespace muster::net
