// A worker that is lost is killed and replaced, as one that ends before it is known, until several of these in a row say that they cannot start; those that
// are scaled away go, the youngest first.
#include "cluster/launch/local.hpp"

#include <dlfcn.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "base/error.hpp"
#include "cluster/spawn.hpp"
#include "muster/error.hpp"

namespace muster::cluster {
using namespace base;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

std::string node_program() {
  if (const char* given = std::getenv("MUSTER_NODE")) return given;
  Dl_info info{};
  dladdr(reinterpret_cast<void*>(&node_program), &info);
  const auto lib = std::filesystem::absolute(info.dli_fname ? info.dli_fname : "").parent_path();
  for (const auto& place : {lib / "../bin/muster-node", lib / "muster-node", lib / "../muster-node"})
    if (std::filesystem::exists(place)) return std::filesystem::weakly_canonical(place);
  throw Error(ErrorKind::io, concat("the program muster-node is not beside ", lib.string(), "; install muster again, or set MUSTER_NODE to where it is"));
}

LocalCluster::LocalCluster(LocalOptions options) : options_(std::move(options)), hub_(std::make_shared<Hub>(options_.hub)) {
  if (options_.node.empty()) options_.node = {node_program()};
  hub_->on_worker_lost = [this](const WorkerFacts& facts) {
    // Its child is dead, dying or fenced off; another takes its place.
    std::lock_guard lock(mutex_);
    for (auto c = children_.begin(); c != children_.end(); ++c)
      if (c->second == facts.pid) {
        ::kill(c->second, SIGKILL);
        waitpid(c->second, nullptr, 0);
        children_.erase(c);
        break;
      }
    start_missing();
  };
  hub_->loop().post([this] { hub_->on_tick = [this] { replace_early_ends(); }; });
  try {
    scale(options_.workers);
    wait_for_workers(options_.workers, 30);
  } catch (...) {
    close();
    throw;
  }
}

LocalCluster::~LocalCluster() { close(); }

void LocalCluster::start_worker() {
  std::vector<std::string> command = options_.node;
  const int64_t number = names_++;
  for (const auto& part : {std::string("worker"), hub_->address(), std::string("--name"), std::to_string(number), std::string("--threads"),
                           std::to_string(options_.threads), std::string("--memory-limit"), std::to_string(options_.memory_limit)})
    command.push_back(part);
  if (!options_.listen.empty()) command.insert(command.end(), {"--listen", options_.listen});
  for (const auto& library : options_.load) command.insert(command.end(), {"--load", library});
  for (const auto& [name, amount] : options_.resources) command.insert(command.end(), {"--resource", concat(name, "=", amount)});
  if (!options_.executor.empty()) {
    command.push_back("--executor");
    command.insert(command.end(), options_.executor.begin(), options_.executor.end());
  }
  try {
    children_[number] = spawn(command, {});
  } catch (const Error& e) {
    failure_ = e.message;
  }
}

void LocalCluster::start_missing() {
  while (!closed_ && static_cast<int64_t>(children_.size()) < wanted_ && failure_.empty()) start_worker();
}

// Of one that ends before it is known no connection tells.
void LocalCluster::replace_early_ends() {
  std::unique_lock lock(mutex_, std::try_to_lock);  // who scales down holds it until children have ended, which the loop is to see to
  if (!lock || closed_) return;
  std::erase_if(children_, [&](const auto& c) {
    int status = 0;
    if (hub_->has_worker(c.second) || waitpid(c.second, &status, WNOHANG) != c.second) return false;
    if (WIFEXITED(status) && WEXITSTATUS(status) && ++early_ends_ > 3)
      failure_ = concat("workers end before they are there (status ", WEXITSTATUS(status), ")");
    return true;
  });
  if (static_cast<int64_t>(hub_->worker_count()) >= wanted_) early_ends_ = 0;
  start_missing();
}

void LocalCluster::scale(int64_t workers) {
  {
    std::lock_guard lock(mutex_);
    wanted_ = workers;
  }
  hub_->loop().post([this] {
    std::lock_guard lock(mutex_);
    start_missing();
  });
  // Too many: the youngest go, and their objects with them.
  List names;
  {
    std::lock_guard lock(mutex_);
    for (auto c = children_.rbegin(); c != children_.rend() && static_cast<int64_t>(children_.size() - names.size()) > workers; ++c)
      names.push_back(std::to_string(c->first));
  }
  if (names.empty()) return;
  hub_->ask("retire", names);
  std::lock_guard lock(mutex_);
  for (const auto& n : names) {
    auto c = children_.find(std::stoll(n.string()));
    if (c == children_.end()) continue;
    waitpid(c->second, nullptr, 0);
    children_.erase(c);
  }
}

void LocalCluster::wait_for_workers(int64_t workers, double seconds) {
  const auto until = steady_clock::now() + milliseconds(static_cast<int64_t>(seconds * 1000));
  while (static_cast<int64_t>(hub_->worker_count()) < workers) {
    {
      std::lock_guard lock(mutex_);
      if (!failure_.empty()) throw Error(ErrorKind::io, failure_);
    }
    if (steady_clock::now() > until) throw Error(ErrorKind::io, concat("only ", hub_->worker_count(), " of ", workers, " workers came within ", seconds, " s"));
    std::this_thread::sleep_for(milliseconds(1));
  }
}

int64_t LocalCluster::size() {
  std::lock_guard lock(mutex_);
  return static_cast<int64_t>(children_.size());
}

void LocalCluster::close() {
  std::map<int64_t, pid_t> children;
  {
    std::lock_guard lock(mutex_);
    if (std::exchange(closed_, true)) return;
    children.swap(children_);
  }
  hub_->end_clients("the cluster was closed");
  hub_->stop_workers();
  // They end by themselves; one that does not is killed.
  for (auto& [number, pid] : children) {
    const auto until = steady_clock::now() + milliseconds(2000);
    while (waitpid(pid, nullptr, WNOHANG) == 0) {
      if (steady_clock::now() > until) ::kill(pid, SIGKILL);
      std::this_thread::sleep_for(milliseconds(1));
    }
  }
  hub_->loop().stop();
}

}  // namespace muster::cluster
