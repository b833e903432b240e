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

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>

#include "base/error.hpp"
#include "muster/error.hpp"

namespace muster::net {
using namespace base;
namespace {

constexpr uint16_t kMagic = 0x754D;
constexpr uint8_t kVersion = 2;
constexpr size_t kMaxFds = 64;
constexpr size_t kAtOnce = 16 << 20;  // bytes of one connection, before the loop looks at the others

struct Header {
  uint16_t magic = kMagic;
  uint8_t version = kVersion, reserved = 0;
  uint16_t type = 0, fds = 0;
  uint64_t length = 0;    // of the body
  uint64_t checksum = 0;  // of it
  uint64_t payload = 0;   // its length; behind it 8 bytes of checksum
};
static_assert(sizeof(Header) == 32);

// The checksum of bytes that pass by.
class Checksum {
 public:
  Checksum() : state_(XXH3_createState()) { XXH3_64bits_reset(state_.get()); }
  void add(const char* data, size_t size) { XXH3_64bits_update(state_.get(), data, size); }
  uint64_t value() const { return XXH3_64bits_digest(state_.get()); }

 private:
  struct Free {
    void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
  };
  std::unique_ptr<XXH3_state_t, Free> state_;
};

// A payload on its way in, and the checksum behind it.
class PayloadReader {
 public:
  PayloadReader(std::unique_ptr<Sink> sink, size_t size) : sink_(std::move(sink)), left_(size) {}
  bool done() const { return left_ == 0 && got_of_sum_ == sizeof sum_; }
  std::span<char> room() { return left_ ? room_ = sink_->room(left_) : std::span(reinterpret_cast<char*>(&sum_) + got_of_sum_, sizeof sum_ - got_of_sum_); }
  // `bytes` of the room are there. Throws Error{io} where the payload is damaged.
  void filled(size_t bytes) {
    if (!left_) {
      got_of_sum_ += bytes;
      if (done() && sum_ != checksum_.value()) throw Error(ErrorKind::io, "a frame was damaged on its way");
      return;
    }
    checksum_.add(room_.data(), bytes);
    sink_->filled(bytes);
    left_ -= bytes;
  }
  std::unique_ptr<Sink> take() { return std::move(sink_); }

 private:
  std::unique_ptr<Sink> sink_;
  size_t left_, got_of_sum_ = 0;
  std::span<char> room_;
  uint64_t sum_ = 0;
  Checksum checksum_;
};

ssize_t receive_some(int fd, char* to, size_t size, std::vector<Fd>& fds) {
  bool cut = false;
  const ssize_t n = receive_with(fd, to, size, fds, MSG_DONTWAIT, cut);
  if (n > 0 && cut) throw Error(ErrorKind::io, "this process has no descriptor left for an object; close files, or raise the limit (ulimit -n)");
  return n;
}

// The header at `at`, if all of it is there. Throws Error{io} on what is no frame.
bool peek(const std::string& in, size_t at, Header& h, size_t max_frame) {
  if (in.size() - at < sizeof h) return false;
  std::memcpy(&h, in.data() + at, sizeof h);
  if (h.magic != kMagic) throw Error(ErrorKind::io, "what the other end sends is not muster's protocol");
  if (h.version != kVersion)
    throw Error(ErrorKind::io, concat("the other end sends frames of version ", int{h.version}, ", this process reads version ", int{kVersion},
                                      "; install the same muster for both"));
  if (h.length > max_frame || h.payload > max_frame || h.fds > kMaxFds)
    throw Error(ErrorKind::io, concat("a frame of ", h.length + h.payload, " bytes and ", h.fds, " descriptors is not accepted"));
  return true;
}

void check(const Header& h, const std::string& body) {
  if (XXH3_64bits(body.data(), body.size()) != h.checksum) throw Error(ErrorKind::io, "a frame was damaged on its way");
}

std::unique_ptr<PayloadReader> reader_for(const Header& h, const MakeSink& sink) {
  if (!h.payload) return nullptr;
  if (!sink) throw Error(ErrorKind::io, "a payload where none is expected");
  return std::make_unique<PayloadReader>(sink(h.payload), h.payload);
}
}  // namespace

// A frame on its way out. The checksum of a payload is made piece by piece, ahead of sending, while these are in the cache.
class Outgoing {
 public:
  Outgoing(uint16_t type, const std::string& body, std::vector<int> fds, Payload payload) : fds_(std::move(fds)), payload_(std::move(payload)) {
    Header h;
    h.type = type, h.fds = static_cast<uint16_t>(fds_.size());
    h.length = body.size(), h.checksum = XXH3_64bits(body.data(), body.size()), h.payload = payload_.size;
    head_.assign(reinterpret_cast<const char*>(&h), sizeof h);
    head_ += body;
    if (payload_.size) checksum_.emplace();
  }
  const std::vector<int>& fds() const { return fds_; }
  bool done() const { return head_sent_ == head_.size() && payload_sent_ == payload_.size && sum_sent_ == sum_.size(); }
  // Sends what the socket takes, a part of a large payload at most; the descriptors go with the first byte. Returns bytes, -1 as sendmsg does.
  ssize_t send(int socket) {
    constexpr size_t kSome = 1 << 20;
    const size_t end = std::min(payload_.size, payload_sent_ + kSome);
    if (summed_ < end) {
      checksum_->add(payload_.data + summed_, end - summed_);
      summed_ = end;
      if (const uint64_t sum = checksum_->value(); summed_ == payload_.size) sum_.assign(reinterpret_cast<const char*>(&sum), sizeof sum);
    }
    iovec parts[3];
    size_t count = 0;
    const auto add = [&](const char* data, size_t size) {
      if (size) parts[count++] = {const_cast<char*>(data), size};
    };
    add(head_.data() + head_sent_, head_.size() - head_sent_);
    add(payload_.data + payload_sent_, end - payload_sent_);
    add(sum_.data() + sum_sent_, sum_.size() - sum_sent_);
    msghdr m{};
    m.msg_iov = parts, m.msg_iovlen = count;
    alignas(cmsghdr) char control[CMSG_SPACE(kMaxFds * sizeof(int))];
    if (!fds_.empty() && head_sent_ == 0) {
      m.msg_control = control, m.msg_controllen = CMSG_SPACE(fds_.size() * sizeof(int));
      cmsghdr* c = CMSG_FIRSTHDR(&m);
      c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS, c->cmsg_len = CMSG_LEN(fds_.size() * sizeof(int));
      std::memcpy(CMSG_DATA(c), fds_.data(), fds_.size() * sizeof(int));
    }
    const ssize_t n = sendmsg(socket, &m, MSG_NOSIGNAL);
    size_t sent = static_cast<size_t>(std::max<ssize_t>(n, 0));
    const auto take = [&](size_t& of, size_t size) {
      const size_t some = std::min(sent, size - of);
      of += some, sent -= some;
    };
    take(head_sent_, head_.size()), take(payload_sent_, payload_.size), take(sum_sent_, sum_.size());
    return n;
  }

 private:
  std::string head_, sum_;
  std::vector<int> fds_;
  Payload payload_;
  std::optional<Checksum> checksum_;
  size_t head_sent_ = 0, payload_sent_ = 0, sum_sent_ = 0, summed_ = 0;
};

// What has come and is no whole frame yet.
class Incoming {
 public:
  std::string bytes;
  std::vector<Fd> fds;
  Frame frame;                             // whose payload is under way
  std::unique_ptr<PayloadReader> payload;
};

Connection::Connection(Loop& loop, Fd fd, size_t max_frame) : loop_(loop), fd_(std::move(fd)), max_frame_(max_frame), in_(std::make_unique<Incoming>()) {}
Connection::~Connection() = default;

void Connection::send(uint16_t type, std::string body, std::vector<int> fds, Payload payload) {
  std::lock_guard lock(mutex_);
  if (closed_) return;
  for (int& fd : fds) fd = dup(fd);
  out_.emplace_back(type, body, std::move(fds), std::move(payload));
  if (out_.size() > 1) return;  // the loop is at it
  if (!write()) shutdown(fd_.get(), SHUT_RDWR);
  else if (!out_.empty() && !wants_write_) wants_write_ = true, loop_.interest(*this, true);
}

bool Connection::write() {
  for (size_t sent = 0; !out_.empty() && sent < kAtOnce;) {  // then others have their turn
    Outgoing& o = out_.front();
    const ssize_t n = o.send(fd_.get());
    if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    sent += static_cast<size_t>(n);
    if (!o.done()) continue;
    for (int fd : o.fds()) ::close(fd);
    out_.pop_front();
  }
  return true;
}

bool Connection::read() {
  constexpr size_t kChunk = 256 * 1024, kLarge = 4 << 20;
  static thread_local const std::unique_ptr<char[]> chunk(new char[kChunk]);
  Incoming& in = *in_;
  const auto deliver = [&] {
    in.frame.payload = in.payload->take();
    in.payload.reset();
    on_frame(std::exchange(in.frame, Frame{}));
  };
  for (size_t all = 0; all < kAtOnce;) {  // then others have their turn
    size_t want = kChunk;
    ssize_t n;
    Header h;
    const size_t had = in.bytes.size();
    if (in.payload) {
      const auto room = in.payload->room();
      want = room.size();
      n = receive_some(fd_.get(), room.data(), want, in.fds);
    } else if (peek(in.bytes, 0, h, max_frame_) && h.length + sizeof h > had + kChunk) {  // straight to where it belongs
      want = std::min(h.length + sizeof h - had, kLarge);
      in.bytes.reserve(h.length + sizeof h);
      in.bytes.resize(had + want);
      n = receive_some(fd_.get(), in.bytes.data() + had, want, in.fds);
      in.bytes.resize(had + static_cast<size_t>(std::max<ssize_t>(n, 0)));
    } else {
      n = receive_some(fd_.get(), chunk.get(), kChunk, in.fds);
      if (n > 0) in.bytes.append(chunk.get(), static_cast<size_t>(n));
    }
    if (n == 0) return false;
    if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    all += static_cast<size_t>(n);
    if (in.payload) {
      in.payload->filled(static_cast<size_t>(n));
      if (in.payload->done()) deliver();
    }
    size_t used = 0;
    while (in.bytes.size() > used) {
      if (in.payload) {
        const auto room = in.payload->room();
        const size_t some = std::min(room.size(), in.bytes.size() - used);
        std::memcpy(room.data(), in.bytes.data() + used, some);
        used += some;
        in.payload->filled(some);
        if (in.payload->done()) deliver();
        continue;
      }
      if (!peek(in.bytes, used, h, max_frame_) || in.bytes.size() - used - sizeof h < h.length) break;
      if (in.fds.size() < h.fds) throw Error(ErrorKind::io, "a frame came without its descriptors");
      Frame f;
      f.type = h.type, f.body = in.bytes.substr(used + sizeof h, h.length);
      check(h, f.body);
      for (size_t i = 0; i < h.fds; ++i) f.fds.push_back(std::move(in.fds[i]));
      in.fds.erase(in.fds.begin(), in.fds.begin() + h.fds);
      used += sizeof h + h.length;
      if ((in.payload = reader_for(h, sink))) in.frame = std::move(f);
      else on_frame(std::move(f));
    }
    in.bytes.erase(0, used);
    if (static_cast<size_t>(n) < want) return true;
  }
  return true;
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
      for (int fd : o.fds()) ::close(fd);
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
  for (Outgoing out(type, body, fds, std::move(payload)); !out.done();)
    if (out.send(fd.get()) < 0 && errno != EINTR) throw Error(ErrorKind::io, concat("the connection broke: ", std::strerror(errno)));
}

namespace {
// What is left of one frame, as it comes. A reader that keeps up with the sender would be woken for every segment of a large payload: it sleeps until there is
// a good piece. Where none comes for a moment (few buffers, another kernel's idea of when a piece is there), it takes what there is.
class Arriving {
 public:
  Arriving(const Fd& fd, double seconds, std::vector<Fd>& fds) : fd_(fd), milliseconds_(static_cast<int>(seconds * 1000)), fds_(fds) {}
  ~Arriving() { wake_at(1); }
  // Some of the `left` bytes that will come, `size` at most. Throws Error{io} where none comes in time.
  size_t some(char* to, size_t size, size_t left) {
    for (bool patient = true;; patient = false) {
      const bool piece = patient && left >= kPiece && milliseconds_ > kMoment;
      wake_at(piece ? static_cast<int>(kPiece) : 1);
      pollfd p{fd_.get(), POLLIN, 0};
      const int ready = poll(&p, 1, piece ? kMoment : milliseconds_);
      if (ready < 0 && errno == EINTR) continue;
      if (ready == 0 && !piece) throw Error(ErrorKind::io, concat("no answer in ", milliseconds_ / 1000.0, " s"));
      if (ready == 0) continue;
      // Never waits here: what a receiving call already took does not count for the kernel, which would wait for a whole piece behind it.
      const ssize_t n = receive_some(fd_.get(), to, size, fds_);
      if (n > 0) return static_cast<size_t>(n);
      if (n == 0 || (errno != EINTR && errno != EAGAIN)) throw Error(ErrorKind::io, "the connection was closed");
    }
  }
  void fill(std::string& to) {
    for (size_t got = 0; got < to.size();) got += some(to.data() + got, to.size() - got, 0);
  }

 private:
  static constexpr size_t kPiece = 256 << 10;
  static constexpr int kMoment = 50;  // milliseconds
  void wake_at(int bytes) {
    if (std::exchange(now_, bytes) != bytes) setsockopt(fd_.get(), SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof bytes);
  }
  const Fd& fd_;
  const int milliseconds_;
  std::vector<Fd>& fds_;
  int now_ = 1;
};
}  // namespace

Frame receive_frame(const Fd& fd, double seconds, const MakeSink& sink) {
  Frame f;
  Arriving in(fd, seconds, f.fds);
  std::string head(sizeof(Header), '\0');
  in.fill(head);
  Header h;
  peek(head, 0, h, size_t{1} << 34);
  f.type = h.type;
  f.body.resize(h.length);
  in.fill(f.body);
  check(h, f.body);
  if (auto payload = reader_for(h, sink)) {
    for (size_t left = h.payload; !payload->done();) {
      const auto room = payload->room();
      const size_t got = in.some(room.data(), room.size(), left);
      payload->filled(got);
      left -= std::min(left, got);
    }
    f.payload = payload->take();
  }
  return f;
}

}  // namespace muster::net
