// Futures of C++ programs: a result is brought when it is asked for, and given up with the last copy of its future. The cluster lives as long as one of them.
#include "muster/cluster.hpp"

#include <unistd.h>

#include "api/on_cluster.hpp"
#include "api/session.hpp"
#include "base/error.hpp"
#include "cluster/client.hpp"
#include "cluster/launch/local.hpp"
#include "kernels/wire.hpp"
#include "worker/native.hpp"

namespace muster {
using namespace base;
using cluster::Client, cluster::Known, cluster::LocalCluster, cluster::Status;

namespace detail {

class ClusterState {
 public:
  std::unique_ptr<LocalCluster> local;
  std::shared_ptr<Client> client;
  std::string address;
};

struct FutureState {
  FutureState(std::shared_ptr<ClusterState> c, TaskId i) : cluster(std::move(c)), id(i) {}
  FutureState(const FutureState&) = delete;
  std::shared_ptr<ClusterState> cluster;
  TaskId id;
  ~FutureState() { cluster->client->release(id); }
};

void register_native(const std::string& name, Native function) { worker::register_native(name, std::move(function)); }

std::shared_ptr<FutureState> submit(const std::shared_ptr<ClusterState>& cluster, const std::string& name, std::string arguments,
                                    const std::vector<std::shared_ptr<FutureState>>& inputs) {
  graph::Graph g;
  auto& r = g.ranges.emplace_back();
  r.count = 1, r.function = "native", r.label = name, r.args = Dict{{"name", name}}, r.wanted = true;
  r.arguments = {std::make_shared<const std::string>(std::move(arguments))};
  for (const auto& in : inputs) {
    if (in->cluster != cluster) throw invalid("a future of another cluster is among the arguments of ", name);
    r.needs.push_back(in->id);
  }
  r.begins = {0, static_cast<uint32_t>(r.needs.size())};
  const TaskId id = cluster->client->submit(std::move(g), false);
  return std::make_shared<FutureState>(cluster, id);
}

std::string result(const std::shared_ptr<FutureState>& future) {
  Client& client = *future->cluster->client;
  for (int tries = 0;; ++tries) {
    client.wait({future->id}, false, 1e9);
    const Known k = client.known(future->id);
    if (k.status == Status::error) throw cluster::opened(*k.error);
    if (k.status != Status::finished) throw Error(ErrorKind::cancelled, concat("the task was ", cluster::name_of(k.status)));
    try {
      return *kernels::decode_output(client.get(future->id).view(), 0).text;
    } catch (const cluster::Unreachable&) {
      if (tries == 20) throw;
      client.wait({future->id}, false, 0.2);  // its worker died: it is made again
    }
  }
}

bool done(const std::shared_ptr<FutureState>& future) { return future->cluster->client->known(future->id).status != Status::pending; }
void cancel(const std::shared_ptr<FutureState>& future) { future->cluster->client->cancel({future->id}, false); }
}  // namespace detail

Cluster::Cluster(const ClusterOptions& options) : state_(std::make_shared<detail::ClusterState>()) {
  api::start();
  if (!options.address.empty()) {
    state_->client = std::make_shared<Client>(options.address, "C++", 10);
    state_->address = options.address;
    return;
  }
  cluster::LocalOptions local;
  local.workers = options.workers ? options.workers : api::cpu_count();
  local.threads = options.threads;
  if (options.load.empty()) local.node = {"/proc/self/exe"};
  else local.node = {cluster::node_program()};
  for (const auto& library : options.load) local.load.push_back(library);
  state_->local = std::make_unique<LocalCluster>(std::move(local));
  state_->client = std::make_shared<Client>(state_->local->hub(), "C++");
  state_->address = state_->local->hub()->address();
}

namespace api {
std::shared_ptr<Client> client_of(const Cluster& cluster) { return cluster.state()->client; }
}  // namespace api

std::string Cluster::address() const { return state_->address; }
int64_t Cluster::workers() const { return static_cast<int64_t>(state_->client->ask("identity", Value(), 10)["workers"].list().size()); }

std::optional<int> worker_if_asked(int argc, char** argv) {
  if (argc < 3 || std::string_view(argv[1]) != "worker" || std::string_view(argv[2]).find("://") == std::string_view::npos) return std::nullopt;
  return node_main({argv + 1, argv + argc});
}

}  // namespace muster
