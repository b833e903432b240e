// A request is in the socket, or begun, or taken back, never two of these; what was in the socket of a child that died is untouched and goes to another.
#include "cluster/executor.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/error.hpp"
#include "cluster/spawn.hpp"
#include "muster/error.hpp"

namespace muster::cluster {
using namespace base;
namespace {

constexpr size_t kDatagram = 96 * 1024;  // larger requests lie in shared memory
constexpr size_t kFds = 200;             // descriptors of one datagram

bool send_datagram(int socket, const std::string& body, const std::vector<int>& fds) {
  iovec part{const_cast<char*>(body.data()), body.size()};
  msghdr m{};
  m.msg_iov = &part, m.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(kFds * sizeof(int))];
  if (!fds.empty()) {
    m.msg_control = control, m.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    cmsghdr* c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS, c->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    std::memcpy(CMSG_DATA(c), fds.data(), fds.size() * sizeof(int));
  }
  return sendmsg(socket, &m, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

ssize_t receive(int fd, char* to, size_t size, std::vector<Fd>& fds) {
  iovec part{to, size};
  msghdr m{};
  m.msg_iov = &part, m.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(kFds * sizeof(int))];
  m.msg_control = control, m.msg_controllen = sizeof control;
  const ssize_t n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (n >= 0)
    for (cmsghdr* c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
      if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
        for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); ++i) {
          int got;
          std::memcpy(&got, CMSG_DATA(c) + i * sizeof(int), sizeof got);
          fds.emplace_back(got);
        }
  if (n >= 0 && m.msg_flags & MSG_CTRUNC) fds.emplace_back();  // this process has no descriptor left: the others stay in order
  return n;
}

// False where the socket is only full.
bool refused() {
  if (errno == EAGAIN || errno == EWOULDBLOCK) return false;
  throw Error(ErrorKind::io, concat("a task cannot be handed to its executor: ", std::strerror(errno)));
}

std::pair<Fd, Fd> pair(int type) {
  int fds[2];
  if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds) != 0) throw Error(ErrorKind::io, concat("no socket for an executor: ", std::strerror(errno)));
  for (int fd : fds) {
    const int size = 4 << 20;
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  }
  return {Fd(fds[0]), Fd(fds[1])};
}
}  // namespace

Executor::Executor(const std::vector<std::string>& command) {
  auto [requests, child_requests] = pair(SOCK_SEQPACKET);
  auto [replies, child_replies] = pair(SOCK_STREAM);
  auto [cancels, child_cancels] = pair(SOCK_SEQPACKET);
  errors_ = Fd(memfd_create("muster-errors", MFD_CLOEXEC));
  if (!errors_) throw Error(ErrorKind::io, concat("no descriptor for an executor: ", std::strerror(errno)));
  pid_ = spawn(command, {child_requests.get(), child_replies.get(), child_cancels.get(), fcntl(STDERR_FILENO, F_GETFD) < 0 ? errors_.get() : STDERR_FILENO},
               errors_.get());
  end_ = Fd(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
  requests_ = std::move(requests), requests_end_ = std::move(child_requests), replies_ = std::move(replies), cancels_ = std::move(cancels);
  fcntl(replies_.get(), F_SETFL, fcntl(replies_.get(), F_GETFL) | O_NONBLOCK);
}

Executor::~Executor() { death(); }

bool Executor::over() const {
  pollfd p{end_.get(), POLLIN, 0};
  return end_ && poll(&p, 1, 0) == 1;
}

std::string Executor::words() const {
  struct stat facts {};
  if (!errors_ || fstat(errors_.get(), &facts) != 0) return {};
  std::string out(static_cast<size_t>(std::min<off_t>(facts.st_size, 64 * 1024)), '\0');
  out.resize(static_cast<size_t>(std::max<ssize_t>(0, pread(errors_.get(), out.data(), out.size(), facts.st_size - static_cast<off_t>(out.size())))));
  return out;
}

void Executor::is_ready() {
  if (std::exchange(ready, true)) return;
  const std::string said = words();
  errors_.reset();
  for (size_t at = 0; at < said.size();) {
    const ssize_t n = write(STDERR_FILENO, said.data() + at, said.size() - at);
    if (n <= 0) break;
    at += static_cast<size_t>(n);
  }
}

void Executor::kill() {
  if (pid_ > 0) ::kill(pid_, SIGKILL);
}

bool Executor::send(const Request& r) {
  // kind: 'T' a task, 'M' a task whose request lies in the first descriptor, 'F' descriptors ahead of one, with the place of the first; 'U' what will not be
  // used again
  const auto head = [&](char kind) {
    std::string out(1, kind);
    const uint64_t id = r.task.bits();
    out.append(reinterpret_cast<const char*>(&id), sizeof id);
    return out.append(reinterpret_cast<const char*>(&r.attempt), sizeof r.attempt);
  };
  constexpr size_t kMost = kFds - 1;  // a request may need one for itself
  uint32_t at = 0;
  if (ahead_ || r.fds.size() > kMost) do {  // the one at place 0 makes the executor forget what came ahead of a request that did not follow
      const std::vector<int> some(r.fds.begin() + at, r.fds.begin() + at + static_cast<std::ptrdiff_t>(std::min(kMost, r.fds.size() - at)));
      if (!send_datagram(requests_.get(), head('F').append(reinterpret_cast<const char*>(&at), sizeof at), some)) return refused();
      ahead_ = true, at += static_cast<uint32_t>(some.size());
    } while (r.fds.size() - at > kMost);
  std::vector<int> fds(r.fds.begin() + at, r.fds.end());
  if (r.body.size() < kDatagram) {
    if (!send_datagram(requests_.get(), head('T') + r.body, fds)) return refused();
  } else {
    Fd memory(memfd_create("muster-request", MFD_CLOEXEC));
    if (!memory) return refused();
    for (size_t done = 0; done < r.body.size();) {
      const ssize_t n = write(memory.get(), r.body.data() + done, r.body.size() - done);
      if (n <= 0) return refused();
      done += static_cast<size_t>(n);
    }
    fds.insert(fds.begin(), memory.get());
    if (!send_datagram(requests_.get(), head('M'), fds)) return refused();
  }
  sent.push_back({r.task, r.attempt, std::chrono::steady_clock::now(), std::exchange(ahead_, false)});
  return true;
}

void Executor::forget(Thing thing, uint32_t number) {
  const uint32_t both[] = {static_cast<uint32_t>(thing), number};
  forgets_.append(reinterpret_cast<const char*>(both), sizeof both);
}

void Executor::send_forgets() {
  const size_t some = std::min(forgets_.size(), kDatagram / 16 * 8);
  if (some && send_datagram(requests_.get(), "U" + forgets_.substr(0, some), {})) forgets_.erase(0, some);
}

std::vector<std::pair<TaskId, uint16_t>> Executor::take_back() {
  std::vector<std::pair<TaskId, uint16_t>> out;
  std::string buffer(kDatagram + 64, '\0');
  for (;;) {
    std::vector<Fd> fds;
    const ssize_t n = receive(requests_end_.get(), buffer.data(), buffer.size(), fds);
    if (n <= 0) break;
    if (buffer[0] == 'U') forgets_.append(buffer, 1, static_cast<size_t>(n) - 1);
    if (buffer[0] == 'F' || buffer[0] == 'U' || n < 11) continue;
    uint64_t id;
    uint16_t attempt;
    std::memcpy(&id, buffer.data() + 1, 8), std::memcpy(&attempt, buffer.data() + 9, 2);
    out.emplace_back(TaskId::of(id), attempt);
    std::erase_if(sent, [&](const Sent& s) {
      const bool taken = s.task == out.back().first && s.attempt == attempt;
      ahead_ |= taken && s.ahead;
      return taken;
    });
  }
  return out;
}

void Executor::interrupt(TaskId task, uint16_t attempt) {
  std::string body;
  const uint64_t id = task.bits();
  body.append(reinterpret_cast<const char*>(&id), 8);
  body.append(reinterpret_cast<const char*>(&attempt), 2);
  if (send_datagram(cancels_.get(), body, {})) ::kill(pid_, SIGUSR1);
}

bool Executor::read(const std::function<void(Reply&&)>& on_reply, bool all) {
  static thread_local std::string chunk(256 * 1024, '\0');
  for (;;) {
    const ssize_t n = receive(replies_.get(), chunk.data(), chunk.size(), in_fds_);
    if (n == 0) return false;
    if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    in_.append(chunk.data(), static_cast<size_t>(n));
    size_t used = 0;
    // length u32, kind, descriptors u8, body
    while (in_.size() - used >= 6) {
      uint32_t length;
      std::memcpy(&length, in_.data() + used, 4);
      if (in_.size() - used - 6 < length) break;
      Reply r{in_[used + 4], in_.substr(used + 6, length), {}};
      const auto fds = static_cast<uint8_t>(in_[used + 5]);
      for (uint8_t i = 0; i < fds && !in_fds_.empty(); ++i) r.fds.push_back(std::move(in_fds_.front())), in_fds_.erase(in_fds_.begin());
      used += 6 + length;
      on_reply(std::move(r));
    }
    in_.erase(0, used);
    if (!all && static_cast<size_t>(n) < chunk.size()) return true;
  }
}

std::string Executor::death() {
  if (pid_ <= 0) return "ended";
  ::kill(-pid_, SIGKILL), ::kill(pid_, SIGKILL);  // changes nothing about a process that is ending; one that only closed its sockets ends now
  int status = 0;
  if (waitpid(std::exchange(pid_, -1), &status, 0) < 0) return "ended";
  std::string how = WIFSIGNALED(status) ? concat("was killed by signal ", WTERMSIG(status), " (", strsignal(WTERMSIG(status)), ")")
                                        : concat("exited with status ", WEXITSTATUS(status));
  if (std::string said = words(); !ready && !said.empty()) {
    while (said.ends_with('\n')) said.pop_back();
    how += ":\n" + said.substr(said.size() - std::min<size_t>(said.size(), 2000));
  }
  return how;
}

}  // namespace muster::cluster
