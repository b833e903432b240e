// One mutex guards scheduler and jobs; it is never held while a task runs.
#include "worker/local.hpp"

#include <pthread.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "base/error.hpp"
#include "kernels/registry.hpp"
#include "schedule/scheduler.hpp"
#include "worker/store.hpp"

namespace muster::worker {
using namespace base;
using namespace schedule;
using kernels::Output;
using Inputs = std::vector<std::vector<Output>>;  // per dependency, the outputs of the tasks it names
namespace {

class LocalTask : public data::Task {
 public:
  LocalTask(const std::atomic<bool>& stop, std::atomic<int64_t>& bytes, int64_t partition) : stop_(stop), bytes_(bytes), partition_(partition) {}
  ~LocalTask() override { budget().give_back(reserved_); }
  bool stopped() const override { return stop_; }
  int64_t partition() const override { return partition_; }
  void reserve(int64_t bytes) override { budget().take(bytes), reserved_ += bytes; }
  void progress(int64_t bytes) override { bytes_ += bytes; }

 private:
  const std::atomic<bool>& stop_;
  std::atomic<int64_t>& bytes_;
  int64_t partition_, reserved_ = 0;
};

// What a range's tasks call, bound once.
class Function {
 public:
  explicit Function(const graph::Range& range) {
    if (range.function == "pipeline") pipeline_ = std::make_unique<kernels::Pipeline>(data::Program::decode(range.args));
    else if (range.function == "combine") last_ = range.args["last"].boolean();
    else throw internal("unknown function ", range.function);
  }
  std::vector<Output> run(data::Task& task, const Inputs& inputs) const {
    if (pipeline_) {
      std::vector<std::shared_ptr<const data::Batches>> batches;
      for (const auto& i : inputs) batches.push_back(i.at(0).batches);
      return pipeline_->run(task, batches);
    }
    // Folds are merged in partition order, into the first: each is read by this task only.
    auto& states = inputs.at(0);
    auto first = states.at(0).fold;
    for (size_t i = 1; i < states.size(); ++i) {
      if (task.stopped()) throw Error(ErrorKind::cancelled, "stopped");
      first->merge(task, *states[i].fold);
    }
    Output out;
    if (last_) {
      auto rows = first->finish(task);
      for (const auto& b : rows) out.bytes += data::size_of(b);
      out.batches = std::make_shared<const data::Batches>(std::move(rows));
    } else {
      out.bytes = first->bytes(), out.fold = first;
    }
    return {out};
  }

 private:
  std::unique_ptr<kernels::Pipeline> pipeline_;
  bool last_ = false;
};

class LocalJob;

struct PoolThread {
  std::thread handle;
  LocalJob* job = nullptr;   // whose task it runs
  bool left_behind = false;  // nobody joins it: it frees its record itself
};

struct Pool {
  std::mutex mutex;
  std::condition_variable work, ended;
  Scheduler scheduler;
  std::map<JobId, std::shared_ptr<LocalJob>> jobs;
  std::deque<std::pair<std::shared_ptr<LocalJob>, TaskId>> queue;
  std::vector<std::unique_ptr<PoolThread>> threads;
  int64_t wanted_threads = 0;
  bool stopping = false;
  JobId next_job = 1;

  void obey(std::vector<Action> actions);  // with the mutex held
  void start_threads(int64_t n);           // with the mutex held
  void start_thread();                     // with the mutex held
  void abandon(LocalJob& job);             // with the mutex held
  void loop(PoolThread* self);
};

// A forked child has no threads and perhaps a locked mutex: it begins anew, and leaves the old pool alone.
Pool* current_pool = nullptr;
Pool& pool() {
  static std::once_flag once;
  std::call_once(once, [] {
    current_pool = new Pool;  // never destroyed: threads of a dying interpreter may still look at it
    pthread_atfork(nullptr, nullptr, [] { current_pool = new Pool; });
  });
  return *current_pool;
}

class LocalJob : public Job, public std::enable_shared_from_this<LocalJob> {
 public:
  LocalJob(Pool& pool, std::shared_ptr<const graph::Graph> graph, std::function<bool(int, int64_t, const TaskResult&)> on_result) : pool_(pool), graph_(std::move(graph)), on_result_(std::move(on_result)) {
    for (const auto& r : graph_->ranges) functions_.emplace_back(r), results_.emplace_back(static_cast<size_t>(r.count)), store_.emplace_back(static_cast<size_t>(r.count));
    tasks_ = graph_->tasks();
  }
  ~LocalJob() override {
    for (auto& range : store_)
      for (auto& outputs : range)
        for (auto& o : outputs) budget().give_back(o.bytes);
  }

  bool wait(std::chrono::milliseconds timeout) override {
    std::unique_lock lock(pool_.mutex);
    return pool_.ended.wait_for(lock, timeout, [&] { return done_; });
  }
  void cancel() override {
    std::lock_guard lock(pool_.mutex);
    stop_ = true;
    pool_.obey(pool_.scheduler.step({Event::Kind::cancel, {id, 0, 0}}));
  }
  void abandon() override {
    std::lock_guard lock(pool_.mutex);
    stop_ = true;
    pool_.abandon(*this);
    pool_.obey(pool_.scheduler.step({Event::Kind::abandon, {id, 0, 0}}));
  }
  Progress progress() const override { return {finished_, tasks_, bytes_}; }
  std::vector<std::vector<TaskResult>>& results() override { return results_; }

  void stop() { stop_ = true; }

  // Runs a task and tells the scheduler.
  void run(TaskId id_of_task) {
    const auto r = static_cast<size_t>(id_of_task.range), i = static_cast<size_t>(id_of_task.index);
    const auto& range = graph_->ranges[r];
    LocalTask task(stop_, bytes_, range.partition.empty() ? id_of_task.index : range.partition[i]);
    TaskResult result;
    std::vector<Output> outputs;
    try {
      if (stop_) throw Error(ErrorKind::cancelled, "stopped");
      Inputs inputs = take_inputs(range, id_of_task.index);
      outputs = functions_[r].run(task, inputs);
      int64_t held = 0;
      try {
        for (const auto& o : outputs) budget().take(o.bytes), held += o.bytes;
      } catch (...) {
        budget().give_back(held);
        throw;
      }
    } catch (const Error& e) {
      Error named = e;
      if (e.kind != ErrorKind::cancelled) named.through(concat(range.label, ", partition ", task.partition()));
      result.error = std::make_exception_ptr(named);
      outputs.clear();
    } catch (const std::bad_alloc&) {
      result.error = std::make_exception_ptr(Error(ErrorKind::memory, concat("out of memory in ", range.label, ", partition ", task.partition())));
      outputs.clear();
    } catch (...) {
      result.error = std::current_exception();
      outputs.clear();
    }
    result.report = std::move(task.report), result.ran = true;
    std::vector<std::vector<Output>> dead;  // destroyed without the lock
    std::lock_guard lock(pool_.mutex);
    bool failed = result.error != nullptr;
    store_[r][i] = outputs;
    if (range.wanted && !failed) result.outputs = outputs;
    results_[r][i] = std::move(result);
    ++finished_;
    failed |= on_result_ && on_result_(id_of_task.range, id_of_task.index, results_[r][i]);
    auto actions = pool_.scheduler.step({failed ? Event::Kind::failed : Event::Kind::finished, id_of_task});
    for (const auto& a : actions)
      if (a.kind == Action::Kind::free && a.task.job == id) {
        auto& gone = store_[static_cast<size_t>(a.task.range)][static_cast<size_t>(a.task.index)];
        for (const auto& o : gone) budget().give_back(o.bytes);
        dead.push_back(std::move(gone));
        gone.clear();
      }
    pool_.obey(std::move(actions));
  }

  JobId id = 0;
  bool done_ = false;
  bool synchronous = false;

 private:
  Inputs take_inputs(const graph::Range& range, int64_t index) {
    std::lock_guard lock(pool_.mutex);
    Inputs inputs;
    for (const auto& d : range.inputs) {
      const auto source = static_cast<size_t>(d.range);
      const auto count = static_cast<int64_t>(store_[source].size());
      int64_t begin = index, end = index + 1;
      if (d.rule == graph::Dependency::Rule::all) begin = 0, end = count;
      if (d.rule == graph::Dependency::Rule::block) begin = index * d.k, end = std::min(count, begin + d.k);
      auto& outputs = inputs.emplace_back();
      for (int64_t i = begin; i < end; ++i) outputs.push_back(store_[source][static_cast<size_t>(i)].at(static_cast<size_t>(d.output)));
    }
    return inputs;
  }

  Pool& pool_;
  std::shared_ptr<const graph::Graph> graph_;
  std::function<bool(int, int64_t, const TaskResult&)> on_result_;
  std::deque<Function> functions_;
  std::vector<std::vector<TaskResult>> results_;
  std::vector<std::vector<std::vector<Output>>> store_;
  std::atomic<bool> stop_{false};
  std::atomic<int64_t> finished_{0}, bytes_{0};
  int64_t tasks_ = 0;
};

void Pool::obey(std::vector<Action> actions) {
  for (const auto& a : actions) {
    auto job = jobs.find(a.task.job);
    if (job == jobs.end()) continue;
    if (a.kind == Action::Kind::assign) {
      queue.emplace_back(job->second, a.task);
      work.notify_one();
    } else if (a.kind == Action::Kind::done) {
      job->second->done_ = true;
      jobs.erase(job);
      ended.notify_all();
    }
  }
}

void Pool::start_threads(int64_t n) {
  if (n > wanted_threads) wanted_threads = n;
  while (static_cast<int64_t>(threads.size()) < wanted_threads) start_thread();
  obey(scheduler.step({.kind = Event::Kind::slots, .slots = std::max<int64_t>(1, wanted_threads)}));
}

void Pool::start_thread() {
  auto* self = threads.emplace_back(std::make_unique<PoolThread>()).get();
  self->handle = std::thread([this, self] { loop(self); });
}

// A thread that may never come back is let go and replaced.
void Pool::abandon(LocalJob& job) {
  std::erase_if(queue, [&](const auto& waiting) { return waiting.first.get() == &job; });
  for (size_t i = 0; i < threads.size(); ++i) {
    if (threads[i]->job != &job) continue;
    threads[i]->handle.detach();
    threads[i].release()->left_behind = true;
    threads.erase(threads.begin() + static_cast<std::ptrdiff_t>(i--));
  }
  while (static_cast<int64_t>(threads.size()) < wanted_threads) start_thread();
}

// A task that computes something itself runs that in its own thread: waiting for the pool in the pool could wait for ever.
thread_local bool in_pool = false;

void Pool::loop(PoolThread* self) {
  in_pool = true;
  std::unique_lock lock(mutex);
  for (;;) {
    work.wait(lock, [&] { return stopping || !queue.empty(); });
    if (queue.empty()) return;
    auto [job, task] = std::move(queue.front());
    queue.pop_front();
    self->job = job.get();
    lock.unlock();
    job->run(task);
    job.reset();  // may be the last owner: never with the mutex held
    lock.lock();
    self->job = nullptr;
    if (self->left_behind) {
      delete self;
      return;
    }
  }
}
}  // namespace

std::shared_ptr<Job> run(std::shared_ptr<const graph::Graph> graph, int64_t threads, std::function<bool(int, int64_t, const TaskResult&)> on_result) {
  if (threads == 0 || in_pool) {
    // The same scheduler and the same tasks, in a pool of its own whose only thread is the caller.
    auto* own = new Pool;
    std::shared_ptr<Pool> keep(own);
    auto job = std::shared_ptr<LocalJob>(new LocalJob(*own, graph, std::move(on_result)), [keep](LocalJob* j) { delete j; });
    std::unique_lock lock(own->mutex);
    job->id = own->next_job++;
    own->jobs.emplace(job->id, job);
    own->obey(own->scheduler.step({.kind = Event::Kind::slots, .slots = 1}));
    own->obey(own->scheduler.step({Event::Kind::submit, {job->id, 0, 0}, graph, 1}));
    while (!own->queue.empty()) {
      auto task = own->queue.front().second;
      own->queue.pop_front();
      lock.unlock();
      job->run(task);
      lock.lock();
    }
    return job;
  }
  Pool& p = pool();
  auto job = std::make_shared<LocalJob>(p, graph, std::move(on_result));
  std::lock_guard lock(p.mutex);
  job->id = p.next_job++;
  p.jobs.emplace(job->id, job);
  p.start_threads(threads);
  p.obey(p.scheduler.step({Event::Kind::submit, {job->id, 0, 0}, graph, threads}));
  return job;
}

void stop_pool() {
  Pool& p = pool();
  std::vector<std::unique_ptr<PoolThread>> threads;
  {
    std::lock_guard lock(p.mutex);
    p.stopping = true;
    const auto jobs = p.jobs;  // obeying takes ended ones out
    for (const auto& [id, job] : jobs) {
      job->stop();
      p.obey(p.scheduler.step({Event::Kind::cancel, {id, 0, 0}}));
    }
    threads.swap(p.threads);
    p.wanted_threads = 0;
    p.work.notify_all();
  }
  for (auto& t : threads) t->handle.join();
  std::lock_guard lock(p.mutex);
  p.stopping = false;
}

}  // namespace muster::worker
