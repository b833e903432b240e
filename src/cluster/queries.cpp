// What can be asked about a cluster, by name; answers are plain values, each of one moment: the mutex is held throughout.
#include "base/error.hpp"
#include "cluster/hub.hpp"
#include "muster/error.hpp"

namespace muster::cluster {
using namespace base;
using schedule::Slot, schedule::State;
namespace {

// Dask's names of the states (distributed's documentation, "Scheduling State").
const char* shown(State s) {
  static const char* const names[] = {"waiting", "queued", "processing", "memory", "erred", "released"};
  return names[static_cast<int>(s)];
}

Value number(TaskId id) { return static_cast<int64_t>(id.bits()); }
TaskId id_of(const Value& v) { return TaskId::of(static_cast<uint64_t>(v.integer())); }
}  // namespace

Value Hub::ask(const std::string& name, const Value& argument) {
  if (name == "retire") {  // the workers at these addresses end
    std::lock_guard lock(mutex_);
    List out;
    for (auto& w : workers_) {
      if (!w.connection) continue;
      for (const auto& a : argument.list())
        if (a.string() == w.facts.info.address || a.string() == w.facts.info.name) {
          w.stopping = true;
          send(*w.connection, StopWorker());
          out.push_back(w.facts.info.address);
        }
    }
    return out;
  }
  std::lock_guard lock(mutex_);
  if (name == "identity") {
    List workers;
    for (Slot s = 0; s < workers_.size(); ++s) {
      const auto& w = workers_[s];
      if (!w.connection) continue;
      Dict resources;
      for (const auto& [key, amount] : w.facts.info.resources) resources.emplace_back(key, amount);
      workers.push_back(Dict{{"address", w.facts.info.address}, {"name", w.facts.info.name}, {"host", w.facts.info.host},
                             {"nthreads", w.facts.info.threads}, {"memory_limit", w.facts.memory_limit},
                             {"pid", w.facts.pid}, {"resources", resources}, {"status", core_.workers()[s].paused ? "paused" : "running"},
                             {"memory", w.facts.rss}, {"managed", w.facts.stored},
                             {"processing", core_.workers()[s].running}, {"executing", static_cast<int64_t>(w.facts.running)},
                             {"ready", static_cast<int64_t>(w.facts.waiting)},
                             {"incarnation", static_cast<int64_t>(core_.workers()[s].incarnation)}});
    }
    List clients;
    for (const auto& [id, who] : client_names_) clients.push_back(who);
    List addresses(addresses_.begin(), addresses_.end());
    return Dict{{"addresses", addresses}, {"workers", workers}, {"clients", clients}};
  }
  if (name == "who_has") {
    Dict out;
    for (const auto& t : argument.list()) {
      List where;
      for (Slot s : core_.holders(id_of(t)))
        if (peer(s)) where.push_back(workers_[s].facts.info.address);
      out.emplace_back(t, where);
    }
    return out;
  }
  if (name == "state_of") {
    Dict out;
    for (const auto& t : argument.list()) {
      const auto* task = core_.find(id_of(t));
      out.emplace_back(t, task ? Value(shown(task->state)) : Value("forgotten"));
    }
    return out;
  }
  if (name == "has_what" || name == "processing") {
    std::map<Slot, List> by;
    core_.each_task([&](TaskId id, const schedule::Scheduler::Task& t) {
      if (name == "has_what" && t.state == State::done)
        for (Slot s : core_.holders(id)) by[s].push_back(number(id));
      if (name == "processing" && t.state == State::assigned) by[t.worker].push_back(number(id));
    });
    Dict out;
    for (Slot s = 0; s < workers_.size(); ++s)
      if (workers_[s].connection) out.emplace_back(workers_[s].facts.info.address, by[s]);
    return out;
  }
  if (name == "nbytes") {
    Dict out;
    for (const auto& t : argument.list())
      if (const auto* task = core_.find(id_of(t)); task && task->state == State::done) out.emplace_back(t, task->bytes);
    return out;
  }
  if (name == "counts" || name == "groups") {
    if (name == "groups") {
      Dict out;
      for (const auto& g : core_.groups()) {
        Dict states;
        for (int s = 0; s < schedule::kStates; ++s) states.emplace_back(shown(static_cast<State>(s)), g.states[static_cast<size_t>(s)]);
        out.emplace_back(g.label, states);
      }
      return out;
    }
    const auto counts = core_.counts();
    Dict out;
    for (int s = 0; s < schedule::kStates; ++s) out.emplace_back(shown(static_cast<State>(s)), counts[static_cast<size_t>(s)]);
    int64_t bytes = 0;
    for (const auto& w : core_.workers()) bytes += w.held;
    out.emplace_back("bytes", bytes);
    return out;
  }
  if (name == "task_stream") {  // events from a number on: (number of the next, [(start us, duration us, worker, function, task, bytes, kind)])
    List events;
    ring_.each(argument.is_none() ? 0 : static_cast<uint64_t>(argument.integer()), [&](const monitor::Event& e) {
      const WorkerPeer* w = peer(e.slot);
      events.push_back(List{static_cast<int64_t>(e.start_us), static_cast<int64_t>(e.duration_us), w ? w->facts.info.address : "", core_.label(e.group),
                            static_cast<int64_t>(e.task), static_cast<int64_t>(e.bytes), static_cast<int64_t>(e.kind)});
    });
    return List{static_cast<int64_t>(ring_.count()), events};
  }
  if (name == "unrunnable") {
    Dict out;
    for (const auto& t : argument.list())
      if (auto why = core_.unrunnable(id_of(t)); !why.empty()) out.emplace_back(t, why);
    return out;
  }
  if (name == "unrunnable job") return core_.unrunnable(static_cast<JobId>(argument.integer()));
  throw Error(ErrorKind::missing, concat("the scheduler knows no answer to '", name, "'"));
}

}  // namespace muster::cluster
