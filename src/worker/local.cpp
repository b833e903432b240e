// A job is a scheduler with one worker, this process; the pool's threads run what it assigns. A job's mutex guards its scheduler and its results, the
// pool's mutex the queue; neither is held while a task runs, or rows are encoded, written or read. A thread that runs guest tasks takes a job's mutex while it
// is inside the guest, so nobody may wait to enter while holding one.
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
#include "worker/admission.hpp"
#include "worker/functions.hpp"
#include "worker/guest.hpp"
#include "worker/outputs.hpp"
#include "worker/store.hpp"
#include "worker/task_runner.hpp"

namespace muster::worker {
using namespace base;
using namespace schedule;
using kernels::Output;
using std::chrono::steady_clock;
namespace {

GuestDoor door;
constexpr auto kStayInside = std::chrono::milliseconds(1);
constexpr auto kPatience = std::chrono::milliseconds(300);  // how long the end waits for a thread to come back by itself, and once more when interrupted
constexpr JobId kJob = kLocalJob;
constexpr ClientId kClient = 0;

class LocalJob;
struct Assignment {
  std::shared_ptr<LocalJob> job;
  uint32_t task = 0;
  uint16_t attempt = 0;
  bool begun = false;    // it counts for the admission
  bool waited = false;   // there, for memory
  int64_t reserved = 0;  // bytes, for a task that has begun
};

struct PoolThread {
  std::thread handle;
  pthread_t thread{};        // as the guest's door knows it
  LocalJob* job = nullptr;   // whose task it runs
  bool left_behind = false;  // replaced, and joined by nobody
  bool ended = false;
  bool given_up = false;     // it was interrupted and still did not come back
};

struct Pool {
  std::mutex mutex;
  std::condition_variable work;
  std::deque<Assignment> queue;
  std::atomic<size_t> queued{0};
  std::condition_variable thread_ended;
  std::vector<std::shared_ptr<PoolThread>> threads, left_behind;
  std::vector<std::weak_ptr<LocalJob>> jobs;
  int64_t wanted_threads = 0;
  Admission admission{budget()};
  TaskRunner runner{admission};
  bool stopping = false;
  bool has_threads = true;   // false: the caller's thread is all there is

  void push(std::vector<Assignment>&& assignments, size_t from);
  void start_threads(int64_t n);           // with the mutex held
  void start_thread();                     // with the mutex held
  void abandon(LocalJob& job);
  template <class F>
  void leave_behind(F which);              // with the mutex held
  bool pop(Assignment& out);
  void loop(PoolThread& self);
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

// Inside the guest while it lives; `stay` says so again and comes out for a moment when it was long.
class Inside {
 public:
  ~Inside() { leave(); }
  void stay() {
    const auto now = steady_clock::now();
    if (inside_ && now - since_ > kStayInside) leave();
    if (!inside_) door.enter(), inside_ = true, since_ = now;
  }
  void leave() {
    if (inside_) door.leave(), inside_ = false;
  }

 private:
  bool inside_ = false;
  steady_clock::time_point since_;
};

// Rows for the guest, whose objects are not counted.
class Uncounted : public data::Task {
 public:
  bool stopped() const override { return false; }
  int64_t partition() const override { return 0; }
  void reserve(int64_t) override {}
  void progress(int64_t) override {}
};

class LocalJob : public Job, public Place, public Beside, public std::enable_shared_from_this<LocalJob> {
 public:
  LocalJob(Pool& pool, std::shared_ptr<const graph::Graph> graph, std::function<bool(int, int64_t, const TaskResult&)> on_result)
      : pool_(pool), graph_(std::move(graph)), on_result_(std::move(on_result)) {
    tasks_ = graph_->tasks();
    store_.resize(static_cast<size_t>(tasks_));
    uint32_t first = 0;
    for (const auto& r : graph_->ranges) {
      first_.push_back(first);
      first += static_cast<uint32_t>(r.count);
      const bool guest = r.function == "guest";
      guests_.push_back(guest ? static_cast<GuestTasks*>(r.args.opaque()->object.get()) : nullptr);
      functions_.push_back(guest ? nullptr : bind(r.function, r.args));
      results_.emplace_back(guest ? 0 : static_cast<size_t>(r.count));
    }
    ranges_ = std::vector<RangeMemory>(graph_->ranges.size());
    for (size_t r = 0; r < graph_->ranges.size(); ++r) {
      ranges_[r].gathered |= graph_->ranges[r].wanted;
      for (const auto& d : graph_->ranges[r].inputs) ranges_[static_cast<size_t>(d.range)].gathered |= d.every();
      if (guests_[r]) find_gathered(graph_->ranges[r], first_[r]);
    }
  }
  ~LocalJob() override { LocalJob::let_go(); }

  std::vector<Assignment> begin(int64_t threads) {
    std::lock_guard lock(mutex_);
    scheduler_.join({threads, {}, {}, {}, {}});
    scheduler_.submit(kJob, kClient, graph_);
    std::vector<std::vector<Output>> dead;
    return obey(dead);
  }
  bool wait(std::chrono::milliseconds timeout) override {
    std::unique_lock lock(mutex_);
    return ended_cv_.wait_for(lock, timeout, [&] { return ended_; });
  }
  void cancel() override {
    std::vector<std::vector<Output>> dead;
    std::lock_guard lock(mutex_);
    stop_ = ending_ = true;
    scheduler_.cancel_job(kJob);
    obey(dead);
    end_waiting();
  }
  void abandon() override {
    ending_ = true;
    pool_.admission.forget(this);
    pool_.abandon(*this);
    std::vector<std::vector<Output>> dead;
    std::lock_guard lock(mutex_);
    stop_ = true;
    scheduler_.abandon(kJob);
    obey(dead);
  }
  Progress progress() const override { return {finished_, tasks_, bytes_}; }
  std::vector<std::vector<TaskResult>>& results() override { return results_; }
  void let_go() override {
    std::vector<std::vector<Output>> dead;  // destroyed without the lock
    std::lock_guard lock(mutex_);
    for (int64_t task = 0; task < tasks_; ++task) dead.push_back(store_.drop(static_cast<uint32_t>(task)));
  }
  std::exception_ptr error() override {
    std::lock_guard lock(mutex_);
    return error_;
  }
  bool guest_failed() override {
    std::lock_guard lock(mutex_);
    return guest_failed_;
  }
  std::shared_ptr<const data::Batches> rows(int range, int64_t index, int output) override {
    Taken taken;
    {
      std::lock_guard lock(mutex_);
      taken = store_.take(first_[static_cast<size_t>(range)] + static_cast<uint32_t>(index), static_cast<size_t>(output));
    }
    Uncounted task;
    return taken.read(task).batches;
  }
  std::vector<TaskResult> told(int range) override {
    std::lock_guard lock(mutex_);
    return results_[static_cast<size_t>(range)];
  }

  // Runs a task, tells the scheduler, and runs on with what it assigns next; other threads get what is more. Gives the rest back when others wait.
  void run(Assignment assignment) {
    Inside inside;
    for (;;) {
      const size_t r = range_of(assignment.task);
      const bool counts = !guests_[r];  // a guest's objects are not ours
      if (counts && !assignment.begun && !pool_.runner.begin(attempt_of(assignment, r), ending_ ? 0 : need_of(assignment, r, assignment.reserved), *this))
        return;
      bool waits = false;
      auto next = run_one(assignment, inside, waits);
      if (waits) return;
      if (counts) pool_.runner.end(this);
      if (next.empty()) return;
      pool_.push(std::move(next), 1);
      assignment = std::move(next[0]);
      if (pool_.queued && pool_.has_threads) {
        std::vector<Assignment> back{std::move(assignment)};
        pool_.push(std::move(back), 0);
        return;
      }
    }
  }

 private:
  // Ranges of which a guest's task takes several tasks' rows.
  void find_gathered(const graph::Range& guest, uint32_t first) {
    for (int64_t i = 0; i < guest.count; ++i) {
      size_t last = ranges_.size();
      for (uint32_t e = guest.begins[static_cast<size_t>(i)]; e < guest.begins[static_cast<size_t>(i) + 1]; ++e) {
        if (guest.needs[e].index >= first) continue;
        const size_t range = range_of(guest.needs[e].index);
        if (range == last && !guests_[range]) ranges_[range].gathered = true;
        last = range;
      }
    }
  }
  size_t range_of(uint32_t task) const { return static_cast<size_t>(std::upper_bound(first_.begin(), first_.end(), task) - first_.begin()) - 1; }

  Attempt attempt_of(const Assignment& a, size_t r) {
    return {.owner = this, .stage = static_cast<int64_t>(r), .memory = &ranges_[r], .reserved = a.reserved, .task = a.task, .number = a.attempt};
  }
  std::function<void(int64_t)> again(const Attempt& a) override {
    return [self = shared_from_this(), task = a.task, number = a.number](int64_t reserved) {
      self->pool_.push({{self, task, number, true, true, reserved}}, 0);
    };
  }

  int64_t need_of(const Assignment& a, size_t r, int64_t& reserved) {
    int64_t need = ranges_[r].need;
    if (need == 0 && budget().used() > budget().limit() / 4) {  // nothing is known yet: as much as it reads
      const auto& range = graph_->ranges[r];
      for (const auto& group : take_inputs(range, a.task - first_[r]))
        for (const auto& input : group)
          if (input.output.batches || input.spilled) need += input.output.bytes;
    }
    reserved = need;
    return need;
  }

  void end_waiting() { pool_.admission.hurry(this); }

  std::vector<Assignment> run_one(const Assignment& a, Inside& inside, bool& waits) {
    const size_t r = range_of(a.task);
    const auto i = static_cast<size_t>(a.task - first_[r]);
    const bool dropped = a.waited && ending_;  // it did not begin and is not wanted any more
    TaskResult result;
    std::vector<Output> outputs;
    int64_t bytes = 0;
    bool postponed = false;
    const auto begun = steady_clock::now();
    if (guests_[r]) {
      try {
        if (guests_[r]->inside(static_cast<int64_t>(i))) inside.stay();
        else inside.leave();
        if (stop_) throw Error(ErrorKind::cancelled, "stopped");
        guests_[r]->run(static_cast<int64_t>(i), *this);
      } catch (const Postponed&) {
        postponed = true;
      } catch (...) {
        result.error = std::current_exception();
      }
    } else {
      inside.leave();
      Outcome made = run_native(a, r, i, dropped);
      if ((waits = made.waits)) return {};
      outputs = std::move(made.outputs), bytes = made.bytes, result.error = made.error, result.report = std::move(made.report);
    }
    const int64_t us = std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now() - begun).count();
    std::vector<std::vector<Output>> dead;  // destroyed without the lock
    std::exception_ptr old_error;         // may belong to the guest
    std::lock_guard lock(mutex_);
    if (postponed) {
      scheduler_.seceded(0, {kJob, a.task}, a.attempt);
      postponed_.emplace_back(a.task, a.attempt);
      return obey(dead);
    }
    for (const auto& o : outputs) gathering_ += copies_of(o) * o.bytes;
    ranges_[r].add(outputs);
    store_.put(a.task, outputs);
    if (!result.error && graph_->ranges[r].function == "pipeline" && (result.error = too_many_groups(ranges_[r], graph_->ranges[r], outputs))) outputs.clear();
    const bool reads = graph_->ranges[r].function == "pipeline";  // a combine task's inputs are not given back yet
    const int64_t kept = ranges_[r].gathered ? ranges_[r].kept * (reads ? ranges_[r].copies : 1) : 0;
    if (!result.error && std::max(kept, reads ? gathering_ : 0) > budget().limit()) {
      result.error = too_much(ranges_[r], graph_->ranges[r], gathering_);
      outputs.clear();
    }
    const bool failed = result.error != nullptr;
    if (failed) old_error = std::exchange(error_at_[a.task], result.error);
    bool hopeless = false;
    if (!guests_[r]) {
      if (graph_->ranges[r].wanted && !failed) result.outputs = std::move(outputs);
      result.ran = !dropped;
      results_[r][i] = std::move(result);
      hopeless = on_result_ && on_result_(static_cast<int>(r), static_cast<int64_t>(i), results_[r][i]);
    }
    ++finished_, --running_;
    const TaskId id{kJob, a.task};
    if (failed) scheduler_.failed(0, id, a.attempt, Failure::raised);
    else scheduler_.finished(0, id, a.attempt, bytes, us);
    if (hopeless) ending_ = true, scheduler_.cancel_job(kJob);
    auto assigned = obey(dead);
    if (ending_) end_waiting();
    return assigned;
  }

  bool ending() const override { return ending_; }
  Error too_little(const Attempt& a, int64_t need) override {
    std::lock_guard lock(mutex_);
    int64_t kept = 0;
    for (const auto& memory : ranges_) kept += memory.kept;
    return worker::too_little(*a.memory, graph_->ranges[static_cast<size_t>(a.stage)], need, kept, gathering_);
  }

  Outcome run_native(const Assignment& a, size_t r, size_t i, bool dropped) {
    const auto& range = graph_->ranges[r];
    static const std::atomic<bool> stopped{true};
    const auto inputs = [&](data::Task& task) {
      Inputs groups;
      for (const auto& group : take_inputs(range, static_cast<int64_t>(i))) {
        groups.emplace_back();
        for (const auto& input : group) groups.back().push_back(input.read(task));
      }
      return groups;
    };
    return pool_.runner.run(attempt_of(a, r),
                            {*functions_[r], std::ref(inputs), range.arguments.empty() ? std::string_view() : std::string_view(*range.arguments[i]),
                             range.partition.empty() ? static_cast<int64_t>(i) : range.partition[i], range.label, dropped ? stopped : stop_, &bytes_},
                            *this);
  }

  std::vector<std::vector<Taken>> take_inputs(const graph::Range& range, int64_t index) {
    std::vector<std::vector<Taken>> inputs;
    if (range.inputs.empty()) return inputs;
    std::lock_guard lock(mutex_);
    for (const auto& d : range.inputs) {
      const auto [begin, end] = d.needs(index, graph_->ranges[static_cast<size_t>(d.range)].count);
      auto& outputs = inputs.emplace_back();
      for (int64_t i = begin; i < end; ++i) {
        const uint32_t task = first_[static_cast<size_t>(d.range)] + static_cast<uint32_t>(i);
        const int output = d.output_for(range.partition.empty() ? index : range.partition[static_cast<size_t>(index)]);
        outputs.push_back(store_.take(task, static_cast<size_t>(d.slices() && store_.of(task).size() == 1 ? 0 : output)));
      }
    }
    return inputs;
  }

  // With the mutex held: what the scheduler wants done. Returns the tasks to run.
  std::vector<Assignment> obey(std::vector<std::vector<Output>>& dead) {
    std::vector<Assignment> assigned;
    bool cancelled = false;
    for (bool again = true; again;) {
      again = false;
      for (const auto& a : scheduler_.act()) {
        switch (a.kind) {
          case Action::Kind::assign:
            assigned.push_back({shared_from_this(), a.task.index, a.attempt});
            ++running_;
            break;
          case Action::Kind::free: drop(a.task.index, dead); break;
          case Action::Kind::failed:
            if (!error_) error_ = error_at_[a.cause.index], guest_failed_ = guests_[range_of(a.cause.index)];
            again = !std::exchange(cancelled, true);
            ending_ = true;
            break;
          case Action::Kind::ended:
            ended_ = true;
            ended_cv_.notify_all();
            break;
          default: break;
        }
      }
      const bool ends = !postponed_.empty() && (ending_ || running_ == static_cast<int64_t>(postponed_.size()));
      // The first failure ends the job; what runs may end, its reports tell whether the failure is to be believed.
      if (again || ends) scheduler_.cancel_job(kJob);
      if (!ends) continue;
      ending_ = again = true;
      for (const auto& [task, attempt] : std::exchange(postponed_, {})) scheduler_.failed(0, {kJob, task}, attempt, Failure::stopped), --running_;
    }
    return assigned;
  }

  void drop(uint32_t task, std::vector<std::vector<Output>>& dead) {
    const size_t r = range_of(task);
    if (guests_[r]) {
      if (!ending_) guests_[r]->free(task - first_[r]);
      return;
    }
    ranges_[r].drop(store_.of(task));
    for (const auto& o : store_.of(task)) gathering_ -= copies_of(o) * o.bytes;
    dead.push_back(store_.drop(task));
  }

  // No task can go on: rows that wait for theirs go to the spill file. Returns the bytes that are free. Their task may be done with meanwhile.
  int64_t spill_results() override {
    int64_t freed = 0;
    for (size_t r = 0; r < ranges_.size(); ++r) {
      if (ranges_[r].gathered || guests_[r]) continue;  // these are needed at once, or not ours
      for (int64_t i = 0; i < graph_->ranges[r].count; ++i) {
        const uint32_t task = first_[r] + static_cast<uint32_t>(i);
        std::vector<Outputs::Rows> all;
        {
          std::lock_guard lock(mutex_);
          all = store_.worth_spilling(task);
        }
        for (const auto& rows : all) {
          auto piece = rows.write();
          std::lock_guard again(mutex_);
          const int64_t bytes = store_.spilled(task, rows, std::move(piece));
          ranges_[r].kept -= bytes, freed += bytes;
        }
      }
    }
    return freed;
  }

  Pool& pool_;
  std::shared_ptr<const graph::Graph> graph_;
  std::function<bool(int, int64_t, const TaskResult&)> on_result_;
  std::mutex mutex_;
  std::condition_variable ended_cv_;
  Scheduler scheduler_{{.max_seceded = kNone}};
  bool ended_ = false, guest_failed_ = false;
  std::exception_ptr error_;
  std::map<uint32_t, std::exception_ptr> error_at_;
  std::vector<uint32_t> first_;                      // task number of each range's first
  std::vector<std::unique_ptr<Function>> functions_; // null for guests
  std::vector<GuestTasks*> guests_;
  std::vector<std::vector<TaskResult>> results_;
  Outputs store_;
  std::vector<RangeMemory> ranges_;
  int64_t gathering_ = 0;                            // bytes that the rows collected by folds will need
  std::atomic<bool> stop_{false}, ending_{false};    // ending_: no further task is wanted
  std::atomic<int64_t> finished_{0}, bytes_{0};
  int64_t tasks_ = 0;
  int64_t running_ = 0;                              // assigned and not answered
  std::vector<std::pair<uint32_t, uint16_t>> postponed_;  // of these, tasks and attempts that are answered when nothing else can run
};

void Pool::push(std::vector<Assignment>&& assignments, size_t from) {
  if (assignments.size() <= from) return;
  std::lock_guard lock(mutex);
  for (size_t i = from; i < assignments.size(); ++i) {
    queue.push_back(std::move(assignments[i]));
    work.notify_one();
  }
  queued = queue.size();
}

bool Pool::pop(Assignment& out) {
  if (queue.empty()) return false;
  out = std::move(queue.front());
  queue.pop_front();
  queued = queue.size();
  return true;
}

void Pool::start_threads(int64_t n) {
  if (n > wanted_threads) wanted_threads = n;
  while (static_cast<int64_t>(threads.size()) < wanted_threads) start_thread();
}

void Pool::start_thread() {
  auto self = threads.emplace_back(std::make_shared<PoolThread>());
  self->handle = std::thread([this, self] { loop(*self); });
}

// A thread that may never come back is replaced.
void Pool::abandon(LocalJob& job) {
  std::lock_guard lock(mutex);
  std::erase_if(queue, [&](const auto& waiting) {
    if (waiting.job.get() != &job) return false;
    budget().give_back(waiting.reserved);
    return true;
  });
  queued = queue.size();
  leave_behind([&](const PoolThread& t) { return t.job == &job; });
  while (static_cast<int64_t>(threads.size()) < wanted_threads) start_thread();
}

template <class F>
void Pool::leave_behind(F which) {
  for (auto& t : threads) {
    if (!which(*t)) continue;
    t->left_behind = true;
    t->handle.detach();
    left_behind.push_back(t);
  }
  std::erase_if(threads, [](const auto& t) { return t->left_behind; });
}

// A task that computes something itself runs that in its own thread: waiting for the pool in the pool could wait for ever.
thread_local bool in_pool = false;

void Pool::loop(PoolThread& self) {
  in_pool = true;
  std::unique_lock lock(mutex);
  self.thread = pthread_self();
  while (!self.left_behind) {
    work.wait(lock, [&] { return stopping || !queue.empty(); });
    Assignment assignment;
    if (!pop(assignment)) break;
    self.job = assignment.job.get();
    lock.unlock();
    {
      auto job = assignment.job;
      job->run(std::move(assignment));
    }  // may be the last owner: never with the mutex held
    lock.lock();
    self.job = nullptr;
  }
  lock.unlock();
  if (door.thread_ends) door.thread_ends();
  lock.lock();
  self.ended = true;
  std::erase_if(left_behind, [&](const auto& t) { return t.get() == &self; });
  thread_ended.notify_all();
}
}  // namespace

void set_guest_door(GuestDoor d) { door = d; }
const GuestDoor& guest_door() { return door; }
bool in_pool_thread() { return in_pool; }

std::shared_ptr<Job> run(std::shared_ptr<const graph::Graph> graph, int64_t threads,
                         std::function<bool(int range, int64_t index, const TaskResult&)> on_result) {
  if (threads == 0 || in_pool) {
    // The same scheduler and the same tasks, in a pool of its own whose only thread is the caller.
    auto own = std::make_shared<Pool>();
    own->has_threads = false;
    auto job = std::shared_ptr<LocalJob>(new LocalJob(*own, graph, std::move(on_result)), [own](LocalJob* j) { delete j; });
    own->push(job->begin(1), 0);
    Assignment next;
    for (std::unique_lock lock(own->mutex); own->pop(next); lock.lock()) {
      lock.unlock();
      job->run(std::move(next));
    }
    return job;
  }
  Pool& p = pool();
  auto job = std::make_shared<LocalJob>(p, graph, std::move(on_result));
  auto assigned = job->begin(threads);
  {
    std::lock_guard lock(p.mutex);
    p.start_threads(threads);
    std::erase_if(p.jobs, [](const auto& j) { return j.expired(); });
    p.jobs.push_back(job);
  }
  p.push(std::move(assigned), 0);
  return job;
}

void wait_for(Job& job, const std::function<bool(const Progress&)>& tick) {
  bool stopping = false;
  for (int waits = 0; !job.wait(std::chrono::milliseconds(waits < 5 ? 1 : 20)); ++waits) {
    if (!stopping && tick && tick(job.progress())) stopping = true, job.cancel(), waits = 0;
    if (stopping && waits > 8) {  // a Python function that does not end
      job.abandon();
      break;
    }
  }
  if (stopping) throw Error(ErrorKind::cancelled, "the computation was stopped");
  if (tick) tick(job.progress());
}

void stop_pool() {
  Pool& p = pool();
  std::vector<std::weak_ptr<LocalJob>> jobs;
  {
    std::lock_guard lock(p.mutex);
    jobs.swap(p.jobs);
  }
  for (auto& j : jobs)
    if (auto job = j.lock()) job->cancel();
  std::unique_lock lock(p.mutex);
  p.stopping = true;
  p.wanted_threads = 0;
  p.work.notify_all();
  auto late = [&] {
    std::vector<std::shared_ptr<PoolThread>> out;
    for (const auto* list : {&p.threads, &p.left_behind})
      for (const auto& t : *list)
        if (!t->ended && !t->given_up) out.push_back(t);
    return out;
  };
  auto all_ended = [&] { return late().empty(); };
  if (!p.thread_ended.wait_for(lock, kPatience, all_ended) && door.interrupt) {
    const auto interrupted = late();
    lock.unlock();
    for (const auto& t : interrupted) door.interrupt(t->thread);
    lock.lock();
    p.thread_ended.wait_for(lock, kPatience, all_ended);
    for (const auto& t : interrupted) t->given_up = !t->ended;
  }
  p.leave_behind([](const PoolThread& t) { return !t.ended; });
  auto ended = std::exchange(p.threads, {});
  p.stopping = false;
  lock.unlock();
  for (auto& t : ended) t->handle.join();
}

}  // namespace muster::worker
