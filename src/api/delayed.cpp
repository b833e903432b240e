// Calls of C++ functions on this process' threads: a graph whose tasks are numbers of calls, inputs in front of those that need them. A result is dropped
// when the last call that needs it has run.
#include "muster/delayed.hpp"

#include <map>

#include "api/session.hpp"
#include "base/error.hpp"
#include "graph/graph.hpp"
#include "worker/guest.hpp"
#include "worker/local.hpp"

namespace muster::detail {
using namespace base;
namespace {

class Calls : public worker::GuestTasks {
 public:
  explicit Calls(const std::shared_ptr<const Call>& root) {
    std::map<const Call*, uint32_t> number;
    std::vector<std::pair<std::shared_ptr<const Call>, bool>> stack{{root, false}};
    while (!stack.empty()) {  // inputs first, depth first
      auto [call, expanded] = std::move(stack.back());
      stack.pop_back();
      if (number.contains(call.get())) continue;
      if (!expanded) {
        stack.emplace_back(call, true);
        for (auto in = call->inputs.rbegin(); in != call->inputs.rend(); ++in) stack.emplace_back(*in, false);
        continue;
      }
      for (const auto& in : call->inputs) needs.push_back({worker::kLocalJob, number.at(in.get())});
      begins.push_back(static_cast<uint32_t>(needs.size()));
      number[call.get()] = static_cast<uint32_t>(calls.size());
      calls.push_back(call);
    }
    results.resize(calls.size());
  }
  bool inside(int64_t) const override { return false; }
  void run(int64_t index, worker::Beside&) override {
    const auto i = static_cast<size_t>(index);
    std::vector<const std::any*> inputs;
    for (uint32_t e = begins[i]; e < begins[i + 1]; ++e) inputs.push_back(&results[needs[e].index]);
    results[i] = calls[i]->run(inputs);
  }
  void free(int64_t index) override { results[static_cast<size_t>(index)].reset(); }

  std::vector<std::shared_ptr<const Call>> calls;
  std::vector<uint32_t> begins{0};
  std::vector<TaskId> needs;
  std::vector<std::any> results;
};
}  // namespace

std::any compute(const std::shared_ptr<const Call>& root, int64_t threads) {
  auto calls = std::make_shared<Calls>(root);
  auto graph = std::make_shared<graph::Graph>();
  auto& range = graph->ranges.emplace_back();
  range.count = static_cast<int64_t>(calls->calls.size());
  range.function = "guest", range.label = "call";
  range.args = std::make_shared<const Opaque>(Opaque{"", calls});
  range.begins = calls->begins, range.needs = calls->needs;
  range.wanted_tasks = {static_cast<uint32_t>(calls->calls.size()) - 1};
  auto job = worker::run(graph, threads ? threads : api::cpu_count(), nullptr);
  worker::wait_for(*job, nullptr);
  if (auto error = job->error()) std::rethrow_exception(error);
  return calls->results.back();
}

}  // namespace muster::detail
