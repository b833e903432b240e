// Steps write registers that hold the columns of one batch; what a step wants all rows for is held until the partition is read, and then run once over all. A
// task may be refused memory until it has called a user's function, never behind it: such a call is not made twice.
#include "kernels/pipeline.hpp"

#include <algorithm>
#include <optional>

#include "base/error.hpp"
#include "data/source_rows.hpp"
#include "kernels/carry.hpp"
#include "kernels/memory.hpp"
#include "kernels/packing.hpp"
#include "kernels/registry.hpp"

namespace muster::kernels {
using namespace base;
using namespace data;
namespace {

// The batches of a task's first input, whole or as they are.
class BatchReader : public Reader {
 public:
  explicit BatchReader(Batches batches) : batches_(std::move(batches)) {}
  bool next(Task&, Batch& out) override {
    while (at_ < batches_.size() && batches_[at_].columns.empty() && !batches_[at_].rows) ++at_;  // made of no batches at all
    if (at_ >= batches_.size()) return false;
    out = batches_[at_++];
    return true;
  }

 private:
  Batches batches_;
  size_t at_ = 0;
};

// A task behind a call of a user's function, which must not be made again: it is refused nothing any more.
class Committed : public Task {
 public:
  explicit Committed(Task& task) : task_(task) { swap(); }
  ~Committed() override { swap(); }
  Committed(const Committed&) = delete;
  bool stopped() const override { return task_.stopped(); }
  int64_t partition() const override { return task_.partition(); }
  void reserve(int64_t bytes) override { task_.hold(bytes); }
  void hold(int64_t bytes) override { task_.hold(bytes); }
  int64_t headroom() const override { return task_.headroom(); }
  void progress(int64_t bytes) override { task_.progress(bytes); }

 private:
  void swap() { std::swap(report, task_.report), std::swap(locate, task_.locate); }
  Task& task_;
};

// One task: the registers, and what the sinks have so far.
class Execution {
 public:
  Execution(const Program& program, const std::vector<Map>& maps, Task& task)
      : program_(program),
        maps_(maps),
        task_(&task),
        registers_(static_cast<size_t>(program.registers)),
        lengths_(registers_.size(), 0),
        collected_(program.sinks.size()) {
    for (const auto& s : program.sinks) folds_.push_back(s.kernel.empty() ? nullptr : kernel(s.kernel).fold(s.args));
  }

  void broadcast(const Program::Broadcast& b, const Batches& rows) {
    int64_t count = 0;
    const Batch* row = nullptr;
    for (const auto& batch : rows)
      if (batch.rows > 0) count += batch.rows, row = &batch;
    if (count != 1) throw internal("broadcast: ", count, " rows");
    Column c = spread(row->columns[static_cast<size_t>(b.column)], 1);
    c.constant = true;
    registers_[static_cast<size_t>(b.reg)] = c;
  }
  void load(Batch& batch) {
    rows_ = batch.rows;
    for (size_t i = 0; i < program_.out.size(); ++i) set(program_.out[i], std::move(batch.columns[i]), batch.rows);
  }
  /// What follows is a task of its own: of the same rows.
  void go_on_as(Task& task) { task_ = &task; }
  void run_steps(size_t begin, size_t end) {
    for (size_t s = begin; s < end; ++s) {
      const Step& step = program_.steps[s];
      take_registers(step.in);
      out_.assign(step.out.size(), {});
      const int64_t rows = maps_[s](*task_, in_, rows_of(step.in), out_);
      const bool of_its_inputs_alone = step.built < 0 && !data::traits(step.kernel).remembers_rows;
      if (!in_.empty() && of_its_inputs_alone && std::all_of(in_.begin(), in_.end(), [](const Column& c) { return c.constant; }))
        for (auto& c : out_) c.constant = true;  // of constants a constant
      for (size_t i = 0; i < step.out.size(); ++i) set(step.out[i], std::move(out_[i]), rows);
    }
  }
  /// Keeps what the steps from `begin` on, and the sinks, read of the rows that are in the registers now.
  void hold(size_t begin) {
    if (held_.empty()) {
      std::vector<bool> needed(registers_.size(), false), made(registers_.size(), false);
      for (size_t s = begin; s < program_.steps.size(); ++s)
        for (int r : program_.steps[s].in) needed[static_cast<size_t>(r)] = true;
      for (const auto& sink : program_.sinks)
        for (int r : sink.in) needed[static_cast<size_t>(r)] = true;
      for (int r : program_.out) made[static_cast<size_t>(r)] = true;
      for (size_t s = 0; s < begin; ++s)
        for (int r : program_.steps[s].out) made[static_cast<size_t>(r)] = true;
      for (size_t r = 0; r < registers_.size(); ++r)
        if (needed[r] && made[r]) held_.push_back({static_cast<int>(r), {}, 0});
    }
    all_rows_ += rows_;
    int64_t bytes = 0;
    for (auto& h : held_) {
      const auto r = static_cast<size_t>(h.reg);
      h.rows += lengths_[r];
      if (registers_[r].constant && h.parts.empty()) continue;  // of every batch the same
      h.parts.push_back(own_text(spread(registers_[r], lengths_[r])));
      bytes += size_of({lengths_[r], {h.parts.back()}});
    }
    held_bytes_ += bytes;
    task_->reserve(bytes);
  }
  int64_t held_bytes() const { return held_bytes_; }
  /// Puts all rows held into the registers.
  void join() {
    rows_ = all_rows_;
    for (auto& h : held_) {
      Column all = h.parts.empty() ? registers_[static_cast<size_t>(h.reg)] : concatenate(h.parts);
      h.parts.clear();
      set(h.reg, std::move(all), h.rows);
    }
  }
  /// True when no sink wants more.
  bool feed_sinks() {
    bool enough = !program_.sinks.empty();
    for (size_t s = 0; s < program_.sinks.size(); ++s) {
      const Sink& sink = program_.sinks[s];
      take_registers(sink.in);
      const int64_t rows = rows_of(sink.in);
      if (folds_[s]) {
        folds_[s]->add(*task_, in_, rows);
        enough &= folds_[s]->full();
      } else {
        const int64_t bytes = collected_[s].rows.add(in_, rows);
        collected_[s].bytes += bytes;
        // What is made of other tasks' results was counted there; what a source brings is refused where there is no room.
        program_.from == Program::From::batches ? task_->hold(bytes) : task_->reserve(bytes);
        enough = false;
      }
    }
    return enough;
  }
  std::vector<Output> outputs(const std::vector<std::shared_ptr<const Sink>>& recipes) {
    std::vector<Output> all;
    for (size_t s = 0; s < program_.sinks.size(); ++s) {
      Output o;
      if (folds_[s]) folds_[s]->seal(*task_), o.bytes = folds_[s]->bytes(), o.fold = std::move(folds_[s]), o.recipe = recipes[s];
      else o.batches = std::make_shared<const Batches>(collected_[s].rows.take()), o.bytes = collected_[s].bytes + collected_[s].rows.behind();
      all.push_back(std::move(o));
    }
    return all;
  }

 private:
  struct Collected {
    Packing rows;
    int64_t bytes = 0;
  };
  struct Held {
    int reg;
    std::vector<Column> parts;
    int64_t rows;
  };
  void set(int reg, Column column, int64_t rows) { registers_[static_cast<size_t>(reg)] = std::move(column), lengths_[static_cast<size_t>(reg)] = rows; }
  void take_registers(const std::vector<int>& regs) {
    in_.clear();
    for (int r : regs) in_.push_back(registers_[static_cast<size_t>(r)]);
  }
  int64_t rows_of(const std::vector<int>& regs) const {
    for (int r : regs)
      if (!registers_[static_cast<size_t>(r)].constant) return lengths_[static_cast<size_t>(r)];
    return regs.empty() ? rows_ : std::max<int64_t>(lengths_[static_cast<size_t>(regs[0])], 1);
  }

  const Program& program_;
  const std::vector<Map>& maps_;
  Task* task_;
  std::vector<Column> registers_, in_, out_;
  std::vector<int64_t> lengths_;
  std::vector<std::unique_ptr<Fold>> folds_;
  std::vector<Collected> collected_;
  std::vector<Held> held_;
  int64_t rows_ = 0, all_rows_ = 0, held_bytes_ = 0;
};
}  // namespace

Pipeline::Pipeline(Program program) : program_(std::move(program)) {
  if (program_.from == Program::From::source && program_.source == "memory.scan" && !data::rows_of(program_.source_args)) table_is_input_ = true;
  else if (program_.from == Program::From::source) source_ = kernel(program_.source).source(program_.source_args);
  else if (!program_.whole.empty()) whole_ = kernel(program_.whole).whole(program_.whole_args);
  by_batch_ = program_.steps.size();
  for (size_t s = 0; s < program_.steps.size(); ++s) {
    const auto& k = kernel(program_.steps[s].kernel);
    const bool looks = program_.steps[s].built >= 0;
    if (looks ? !k.look : !k.map) throw internal("kernel ", program_.steps[s].kernel, " is not a ", looks ? "look" : "map");
    maps_.push_back(looks ? Map() : k.map(program_.steps[s].args));
    looks_.push_back(looks ? k.look(program_.steps[s].args) : data::Look());
    if (k.partition_at_once) by_batch_ = std::min(by_batch_, s);
  }
  for (const auto& s : program_.sinks) recipes_.push_back(std::make_shared<const Sink>(s));
}

std::vector<Output> Pipeline::run(Task& task, const std::vector<Input>& inputs) const {
  std::unique_ptr<Reader> reader;
  if (source_) reader = source_->open(task);
  else if (table_is_input_) reader = memory_reader(*inputs.back().rows, program_.source_args, task.partition());
  else {
    Batches rows = *inputs.at(0).rows;
    if (whole_) rows = whole_(task, std::move(rows));
    reader = std::make_unique<BatchReader>(std::move(rows));
  }
  std::vector<std::unique_ptr<Fold>> built(program_.builds.empty() ? 0 : inputs.size());
  for (const auto& b : program_.builds) {
    auto& state = built[static_cast<size_t>(b.input)] = kernel(b.kernel).fold(b.args);
    for (const auto& rows : *inputs.at(static_cast<size_t>(b.input)).rows)
      if (rows.rows) state->add(task, rows.columns, rows.rows);
    state->seal(task);
  }
  std::vector<Map> maps = maps_;
  for (size_t s = 0; s < maps.size(); ++s) {
    const Step& step = program_.steps[s];
    if (data::traits(step.kernel).remembers_rows) maps[s] = kernel(step.kernel).map(step.args);
    if (step.built < 0) continue;
    const auto number = static_cast<size_t>(step.built);
    const Fold* own = number < built.size() ? built[number].get() : nullptr;
    maps[s] = [&look = looks_[s], &state = own ? *own : *inputs.at(number).state](Task& t, Columns in, int64_t rows, std::span<Column> out) {
      return look(t, state, in, rows, out);
    };
  }
  Execution execution(program_, maps, task);
  std::optional<Committed> committed;
  if (data::traits(program_.whole).runs_python) execution.go_on_as(committed.emplace(task));
  for (const auto& b : program_.broadcasts) execution.broadcast(b, *inputs.at(static_cast<size_t>(b.input)).rows);
  const bool streams = by_batch_ == program_.steps.size();
  Batch batch;
  bool any = false;
  while (reader->next(task, batch)) {
    if (task.stopped()) throw Error(ErrorKind::cancelled, "stopped");
    execution.load(batch);
    execution.run_steps(0, by_batch_);
    any = true;
    if (!streams) {
      execution.hold(by_batch_);
    } else if (execution.feed_sinks()) {
      task.report.stopped_early = true;
      break;
    }
  }
  if (!streams && any) {
    if (!committed) {
      // The last time that it may be refused: a copy of the rows and as much as they become must fit. Whoever makes these counts them.
      task.reserve(2 * execution.held_bytes());
      task.hold(-2 * execution.held_bytes());
    }
    execution.join();
    if (!committed) execution.go_on_as(committed.emplace(task));
    execution.run_steps(by_batch_, program_.steps.size());
    execution.feed_sinks();
  }
  return execution.outputs(recipes_);
}

}  // namespace muster::kernels
