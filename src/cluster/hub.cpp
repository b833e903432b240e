#include "cluster/hub.hpp"

#include <sys/random.h>
#include <unistd.h>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "muster/error.hpp"

namespace muster::cluster {
using namespace base;
using namespace net;
using schedule::Action, schedule::Failure, schedule::Slot, schedule::State;
using graph::Blob;
using std::chrono::steady_clock;
namespace {

constexpr int64_t kValueCap = 256 << 20;   // bytes of small values kept beside the machine
constexpr int64_t kIdleFunctions = 4 << 20; // bytes of functions that no range names, kept for the next that does
constexpr auto kDead = std::chrono::seconds(15);
constexpr size_t kFlush = 64 * 1024;
constexpr ClientId kHolder = 1 << 12;      // wants, in the scheduler's name, what other tasks' results mention: no client has this number
constexpr int64_t kInlineTasks = 4096;     // small results of larger ranges stay where they are made

/// A client at the other end of a socket.
class SocketClient : public ClientPeer {
 public:
  explicit SocketClient(std::shared_ptr<Connection> c) : connection_(std::move(c)) {}
  void deliver(std::vector<News>&& list) override {
    Encoder out;
    for (const auto& n : list) {
      out << static_cast<uint8_t>(n.kind) << n.task << n.bytes << n.type << static_cast<uint8_t>(n.value != nullptr) << (n.value ? *n.value : std::string()) << static_cast<uint64_t>(n.holders.size());
      for (const auto& h : n.holders) out << h;
      out << (n.note ? *n.note : std::string()) << n.cause << (n.error ? *n.error : std::string());
    }
    connection_->send(Type::news, out.take());
  }

 private:
  std::shared_ptr<Connection> connection_;
};

std::vector<TaskId> tasks_in(Decoder& in) {
  std::vector<TaskId> out;
  while (!in.empty()) out.push_back(in.get<TaskId>());
  return out;
}
}  // namespace

std::string random_name() {
  unsigned char bytes[12];
  if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes) throw internal("no random bytes");
  std::string out;
  for (unsigned char b : bytes) out += "0123456789abcdef"[b >> 4], out += "0123456789abcdef"[b & 15];
  return out;
}

Hub::Hub(HubOptions options) : options_(std::move(options)), core_({.prefetch_us = 2000, .allowed_failures = options_.allowed_failures}) {
  options_.listen.insert(options_.listen.begin(), "unix://@muster-" + random_name());
  for (const auto& text : options_.listen) {
    const Address wanted = Address::parse(text);
    auto [fd, bound] = listen(wanted);
    addresses_.push_back(bound.text());
    loop_.add_listener(std::move(fd), bound.local, [this](Fd got) { accept(std::move(got)); });
  }
  loop_.every(100, [this] { tick(); });
}

Hub::~Hub() {
  on_worker_lost = nullptr;
  stop_workers();
  loop_.stop();
}

// The first frame says who it is.
void Hub::accept(Fd fd) {
  struct Role {
    enum { unknown, worker, client } kind = unknown;
    Slot slot = 0;
    uint32_t incarnation = 0;
    ClientId id = 0;
  };
  auto c = loop_.add(std::move(fd));
  auto role = std::make_shared<Role>();
  std::weak_ptr<Connection> weak = c;
  c->on_frame = [this, weak, role](Frame&& f) {
    auto self = weak.lock();
    if (!self) return;
    if (role->kind == Role::worker) return on_worker(role->slot, role->incarnation, std::move(f));
    if (role->kind == Role::client) return on_client(role->id, std::move(f), [&](std::string body) { self->send(Type::answer, std::move(body)); });
    Decoder in(f.body);
    std::lock_guard lock(mutex_);
    if (f.type == Type::register_worker) {
      role->slot = register_worker(self, in);
      role->incarnation = core_.workers()[role->slot].incarnation;
      role->kind = Role::worker;
      act();
    } else if (f.type == Type::hello) {
      auto peer = std::make_unique<SocketClient>(self);
      const auto name = in.get<std::string>();
      role->id = new_client(*peer, name, in.get<uint32_t>());
      remote_[role->id] = std::move(peer);
      role->kind = Role::client;
      self->send(Type::welcome_client, Encoder().operator<<(role->id).take());
    } else {
      throw Error(ErrorKind::io, "who is it?");
    }
  };
  c->on_close = [this, role] {
    if (role->kind == Role::worker) lose_worker(role->slot, role->incarnation);
    if (role->kind == Role::client) disconnect(role->id);
  };
  loop_.start(c);
}

Slot Hub::register_worker(const std::shared_ptr<Connection>& c, Decoder& in) {
  WorkerFacts facts;
  facts.info.address = in.get<std::string>(), facts.info.name = in.get<std::string>(), facts.info.host = in.get<std::string>();
  facts.info.threads = std::max<int64_t>(1, in.get<int64_t>());
  facts.memory_limit = in.get<int64_t>(), facts.pid = in.get<int64_t>();
  for (uint64_t n = in.count(); n > 0; --n) {
    const auto name = in.get<std::string>();
    facts.info.resources[name] = in.get<double>();
  }
  facts.seen = steady_clock::now();
  const Slot slot = core_.join(facts.info);
  if (workers_.size() <= slot) workers_.resize(slot + 1);
  workers_[slot] = WorkerPeer{};
  workers_[slot].connection = c, workers_[slot].facts = std::move(facts);
  c->send(Type::welcome_worker, Encoder().operator<<(slot).take());
  return slot;
}

Hub::WorkerPeer* Hub::peer(Slot slot) { return slot < workers_.size() && workers_[slot].connection ? &workers_[slot] : nullptr; }

void Hub::lose_worker(Slot slot, uint32_t incarnation) {
  WorkerFacts facts;
  bool asked = false;
  {
    std::lock_guard lock(mutex_);
    WorkerPeer* w = peer(slot);
    if (!w || core_.workers()[slot].incarnation != incarnation) return;
    facts = w->facts, asked = w->stopping;
    w->connection->close();
    w->connection = nullptr;
    core_.worker_gone(slot);
    act();
  }
  if (!asked && on_worker_lost) on_worker_lost(facts);
}

void Hub::on_worker(Slot slot, uint32_t incarnation, Frame&& f) {
  Decoder in(f.body);
  std::lock_guard lock(mutex_);
  WorkerPeer* w = peer(slot);
  if (!w || core_.workers()[slot].incarnation != incarnation) return;
  w->facts.seen = steady_clock::now();
  switch (f.type) {
    case Type::finished:
      while (!in.empty()) {
        const auto task = in.get<TaskId>();
        const auto attempt = in.get<uint16_t>();
        const auto bytes = in.get<int64_t>(), us = in.get<int64_t>();
        const auto type = in.get<std::string_view>(), note = in.get<std::string_view>();
        const bool inlined = in.get<uint8_t>();
        const auto value = in.get<std::string_view>();
        const auto* t = core_.find(task);
        if (t && t->state == State::assigned && t->attempt == attempt) {
          if (inlined) {
            values_[task] = std::make_shared<const std::string>(value);
            value_order_.emplace_back(task, static_cast<int64_t>(value.size()));
            value_bytes_ += static_cast<int64_t>(value.size());
          }
          keep_note(task, note);
          errors_.erase(task);  // of an attempt before
          if (t->wanted) types_[task] = type;
        }
        record(slot, task, us, bytes, monitor::Kind::compute);
        core_.finished(slot, task, attempt, bytes, us, inlined);
      }
      cap_values();
      break;
    case Type::failed:
      while (!in.empty()) {
        const auto task = in.get<TaskId>();
        const auto attempt = in.get<uint16_t>();
        const auto why = static_cast<Failure>(in.get<uint8_t>());
        const auto error = in.get<std::string_view>(), note = in.get<std::string_view>();
        std::vector<schedule::Lost> lost;
        for (uint64_t n = in.count(); n > 0; --n) {
          schedule::Lost l{in.get<TaskId>(), in.get<uint16_t>(), base::kNone};
          const auto holder = in.get<std::string_view>();
          for (Slot s = 0; s < workers_.size(); ++s)
            if (workers_[s].connection && workers_[s].facts.info.address == holder) l.holder = s;
          lost.push_back(l);
        }
        const auto* t = core_.find(task);
        if (t && t->state == State::assigned && t->attempt == attempt) {
          keep_note(task, note);
          if (!error.empty()) errors_[task] = std::make_shared<const std::string>(error);
        }
        if (why != Failure::inputs && why != Failure::stopped) record(slot, task, 0, 0, monitor::Kind::failed);
        core_.failed(slot, task, attempt, why, lost);
      }
      break;
    case Type::retracted:
      while (!in.empty()) {
        const auto task = in.get<TaskId>();
        core_.retracted(slot, task, in.get<uint16_t>());
      }
      core_.retract_ended(slot);
      break;
    case Type::seceded: {
      const auto task = in.get<TaskId>();
      core_.seceded(slot, task, in.get<uint16_t>());
      break;
    }
    case Type::added:
      while (!in.empty()) {
        const auto task = in.get<TaskId>();
        core_.added(slot, task, in.get<uint16_t>());
      }
      break;
    case Type::heartbeat:
      w->facts.rss = in.get<int64_t>(), w->facts.stored = in.get<int64_t>();
      w->facts.running = in.get<uint32_t>(), w->facts.waiting = in.get<uint32_t>();
      return;
    default: throw Error(ErrorKind::io, "a message no worker sends");
  }
  act();
}

void Hub::on_client(ClientId client, Frame&& f, const std::function<void(std::string)>& answer) {
  Decoder in(f.body);
  switch (f.type) {
    case Type::submit: {
      const auto job = in.get<uint32_t>();
      const bool open = in.get<uint8_t>();
      submit(client, job, decode_graph(in), open);
      break;
    }
    case Type::want: want(client, tasks_in(in)); break;
    case Type::release: release(client, tasks_in(in)); break;
    case Type::cancel_tasks: cancel(client, tasks_in(in)); break;
    case Type::retry: retry(client, tasks_in(in)); break;
    case Type::close_job: close_job(in.get<uint32_t>()); break;
    case Type::fire_and_forget: keep(tasks_in(in)); break;
    case Type::hold: {
      const auto holder = in.get<TaskId>();
      hold(holder, tasks_in(in));
      break;
    }
    case Type::scatter: {
      const auto id = in.get<TaskId>();
      const auto bytes = in.get<int64_t>();
      const auto type = in.get<std::string>();
      const bool renewable = in.get<uint8_t>();
      std::vector<std::string> holders;
      while (!in.empty()) holders.push_back(in.get<std::string>());
      scatter(client, id, bytes, holders, type, renewable);
      break;
    }
    case Type::promise: {
      const auto id = in.get<TaskId>();
      const auto label = in.get<std::string>();
      promise(client, id, label, in.get<uint8_t>());
      break;
    }
    case Type::bind: {
      const auto id = in.get<TaskId>();
      bind(id, decode_graph(in));
      break;
    }
    case Type::refuse: {
      const auto id = in.get<TaskId>();
      refuse(id, std::make_shared<const std::string>(in.rest()));
      break;
    }
    case Type::ask: {
      const auto question = in.get<uint64_t>();
      const auto name = in.get<std::string>();
      Encoder out;
      out << question;
      try {
        const Value argument = decode_value(in);
        const Value result = ask(name, argument);
        out << uint8_t{1};
        encode(out, result);
      } catch (const Error& e) {
        out << uint8_t{0} << e.message;
      }
      answer(out.take());
      break;
    }
    default: throw Error(ErrorKind::io, "a message no client sends");
  }
}

ClientId Hub::new_client(ClientPeer& peer, const std::string& name, uint32_t depth) {
  for (ClientId tries = 0; tries < (1u << 12); ++tries) {
    next_client_ = next_client_ % ((1u << 12) - 1) + 1;
    if (clients_.contains(next_client_)) continue;
    clients_[next_client_] = &peer, client_names_[next_client_] = name;
    if (depth) core_.nest(next_client_, depth);
    return next_client_;
  }
  throw Error(ErrorKind::unsupported, "a scheduler serves at most 4,095 clients at once");
}

ClientId Hub::connect(ClientPeer& peer, const std::string& name) {
  std::lock_guard lock(mutex_);
  return new_client(peer, name, 0);
}

void Hub::disconnect(ClientId client) {
  std::unique_ptr<ClientPeer> keep;
  std::lock_guard lock(mutex_);
  clients_.erase(client), client_names_.erase(client);
  if (auto found = remote_.find(client); found != remote_.end()) keep = std::move(found->second), remote_.erase(found);
  core_.client_gone(client);
  act();
}

void Hub::submit(ClientId client, JobId job, std::shared_ptr<const graph::Graph> graph, bool open) {
  std::lock_guard lock(mutex_);
  core_.submit(job, client, std::move(graph), open);
  act();
}

void Hub::close_job(JobId job) {
  std::lock_guard lock(mutex_);
  core_.close(job);
  act();
}

void Hub::want(ClientId client, const std::vector<TaskId>& tasks) {
  std::lock_guard lock(mutex_);
  for (TaskId id : tasks) core_.want(client, id);
  act();
}

void Hub::release(ClientId client, const std::vector<TaskId>& tasks) {
  std::lock_guard lock(mutex_);
  for (TaskId id : tasks) leave(client, id);
  act();
}

void Hub::cancel(ClientId, const std::vector<TaskId>& tasks) {
  std::lock_guard lock(mutex_);
  for (TaskId id : tasks) core_.cancel(id);
  act();
}

void Hub::retry(ClientId, const std::vector<TaskId>& tasks) {
  std::lock_guard lock(mutex_);
  for (TaskId id : tasks) core_.retry(id);
  act();
}

// The scheduler itself wants these until they ended: client 0.
void Hub::keep(const std::vector<TaskId>& tasks) {
  std::lock_guard lock(mutex_);
  for (TaskId id : tasks) {
    const auto* t = core_.find(id);
    if (!t || t->state == State::done || t->state == State::failed) continue;
    core_.want(0, id);
  }
  act();
}

void Hub::hold(TaskId holder, const std::vector<TaskId>& tasks) {
  std::lock_guard lock(mutex_);
  if (!is_needed(holder)) return;
  for (TaskId id : tasks) {
    if (!core_.find(id)) continue;
    held_[holder].push_back(id);
    if (holds_[id]++ == 0) core_.want(kHolder, id);
  }
  act();
}

bool Hub::is_needed(TaskId task) const {
  const auto* t = core_.find(task);
  return t && t->refs;
}

void Hub::leave(ClientId client, TaskId task) {
  core_.release(client, task);
  if (!is_needed(task)) let_go(task);
}

bool Hub::let_go(TaskId holder) {
  auto found = held_.extract(holder);
  if (found.empty()) return false;
  for (TaskId id : found.mapped()) {
    auto count = holds_.find(id);
    if (--count->second > 0) continue;
    holds_.erase(count);
    core_.release(kHolder, id);
  }
  return true;
}

std::vector<TaskId> Hub::holders_in(JobId job) const {
  std::vector<TaskId> out;
  for (const auto& [holder, tasks] : held_)
    if (holder.job == job) out.push_back(holder);
  return out;
}

void Hub::promise_locked(ClientId client, TaskId id, const std::string& label, bool renewable) {
  const TaskId made = core_.promise(id.job, client, label, renewable);
  if (made != id) throw internal("a client counts its tasks as ", id.index, ", the scheduler as ", made.index);
}

void Hub::scatter(ClientId client, TaskId id, int64_t bytes, const std::vector<std::string>& holders, const std::string& type, bool renewable) {
  std::lock_guard lock(mutex_);
  std::vector<Slot> slots;
  for (const auto& h : holders)
    for (Slot s = 0; s < workers_.size(); ++s)
      if (workers_[s].connection && workers_[s].facts.info.address == h) slots.push_back(s);
  if (!core_.find(id)) promise_locked(client, id, type, renewable);
  types_[id] = type;
  core_.give(id, slots, bytes);
  act();
}

void Hub::promise(ClientId client, TaskId id, const std::string& label, bool renewable) {
  std::lock_guard lock(mutex_);
  promise_locked(client, id, label, renewable);
  act();
}

void Hub::bind(TaskId id, std::shared_ptr<const graph::Graph> graph) {
  std::lock_guard lock(mutex_);
  core_.bind(id, std::move(graph));
  act();
}

void Hub::refuse(TaskId id, Blob error) {
  std::lock_guard lock(mutex_);
  errors_[id] = std::move(error);
  core_.refuse(id);
  act();
}

size_t Hub::worker_count() {
  std::lock_guard lock(mutex_);
  size_t n = 0;
  for (const auto& w : workers_) n += w.connection != nullptr;
  return n;
}

void Hub::stop_workers() {
  std::lock_guard lock(mutex_);
  for (auto& w : workers_)
    if (w.connection) w.stopping = true, w.connection->send(Type::stop_worker, {});
}

void Hub::end_clients(const std::string& why) {
  std::lock_guard lock(mutex_);
  for (auto& [id, peer] : clients_) peer->over(why);
}

void Hub::record(Slot slot, TaskId task, int64_t us, int64_t bytes, monitor::Kind kind) {
  if (!core_.find(task)) return;
  auto [group, fresh] = group_numbers_.try_emplace(core_.label_of(task), static_cast<uint32_t>(groups_.size()));
  if (fresh) groups_.push_back(group->first);
  const auto now = static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch()).count());
  monitor::Event e;
  e.start_us = now - static_cast<uint64_t>(us), e.duration_us = static_cast<uint32_t>(std::min<int64_t>(us, UINT32_MAX));
  e.slot = slot, e.group = group->second, e.task = task.index;
  e.bytes = static_cast<uint64_t>(bytes), e.kind = static_cast<uint8_t>(kind);
  ring_.add(e);
}

void Hub::cap_values() {
  while (value_bytes_ > kValueCap && !value_order_.empty()) {
    const auto [id, bytes] = value_order_.front();
    value_order_.pop_front();
    value_bytes_ -= bytes;
    if (values_.erase(id)) core_.not_inlined(id);
  }
  if (value_order_.size() > 4096 + 2 * values_.size()) {  // one that stays keeps the others from being popped
    std::erase_if(value_order_, [this](const auto& v) { return !values_.contains(v.first); });
    value_bytes_ = 0;
    for (const auto& v : value_order_) value_bytes_ += v.second;
  }
  // Those whose values are gone already are only counted.
  while (!value_order_.empty() && !values_.contains(value_order_.front().first)) value_bytes_ -= value_order_.front().second, value_order_.pop_front();
}

void Hub::keep_note(TaskId task, std::string_view note) {
  if (const auto* t = core_.find(task); !note.empty() && (t->wanted || core_.range_of(task, nullptr)->reports)) notes_[task] = std::make_shared<const std::string>(note);
}

News Hub::news_of(const Action& a) {
  News n{static_cast<News::Kind>(0), a.task};
  switch (a.kind) {
    case Action::Kind::done: n.kind = News::Kind::done; break;
    case Action::Kind::failed: n.kind = News::Kind::failed; break;
    case Action::Kind::cancelled: n.kind = News::Kind::cancelled; break;
    case Action::Kind::lost: n.kind = News::Kind::lost; break;
    case Action::Kind::reported: n.kind = News::Kind::reported; break;
    case Action::Kind::renew: n.kind = News::Kind::renew; break;
    default: n.kind = News::Kind::ended; break;
  }
  const auto* t = core_.find(a.task);
  if (a.kind == Action::Kind::done && t) {
    n.bytes = t->bytes;
    if (auto v = values_.find(a.task); v != values_.end()) n.value = v->second;
    if (auto v = types_.find(a.task); v != types_.end()) n.type = v->second;
    for (Slot s : core_.holders(a.task))
      if (peer(s)) n.holders.push_back(workers_[s].facts.info.address);
  }
  if (auto v = notes_.find(a.task); v != notes_.end() && (a.kind == Action::Kind::done || a.kind == Action::Kind::reported)) n.note = v->second;
  if (a.kind == Action::Kind::failed || a.kind == Action::Kind::reported) {
    n.cause = a.kind == Action::Kind::failed ? a.cause : a.task;
    if (auto e = errors_.find(n.cause); e != errors_.end()) n.error = e->second;
    else if (t && a.kind == Action::Kind::failed) {
      const auto* c = core_.find(n.cause);
      const bool data = c && c->data;
      // In place of a pickled exception: a line that says what it is. muster.distributed makes an exception of it.
      const std::string label = c ? core_.label_of(n.cause) : "a task";
      n.error = std::make_shared<const std::string>(data ? concat("lost\n", "data that was scattered is gone: every worker that had it died") : concat("killed\n", label, "\n", c ? int{c->deaths} : 0));
    }
  }
  return n;
}

void Hub::flush(std::vector<std::pair<ClientId, News>>& news) {
  std::map<ClientId, std::vector<News>> by;
  for (auto& [client, n] : news) by[client].push_back(std::move(n));
  for (auto& [client, list] : by)
    if (auto c = clients_.find(client); c != clients_.end()) c->second->deliver(std::move(list));
}

uint32_t Hub::use_function(const Blob& bytes) {
  auto [known, fresh] = function_numbers_.try_emplace(hash_bytes(*bytes).hex(), function_count_);
  if (fresh) functions_[function_count_++] = {bytes, known->first, 0, 0};
  Function& f = functions_.at(known->second);
  if (f.ranges++ == 0 && idle_functions_.erase(f.idle)) idle_function_bytes_ -= static_cast<int64_t>(f.bytes->size());
  return known->second;
}

// The oldest that nobody names give way.
void Hub::leave_function(uint32_t number) {
  Function& left = functions_.at(number);
  if (--left.ranges) return;
  left.idle = ++idles_;
  idle_functions_[left.idle] = number;
  idle_function_bytes_ += static_cast<int64_t>(left.bytes->size());
  while (idle_function_bytes_ > kIdleFunctions) {
    const auto oldest = functions_.extract(idle_functions_.extract(idle_functions_.begin()).mapped());
    idle_function_bytes_ -= static_cast<int64_t>(oldest.mapped().bytes->size());
    function_numbers_.erase(oldest.mapped().content);
    for (auto& w : workers_)
      if (w.connection && oldest.key() < w.functions.size() && w.functions[oldest.key()]) w.dropped_functions << oldest.key();
  }
}

void Hub::send_assign(const Action& a) {
  WorkerPeer* w = peer(a.who);
  if (!w) return;
  const auto* t = core_.find(a.task);
  int64_t index = 0;
  const graph::Range& range = *core_.range_of(a.task, &index);
  auto [put, fresh] = ranges_.try_emplace({a.task.job, t->range});
  if (fresh) {
    put->second.number = range_numbers_++;
    for (const auto& f : range.functions) put->second.functions.push_back(use_function(f));
  }
  const RangePut& r = put->second;
  auto send_pending = [&] {
    if (!w->assign.empty()) w->connection->send(Type::assign, w->assign.take()), w->assign = Encoder();
  };
  uint32_t function = base::kNone;
  if (!range.functions.empty()) {
    function = r.functions[range.function_of.empty() ? 0 : range.function_of[static_cast<size_t>(index)]];
    if (w->functions.size() <= function) w->functions.resize(function + 1);
    if (!w->functions[function]) {
      w->functions[function] = true;
      send_pending();
      w->connection->send(Type::put_function, Encoder().operator<<(function).operator<<(*functions_.at(function).bytes).take());
    }
  }
  if (w->ranges.size() <= r.number) w->ranges.resize(r.number + 1);
  if (!w->ranges[r.number]) {
    w->ranges[r.number] = true;
    send_pending();
    Encoder out;
    out << r.number << range.function << range.label;
    encode(out, range.args);
    const bool inlined = range.wanted || !range.begins.empty() || range.count <= kInlineTasks;
    out << range.options.timeout_us << static_cast<uint8_t>(inlined);
    std::vector<uint32_t> outputs;
    for (const auto& d : range.inputs) outputs.push_back(static_cast<uint32_t>(d.output));
    outputs.push_back(static_cast<uint32_t>(range.output));
    out << outputs << core_.depth_of(a.task);
    w->connection->send(Type::put_range, out.take());
  }
  Encoder& out = w->assign;
  const uint64_t stage = range.begins.empty() ? 255 - std::min<uint64_t>(t->range, 255) : 0;
  const uint64_t priority = static_cast<uint64_t>(128 - std::clamp(range.options.priority, -127, 127)) << 56 | uint64_t{a.task.job & 0xFFFF} << 40 | stage << 32 | a.task.index;
  out << a.task << a.attempt << r.number << (range.partition.empty() ? index : range.partition[static_cast<size_t>(index)]) << priority << function;
  out << (range.arguments.empty() ? std::string_view() : std::string_view(*range.arguments[static_cast<size_t>(index)]));
  size_t inputs = 0;
  Encoder list;
  const bool data = !range.begins.empty() || std::any_of(range.inputs.begin(), range.inputs.end(), [](const auto& d) { return d.output >= 0; });
  if (data) core_.each_input(a.task, [&](TaskId in) {
    ++inputs;
    const auto* source = core_.find(in);
    const auto holders = core_.holders(in);
    auto value = values_.find(in);
    const bool here = std::find(holders.begin(), holders.end(), a.who) != holders.end();
    const bool inlined = value != values_.end() && !here;
    list << in << source->attempt << static_cast<uint8_t>(inlined);
    if (inlined) {
      list << *value->second;
      return;
    }
    list << static_cast<uint64_t>(here ? 0 : holders.size());
    if (!here)
      for (Slot s : holders) list << (peer(s) ? workers_[s].facts.info.address : std::string());
  });
  out << (data ? core_.group_sizes(a.task) : std::vector<uint32_t>{}) << static_cast<uint64_t>(inputs);
  out.bytes() += list.bytes();
  if (out.size() > kFlush) send_pending();
}

// Lets the machine place what is ready, and does what it says.
void Hub::act() {
  std::vector<std::pair<ClientId, News>> news;
  for (bool again = true; again;) {
    again = false;
    std::vector<TaskId> settled;
    const auto actions = core_.act();
    for (const Action& a : actions) {
      switch (a.kind) {
        case Action::Kind::assign: send_assign(a); break;
        case Action::Kind::cancel:
          if (WorkerPeer* w = peer(a.who)) w->cancel << a.task << a.attempt;
          break;
        case Action::Kind::retract:
          if (WorkerPeer* w = peer(a.who)) w->connection->send(Type::retract, Encoder().operator<<(a.count).take());
          break;
        case Action::Kind::free:
          if (WorkerPeer* w = peer(a.who)) w->free << a.task << a.attempt;
          if (const auto* t = core_.find(a.task); !t || t->state != State::done) values_.erase(a.task), notes_.erase(a.task), types_.erase(a.task);
          if (!is_needed(a.task)) again |= let_go(a.task);
          break;
        case Action::Kind::gone:
          for (auto r = ranges_.lower_bound({a.task.job, 0}); r != ranges_.end() && r->first.first == a.task.job; r = ranges_.erase(r)) {
            for (auto& w : workers_)
              if (w.connection && r->second.number < w.ranges.size() && w.ranges[r->second.number]) w.dropped << r->second.number;
            for (uint32_t f : r->second.functions) leave_function(f);
          }
          for (auto* of : {&errors_, &notes_}) std::erase_if(*of, [&](const auto& e) { return e.first.job == a.task.job; });
          for (TaskId holder : holders_in(a.task.job)) again |= let_go(holder);
          break;
        case Action::Kind::done:
        case Action::Kind::failed:
        case Action::Kind::cancelled:
          if (a.who == kHolder) break;
          if (a.who == 0) {
            settled.push_back(a.task);
            break;
          }
          [[fallthrough]];
        default: news.emplace_back(a.who, news_of(a));
      }
    }
    for (TaskId id : settled) leave(0, id), again = true;
  }
  for (auto& w : workers_) {
    if (!w.connection) continue;
    // A worker is told what to stop and free before what to do.
    if (!w.cancel.empty()) w.connection->send(Type::cancel, w.cancel.take()), w.cancel = Encoder();
    if (!w.free.empty()) w.connection->send(Type::free_objects, w.free.take()), w.free = Encoder();
    if (!w.assign.empty()) w.connection->send(Type::assign, w.assign.take()), w.assign = Encoder();
    if (!w.dropped.empty()) w.connection->send(Type::drop_ranges, w.dropped.take()), w.dropped = Encoder();
    if (!w.dropped_functions.empty()) w.connection->send(Type::drop_functions, w.dropped_functions.take()), w.dropped_functions = Encoder();
  }
  flush(news);
}

void Hub::tick() {
  std::vector<std::pair<Slot, uint32_t>> silent;
  {
    std::lock_guard lock(mutex_);
    const auto now = steady_clock::now();
    for (auto& [client, peer] : clients_)
      for (TaskId id : peer->take_releases()) leave(client, id);
    act();
    for (Slot s = 0; s < workers_.size(); ++s)
      if (workers_[s].connection && now - workers_[s].facts.seen > kDead) silent.emplace_back(s, core_.workers()[s].incarnation);
  }
  for (auto [slot, incarnation] : silent) lose_worker(slot, incarnation);
}

}  // namespace muster::cluster
