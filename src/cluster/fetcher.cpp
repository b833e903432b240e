// A connection that failed is not used again. An answer is for the object and attempt that were asked for, or there is none; whoever waits hears of either.
#include "cluster/fetcher.hpp"

#include "base/error.hpp"
#include "cluster/messages.hpp"
#include "cluster/object_sink.hpp"
#include "muster/error.hpp"
#include "net/connection.hpp"

namespace muster::cluster {
using namespace base;
using namespace net;
using worker::Object;
namespace {
constexpr double kPatience = 30;    // seconds a holder may take to answer
constexpr int kThreads = 2;         // transfers at once
}  // namespace

Fd Peers::connection(const std::string& holder) {
  {
    std::lock_guard lock(mutex_);
    if (auto found = idle_.find(holder); found != idle_.end()) {
      Fd fd = std::move(found->second);
      idle_.erase(found);
      return fd;
    }
  }
  return connect(Address::parse(holder), 0);
}

void Peers::give_back(const std::string& holder, Fd fd) {
  std::lock_guard lock(mutex_);
  if (idle_.count(holder) < 4) idle_.emplace(holder, std::move(fd));
}

Object Peers::get(const std::string& holder, worker::ObjectKey key, uint16_t attempt, double seconds) {
  Fd fd = connection(holder);
  send(fd, GetObject{key.task, attempt, Address::parse(holder).local, key.output});
  Frame f = receive_frame(fd, seconds, sink_for);
  give_back(holder, std::move(fd));
  const auto said = decoded<ObjectHead>(f.body);
  if (said.found == ObjectHead::Found::no) throw Error(ErrorKind::io, concat(holder, " does not have the object"));
  Object o;
  take_bytes(f, said.size, o);
  if (said.found == ObjectHead::Found::refused) throw Refused(opened(decoded<TaskError>(o.view())));
  if (said.output != worker::kAllOutputs && said.output != key.output)
    throw Error(ErrorKind::io, concat(holder, " hands out another output than was asked for"));
  o.native = said.native, o.output = said.output;
  return o;
}

void Peers::put(const std::string& holder, TaskId id, const Object& object, double seconds) {
  Fd fd = connection(holder);
  const bool descriptor = object.segment && object.segment->fd() >= 0 && Address::parse(holder).local;
  const auto view = descriptor ? std::string_view() : object.view();
  const PutObject head{id, object.native, descriptor ? object.segment->size() : view.size(), object.type};
  if (descriptor) send(fd, head, {object.segment->fd()});
  else send(fd, head, {}, {view.data(), view.size(), nullptr});
  const Frame f = receive_frame(fd, seconds);
  if (Type{f.type} != Type::stored) throw Error(ErrorKind::io, concat(holder, " does not say that it has the object"));
  give_back(holder, std::move(fd));
  if (const auto said = decoded<Stored>(f.body); said.error) throw Refused(opened(*said.error));
}

Fetcher::Fetcher(std::function<void(Fetched&&)> done) : done_(std::move(done)) {
  for (int i = 0; i < kThreads; ++i) threads_.emplace_back([this] { run(); });
}

void Fetcher::fetch(worker::ObjectKey key, uint16_t attempt, const std::string& holder) {
  std::lock_guard lock(mutex_);
  queue_.push_back({key, attempt, holder, false, {}});
  work_.notify_one();
}

void Fetcher::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    work_.notify_all();
  }
  for (auto& t : threads_)
    if (t.joinable()) t.join();
}

void Fetcher::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    work_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (stopping_) return;
    Fetched f = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    for (int tries = 0; tries < 2 && !f.ok; ++tries) {  // a connection that was kept may be stale
      try {
        f.object = peers_.get(f.holder, f.key, f.attempt, kPatience);
        f.ok = true;
      } catch (const Error&) {
        f.ok = false;
      }
    }
    done_(std::move(f));
    lock.lock();
  }
}

}  // namespace muster::cluster
