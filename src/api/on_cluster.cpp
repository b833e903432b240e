#include "api/on_cluster.hpp"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>

#include "base/error.hpp"
#include "data/program.hpp"
#include "kernels/memory.hpp"
#include "kernels/python_call.hpp"
#include "kernels/wire.hpp"
#include "muster/error.hpp"

namespace muster::api {
using namespace base;
using cluster::Client, cluster::Known, cluster::News, cluster::Status;
using worker::TaskResult;
namespace {

bool has_opaque(const Value& v) {
  if (v.is_opaque()) return true;
  if (v.is_list()) return std::any_of(v.list().begin(), v.list().end(), has_opaque);
  if (v.is_dict()) return std::any_of(v.dict().begin(), v.dict().end(), [](const auto& e) { return has_opaque(e.second); });
  return false;
}

// Objects of the guest language as the bytes its pickle gives: {"pickle": bytes} in their place, {"pickled": n} where the n-th of them stands once more.
class Pickling {
 public:
  Value pickled(const Value& v) {
    if (v.is_opaque()) {
      const auto [at, fresh] = numbers_.try_emplace(v.opaque().get(), static_cast<int64_t>(numbers_.size()));
      return fresh ? Dict{{"pickle", kernels::pickle_of(*v.opaque())}} : Dict{{"pickled", at->second}};
    }
    if (v.is_list()) {
      List out;
      for (const auto& x : v.list()) out.push_back(pickled(x));
      return out;
    }
    if (v.is_dict()) {
      Dict out;
      for (const auto& [key, x] : v.dict()) out.emplace_back(key, pickled(x));
      return out;
    }
    return v;
  }

 private:
  std::map<const Opaque*, int64_t> numbers_;
};

class ClusterJob : public worker::Job {
 public:
  ClusterJob(Client& client, const graph::Graph& graph, std::function<bool(int, int64_t, const TaskResult&)> on_result) : client_(client), on_result_(std::move(on_result)) {
    graph::Graph out = graph;
    uint32_t at = 0;
    for (auto& r : out.ranges) {
      first_.push_back(at);
      results_.emplace_back(static_cast<size_t>(r.count));
      distribute(r);
      if (r.wanted)
        for (int64_t i = 0; i < r.count; ++i) wanted_.push_back({0, at + static_cast<uint32_t>(i)});
      at += static_cast<uint32_t>(r.count);
    }
    tasks_ = graph.tasks();
    const TaskId first = client_.submit(std::move(out), true, [this](const News& n) { hear(n); });
    job_ = first.job;
    for (auto& id : wanted_) id.job = job_;
  }
  ~ClusterJob() override {
    client_.forget(job_);
    for (TaskId id : wanted_) client_.release(id);
  }

  bool wait(std::chrono::milliseconds timeout) override {
    {
      std::unique_lock lock(mutex_);
      told_.wait_for(lock, timeout, [this] { return stop_ != cancelled_ || ended_ || static_cast<size_t>(done_) == wanted_.size(); });
      if (stop_ && !cancelled_) {
        cancelled_ = true;
        lock.unlock();
        client_.cancel(wanted_);
        return false;
      }
      if (!client_.connected()) {
        if (!error_) error_ = std::make_exception_ptr(Error(ErrorKind::io, "the connection to the scheduler was lost"));
        return true;
      }
      if (cancelled_ ? !ended_ : static_cast<size_t>(done_) < wanted_.size()) return false;
    }
    if (!cancelled_ && !fetched_) fetch();
    return true;
  }
  void cancel() override {
    std::lock_guard lock(mutex_);
    stop_ = true;
    told_.notify_all();
  }
  void abandon() override {}  // an executor that does not stop is killed by its worker
  worker::Progress progress() const override { return {finished_, tasks_, 0}; }
  std::vector<std::vector<TaskResult>>& results() override { return results_; }
  std::exception_ptr error() override {
    std::lock_guard lock(mutex_);
    return error_;
  }

 private:
  void distribute(graph::Range& r) {
    if (r.function != "pipeline") return;
    auto program = data::Program::decode(r.args);
    const bool python = program.whole == "python.apply" || std::any_of(program.steps.begin(), program.steps.end(), [](const auto& step) { return step.kernel == "python.map"; });
    if (program.from == data::Program::From::source || python) r.reports = true;
    if (program.from == data::Program::From::source && program.source == "memory.scan") {
      Dict args;
      std::shared_ptr<const Opaque> table;
      for (const auto& [key, v] : program.source_args.dict()) {
        if (key == Value("table")) table = v.opaque();
        else args.emplace_back(key, v);
      }
      program.source_args = args;
      r.begins = {0};
      for (int64_t i = 0; i < r.count; ++i) {
        r.needs.push_back(client_.table_partition(table, r.partition.empty() ? i : r.partition[static_cast<size_t>(i)]));
        r.begins.push_back(static_cast<uint32_t>(r.needs.size()));
      }
    }
    Value encoded = program.encode();
    if (has_opaque(encoded)) {
      r.function = "guest pipeline";
      encoded = Pickling().pickled(encoded);
    }
    r.args = encoded;
  }

  // In the thread that hears it.
  void hear(const News& n) {
    std::lock_guard lock(mutex_);
    if (n.kind == News::Kind::ended) {
      ended_ = true;
    } else {
      const TaskId of = n.kind == News::Kind::failed && n.cause.job == n.task.job ? n.cause : n.task;
      const auto r = static_cast<size_t>(std::upper_bound(first_.begin(), first_.end(), of.index) - first_.begin()) - 1;
      auto& result = results_[r][of.index - first_[r]];
      if (n.kind == News::Kind::reported) {
        ++finished_;
        result.ran = true;
        if (n.note) result.report = kernels::decode_report(*n.note);
        if (n.error && !n.error->empty()) result.error = exception_of(*n.error);
        if (on_result_ && on_result_(static_cast<int>(r), static_cast<int64_t>(of.index - first_[r]), result)) stop_ = true;
      } else if (n.kind == News::Kind::done) {
        ++done_, ++finished_;
        result.ran = true;
        if (n.note) result.report = kernels::decode_report(*n.note);
      } else if (n.kind == News::Kind::failed) {
        result.ran = true;
        if (!result.error) result.error = exception_of(n.error ? *n.error : "");
        if (!error_) error_ = result.error;
        stop_ = true;
      }
    }
    told_.notify_all();
  }

  static std::exception_ptr exception_of(const std::string& bytes) {
    if (bytes.starts_with("python\n") && kernels::python_error()) return kernels::python_error()(bytes);
    return std::make_exception_ptr(error_of(bytes));
  }

  void fetch() {
    fetched_ = true;
    for (TaskId id : wanted_) {
      const auto r = static_cast<size_t>(std::upper_bound(first_.begin(), first_.end(), id.index) - first_.begin()) - 1;
      auto& result = results_[r][id.index - first_[r]];
      for (int tries = 0;; ++tries) {
        try {
          result.outputs = kernels::decode_outputs(client_.get(id).view());
          break;
        } catch (const Error&) {
          if (tries == 20) throw;
          client_.wait({id}, false, 0.5);  // its worker died: it is made again
        }
      }
    }
  }

  Client& client_;
  std::function<bool(int, int64_t, const TaskResult&)> on_result_;
  std::mutex mutex_;
  std::condition_variable told_;
  std::vector<uint32_t> first_;
  std::vector<TaskId> wanted_;
  std::vector<std::vector<TaskResult>> results_;
  std::exception_ptr error_;
  JobId job_ = 0;
  std::atomic<int64_t> finished_{0};
  int64_t done_ = 0, tasks_ = 0;
  bool stop_ = false, cancelled_ = false, ended_ = false, fetched_ = false;
};
}  // namespace

Error error_of(const std::string& bytes) {
  // "native\nkind\npython\nmessage": what cluster/node.cpp wrote.
  size_t at = 0;
  auto line = [&] {
    const size_t end = std::min(bytes.find('\n', at), bytes.size());
    const std::string out = bytes.substr(at, end - at);
    at = std::min(end + 1, bytes.size());
    return out;
  };
  const std::string kind = line();
  if (kind != "native") return Error(ErrorKind::internal, kind + ": " + bytes.substr(at));
  const auto number = static_cast<ErrorKind>(std::stoi(line()));
  const std::string python = line();
  Error e(number, bytes.substr(at));
  e.python = python;
  return e;
}

std::shared_ptr<worker::Job> run_on(Client& client, const graph::Graph& graph, std::function<bool(int, int64_t, const TaskResult&)> on_result) {
  return std::make_shared<ClusterJob>(client, graph, std::move(on_result));
}

}  // namespace muster::api
