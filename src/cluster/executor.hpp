// A child process that runs guest tasks (Python) and owns no data: inputs are mapped from the worker's shared memory, results come back as bytes or as
// shared memory of its own making.
//
// Requests are datagrams. The worker keeps the reading end too, so what the child has not begun it can take back: the queue is the kernel's.
#pragma once
#include <sys/types.h>

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.hpp"
#include "base/ids.hpp"
#include "cluster/executor_messages.hpp"

namespace muster::cluster {
using base::Fd, base::TaskId;

/// What the child says: a message of ExecutorReady and the like, and descriptors.
struct Reply {
  ReplyType type;
  std::string_view body;
  std::vector<Fd> fds;
};

struct Work;

class Executor {
 public:
  /// Starts the command with its sockets on descriptors 3 (requests), 4 (replies) and 5 (cancellations); 6 is this process' standard error, its own is
  /// kept until it is ready. It dies with the calling thread. Throws Error{io} if it cannot be started.
  explicit Executor(const std::vector<std::string>& command);
  ~Executor();  // kills it
  int reply_fd() const { return replies_.get(); }
  /// Can be read once the process has ended, whatever it started lives on; -1 where the kernel has no such thing.
  int end_fd() const { return end_.get(); }
  bool over() const;
  pid_t pid() const { return pid_; }

  /// Descriptors are borrowed; `work` is kept until it is answered. False: the socket is full. Throws Error{io} where the call cannot be sent at all.
  bool send(TaskId task, uint16_t attempt, const ExecutorCall& call, const std::vector<int>& fds, std::shared_ptr<Work> work);
  /// It hears of it with what is sent next.
  void forget(Forget::Thing thing, uint32_t number) { forgets_.push_back({thing, number}); }
  void send_forgets();
  /// Takes back all requests the child has not begun.
  std::vector<std::shared_ptr<Work>> take_back();
  /// Interrupts the task if it is the one that runs.
  void interrupt(TaskId task, uint16_t attempt);
  void kill();
  /// Reads what the child said; false when it is dead. `all`: there will be no other call. Throws Error{io} where that are no replies, and what `on_reply`
  /// throws: then nothing can be read any more.
  bool read(const std::function<void(Reply&&)>& on_reply, bool all = false);
  /// It is ended for what it did; death() says so.
  void blame(std::string why) { blamed_ = std::move(why); }
  /// Ends it, with what it started in its process group, and says how it died.
  std::string death();
  /// It has said that it runs: what it wrote before goes where its errors go.
  void is_ready();

  struct Sent {
    TaskId task;
    uint16_t attempt;
    std::chrono::steady_clock::time_point at;
    bool ahead;                  // descriptors went ahead of it
    std::shared_ptr<Work> work;
  };
  std::deque<Sent> sent;         // requests without reply, in order
  bool seceded = false;          // its task runs without occupying a thread
  bool ready = false;
  int64_t bytes_at_start = 0;    // of its memory, when it was ready
  int64_t shared_bytes = 0;      // of shared memory that it may have kept for its next results, at most
  int64_t heard = 0;             // bytes of all results that it has given
  std::vector<bool> functions;   // by number: what it was sent
  std::chrono::steady_clock::time_point killed_at{};  // interrupted: it ends by itself, from then on it may be killed
  bool interrupted() const { return killed_at != std::chrono::steady_clock::time_point{}; }

 private:
  std::string words() const;     // what it wrote before it was ready
  Fd requests_, requests_end_, replies_, cancels_, end_, errors_;
  pid_t pid_ = -1;
  bool ahead_ = false;           // descriptors were sent ahead of a request that the child did not get
  std::string in_, blamed_;
  std::vector<Fd> in_fds_;
  std::vector<Forget> forgets_;
  net::Encoder request_;         // its memory is used again
};

}  // namespace muster::cluster
