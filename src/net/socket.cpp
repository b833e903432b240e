// Who is at the other end is the kernel's word, asked before a byte is read: of a Unix socket its credentials, of loopback the table of connections. Another
// user's connection is closed without an answer.
#include "net/socket.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <cstddef>
#include <fstream>
#include <sstream>

#include "base/error.hpp"
#include "base/text.hpp"
#include "muster/error.hpp"

namespace muster::net {
using namespace base;
namespace {

[[noreturn]] void failed(const std::string& what) { throw Error(ErrorKind::io, concat(what, ": ", std::strerror(errno))); }

struct Name {
  sockaddr_storage storage{};
  socklen_t size = 0;
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

Name name_of(const Address& a) {
  Name n;
  if (a.local) {
    auto* u = reinterpret_cast<sockaddr_un*>(&n.storage);
    u->sun_family = AF_UNIX;
    if (a.host_or_path.size() >= sizeof u->sun_path) throw invalid("socket name too long: ", a.host_or_path);
    std::memcpy(u->sun_path, a.host_or_path.c_str(), a.host_or_path.size() + 1);
    n.size = sizeof *u;
    if (u->sun_path[0] == '@') {  // a name of the kernel's, not of a file system: nothing is left behind
      u->sun_path[0] = '\0';
      n.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + a.host_or_path.size());
    }
    return n;
  }
  auto* i = reinterpret_cast<sockaddr_in*>(&n.storage);
  i->sin_family = AF_INET, i->sin_port = htons(static_cast<uint16_t>(a.port));
  const std::string host = a.host_or_path == "localhost" || a.host_or_path.empty() ? "127.0.0.1" : a.host_or_path;
  if (inet_pton(AF_INET, host.c_str(), &i->sin_addr) != 1 || (ntohl(i->sin_addr.s_addr) >> 24) != 127)
    throw invalid(a.text(),
                  " is not on this machine's loopback: connections to other hosts are refused until they are encrypted; use tcp://127.0.0.1:", a.port);
  n.size = sizeof *i;
  return n;
}

// The user that owns the connecting end of a loopback connection: the kernel's table has it under the local port.
bool same_user(const sockaddr_in& peer) {
  std::ifstream table("/proc/net/tcp");
  std::string line;
  std::getline(table, line);
  while (std::getline(table, line)) {
    std::istringstream in(line);
    std::string number, local, remote, state, queues, timer, retransmits;
    unsigned uid;
    if (!(in >> number >> local >> remote >> state >> queues >> timer >> retransmits >> uid)) continue;
    const auto colon = local.find(':');
    if (std::stoul(local.substr(0, colon), nullptr, 16) == peer.sin_addr.s_addr && std::stoul(local.substr(colon + 1), nullptr, 16) == ntohs(peer.sin_port))
      return uid == geteuid();
  }
  return false;
}
}  // namespace

Address Address::parse(const std::string& text) {
  Address a;
  if (text.starts_with("unix://")) {
    a.local = true, a.host_or_path = text.substr(7);
    if (!a.host_or_path.empty()) return a;
  }
  std::string rest = text.starts_with("tcp://") ? text.substr(6) : text;
  const auto colon = rest.rfind(':');
  if (rest.find("://") == std::string::npos && colon != std::string::npos && colon + 1 < rest.size() &&
      rest.find_first_not_of("0123456789", colon + 1) == std::string::npos && rest.size() - colon < 7) {
    a.host_or_path = rest.substr(0, colon);
    a.port = std::stoi(rest.substr(colon + 1));
    if (a.port < 65536) return a;
  }
  throw invalid("'", text, "' is no address; addresses look like tcp://127.0.0.1:8786 or unix:///path");
}

std::string Address::text() const { return local ? "unix://" + host_or_path : concat("tcp://", host_or_path.empty() ? "127.0.0.1" : host_or_path, ":", port); }

std::pair<Fd, Address> listen(const Address& address) {
  Name name = name_of(address);
  Fd fd(socket(address.local ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) failed("socket");
  const int one = 1;
  if (!address.local) setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(fd.get(), name.get(), name.size) != 0) failed(concat("cannot listen at ", address.text()));
  if (::listen(fd.get(), 512) != 0) failed(concat("cannot listen at ", address.text()));
  Address bound = address;
  if (!address.local) {
    sockaddr_in got{};
    socklen_t size = sizeof got;
    getsockname(fd.get(), reinterpret_cast<sockaddr*>(&got), &size);
    bound.port = ntohs(got.sin_port);
  }
  return {std::move(fd), bound};
}

Fd connect(const Address& address, double seconds) {
  Name name = name_of(address);
  for (double waited = 0;; waited += 0.05) {
    Fd fd(socket(address.local ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd) failed("socket");
    if (::connect(fd.get(), name.get(), name.size) == 0) {
      const int one = 1;
      if (!address.local) setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
      return fd;
    }
    if (waited >= seconds || (errno != ECONNREFUSED && errno != ENOENT && errno != EAGAIN && errno != EINTR))
      failed(concat("cannot connect to ", address.text()));
    usleep(50'000);
  }
}

Fd accept(const Fd& listener, bool local) {
  sockaddr_in peer{};
  socklen_t size = sizeof peer;
  Fd fd(accept4(listener.get(), local ? nullptr : reinterpret_cast<sockaddr*>(&peer), local ? nullptr : &size, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd) return fd;
  if (local) {
    ucred who{};
    socklen_t length = sizeof who;
    if (getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &who, &length) != 0 || who.uid != geteuid()) return Fd();
  } else {
    if (!same_user(peer)) return Fd();
    const int one = 1;
    setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  }
  return fd;
}

void set_blocking(const Fd& fd, bool blocking) {
  const int flags = fcntl(fd.get(), F_GETFL);
  fcntl(fd.get(), F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
}

ssize_t send_with(int socket, std::string_view bytes, const std::vector<int>& fds, int flags) {
  iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  msghdr m{};
  m.msg_iov = &part, m.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(kMostFds * sizeof(int))];
  if (!fds.empty()) {
    m.msg_control = control, m.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    cmsghdr* c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS, c->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    std::memcpy(CMSG_DATA(c), fds.data(), fds.size() * sizeof(int));
  }
  return sendmsg(socket, &m, MSG_NOSIGNAL | flags);
}

ssize_t receive_with(int socket, char* to, size_t size, std::vector<Fd>& fds, int flags, bool& cut) {
  iovec part{to, size};
  msghdr m{};
  m.msg_iov = &part, m.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(kMostFds * sizeof(int))];
  m.msg_control = control, m.msg_controllen = sizeof control;
  const ssize_t n = recvmsg(socket, &m, MSG_CMSG_CLOEXEC | flags);
  cut = n >= 0 && m.msg_flags & MSG_CTRUNC;
  if (n < 0) return n;
  for (cmsghdr* c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
    if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
      for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); ++i) {
        int got;
        std::memcpy(&got, CMSG_DATA(c) + i * sizeof(int), sizeof got);
        fds.emplace_back(got);
      }
  return n;
}

}  // namespace muster::net
