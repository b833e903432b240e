// A task is wanted from when it is submitted until its last future is gone. Releases go in batches; one whose task is wanted again before that is taken back.
#include "cluster/client.hpp"

#include <unordered_set>

#include "base/error.hpp"
#include "kernels/memory.hpp"
#include "kernels/wire.hpp"
#include "muster/error.hpp"
#include "worker/object_store.hpp"

namespace muster::cluster {
using namespace base;
using namespace net;
namespace {

constexpr uint32_t kOpenJob = 8 * 1024;    // tasks of the job that small submits share, before the next begins
constexpr int64_t kOpenBytes = 1 << 20;    // bytes of functions and arguments in it: they stay as long as any of its tasks is needed
constexpr size_t kReleases = 256;
constexpr double kPatience = 60;
constexpr char kLost[] = "the connection to the scheduler was lost";

std::chrono::steady_clock::time_point after(double seconds) {
  return std::chrono::steady_clock::now() + std::chrono::microseconds(static_cast<int64_t>(std::min(seconds, 1e9) * 1e6));
}
}  // namespace

const char* name_of(Status s) {
  static const char* const names[] = {"pending", "finished", "error", "cancelled", "lost"};
  return names[static_cast<int>(s)];
}

Client::Client(std::shared_ptr<Hub> hub, const std::string& name) : hub_(std::move(hub)), name_(name) { id_ = hub_->connect(*this, name); }

Client::Client(const std::string& address, const std::string& name, double seconds, uint32_t depth) : name_(name) {
  loop_ = std::make_unique<Loop>();
  connection_ = loop_->add(net::connect(Address::parse(address), seconds));
  connection_->on_frame = [this](Frame&& f) { on_frame(f); };
  connection_->on_error = [this](const std::exception& e) { over(concat("what the scheduler said cannot be read: ", e.what())); };
  connection_->on_close = [this] { over(kLost); };
  loop_->every(20, [this] { flush_releases(); });
  loop_->start(connection_);
  send(*connection_, Hello{.name = name, .depth = depth});
  std::unique_lock lock(mutex_);
  if (!changed_.wait_until(lock, after(std::max(seconds, 1.0)), [this] { return id_ != 0 || lost_; }) || lost_) {
    const bool said = lost_ && why_over_ != kLost;
    const std::string why = said ? concat("the scheduler at ", address, " does not let this client in: ", why_over_)
                            : concat("there is no scheduler at ", address, ", or it does not let this user in");
    lock.unlock();
    loop_->stop();
    throw Error(ErrorKind::io, why);
  }
}

void Client::on_frame(const Frame& f) {
  switch (Type{f.type}) {
    case Type::welcome_client: {
      if (const auto version = Decoder(f.body).get<uint32_t>(); version != kProtocol)
        throw Error(ErrorKind::io, versions_differ("the scheduler", version, "this client", kProtocol));
      const auto said = decoded<WelcomeClient>(f.body);
      std::lock_guard lock(mutex_);
      id_ = said.id;
      changed_.notify_all();
      return;
    }
    case Type::news: {
      std::vector<News> list;
      each<News>(f.body, [&](News&& n) { list.push_back(std::move(n)); });
      return deliver(std::move(list));
    }
    case Type::answer: {
      auto said = decoded<Answer>(f.body);
      std::lock_guard lock(mutex_);
      answers_[said.question] = std::move(said);
      changed_.notify_all();
      return;
    }
    case Type::rejected: return over(decoded<Rejected>(f.body).why);
    default: throw Error(ErrorKind::io, concat("a message of type ", f.type, ", which no scheduler sends to a client"));
  }
}

Client::~Client() { close(); }

bool Client::connected() const { return !closed_ && !lost_ && (hub_ || connection_); }

void Client::close() {
  {
    std::lock_guard lock(mutex_);
    if (closed_) return;
    if (!lost_) why_over_ = "the client was closed";
    closed_ = true;
    end_pending();
  }
  if (putter_.joinable()) putter_.join();
  if (hub_) {
    hub_->disconnect(id_);  // the hub itself stays as long as this object: another thread may be about to call it
  } else if (loop_) {
    connection_->close();
    loop_->stop();
  }
  worker::slabs().clear();
}

void Client::over(const std::string& why) {
  std::lock_guard lock(mutex_);
  if (closed_ || lost_) return;
  why_over_ = why;
  lost_ = true;
  end_pending();
}

void Client::end_pending() {
  for (auto& [id, k] : tasks_)
    if (k.status == Status::pending) {
      k.status = Status::cancelled;
      k.error = std::make_shared<const TaskError>(TaskError{.kind = TaskError::Kind::disconnected, .message = why_over_});
      if (watched_.contains(id)) changes_.push_back(id);
    }
  changed_.notify_all();
}

void Client::check_open() const {
  if (closed_) throw Error(ErrorKind::io, "the client is closed; make another: Client()", "muster.distributed._errors.ClosedClientError");
  if (lost_) throw Error(ErrorKind::io, why_over_);
}

void Client::deliver(std::vector<News>&& news) {
  std::lock_guard lock(mutex_);
  bool changed = false;
  for (auto& n : news) {
    if (auto heard = reports_.find(n.task.job); heard != reports_.end() && n.kind != News::Kind::cancelled) heard->second(n);
    if (n.kind == News::Kind::reported || n.kind == News::Kind::ended) continue;
    if (n.kind == News::Kind::renew) {
      if (!of_tables_.contains(n.task) || closed_) continue;
      put_later(n.task);
      continue;
    }
    auto found = tasks_.find(n.task);
    if (found == tasks_.end()) continue;  // released meanwhile
    Known& k = found->second;
    switch (n.kind) {
      case News::Kind::done:
        k = {Status::finished, n.bytes, std::move(n.type), std::move(n.value), std::move(n.note), nullptr, std::move(n.holders), {}, k.wants};
        break;
      case News::Kind::failed: k.status = Status::error, k.error = std::move(n.error), k.cause = n.cause; break;
      case News::Kind::cancelled: k.status = Status::cancelled; break;
      default:
        if (k.status != Status::cancelled) k.status = Status::lost;  // the scheduler forgets what was cancelled, its client does not
    }
    if (watched_.contains(n.task)) changes_.push_back(n.task);
    changed = true;
  }
  if (changed) changed_.notify_all();
}

template <class M>
void Client::tell(const M& message) {
  check_open();
  send(*connection_, message);
}

std::vector<TaskId> Client::take_releases() {
  std::lock_guard lock(mutex_);
  forget_tables();
  return std::exchange(releases_, {});
}

void Client::flush_releases() {
  std::lock_guard order(references_);
  const std::vector<TaskId> list = take_releases();
  if (list.empty() || closed_) return;
  if (hub_) hub_->release(id_, list);
  else send(*connection_, Release{list});
}

TaskId Client::submit(graph::Graph graph, bool own_job, std::function<void(const News&)> heard) {
  std::lock_guard order(sending_);
  const int64_t count = graph.tasks();
  int64_t bytes = 0;
  for (const auto& r : graph.ranges) {
    for (const auto& f : r.functions) bytes += static_cast<int64_t>(f->size());
    for (const auto& a : r.arguments) bytes += static_cast<int64_t>(a->size());
  }
  TaskId first;
  JobId full = 0;
  {
    std::lock_guard lock(mutex_);
    check_open();
    if (own_job || open_job_ == 0 || next_index_ + count > kOpenJob) {
      next_job_ = (next_job_ + 1) & ((1u << kJobBits) - 1);
      first = {id_ << kJobBits | next_job_, 0};
      if (!own_job) full = std::exchange(open_job_, first.job), next_index_ = static_cast<uint32_t>(count), open_bytes_ = bytes;
    } else {
      first = {open_job_, next_index_};
      next_index_ += static_cast<uint32_t>(count), open_bytes_ += bytes;
    }
    if (heard) reports_[first.job] = std::move(heard);
    uint32_t at = first.index;
    for (auto& r : graph.ranges) {
      for (auto& n : r.needs)
        if (n.job == 0) n.job = first.job, n.index += first.index;
      if (r.wanted)
        for (uint32_t i = 0; i < r.count; ++i) tasks_[{first.job, at + i}].wants = 1;
      for (uint32_t i : r.wanted_tasks) tasks_[{first.job, at + i}].wants = 1;
      at += static_cast<uint32_t>(r.count);
    }
  }
  if (full) close_job(full);
  const auto sent = std::make_shared<const graph::Graph>(std::move(graph));
  if (hub_) hub_->submit(id_, first.job, sent, !own_job);
  else tell(Submit{first.job, !own_job, sent});
  if (!own_job && open_bytes_ > kOpenBytes) {
    {
      std::lock_guard lock(mutex_);
      open_job_ = 0;
    }
    close_job(first.job);
  }
  return first;
}

void Client::close_job(JobId job) {
  if (hub_) hub_->close_job(job);
  else tell(CloseJob{job});
}

// What was given up a moment ago and is wanted again was never given up: a release that is sent later would end it.
void Client::want(const std::vector<TaskId>& tasks) {
  std::lock_guard order(references_);
  {
    std::lock_guard lock(mutex_);
    for (TaskId id : tasks) ++tasks_[id].wants;
    if (!releases_.empty()) {
      const std::unordered_set<TaskId, base::TaskHash> wanted(tasks.begin(), tasks.end());
      std::erase_if(releases_, [&](TaskId id) { return wanted.contains(id); });
    }
  }
  if (hub_) hub_->want(id_, tasks);
  else tell(Want{tasks});
}

void Client::release(TaskId task) {
  {
    std::lock_guard lock(mutex_);
    if (closed_) return;
    if (auto k = tasks_.find(task); k != tasks_.end() && --k->second.wants > 0) return;
    tasks_.erase(task), watched_.erase(task);
    releases_.push_back(task);
    if (releases_.size() < kReleases) return;
  }
  flush_releases();
}

void Client::cancel(const std::vector<TaskId>& tasks, bool force) {
  if (hub_) hub_->cancel(id_, tasks, force);
  else tell(CancelTasks{tasks, force});
}

void Client::retry(const std::vector<TaskId>& tasks) {
  {
    std::lock_guard lock(mutex_);
    for (TaskId id : tasks)
      if (auto k = tasks_.find(id); k != tasks_.end() && k->second.status == Status::error) k->second = {.wants = k->second.wants};
  }
  if (hub_) hub_->retry(id_, tasks);
  else tell(Retry{tasks});
}

void Client::keep(const std::vector<TaskId>& tasks) {
  if (hub_) hub_->keep(tasks);
  else tell(FireAndForget{tasks});
}

void Client::hold(TaskId holder, const std::vector<TaskId>& tasks) {
  if (hub_) hub_->hold(holder, tasks);
  else tell(Hold{holder, tasks});
}

TaskId Client::next_task() {
  TaskId id;
  JobId full = 0;
  {
    std::lock_guard lock(mutex_);
    check_open();
    if (open_job_ == 0 || next_index_ + 1 > kOpenJob) {
      next_job_ = (next_job_ + 1) & ((1u << kJobBits) - 1);
      full = std::exchange(open_job_, id_ << kJobBits | next_job_), next_index_ = 0, open_bytes_ = 0;
    }
    id = {open_job_, next_index_++};
    tasks_[id].wants = 1;
  }
  if (full) close_job(full);
  return id;
}

// Promised first: the scheduler knows the task while its bytes are on their way, and other calls go on.
TaskId Client::scatter(const worker::Object& object, const std::vector<std::string>& holders) {
  const TaskId id = promise(object.type, false);
  auto next = holders.begin();
  try {
    for (; next != holders.end(); ++next) peers_.put(*next, id, object, kPatience);
  } catch (...) {
    tell_scattered(id, object, {holders.begin(), next}, false);
    release(id);
    throw;
  }
  tell_scattered(id, object, holders, false);
  return id;
}

void Client::tell_scattered(TaskId id, const worker::Object& object, const std::vector<std::string>& holders, bool renewable) {
  if (hub_) return hub_->scatter(id_, id, object.bytes, holders, object.type, renewable);
  tell(Scatter{id, object.bytes, object.type, renewable, holders});
}

TaskId Client::promise(const std::string& label, bool renewable) {
  std::lock_guard order(sending_);
  const TaskId id = next_task();
  tell_promised(id, label, renewable);
  return id;
}

void Client::tell_promised(TaskId id, const std::string& label, bool renewable) {
  if (hub_) return hub_->promise(id_, id, label, renewable);
  tell(Promise{id, label, renewable});
}

void Client::bind(TaskId task, graph::Graph graph) {
  check_open();
  const auto sent = std::make_shared<const graph::Graph>(std::move(graph));
  if (hub_) hub_->bind(task, sent);
  else tell(Bind{task, sent});
}

void Client::refuse(TaskId task, TaskError error) {
  check_open();
  const auto sent = std::make_shared<const TaskError>(std::move(error));
  if (hub_) hub_->refuse(task, sent);
  else tell(Refuse{task, sent});
}

Value Client::ask(const std::string& name, const Value& argument, double seconds) {
  check_open();
  flush_releases();
  if (hub_) return hub_->ask(name, argument);
  uint64_t question;
  {
    std::lock_guard lock(mutex_);
    question = ++questions_;
  }
  tell(Ask{question, name, argument});
  std::unique_lock lock(mutex_);
  if (!changed_.wait_until(lock, after(seconds), [&] { return answers_.contains(question) || lost_ || closed_; }))
    throw Error(ErrorKind::io, concat("no answer to ", name, " in ", seconds, " s"));
  const auto answer = answers_.extract(question);
  if (!answer) throw Error(ErrorKind::io, why_over_);
  if (answer.mapped().error) throw opened(*answer.mapped().error);
  return answer.mapped().value;
}

bool Client::wait(const std::vector<TaskId>& tasks, bool any, double seconds) {
  flush_releases();
  std::unique_lock lock(mutex_);
  size_t next = 0;  // all before it have ended
  auto ended = [&](TaskId id) {
    auto k = tasks_.find(id);
    return k == tasks_.end() || k->second.status != Status::pending;
  };
  return changed_.wait_until(lock, after(seconds), [&] {
    if (any) return tasks.empty() || std::any_of(tasks.begin(), tasks.end(), ended);
    while (next < tasks.size() && ended(tasks[next])) ++next;
    return next == tasks.size() || closed_;
  });
}

Known Client::known(TaskId task) {
  std::lock_guard lock(mutex_);
  auto found = tasks_.find(task);
  return found == tasks_.end() ? Known{Status::lost} : found->second;
}

worker::Object Client::get(TaskId task, uint32_t output) {
  Known k = known(task);
  if (k.value) {
    worker::Object o;
    o.small = k.value, o.bytes = k.bytes, o.type = k.type;
    return o;
  }
  if (closed_ || lost_) throw Error(ErrorKind::io, why_over_);  // the workers free what was ours, or have ended
  std::string why = "no worker has it";
  std::optional<Refused> refused;
  size_t refusals = 0;
  for (const auto& h : k.holders) try {
      worker::Object o = peers_.get(h, {task, output}, kAnyAttempt, kPatience);
      if (o.segment) o.segment->close_fd();
      return o;
    } catch (const Refused& e) {
      why = e.message;
      refusals += e.kind != ErrorKind::memory;  // there may be some later
      refused = e;
    } catch (const Error& e) {
      why = e.message;
    }
  if (refused && refusals == k.holders.size()) throw Error(*refused);
  throw Unreachable(why);
}

void Client::watch(const std::vector<TaskId>& tasks) {
  std::lock_guard lock(mutex_);
  for (TaskId id : tasks) {
    watched_[id] = true;
    auto k = tasks_.find(id);
    if (k == tasks_.end() || k->second.status != Status::pending) changes_.push_back(id);
  }
  changed_.notify_all();
}

std::vector<TaskId> Client::changes(double seconds) {
  flush_releases();
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, after(seconds), [this] { return !changes_.empty() || closed_; });
  std::vector<TaskId> out(changes_.begin(), changes_.end());
  changes_.clear();
  return out;
}

void Client::forget(JobId job) {
  std::lock_guard lock(mutex_);
  reports_.erase(job);
}

std::string Client::a_worker() {
  const Value identity = ask("identity", Value(), kPatience);
  const auto& workers = identity["workers"].list();
  return workers.empty() ? "" : workers[next_holder_++ % workers.size()]["address"].string();
}

namespace {
worker::Object encoded_partition(const Opaque& table, int64_t partition) {
  kernels::Output rows;
  const auto& partitions = static_cast<const kernels::MemoryTable*>(table.object.get())->partitions;
  rows.batches = std::make_shared<const data::Batches>(partitions.at(static_cast<size_t>(partition)));
  for (const auto& b : *rows.batches) rows.bytes += data::size_of(b);
  return worker::encoded_object({rows});
}
}  // namespace

TaskId Client::table_partition(const std::shared_ptr<const Opaque>& table, int64_t partition) {
  std::lock_guard one(putting_);
  {
    std::lock_guard lock(mutex_);
    check_open();
    forget_tables();
    auto& known = tables_[table->token];
    known.alive = table;
    if (auto p = known.partitions.find(partition); p != known.partitions.end()) {
      auto k = tasks_.find(p->second);
      if (k != tasks_.end() && (k->second.status == Status::finished || k->second.status == Status::pending)) return p->second;
    }
  }
  std::lock_guard order(sending_);
  const TaskId id = next_task();
  tell_promised(id, "table", true);
  std::lock_guard lock(mutex_);
  tables_[table->token].partitions[partition] = id;
  of_tables_[id] = {table, partition};
  put_later(id);
  return id;
}

// Those that are gone in this process are not needed on workers.
void Client::forget_tables() {
  std::erase_if(tables_, [this](const auto& table) {
    if (!table.second.alive.expired()) return false;
    for (const auto& [partition, id] : table.second.partitions) tasks_.erase(id), of_tables_.erase(id), releases_.push_back(id);
    return true;
  });
}

void Client::put_later(TaskId id) {
  renewals_.push_back(id);
  if (!putter_.joinable()) putter_ = std::thread([this] { put_tables(); });
  changed_.notify_all();
}

void Client::put_tables() {
  for (;;) {
    TaskId id;
    std::shared_ptr<const Opaque> table;
    int64_t partition = 0;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return !renewals_.empty() || closed_ || lost_; });
      if (closed_ || lost_) return;
      id = renewals_.front();
      renewals_.pop_front();
      if (const auto found = of_tables_.find(id); found != of_tables_.end()) table = found->second.first.lock(), partition = found->second.second;
    }
    try {
      if (!table) refuse(id, {.kind = TaskError::Kind::lost, .message = "the table in memory that it was made of is gone"});
      else put(id, *table, partition);
    } catch (const Error&) {  // the client ends
    }
  }
}

void Client::put(TaskId id, const Opaque& table, int64_t partition) {
  worker::Object o;
  try {
    o = encoded_partition(table, partition);
  } catch (const Error& e) {
    return refuse(id, written_down(e));
  } catch (const std::exception& e) {
    return refuse(id, {.error = ErrorKind::type, .message = e.what()});
  }
  while (connected()) {
    try {
      if (const std::string holder = a_worker(); !holder.empty()) {
        peers_.put(holder, id, o, kPatience);
        return tell_scattered(id, o, {holder}, true);
      }
    } catch (const Refused& e) {
      return refuse(id, written_down(e));
    } catch (const Error&) {  // that one died too
    }
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, after(0.1), [this] { return closed_ || lost_; });
  }
}

}  // namespace muster::cluster
