// A reply is written whole: a signal never leaves a part of one behind.
#include "cluster/executor_end.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.hpp"
#include "net/socket.hpp"

namespace muster::cluster {
using namespace base;
using std::chrono::steady_clock;
namespace {
constexpr size_t kBuffer = 128 * 1024;  // bytes; datagrams are smaller
constexpr size_t kFlush = 64 * 1024;
constexpr auto kGather = std::chrono::milliseconds(2);

std::string contents(const Fd& file) {
  struct stat facts {};
  if (fstat(file.get(), &facts) != 0) throw Error(ErrorKind::io, concat("a request cannot be read: ", std::strerror(errno)));
  std::string out;
  try {
    out.resize(static_cast<size_t>(facts.st_size));
  } catch (const std::bad_alloc&) {
    throw Error(ErrorKind::memory, concat("an executor has no memory for a request of ", facts.st_size, " bytes"));
  }
  for (size_t at = 0; at < out.size();) {
    const ssize_t n = pread(file.get(), out.data() + at, out.size() - at, static_cast<off_t>(at));
    if (n <= 0) throw Error(ErrorKind::io, "a request ends early");
    at += static_cast<size_t>(n);
  }
  return out;
}
}  // namespace

ExecutorEnd::ExecutorEnd(Fd requests, Fd replies, Fd cancels)
    : requests_(std::move(requests)), replies_(std::move(replies)), cancels_(std::move(cancels)), buffer_(kBuffer, '\0'), flushed_(steady_clock::now()) {}

ExecutorEnd::Next ExecutorEnd::next(const std::function<void(const Forget&)>& forgotten) {
  if (!ahead_) fds_.clear();
  if (!out_.empty() && steady_clock::now() - flushed_ > kGather) flush();
  for (;;) {
    std::vector<Fd> came;
    bool cut = false;
    const ssize_t n = net::receive_with(requests_.get(), buffer_.data(), buffer_.size(), came, MSG_DONTWAIT, cut);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return Next::nothing;
    if (n <= 0) return Next::over;
    Decoder in(std::string_view(buffer_).substr(0, static_cast<size_t>(n)));
    const auto head = net::taken<RequestHead>(in);
    if (head.kind == RequestHead::Kind::forget) {
      net::each<Forget>(in.rest(), forgotten);
      continue;
    }
    const bool follows = ahead_ && ahead_of_ == head.task && ahead_of_attempt_ == head.attempt;
    // The request that others came ahead of did not follow.
    if (!follows || (head.kind == RequestHead::Kind::descriptors && head.place == 0)) fds_.clear(), cut_ = false;
    cut_ |= cut, ahead_ = head.kind == RequestHead::Kind::descriptors;
    ahead_of_ = head.task, ahead_of_attempt_ = head.attempt;
    Fd lying;
    if (head.kind == RequestHead::Kind::lying_call && !came.empty()) lying = std::move(came.front()), came.erase(came.begin());
    fds_.insert(fds_.end(), std::make_move_iterator(came.begin()), std::make_move_iterator(came.end()));
    if (ahead_) continue;
    task_ = head.task, attempt_ = head.attempt, begun_ = steady_clock::now();
    try {
      if (std::exchange(cut_, false))
        throw Error(ErrorKind::io,
                    "an executor has no descriptor left for the inputs of a task: tasks before it left files open, or the limit is too low (ulimit -n)");
      if (head.kind == RequestHead::Kind::lying_call) large_ = contents(lying);
    } catch (const Error& why) {
      failed(schedule::Failure::refused, std::make_shared<const TaskError>(written_down(why)), {}, 0);
      fds_.clear();
      continue;
    }
    call_ = net::decoded<ExecutorCall>(head.kind == RequestHead::Kind::lying_call ? std::string_view(large_) : in.rest());
    if (made_ - call_.heard > call_.limit - call_.reserved) {
      not_begun();
      flush();
      continue;
    }
    running_ = true;
    return Next::call;
  }
}

void ExecutorEnd::wait() const {
  pollfd p{requests_.get(), POLLIN, 0};
  poll(&p, 1, -1);
}

bool ExecutorEnd::interrupted() {
  char bytes[64];
  bool found = false;
  for (ssize_t n; (n = recv(cancels_.get(), bytes, sizeof bytes, MSG_DONTWAIT)) > 0;) {
    const auto named = net::decoded<Interrupt>({bytes, static_cast<size_t>(n)});
    found |= running_ && named.task == task_ && named.attempt == attempt_;
  }
  return found;
}

int64_t ExecutorEnd::microseconds() const { return std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now() - begun_).count(); }

void ExecutorEnd::ready() {
  reply(ExecutorReady{});
  flush();
}

void ExecutorEnd::not_begun() {
  reply(TaskNotBegun{task_, attempt_});
}

void ExecutorEnd::seceded() {
  reply(TaskSeceded{task_, attempt_});
  flush();
}

void ExecutorEnd::done(bool native, std::string_view type, std::string_view note, int64_t memory, const std::vector<std::string_view>& parts) {
  uint64_t size = 0;
  for (const auto& part : parts) size += part.size();
  made_ += static_cast<int64_t>(size);
  append_reply(out_, TaskDone{task_, attempt_, microseconds(), memory, native, size, type, note}, 0, [&](std::string& out) {
    for (const auto& part : parts) out.append(part);
  });
  if (out_.size() > kFlush) flush();
}

void ExecutorEnd::done(bool native, std::string_view type, std::string_view note, int64_t memory, uint64_t size, Fd result) {
  made_ += static_cast<int64_t>(size);
  append_reply(out_, TaskDone{task_, attempt_, microseconds(), memory, native, size, type, note}, 1, [](std::string&) {});
  flush({result.get()});
}

void ExecutorEnd::failed(schedule::Failure why, std::shared_ptr<const TaskError> error, std::string_view note, int64_t memory) {
  reply(TaskFailed{task_, attempt_, microseconds(), memory, why, note, std::move(error)});
  flush();
}

void ExecutorEnd::flush(const std::vector<int>& fds) {
  flushed_ = steady_clock::now();
  std::string_view left = out_.bytes();
  for (bool first = true; !left.empty();) {
    const ssize_t n = net::send_with(replies_.get(), left, first ? fds : std::vector<int>(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw Error(ErrorKind::io, concat("the worker is gone: ", std::strerror(errno)));
    left.remove_prefix(static_cast<size_t>(n)), first = false;
  }
  out_.bytes().clear();
}

}  // namespace muster::cluster
