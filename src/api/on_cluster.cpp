// A job of this process whose tasks run elsewhere: its events come from the client's thread, which decodes nothing and waits for nobody. What is wanted stays
// wanted until the job is gone.
#include "api/on_cluster.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include "api/endings.hpp"
#include "base/error.hpp"
#include "base/side_by_side.hpp"
#include "data/program.hpp"
#include "data/source_rows.hpp"
#include "kernels/memory.hpp"
#include "kernels/python_call.hpp"
#include "kernels/task_values.hpp"
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

constexpr const char* kTasks = "tasks-";  // begins the token of partitions
constexpr std::chrono::seconds kPatience{2};  // nothing is heard for so long: can anybody run it?
constexpr char kIsLost[] = " of a persisted frame is lost: the client that persisted it was closed, and no other had asked for it by then; persist it again";
constexpr int kTries = 60;  // of fetching a result, about half a minute

worker::Object brought(Client& client, TaskId id, uint32_t output = worker::kAllOutputs) {
  for (int tries = 0;; ++tries) try {
      return client.get(id, output);
    } catch (const cluster::Unreachable&) {
      if (tries == kTries || !client.connected()) throw;
      std::this_thread::sleep_for(std::chrono::milliseconds(std::min(10 << std::min(tries, 6), 500)));  // its worker died: the scheduler hears of it,
      client.wait({id}, false, 1e9);                                                                    // and it is made again
    }
}

class Running : public ClusterJob {
 public:
  Running(std::shared_ptr<Client> client, const graph::Graph& graph, const Placing& placing, OnResult on_result)
      : client_(std::move(client)), on_result_(std::move(on_result)), warn_(placing.warn), threads_(placing.threads), stays_(placing.stays),
        each_(placing.each) {
    graph::Graph out = graph;
    if (!stays_ && placing.options == graph::Options{}) leave_endings(out);
    uint32_t at = 0;
    for (auto& r : out.ranges) {
      first_.push_back(at);
      distribute(r, placing);
      results_.emplace_back(static_cast<size_t>(r.count));
      place(r.options, placing.options);
      if (r.wanted)
        for (int64_t i = 0; i < r.count; ++i) wanted_.push_back({0, at + static_cast<uint32_t>(i)});
      at += static_cast<uint32_t>(r.count);
    }
    done_.resize(at);
    ended_of_.resize(out.ranges.size()), failed_of_.resize(out.ranges.size());
    tasks_ = graph.tasks();
    const TaskId first = client_->submit(std::move(out), true, [this](const News& n) { hear(n); });
    job_ = first.job;
    for (auto& id : wanted_) id.job = job_;
  }
  ~Running() override {
    client_->forget(job_);
    for (TaskId id : not_kept()) client_->release(id);
  }

  bool wait(std::chrono::milliseconds timeout) override {
    const auto end = std::chrono::steady_clock::now() + timeout;
    if (fetched_) return wait_for_endings(end);
    for (;;) {
      std::deque<News> heard;
      {
        std::unique_lock lock(mutex_);
        told_.wait_until(lock, end, [this] { return !heard_.empty() || stop_ != cancelled_; });
        heard.swap(heard_);
      }
      for (const auto& n : heard) take(n);
      if (!heard.empty()) heard_last_ = std::chrono::steady_clock::now();
      if (stop_ && !cancelled_) cancelled_ = true, client_->cancel(not_kept(), true);
      if (is_over()) {
        if (stays_ || cancelled_ || count_ != wanted_.size() || error_) return true;
        bring();
        return wait_for_endings(end);
      }
      const auto now = std::chrono::steady_clock::now();
      if (warn_ && now - heard_last_ > kPatience) heard_last_ = now, say_why_it_waits();
      if (now >= end) return false;
    }
  }
  void cancel() override {
    std::lock_guard lock(mutex_);
    stop_ = true;
    told_.notify_all();
  }
  void abandon() override {  // an executor that does not stop is killed by its worker
    for (const auto& job : running_endings_) job->abandon();
  }
  worker::Progress progress() const override { return {finished_, tasks_, 0}; }
  std::vector<std::vector<TaskResult>>& results() override { return results_; }
  std::exception_ptr error() override { return error_; }
  State state(int range) const override {
    const auto r = static_cast<size_t>(range);
    if (failed_of_[r]) return State::failed;
    return ended_of_[r] == static_cast<int64_t>(results_[r].size()) ? State::done : State::runs;
  }
  std::shared_ptr<const Tasks> keep(int range) override {
    auto& kept = kept_[static_cast<size_t>(range)];
    if (!kept) {
      std::vector<TaskId> ids;
      for (TaskId id : wanted_)
        if (range_of(id) == static_cast<size_t>(range)) ids.push_back(id);
      kept = std::make_shared<const Tasks>(client_, std::move(ids), lineage_);
    }
    return kept;
  }
  void give_up(int range) override {
    const auto [at, fresh] = kept_.try_emplace(static_cast<size_t>(range));
    if (!fresh) return;
    for (TaskId id : wanted_) {
      if (range_of(id) != at->first) continue;
      if (!done_[id.index]) done_[id.index] = true, ++count_;
      client_->release(id);
    }
  }

 private:
  void say_why_it_waits() {
    try {
      const Value why = client_->ask("unrunnable job", static_cast<int64_t>(job_), 10);
      if (why.string().empty()) return;
      std::exchange(warn_, nullptr)(concat("a computation does not go on: ", why.string()));
    } catch (const Error&) {  // the scheduler is gone, which is_over() says
    }
  }

  size_t range_of(TaskId id) const { return static_cast<size_t>(std::upper_bound(first_.begin(), first_.end(), id.index) - first_.begin()) - 1; }

  std::vector<TaskId> not_kept() const {
    std::vector<TaskId> out;
    std::copy_if(wanted_.begin(), wanted_.end(), std::back_inserter(out), [this](TaskId id) { return !kept_.contains(range_of(id)); });
    return out;
  }

  bool is_over() {
    if (!client_->connected()) {
      if (!error_) error_ = std::make_exception_ptr(Error(ErrorKind::io, client_->why_over()));
      return true;
    }
    if (cancelled_) return ended_;
    if (count_ == wanted_.size()) return true;
    if (ended_ && !error_) error_ = std::make_exception_ptr(Error(ErrorKind::cancelled, "the computation was cancelled"));
    return ended_;
  }

  // What was asked of the whole where the range's own operators say nothing.
  static void place(graph::Options& own, const graph::Options& all) {
    const graph::Options none;
    if (own.priority == none.priority) own.priority = all.priority;
    if (own.retries == none.retries) own.retries = all.retries;
    if (own.workers.empty()) own.workers = all.workers, own.allow_other_workers = all.allow_other_workers;
    if (own.resources.empty()) own.resources = all.resources;
    if (own.timeout_us == none.timeout_us) own.timeout_us = all.timeout_us;
  }

  void distribute(graph::Range& r, const Placing& placing) {
    auto& values = values_.emplace_back();
    if (r.function != "pipeline") return;
    auto program = data::Program::decode(r.args);
    const auto rows = program.from == data::Program::From::source ? data::rows_of(program.source_args) : nullptr;
    if (rows && kernels::names_task_values(*rows)) {  // whoever reads these rows takes them from the tasks themselves
      if (!program.steps.empty() || r.wanted) throw internal("the values of tasks are read by a function");
      const auto tasks = placing.values(*rows);
      for (int64_t i = 0; i < r.count; ++i) values.push_back(tasks.at(static_cast<size_t>(r.partition.empty() ? i : r.partition[static_cast<size_t>(i)])));
      r.count = 0;
      return;
    }
    const auto& steps = program.steps;
    const bool python = data::traits(program.whole).runs_python ||
                        std::any_of(steps.begin(), steps.end(), [](const auto& step) { return data::traits(step.kernel).runs_python; });
    calls_python_ |= python;
    const auto tells = [](const auto& step) {
      const auto& kernel = data::traits(step.kernel);
      return kernel.widens_itself || kernel.takes_column || step.out.empty();
    };
    if (program.from == data::Program::From::source || python || std::any_of(steps.begin(), steps.end(), tells)) r.reports = true;
    if (rows) {
      program.source_args = Dict{{"columns", program.source_args["columns"]}, {"row_ids", program.source_args["row_ids"]}};
      need_rows(r, rows);
    }
    const bool one_input = program.from == data::Program::From::batches && program.streams == 1;
    const auto* made_of = one_input ? &values_[static_cast<size_t>(r.inputs.at(0).range)] : nullptr;
    const bool of_values = made_of && !made_of->empty();
    if (of_values) {
      r.begins = {0};
      for (int64_t i = 0; i < r.count; ++i) {
        r.needs.push_back(made_of->at(static_cast<size_t>(i)));
        r.begins.push_back(static_cast<uint32_t>(r.needs.size()));
      }
    }
    Value encoded = program.encode();
    if (has_opaque(encoded)) {
      r.function = "guest pipeline";
      encoded = Pickling().pickled(encoded);
    }
    r.args = of_values ? Value(Dict{{"of_values", encoded}}) : encoded;
  }

  // A source's rows as the last input of its tasks: a table's partition, which is sent once, or what a task has made.
  void need_rows(graph::Range& r, const std::shared_ptr<const Opaque>& rows) {
    const Partitions* there = partitions_in(*rows);
    if (!there) {
      lineage_.push_back(rows);
      return need(r, [&](int64_t partition) { return client_->table_partition(rows, partition); });
    }
    if (there->tasks->client != client_) throw internal("partitions on another cluster");
    lineage_.insert(lineage_.end(), there->tasks->lineage.begin(), there->tasks->lineage.end());
    r.output = there->output;
    need(r, [&](int64_t partition) {
      const TaskId id = there->tasks->ids.at(static_cast<size_t>(partition));
      const Status status = client_->known(id).status;
      if (status == Status::lost) throw Error(ErrorKind::io, concat("partition ", partition, kIsLost));
      if (status == Status::cancelled && is_forgotten(id))
        throw Error(ErrorKind::cancelled, concat("partition ", partition, " of a persisted frame was cancelled; persist it again"));
      return id;
    });
  }

  // What was cancelled is made again as long as the scheduler knows of what.
  bool is_forgotten(TaskId id) {
    const Value states = client_->ask("state_of", List{static_cast<int64_t>(id.bits())}, 10);
    return states.dict().at(0).second.string() == "forgotten";
  }

  template <class Task>
  static void need(graph::Range& r, Task task) {
    r.begins = {0};
    for (int64_t i = 0; i < r.count; ++i) {
      r.needs.push_back(task(r.partition.empty() ? i : r.partition[static_cast<size_t>(i)]));
      r.begins.push_back(static_cast<uint32_t>(r.needs.size()));
    }
  }

  // In the thread that hears it, which may hold locks that others want who have the GIL: decoding is for the one that waits.
  void hear(const News& n) {
    std::lock_guard lock(mutex_);
    heard_.push_back(n);
    if (n.kind != News::Kind::reported || n.error) told_.notify_all();  // what a task saw can wait for the next tick
  }

  void take(const News& n) {
    if (n.kind == News::Kind::ended) {
      ended_ = true;
      return;
    }
    const TaskId of = n.kind == News::Kind::failed && n.cause.job == n.task.job ? n.cause : n.task;
    const size_t r = range_of(of);
    const auto i = static_cast<int64_t>(of.index - first_[r]);
    auto& result = results_[r][static_cast<size_t>(i)];
    if (n.kind == News::Kind::reported) {
      if (!std::exchange(result.ran, true)) ++finished_;
      if (n.note) result.report = kernels::decode_report(*n.note);
      result.error = n.error ? cluster::exception_of(*n.error) : nullptr;  // of an attempt: one after it counts instead
      // A user's function is not broken off, which would kill its process, because the plan is made again.
      if (on_result_ && on_result_(static_cast<int>(r), i, result) && (result.error || !calls_python_)) cancel();
    } else if (n.kind == News::Kind::done) {
      if (done_[of.index]) return;  // made again
      done_[of.index] = true;
      ++count_, ++ended_of_[r];
      if (!std::exchange(result.ran, true)) ++finished_;
      if (n.note) result.report = kernels::decode_report(*n.note);
    } else if (n.kind == News::Kind::failed) {
      result.ran = true;
      if (!result.error) result.error = cluster::exception_of(*n.error);
      if (!error_) error_ = result.error;
      if (!each_) cancel();
      else if (!done_[n.task.index]) done_[n.task.index] = true, ++count_, ++failed_of_[range_of(n.task)];
    }
  }

  // Workers do what comes before the endings, this process the rest.
  void leave_endings(graph::Graph& out) {
    endings_ = endings_of(out);
    if (endings_.empty()) return;
    whole_ = out;
    for (const Ending& ending : endings_) {
      out.ranges[static_cast<size_t>(ending.parts)].wanted = true;
      for (const int r : ending.ranges) out.ranges[static_cast<size_t>(r)] = {};
    }
  }

  // Several at once: their workers make bytes of them side by side.
  void bring() {
    fetched_ = true;
    side_by_side(static_cast<int64_t>(wanted_.size()), 1, [this](int64_t from, int64_t to) {
      for (auto w = static_cast<size_t>(from); w < static_cast<size_t>(to); ++w) {
        const size_t r = range_of(wanted_[w]);
        const auto object = brought(*client_, wanted_[w]);
        results_[r][wanted_[w].index - first_[r]].outputs = kernels::decode_outputs(object.view(), object.keep());
      }
    });
    for (const Ending& ending : endings_) {
      Made parts;
      for (auto& result : results_[static_cast<size_t>(ending.parts)]) {
        leave_texts(result.outputs);
        parts.push_back(std::exchange(result.outputs, {}));
      }
      running_endings_.push_back(run_ending(whole_, ending, std::move(parts), threads_));
    }
  }

  // Every text of a part is in the result, which is copied once more for its reader: until then they stay where they lie.
  static void leave_texts(std::vector<kernels::Output>& outputs) {
    for (auto& o : outputs) {
      auto rows = std::make_shared<data::Batches>(*o.batches);
      for (auto& b : *rows)
        for (auto& c : b.columns)
          if (c.storage == data::Storage::text) c.kept_bytes = 0;
      o.batches = std::move(rows);
    }
  }

  bool wait_for_endings(std::chrono::steady_clock::time_point end) {
    for (const auto& job : running_endings_) {
      if (stop_) job->cancel();
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
      if (!job->wait(std::max(left, std::chrono::milliseconds(0)))) return false;
    }
    for (size_t e = 0; e < running_endings_.size(); ++e) {
      results_[static_cast<size_t>(endings_[e].ranges.back())] = std::move(running_endings_[e]->results().back());
      if (!error_) error_ = running_endings_[e]->error();
    }
    running_endings_.clear();
    finished_ = tasks_;
    return true;
  }

  std::shared_ptr<Client> client_;
  std::function<bool(int, int64_t, const TaskResult&)> on_result_;
  std::function<void(const std::string&)> warn_;  // until it was called
  std::chrono::steady_clock::time_point heard_last_ = std::chrono::steady_clock::now();
  std::mutex mutex_;  // of what is heard
  std::condition_variable told_;
  std::deque<News> heard_;
  std::vector<uint32_t> first_;
  std::vector<TaskId> wanted_;
  std::vector<std::vector<TaskResult>> results_;
  std::vector<std::vector<TaskId>> values_;  // by range, of those that are nothing but values of tasks
  std::vector<std::shared_ptr<const Opaque>> lineage_;
  graph::Graph whole_;      // where it has endings
  std::vector<Ending> endings_;
  std::vector<std::shared_ptr<worker::Job>> running_endings_;
  std::map<size_t, std::shared_ptr<const Tasks>> kept_;  // by range
  std::exception_ptr error_;
  JobId job_ = 0;
  std::atomic<int64_t> finished_{0};
  std::atomic<bool> stop_{false};
  std::vector<bool> done_;  // of wanted tasks: it ended
  size_t count_ = 0;        // of these
  std::vector<int64_t> ended_of_, failed_of_;  // by range, of its wanted tasks
  int64_t tasks_ = 0, threads_;
  bool stays_, each_, calls_python_ = false, cancelled_ = false, ended_ = false, fetched_ = false;
};
}  // namespace

Tasks::~Tasks() {
  for (TaskId id : ids) client->release(id);
}

Value partitions_value(Partitions partitions, std::string token) {
  return std::make_shared<const Opaque>(Opaque{concat(kTasks, token), std::make_shared<Partitions>(std::move(partitions))});
}
const Partitions* partitions_in(const Opaque& object) {
  return object.token.starts_with(kTasks) ? static_cast<const Partitions*>(object.object.get()) : nullptr;
}
const Partitions* partitions_of(const Expr& expression) {
  const auto rows = data::rows_of(expression->args);
  return rows ? partitions_in(*rows) : nullptr;
}

data::Batches fetch(const Partitions& partitions, int64_t partition) {
  const auto output = static_cast<uint32_t>(partitions.output);
  const auto object = brought(*partitions.tasks->client, partitions.tasks->ids.at(static_cast<size_t>(partition)), output);
  return *kernels::decode_output(object.view(), output, object.keep()).batches;
}

std::shared_ptr<ClusterJob> run_on(std::shared_ptr<Client> client, const graph::Graph& graph, const Placing& placing, OnResult on_result) {
  return std::make_shared<Running>(std::move(client), graph, placing, std::move(on_result));
}

}  // namespace muster::api
