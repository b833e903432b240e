// A socket never blocks: what it does not take stays in order until the loop finds room, and descriptors go with the first byte of their frame, once. Bytes
// that are no frame, are too many or were damaged are an Error{io}, which ends the connection and no process.
#include "net/connection.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cerrno>
#include <chrono>
#include <cstring>

#include "base/error.hpp"
#include "muster/error.hpp"

namespace muster::net {
using namespace base;
namespace {

constexpr uint16_t kMagic = 0x754D;
constexpr uint8_t kVersion = 1;
constexpr size_t kMaxFds = 64;

struct Header {
  uint16_t magic = kMagic;
  uint8_t version = kVersion, reserved = 0;
  uint16_t type = 0, fds = 0;
  uint64_t length = 0;
  uint64_t checksum = 0;
  uint64_t unused = 0;
};
static_assert(sizeof(Header) == 32);

std::string head_of(uint16_t type, const std::string& body, size_t fds, const Payload& payload) {
  Header h;
  h.type = type, h.fds = static_cast<uint16_t>(fds), h.length = body.size() + payload.size;
  if (payload.size) {
    XXH3_state_t state;
    XXH3_64bits_reset(&state);
    XXH3_64bits_update(&state, body.data(), body.size());
    XXH3_64bits_update(&state, payload.data, payload.size);
    h.checksum = XXH3_64bits_digest(&state);
  } else {
    h.checksum = XXH3_64bits(body.data(), body.size());
  }
  std::string out(reinterpret_cast<const char*>(&h), sizeof h);
  out += body;
  return out;
}

// Sends up to all of two parts; the descriptors go with the first byte. Returns bytes sent, -1 as sendmsg does.
ssize_t send_parts(int fd, const char* a, size_t a_size, const char* b, size_t b_size, const std::vector<int>& fds) {
  iovec parts[2] = {{const_cast<char*>(a), a_size}, {const_cast<char*>(b), b_size}};
  msghdr m{};
  m.msg_iov = a_size ? parts : parts + 1, m.msg_iovlen = static_cast<size_t>(a_size != 0) + static_cast<size_t>(b_size != 0);
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxFds * sizeof(int))];
  if (!fds.empty()) {
    m.msg_control = control, m.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    cmsghdr* c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS, c->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    std::memcpy(CMSG_DATA(c), fds.data(), fds.size() * sizeof(int));
  }
  return sendmsg(fd, &m, MSG_NOSIGNAL);
}

// Receives bytes and descriptors.
ssize_t receive_some(int fd, char* to, size_t size, std::vector<Fd>& fds) {
  iovec part{to, size};
  msghdr m{};
  m.msg_iov = &part, m.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxFds * sizeof(int))];
  m.msg_control = control, m.msg_controllen = sizeof control;
  const ssize_t n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
  if (n > 0)
    for (cmsghdr* c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
      if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
        for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); ++i) {
          int got;
          std::memcpy(&got, CMSG_DATA(c) + i * sizeof(int), sizeof got);
          fds.emplace_back(got);
        }
  if (n > 0 && m.msg_flags & MSG_CTRUNC) throw Error(ErrorKind::io, "this process has no descriptor left for an object; close files, or raise the limit (ulimit -n)");
  return n;
}

// The header at `at`, if all of it is there. Throws Error{io} on what is no frame.
bool peek(const std::string& in, size_t at, Header& h, size_t max_frame) {
  if (in.size() - at < sizeof h) return false;
  std::memcpy(&h, in.data() + at, sizeof h);
  if (h.magic != kMagic) throw Error(ErrorKind::io, "what the other end sends is not muster's protocol");
  if (h.version != kVersion) throw Error(ErrorKind::io, concat("the other end sends frames of version ", int{h.version}, ", this process reads version ", int{kVersion}, "; install the same muster for both"));
  if (h.length > max_frame || h.fds > kMaxFds) throw Error(ErrorKind::io, concat("a frame of ", h.length, " bytes and ", h.fds, " descriptors is not accepted"));
  return true;
}

void check(const Header& h, const std::string& body) {
  if (XXH3_64bits(body.data(), body.size()) != h.checksum) throw Error(ErrorKind::io, "a frame was damaged on its way");
}
}  // namespace

void Connection::send(uint16_t type, std::string body, std::vector<int> fds, Payload payload) {
  std::lock_guard lock(mutex_);
  if (closed_) return;
  std::string head = head_of(type, body, fds.size(), payload);
  for (int& fd : fds) fd = dup(fd);
  out_.push_back({std::move(head), std::move(fds), std::move(payload)});
  if (out_.size() > 1) return;  // the loop is at it
  if (!write()) shutdown(fd_.get(), SHUT_RDWR);
  else if (!out_.empty() && !wants_write_) wants_write_ = true, loop_.interest(*this, true);
}

bool Connection::write() {
  while (!out_.empty()) {
    Out& o = out_.front();
    const size_t head_left = o.sent < o.head.size() ? o.head.size() - o.sent : 0;
    const size_t payload_sent = o.sent > o.head.size() ? o.sent - o.head.size() : 0;
    const ssize_t n = send_parts(fd_.get(), o.head.data() + o.head.size() - head_left, head_left, o.payload.data + payload_sent, o.payload.size - payload_sent, o.sent ? std::vector<int>{} : o.fds);
    if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    o.sent += static_cast<size_t>(n);
    if (o.sent < o.head.size() + o.payload.size) continue;
    for (int fd : o.fds) ::close(fd);
    out_.pop_front();
  }
  return true;
}

bool Connection::read() {
  constexpr size_t kChunk = 256 * 1024;
  static thread_local const std::unique_ptr<char[]> chunk(new char[kChunk]);
  for (;;) {
    Header h;
    const size_t had = in_.size();
    const bool known = peek(in_, 0, h, max_frame_);
    size_t want = kChunk;
    ssize_t n;
    if (known && h.length + sizeof h > had + kChunk) {  // straight to where it belongs
      want = h.length + sizeof h - had;
      in_.resize(had + want);
      n = receive_some(fd_.get(), in_.data() + had, want, in_fds_);
      in_.resize(had + static_cast<size_t>(std::max<ssize_t>(n, 0)));
    } else {
      n = receive_some(fd_.get(), chunk.get(), kChunk, in_fds_);
      if (n > 0) in_.append(chunk.get(), static_cast<size_t>(n));
    }
    if (n == 0) return false;
    if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    size_t used = 0;
    while (peek(in_, used, h, max_frame_)) {
      if (in_.size() - used - sizeof h < h.length) break;
      if (in_fds_.size() < h.fds) throw Error(ErrorKind::io, "a frame came without its descriptors");
      Frame f;
      f.type = h.type, f.body = in_.substr(used + sizeof h, h.length);
      check(h, f.body);
      for (size_t i = 0; i < h.fds; ++i) f.fds.push_back(std::move(in_fds_[i]));
      in_fds_.erase(in_fds_.begin(), in_fds_.begin() + h.fds);
      used += sizeof h + h.length;
      on_frame(std::move(f));
    }
    in_.erase(0, used);
    if (static_cast<size_t>(n) < want) return true;
  }
}

void Connection::close() {
  std::lock_guard lock(mutex_);
  if (!closed_) shutdown(fd_.get(), SHUT_RDWR);
}

Loop::Loop() : epoll_(epoll_create1(EPOLL_CLOEXEC)), wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  epoll_event e{};
  e.events = EPOLLIN, e.data.fd = wake_.get();
  epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &e);
  thread_ = std::thread([this] { run(); });
}

Loop::~Loop() { stop(); }

void Loop::stop() {
  {
    std::lock_guard lock(mutex_);
    if (stopping_ && !thread_.joinable()) return;
    stopping_ = true;
  }
  const uint64_t one = 1;
  [[maybe_unused]] auto n = ::write(wake_.get(), &one, sizeof one);
  if (!thread_.joinable() || here()) return;
  thread_.join();
  std::lock_guard lock(mutex_);
  epoll_.reset(), wake_.reset();
}

std::shared_ptr<Connection> Loop::add(Fd fd, size_t max_frame) {
  set_blocking(fd, false);
  return std::make_shared<Connection>(*this, std::move(fd), max_frame);
}

void Loop::start(const std::shared_ptr<Connection>& c) {
  {
    std::lock_guard lock(mutex_);
    connections_.push_back(c);
  }
  epoll_event e{};
  e.events = EPOLLIN, e.data.fd = c->fd_.get();
  epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, c->fd_.get(), &e);
}

void Loop::interest(const Connection& c, bool write) {
  epoll_event e{};
  e.events = EPOLLIN | (write ? static_cast<uint32_t>(EPOLLOUT) : 0u), e.data.fd = c.fd_.get();
  epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, c.fd_.get(), &e);
}

void Loop::watch(int fd, std::function<void()> ready) {
  {
    std::lock_guard lock(mutex_);
    watches_.push_back({fd, std::make_shared<std::function<void()>>(std::move(ready)), Fd()});
  }
  epoll_event e{};
  e.events = EPOLLIN, e.data.fd = fd;
  epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &e);
}

void Loop::remove(int fd) {
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  std::lock_guard lock(mutex_);
  std::erase_if(watches_, [fd](const Watch& w) { return w.fd == fd; });
}

void Loop::add_listener(Fd fd, bool local, std::function<void(Fd)> on_accept) {
  const int number = fd.get();
  auto keep = std::make_shared<Fd>(std::move(fd));
  const auto spare = [] { return Fd(open("/dev/null", O_RDONLY | O_CLOEXEC)); };
  watch(number, [keep, local, on_accept = std::move(on_accept), spare, kept = std::make_shared<Fd>(spare())] {
    errno = 0;
    if (Fd got = accept(*keep, local)) {
      on_accept(std::move(got));
    } else if (errno == EMFILE || errno == ENFILE) {  // who knocks is turned away at once, not left waiting
      kept->reset();
      accept(*keep, local);
      *kept = spare();
    }
  });
}

void Loop::every(int milliseconds, std::function<void()> tick) {
  std::lock_guard lock(mutex_);
  tick_ = std::move(tick), tick_ms_ = milliseconds;
}

void Loop::post(std::function<void()> job) {
  std::lock_guard lock(mutex_);
  if (stopping_) return;
  posted_.push_back(std::move(job));
  const uint64_t one = 1;
  [[maybe_unused]] auto n = ::write(wake_.get(), &one, sizeof one);
}

void Loop::end(const std::shared_ptr<Connection>& c) {
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, c->fd_.get(), nullptr);
  {
    std::lock_guard lock(mutex_);
    std::erase(connections_, c);
  }
  {
    std::lock_guard lock(c->mutex_);
    c->closed_ = true;
    for (auto& o : c->out_)
      for (int fd : o.fds) ::close(fd);
    c->out_.clear();
    c->fd_ = Fd();
  }
  if (c->on_close) std::exchange(c->on_close, nullptr)();
  c->on_frame = nullptr, c->on_error = nullptr;
}

void Loop::run() {
  auto last_tick = std::chrono::steady_clock::now();
  for (;;) {
    epoll_event events[64];
    const int n = epoll_wait(epoll_.get(), events, 64, tick_ms_);
    std::vector<std::function<void()>> posted;
    std::function<void()> tick;
    {
      std::lock_guard lock(mutex_);
      if (stopping_) break;
      posted.swap(posted_);
      tick = tick_;
    }
    for (int i = 0; i < n; ++i) {
      const int fd = events[i].data.fd;
      if (fd == wake_.get()) {
        uint64_t count;
        [[maybe_unused]] auto got = ::read(fd, &count, sizeof count);
        continue;
      }
      std::shared_ptr<Connection> c;
      std::shared_ptr<std::function<void()>> ready;
      {
        std::lock_guard lock(mutex_);
        for (const auto& known : connections_)
          if (known->fd_.get() == fd) c = known;
        for (const auto& w : watches_)
          if (w.fd == fd) ready = w.ready;
      }
      if (ready) (*ready)();
      if (!c) continue;
      bool alive = true;
      if (events[i].events & EPOLLOUT) {
        std::lock_guard lock(c->mutex_);
        alive = c->write();
        if (alive && c->out_.empty() && c->wants_write_) c->wants_write_ = false, interest(*c, false);
      }
      if (alive && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        try {
          alive = c->read();
        } catch (const std::exception& e) {
          alive = false;  // what it sent is no message: this connection ends, no other
          if (c->on_error) c->on_error(e);
        }
      }
      if (!alive) end(c);
    }
    for (auto& job : posted) job();
    const auto now = std::chrono::steady_clock::now();
    if (tick && now - last_tick >= std::chrono::milliseconds(tick_ms_)) {
      last_tick = now;
      tick();
    }
  }
  std::vector<std::shared_ptr<Connection>> connections;
  {
    std::lock_guard lock(mutex_);
    connections = connections_;
  }
  for (auto& c : connections) end(c);
  std::lock_guard lock(mutex_);
  watches_.clear(), tick_ = nullptr, posted_.clear();
}

void send_frame(const Fd& fd, uint16_t type, const std::string& body, const std::vector<int>& fds, Payload payload) {
  const std::string head = head_of(type, body, fds.size(), payload);
  size_t sent = 0;
  while (sent < head.size() + payload.size) {
    const size_t head_left = sent < head.size() ? head.size() - sent : 0, payload_sent = sent > head.size() ? sent - head.size() : 0;
    const ssize_t n = send_parts(fd.get(), head.data() + head.size() - head_left, head_left, payload.data + payload_sent, payload.size - payload_sent, sent ? std::vector<int>{} : fds);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw Error(ErrorKind::io, concat("the connection broke: ", std::strerror(errno)));
    sent += static_cast<size_t>(n);
  }
}

Frame receive_frame(const Fd& fd, double seconds) { return receive_frame(fd, seconds, 0, nullptr); }

Frame receive_frame(const Fd& fd, double seconds, size_t head_size, const std::function<void(std::string_view)>& sink) {
  constexpr size_t kLarge = 1 << 20;
  std::vector<Fd> fds;
  auto fill = [&](char* to, size_t size) {
    for (size_t got = 0; got < size;) {
      pollfd p{fd.get(), POLLIN, 0};
      const int ready = poll(&p, 1, static_cast<int>(seconds * 1000));
      if (ready == 0) throw Error(ErrorKind::io, concat("no answer in ", seconds, " s"));
      if (ready < 0 && errno == EINTR) continue;
      const ssize_t n = receive_some(fd.get(), to + got, size - got, fds);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) throw Error(ErrorKind::io, "the connection was closed");
      got += static_cast<size_t>(n);
    }
  };
  std::string head(sizeof(Header), '\0');
  fill(head.data(), head.size());
  Header h;
  peek(head, 0, h, size_t{1} << 34);
  Frame f;
  f.type = h.type;
  if (sink && h.length > kLarge) {
    f.body.resize(head_size);
    fill(f.body.data(), head_size);
    XXH3_state_t state;
    XXH3_64bits_reset(&state);
    XXH3_64bits_update(&state, f.body.data(), head_size);
    std::string chunk(kLarge, '\0');
    for (size_t left = h.length - head_size; left;) {
      const size_t n = std::min(left, chunk.size());
      fill(chunk.data(), n);
      XXH3_64bits_update(&state, chunk.data(), n);
      sink({chunk.data(), n});
      left -= n;
    }
    if (XXH3_64bits_digest(&state) != h.checksum) throw Error(ErrorKind::io, "a frame was damaged on its way");
  } else {
    f.body.resize(h.length);
    fill(f.body.data(), f.body.size());
    check(h, f.body);
  }
  f.fds = std::move(fds);
  return f;
}

}  // namespace muster::net
