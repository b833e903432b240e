// The programs of a cluster, as muster-node's arguments say: a scheduler, a worker. Signals are blocked before the first thread starts, so that one thread
// hears them.
#include <dlfcn.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <iostream>
#include <thread>

#include "api/session.hpp"
#include "base/error.hpp"
#include "cluster/hub.hpp"
#include "cluster/node.hpp"
#include "cluster/pages.hpp"
#include "muster/cluster.hpp"

namespace muster {
using namespace base;
namespace {

int64_t positive(const std::string& name, const std::string& text) {
  try {
    size_t used = 0;
    const int64_t n = std::stoll(text, &used);
    if (used == text.size() && n >= 0) return n;
  } catch (const std::exception&) {
  }
  throw invalid(name, " must be a number, got '", text, "'");
}

int run_scheduler(std::vector<std::string> listen, const std::string& dashboard) {
  sigset_t stop;
  sigemptyset(&stop);
  for (int s : {SIGINT, SIGTERM}) sigaddset(&stop, s);
  pthread_sigmask(SIG_BLOCK, &stop, nullptr);  // before threads start, so that they inherit it
  cluster::HubOptions options;
  options.listen = listen;
  for (auto& text : options.listen) {  // a port that is taken gives way to the next
    auto address = net::Address::parse(text);
    for (int tries = 0; !address.local && address.port && tries < 20; ++tries, ++address.port) {
      try {
        net::listen(address);
        break;
      } catch (const Error& e) {
        if (e.kind != ErrorKind::io) throw;
        std::cerr << "port " << address.port << " is taken, trying the next\n";
      }
    }
    text = address.text();
  }
  cluster::Hub hub(options);
  std::unique_ptr<cluster::Monitor> monitor;
  if (!dashboard.empty()) monitor = std::make_unique<cluster::Monitor>(hub, dashboard);
  if (monitor) std::cout << "monitor at " << monitor->link() << std::endl;
  for (size_t i = hub.addresses().size() > 1 ? 1 : 0; i < hub.addresses().size(); ++i)
    std::cout << "scheduler at " << hub.addresses()[i] << "\njoin it with: muster worker " << hub.addresses()[i] << std::endl;
  int signal = 0;
  sigwait(&stop, &signal);
  return 0;
}
}  // namespace

int node_main(const std::vector<std::string>& args) {
  api::start();
  signal(SIGPIPE, SIG_IGN), signal(SIGXFSZ, SIG_IGN);  // errors of writes, of the tasks that need them
  size_t at = 1;
  auto value = [&](const std::string& option) -> const std::string& {
    if (at >= args.size()) throw invalid(option, " needs a value");
    return args[at++];
  };
  if (!args.empty() && args[0] == "scheduler") {
    std::vector<std::string> listen;
    std::string dashboard;
    while (at < args.size()) {
      const std::string option = args[at++];
      if (option == "--listen") listen.push_back(value(option));
      else if (option == "--dashboard") dashboard = value(option);
      else throw invalid("unknown option ", option);
    }
    return run_scheduler(listen, dashboard);
  }
  if (args.size() < 2 || args[0] != "worker") throw invalid("say 'worker ADDRESS' or 'scheduler'");
  cluster::NodeOptions options;
  options.scheduler = args[at++];
  options.threads = api::cpu_count();
  while (at < args.size()) {
    const std::string option = args[at++];
    if (option == "--threads") options.threads = std::max<int64_t>(1, positive(option, value(option)));
    else if (option == "--memory-limit") options.memory_limit = positive(option, value(option));
    else if (option == "--name") options.name = value(option);
    else if (option == "--listen") options.listen = value(option);
    else if (option == "--load") {
      if (!dlopen(value(option).c_str(), RTLD_NOW | RTLD_GLOBAL)) throw Error(ErrorKind::io, concat("cannot load ", args[at - 1], ": ", dlerror()));
    } else if (option == "--die-with-parent") {
      prctl(PR_SET_PDEATHSIG, SIGTERM);
      if (getppid() == 1) return 1;
    } else if (option == "--executor") options.executor.assign(args.begin() + static_cast<std::ptrdiff_t>(std::exchange(at, args.size())), args.end());
    else if (option == "--resource") {
      const auto& text = value(option);
      const auto equals = text.find('=');
      if (equals == std::string::npos) throw invalid("--resource looks like GPU=1, got '", text, "'");
      options.resources.emplace_back(text.substr(0, equals), std::stod(text.substr(equals + 1)));
    } else {
      throw invalid("unknown option ", option);
    }
  }
  return cluster::run_node(options);
}

}  // namespace muster
