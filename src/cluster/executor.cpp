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
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/error.hpp"
#include "cluster/spawn.hpp"
#include "muster/error.hpp"
#include "net/socket.hpp"

namespace muster::cluster {
using namespace base;
namespace {

constexpr size_t kDatagram = 96 * 1024;  // larger requests lie in shared memory
constexpr size_t kForgets = 1024;        // in one datagram

bool send_datagram(int socket, const std::string& bytes, const std::vector<int>& fds) { return net::send_with(socket, bytes, fds, MSG_DONTWAIT) >= 0; }

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

bool Executor::send(TaskId task, uint16_t attempt, const ExecutorCall& call, const std::vector<int>& fds, std::shared_ptr<Work> work) {
  RequestHead head{.task = task, .attempt = attempt};
  constexpr size_t kMost = net::kMostFds - 1;  // a request may need one for itself
  size_t at = 0;
  head.kind = RequestHead::Kind::descriptors;
  if (ahead_ || fds.size() > kMost) do {  // the one at place 0 makes the executor forget what came ahead of a request that did not follow
      const std::vector<int> some(fds.begin() + static_cast<std::ptrdiff_t>(at), fds.begin() + static_cast<std::ptrdiff_t>(std::min(fds.size(), at + kMost)));
      head.place = static_cast<uint32_t>(at);
      if (!send_datagram(requests_.get(), net::encoded(head), some)) return refused();
      ahead_ = true, at += some.size();
    } while (fds.size() - at > kMost);
  std::vector<int> rest(fds.begin() + static_cast<std::ptrdiff_t>(at), fds.end());
  head.kind = RequestHead::Kind::call, head.place = static_cast<uint32_t>(at);
  Encoder& request = request_;
  request.bytes().clear();
  net::put(request, head);
  const size_t begin = request.size();
  net::put(request, call);
  Fd memory;
  if (request.size() > kDatagram) {
    memory = Fd(memfd_create("muster-request", MFD_CLOEXEC));
    if (!memory) return refused();
    for (size_t done = begin; done < request.size();) {
      const ssize_t n = write(memory.get(), request.bytes().data() + done, request.size() - done);
      if (n <= 0) return refused();
      done += static_cast<size_t>(n);
    }
    rest.insert(rest.begin(), memory.get());
    head.kind = RequestHead::Kind::lying_call;
    request = {};
    net::put(request, head);
  }
  if (!send_datagram(requests_.get(), request.bytes(), rest)) return refused();
  sent.push_back({task, attempt, std::chrono::steady_clock::now(), std::exchange(ahead_, false), std::move(work)});
  return true;
}

void Executor::send_forgets() {
  if (forgets_.empty()) return;
  const auto end = forgets_.begin() + static_cast<std::ptrdiff_t>(std::min(forgets_.size(), kForgets));
  Encoder request;
  net::put(request, RequestHead{.kind = RequestHead::Kind::forget});
  for (auto f = forgets_.begin(); f != end; ++f) net::put(request, *f);
  if (send_datagram(requests_.get(), request.bytes(), {})) forgets_.erase(forgets_.begin(), end);
}

std::vector<std::shared_ptr<Work>> Executor::take_back() {
  std::vector<std::shared_ptr<Work>> out;
  static thread_local std::string buffer(kDatagram + 64, '\0');
  for (;;) {
    std::vector<Fd> fds;
    bool cut = false;
    const ssize_t n = net::receive_with(requests_end_.get(), buffer.data(), buffer.size(), fds, MSG_DONTWAIT, cut);
    if (n <= 0) break;
    Decoder in(std::string_view(buffer).substr(0, static_cast<size_t>(n)));
    const auto head = net::taken<RequestHead>(in);
    if (head.kind == RequestHead::Kind::forget) net::each<Forget>(in.rest(), [&](const Forget& f) { forgets_.push_back(f); });
    if (head.kind == RequestHead::Kind::forget || head.kind == RequestHead::Kind::descriptors) continue;
    const auto found = std::find_if(sent.begin(), sent.end(), [&](const Sent& s) { return s.task == head.task && s.attempt == head.attempt; });
    if (found == sent.end()) continue;
    ahead_ |= found->ahead;
    out.push_back(std::move(found->work));
    sent.erase(found);
  }
  return out;
}

void Executor::interrupt(TaskId task, uint16_t attempt) {
  if (send_datagram(cancels_.get(), net::encoded(Interrupt{task, attempt}), {})) ::kill(pid_, SIGUSR1);
}

bool Executor::read(const std::function<void(Reply&&)>& on_reply, bool all) {
  static thread_local std::string chunk(256 * 1024, '\0');
  for (;;) {
    bool cut = false;
    const ssize_t n = net::receive_with(replies_.get(), chunk.data(), chunk.size(), in_fds_, MSG_DONTWAIT, cut);
    if (n == 0) return false;
    if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    if (cut) in_fds_.emplace_back();  // this process has no descriptor left: the others stay in order
    in_.append(chunk.data(), static_cast<size_t>(n));
    size_t used = 0;
    for (ReplyFrame frame; first_reply(std::string_view(in_).substr(used), frame); used += frame.size) {
      Reply r{frame.type, frame.body, {}};
      if (frame.fds > in_fds_.size()) throw Error(ErrorKind::io, "a reply came without its descriptors");
      for (; r.fds.size() < frame.fds; in_fds_.erase(in_fds_.begin())) r.fds.push_back(std::move(in_fds_.front()));
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
  if (!blamed_.empty()) return "was ended: " + blamed_;
  std::string how = WIFSIGNALED(status) ? concat("was killed by signal ", WTERMSIG(status), " (", strsignal(WTERMSIG(status)), ")")
                                        : concat("exited with status ", WEXITSTATUS(status));
  if (std::string said = words(); !ready && !said.empty()) {
    while (said.ends_with('\n')) said.pop_back();
    how += ":\n" + said.substr(said.size() - std::min<size_t>(said.size(), 2000));
  }
  return how;
}

}  // namespace muster::cluster
