#include <signal.h>
#include <unistd.h>

#include <iostream>
#include <thread>

#include "api/session.hpp"
#include "base/error.hpp"
#include "cluster/hub.hpp"
#include "cluster/node.hpp"
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

int run_scheduler(const std::vector<std::string>& listen) {
  sigset_t stop;
  sigemptyset(&stop);
  for (int s : {SIGINT, SIGTERM}) sigaddset(&stop, s);
  pthread_sigmask(SIG_BLOCK, &stop, nullptr);  // before threads start, so that they inherit it
  cluster::HubOptions options;
  options.listen = listen;
  cluster::Hub hub(options);
  for (size_t i = hub.addresses().size() > 1 ? 1 : 0; i < hub.addresses().size(); ++i) std::cout << "scheduler at " << hub.addresses()[i] << "\njoin it with: muster worker " << hub.addresses()[i] << std::endl;
  int signal = 0;
  sigwait(&stop, &signal);
  return 0;
}
}  // namespace

int node_main(const std::vector<std::string>& args) {
  api::start();
  signal(SIGPIPE, SIG_IGN);
  size_t at = 1;
  auto value = [&](const std::string& option) -> const std::string& {
    if (at >= args.size()) throw invalid(option, " needs a value");
    return args[at++];
  };
  if (!args.empty() && args[0] == "scheduler") {
    std::vector<std::string> listen;
    while (at < args.size()) {
      const std::string option = args[at++];
      if (option == "--listen") listen.push_back(value(option));
      else throw invalid("unknown option ", option);
    }
    return run_scheduler(listen);
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
    else if (option == "--executor") options.executor.assign(args.begin() + static_cast<std::ptrdiff_t>(std::exchange(at, args.size())), args.end());
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
