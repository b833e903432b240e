// With the mutex held nobody waits and nobody takes the GIL. News of a worker count only under the incarnation that it was registered with.
#include "cluster/hub.hpp"

#include <sys/random.h>

#include <algorithm>

#include "base/error.hpp"
#include "muster/error.hpp"

namespace muster::cluster {
using namespace base;
using namespace net;
using schedule::Failure, schedule::Slot, schedule::State;
using std::chrono::steady_clock;
namespace {

constexpr auto kDead = std::chrono::seconds(15);
constexpr int64_t kPrefetchUs = 2000;      // of work that a worker has in advance,
constexpr int64_t kMostPrefetched = 8192;  // and tasks: as many as take that long where they do nothing

/// A client at the other end of a socket.
class SocketClient : public ClientPeer {
 public:
  explicit SocketClient(std::shared_ptr<Connection> c) : connection_(std::move(c)) {}
  void deliver(std::vector<News>&& list) override {
    Batch<News> all;
    for (const auto& n : list) all.add(n);
    all.send(*connection_);
  }

 private:
  std::shared_ptr<Connection> connection_;
};

uint64_t now_us() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch()).count());
}

// What another version says is not read beyond its number.
template <class M>
M first_message(const Frame& f, const std::string& who) {
  if (const auto version = Decoder(f.body).get<uint32_t>(); version != kProtocol)
    throw Error(ErrorKind::io, versions_differ("the scheduler", kProtocol, who, version));
  return decoded<M>(f.body);
}
}  // namespace

std::string random_name() {
  unsigned char bytes[12];
  if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes) throw internal("no random bytes");
  std::string out;
  for (unsigned char b : bytes) out += "0123456789abcdef"[b >> 4], out += "0123456789abcdef"[b & 15];
  return out;
}

Hub::Hub(HubOptions options)
    : options_(std::move(options)),
      core_({.prefetch_us = kPrefetchUs, .max_prefetch = kMostPrefetched, .allowed_failures = options_.allowed_failures}) {
  options_.listen.insert(options_.listen.begin(), "unix://@muster-" + random_name());
  for (const auto& text : options_.listen) {
    const Address wanted = Address::parse(text);
    auto [fd, bound] = listen(wanted);
    addresses_.push_back(bound.text());
    loop_.add_listener(std::move(fd), bound.local, [this](Fd got) { accept(std::move(got)); });
  }
  loop_.every(100, [this] {
    tick();
    if (on_tick) on_tick();
  });
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
    if (role->kind == Role::client) return on_client(role->id, f, *self);
    if (Type{f.type} == Type::register_worker) {
      const auto said = first_message<RegisterWorker>(f, "this worker");
      std::lock_guard lock(mutex_);
      role->slot = register_worker(self, said);
      role->incarnation = core_.workers()[role->slot].incarnation;
      role->kind = Role::worker;
      act();
    } else if (Type{f.type} == Type::hello) {
      const auto said = first_message<Hello>(f, "this client");
      auto peer = std::make_unique<SocketClient>(self);
      std::lock_guard lock(mutex_);
      role->id = new_client(*peer, said.name, said.depth);
      remote_[role->id] = std::move(peer);
      role->kind = Role::client;
      send(*self, WelcomeClient{.id = role->id});
    } else {
      throw Error(ErrorKind::io, concat("a connection to the scheduler begins with a message of type ", f.type, ", which says not who it is"));
    }
  };
  c->on_error = [weak](const std::exception& e) {
    if (auto self = weak.lock()) send(*self, Rejected{.why = e.what()});
  };
  c->on_close = [this, role] {
    if (role->kind == Role::worker) lose_worker(role->slot, role->incarnation);
    if (role->kind == Role::client) disconnect(role->id);
  };
  loop_.start(c);
}

Slot Hub::register_worker(const std::shared_ptr<Connection>& c, const RegisterWorker& said) {
  WorkerFacts facts;
  facts.info = {std::max<int64_t>(1, said.threads), said.address, said.name, said.host, {said.resources.begin(), said.resources.end()}};
  facts.memory_limit = said.memory_limit, facts.pid = said.pid;
  facts.seen = steady_clock::now();
  const Slot slot = core_.join(facts.info);
  if (workers_.size() <= slot) workers_.resize(slot + 1);
  workers_[slot] = WorkerPeer{};
  workers_[slot].connection = c, workers_[slot].facts = std::move(facts);
  send(*c, WelcomeWorker{.slot = slot});
  return slot;
}

Hub::WorkerPeer* Hub::peer(Slot slot) { return slot < workers_.size() && workers_[slot].connection ? &workers_[slot] : nullptr; }

Slot Hub::slot_at(const std::string& address) const {
  for (Slot s = 0; s < workers_.size(); ++s)
    if (workers_[s].connection && workers_[s].facts.info.address == address) return s;
  return kNone;
}

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
  std::lock_guard lock(mutex_);
  WorkerPeer* w = peer(slot);
  if (!w || core_.workers()[slot].incarnation != incarnation) return;
  w->facts.seen = steady_clock::now();
  switch (Type{f.type}) {
    case Type::finished:
      each<Finished>(f.body, [&](const Finished& said) { finished(slot, said); });
      for (TaskId task : results_.make_room()) core_.not_inlined(task);
      break;
    case Type::failed: each<Failed>(f.body, [&](const Failed& said) { failed(slot, said); }); break;
    case Type::retracted:
      for (const auto& a : decoded<Retracted>(f.body).attempts) core_.retracted(slot, a.task, a.attempt);
      core_.retract_ended(slot);
      break;
    case Type::seceded: {
      const auto said = decoded<Seceded>(f.body);
      core_.seceded(slot, said.task, said.attempt);
      break;
    }
    case Type::added: each<Added>(f.body, [&](const Added& said) { core_.added(slot, said.task, said.attempt); }); break;
    case Type::heartbeat: {
      const auto said = decoded<Heartbeat>(f.body);
      w->facts.rss = said.rss, w->facts.stored = said.stored, w->facts.running = said.running, w->facts.waiting = said.waiting;
      return;
    }
    default: throw Error(ErrorKind::io, concat("worker ", w->facts.info.name, " sent a message of type ", f.type, ", which no worker sends"));
  }
  act();
}

void Hub::finished(Slot slot, const Finished& run) {
  const uint64_t now = now_us();
  for (uint32_t n = 0; n < run.count; ++n) {
    const TaskId task{run.task.job, run.task.index + n};
    const auto* t = core_.find(task);
    if (t && t->state == State::assigned && t->attempt == run.attempt) {
      if (run.inlined) results_.keep_value(task, run.value);
      if (!run.note.empty() && keeps_note(task)) results_.keep_note(task, run.note);
      results_.forget_error(task);  // of an attempt before
      if (t->wanted) results_.keep_type(task, run.type);
    }
    if (t) record(slot, task, run.us, run.bytes, monitor::Kind::compute, now);
    core_.finished(slot, task, run.attempt, run.bytes, run.us, run.inlined);
  }
}

void Hub::failed(Slot slot, const Failed& said) {
  std::vector<schedule::Lost> lost;
  for (const auto& l : said.lost) lost.push_back({l.object, l.attempt, slot_at(l.holder)});
  const auto* t = core_.find(said.task);
  if (t && t->state == State::assigned && t->attempt == said.attempt) {
    if (!said.note.empty() && keeps_note(said.task)) results_.keep_note(said.task, said.note);
    if (said.error) results_.keep_error(said.task, said.error);
  }
  if (t && said.why != Failure::inputs && said.why != Failure::stopped) record(slot, said.task, 0, 0, monitor::Kind::failed, now_us());
  core_.failed(slot, said.task, said.attempt, said.why, lost);
}

void Hub::on_client(ClientId client, const Frame& f, Connection& from) {
  switch (Type{f.type}) {
    case Type::submit: {
      const auto said = decoded<Submit>(f.body);
      return submit(client, said.job, said.graph, said.open);
    }
    case Type::want: return want(client, decoded<Want>(f.body).tasks);
    case Type::release: return release(client, decoded<Release>(f.body).tasks);
    case Type::cancel_tasks: {
      const auto said = decoded<CancelTasks>(f.body);
      return cancel(client, said.tasks, said.force);
    }
    case Type::retry: return retry(client, decoded<Retry>(f.body).tasks);
    case Type::close_job: return close_job(decoded<CloseJob>(f.body).number);
    case Type::fire_and_forget: return keep(decoded<FireAndForget>(f.body).tasks);
    case Type::hold: {
      const auto said = decoded<Hold>(f.body);
      return hold(said.holder, said.tasks);
    }
    case Type::scatter: {
      const auto said = decoded<Scatter>(f.body);
      return scatter(client, said.task, said.bytes, said.holders, said.type, said.renewable);
    }
    case Type::promise: {
      const auto said = decoded<Promise>(f.body);
      return promise(client, said.task, said.label, said.renewable);
    }
    case Type::bind: {
      const auto said = decoded<Bind>(f.body);
      return bind(said.task, said.graph);
    }
    case Type::refuse: {
      const auto said = decoded<Refuse>(f.body);
      return refuse(said.task, said.error);
    }
    case Type::ask: {
      const auto said = decoded<Ask>(f.body);
      Answer answer{.question = said.question};
      try {
        answer.value = ask(said.name, said.argument);
      } catch (const Error& e) {
        answer.error = std::make_shared<const TaskError>(written_down(e));
      }
      return send(from, answer);
    }
    default: throw Error(ErrorKind::io, concat("a client sent a message of type ", f.type, ", which no client sends"));
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

size_t Hub::worker_count() {
  std::lock_guard lock(mutex_);
  size_t n = 0;
  for (const auto& w : workers_) n += w.connection != nullptr;
  return n;
}

bool Hub::has_worker(int64_t pid) {
  std::lock_guard lock(mutex_);
  return std::ranges::any_of(workers_, [&](const auto& w) { return w.connection && w.facts.pid == pid; });
}

void Hub::stop_workers() {
  std::lock_guard lock(mutex_);
  for (auto& w : workers_)
    if (w.connection) w.stopping = true, send(*w.connection, StopWorker());
}

void Hub::end_clients(const std::string& why) {
  std::lock_guard lock(mutex_);
  for (auto& [id, peer] : clients_) peer->over(why);
}

void Hub::record(Slot slot, TaskId task, int64_t us, int64_t bytes, monitor::Kind kind, uint64_t now) {
  monitor::Event e;
  e.start_us = now - static_cast<uint64_t>(us), e.duration_us = static_cast<uint32_t>(std::min<int64_t>(us, UINT32_MAX));
  e.slot = slot, e.group = core_.function_of(task), e.task = task.index;
  e.bytes = static_cast<uint64_t>(bytes), e.kind = static_cast<uint8_t>(kind);
  ring_.add(e);
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
