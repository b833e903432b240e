// An executor's own end of its sockets: calls come, replies go. They are gathered as long as the next call is there already, or for 2 ms.
#pragma once
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "base/fd.hpp"
#include "cluster/executor_messages.hpp"

namespace muster::cluster {
using base::Fd;

/// One thread at a time.
class ExecutorEnd {
 public:
  ExecutorEnd(Fd requests, Fd replies, Fd cancels);

  enum class Next : uint8_t {
    call,     // there is one, which is to be answered
    nothing,  // the socket is empty: wait()
    over,     // the worker is gone
  };
  /// The next call, without waiting; those whose inputs cannot be had are refused, those for which there is no memory any more go back. `forgotten` is
  /// called for what will not be asked for again. Throws Error{io} where a request cannot be read.
  Next next(const std::function<void(const Forget&)>& forgotten);
  /// Sends what is gathered and waits for a request, or for a signal. Uses nothing of this but sockets: others may reply meanwhile.
  void wait() const;

  /// Of the call that came last; its texts are valid until the next one.
  const ExecutorCall& call() const { return call_; }
  TaskId task() const { return task_; }
  std::vector<Fd>& fds() { return fds_; }
  /// From when it came until over().
  bool running() const { return running_; }
  void over() { running_ = false; }
  /// Whether somebody has asked to interrupt it.
  bool interrupted();

  void ready();
  void not_begun();
  void seceded();
  void done(bool native, std::string_view type, std::string_view note, int64_t memory, const std::vector<std::string_view>& parts);
  /// A result in shared memory.
  void done(bool native, std::string_view type, std::string_view note, int64_t memory, uint64_t size, Fd result);
  void failed(schedule::Failure why, std::shared_ptr<const TaskError> error, std::string_view note, int64_t memory);
  /// Sends what is gathered. Throws Error{io} when the worker is gone.
  void flush(const std::vector<int>& fds = {});

 private:
  template <class M>
  void reply(const M& message) { append_reply(out_, message, 0, [](std::string&) {}); }
  void read(std::string_view call, const Fd& lying);
  int64_t microseconds() const;
  Fd requests_, replies_, cancels_;
  std::string buffer_, large_;  // the call points into these
  ExecutorCall call_;
  TaskId task_;
  uint16_t attempt_ = 0;
  std::vector<Fd> fds_;         // of the call
  TaskId ahead_of_;             // descriptors came ahead of this one
  uint16_t ahead_of_attempt_ = 0;
  bool ahead_ = false, cut_ = false, running_ = false;
  std::chrono::steady_clock::time_point begun_, flushed_;
  int64_t made_ = 0;            // bytes of all results
  net::Encoder out_;
};

}  // namespace muster::cluster
