// Frames over stream sockets: a header of 32 bytes with lengths and checksum, a body, descriptors where the socket carries them, and a payload with a
// checksum behind it. A payload is sent from where it lies and received where it is to stay, whatever its size.
#pragma once
#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "net/socket.hpp"

namespace muster::net {

/// Where the bytes of a payload are put as they come.
class Sink {
 public:
  virtual ~Sink() = default;
  /// Room for the next of `left` bytes, at least one.
  virtual std::span<char> room(size_t left) = 0;
  /// So many of them were put there.
  virtual void filled(size_t bytes) = 0;
};
/// Makes the place for a payload of so many bytes.
using MakeSink = std::function<std::unique_ptr<Sink>(size_t)>;

struct Frame {
  uint16_t type = 0;
  std::string body;
  std::vector<Fd> fds;
  std::unique_ptr<Sink> payload = nullptr;  // all of it; null where there is none
};

/// What is sent beside the body, from where it lies: `keep` holds it alive.
struct Payload {
  const char* data = nullptr;
  size_t size = 0;
  std::shared_ptr<const void> keep;
};

class Outgoing;
class Incoming;
class Loop;

/// One end of a stream, served by a Loop. send() may be called from any thread; frames arrive in the loop's.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Loop& loop, Fd fd, size_t max_frame);
  ~Connection();
  /// Queues a frame and sends what the socket takes at once. After the end of the connection it does nothing.
  void send(uint16_t type, std::string body, std::vector<int> fds = {}, Payload payload = {});
  void close();

  std::function<void(Frame&&)> on_frame;
  MakeSink sink;                   // without one no payload is accepted
  std::function<void(const std::exception&)> on_error;  // once, before on_close: what came is no frame, or on_frame threw
  std::function<void()> on_close;  // once

 private:
  friend class Loop;
  bool read();    // false: the stream ended
  bool write();   // with the mutex held
  Loop& loop_;
  Fd fd_;
  size_t max_frame_;
  std::mutex mutex_;
  std::list<Outgoing> out_;
  bool closed_ = false, wants_write_ = false;
  std::unique_ptr<Incoming> in_;
};

/// A thread that waits for sockets.
class Loop {
 public:
  Loop();
  ~Loop();
  std::shared_ptr<Connection> add(Fd fd, size_t max_frame = size_t{1} << 34);
  void add_listener(Fd fd, bool local, std::function<void(Fd)> on_accept);
  /// Called by the loop whenever the descriptor can be read, until remove().
  void watch(int fd, std::function<void()> ready);
  void remove(int fd);
  /// Starts serving a connection whose callbacks are set.
  void start(const std::shared_ptr<Connection>& connection);
  /// Called about every `milliseconds`, and at the latest then.
  void every(int milliseconds, std::function<void()> tick);
  /// Runs `job` in the loop's thread.
  void post(std::function<void()> job);
  void stop();
  bool here() const { return std::this_thread::get_id() == thread_.get_id(); }

 private:
  friend class Connection;
  void run();
  void interest(const Connection& c, bool write);
  void end(const std::shared_ptr<Connection>& c);
  Fd epoll_, wake_;
  std::mutex mutex_;
  std::vector<std::shared_ptr<Connection>> connections_;
  struct Watch { int fd; std::shared_ptr<std::function<void()>> ready; Fd owned; };
  std::vector<Watch> watches_;
  std::vector<std::function<void()>> posted_;
  std::function<void()> tick_;
  std::atomic<int> tick_ms_{1000};
  bool stopping_ = false;
  std::thread thread_;
};

/// A blocking connection of one thread: a question, an answer. Throws Error{io}.
void send_frame(const Fd& fd, uint16_t type, const std::string& body, const std::vector<int>& fds = {}, Payload payload = {});
Frame receive_frame(const Fd& fd, double seconds, const MakeSink& sink = nullptr);

}  // namespace muster::net
