#include "kernels/pipeline.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "kernels/memory.hpp"
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
    if (at_ >= batches_.size()) return false;
    out = batches_[at_++];
    return true;
  }

 private:
  Batches batches_;
  size_t at_ = 0;
};
}  // namespace

Pipeline::Pipeline(Program program) : program_(std::move(program)) {
  if (program_.from == Program::From::source && program_.source == "memory.scan" && !program_.source_args.has("table")) table_is_input_ = true;
  else if (program_.from == Program::From::source) source_ = kernel(program_.source).source(program_.source_args);
  else if (!program_.whole.empty()) whole_ = kernel(program_.whole).whole(program_.whole_args);
  for (const auto& s : program_.steps) {
    const auto& k = kernel(s.kernel);
    if (!k.map) throw internal("kernel ", s.kernel, " is not a map");
    maps_.push_back(k.map(s.args));
  }
  for (const auto& s : program_.sinks) recipes_.push_back(std::make_shared<const Sink>(s));
}

std::vector<Output> Pipeline::run(Task& task, const std::vector<std::shared_ptr<const Batches>>& inputs) const {
  std::unique_ptr<Reader> reader;
  if (source_) reader = source_->open(task);
  else if (table_is_input_) reader = memory_reader(*inputs.back(), program_.source_args, task.partition());
  else {
    Batches rows = *inputs.at(0);
    if (whole_) rows = whole_(task, std::move(rows));
    reader = std::make_unique<BatchReader>(std::move(rows));
  }
  std::vector<Column> registers(static_cast<size_t>(program_.registers));
  for (const auto& b : program_.broadcasts) {
    const auto& rows = *inputs.at(static_cast<size_t>(b.input));
    Batch all = concatenate(rows);
    if (all.rows != 1) throw internal("broadcast: ", all.rows, " rows");
    Column c = spread(all.columns[static_cast<size_t>(b.column)], 1);
    c.constant = true;
    registers[static_cast<size_t>(b.reg)] = c;
  }
  std::vector<std::unique_ptr<Fold>> folds;
  std::vector<Batches> collected(program_.sinks.size());
  for (const auto& s : program_.sinks) folds.push_back(s.kernel.empty() ? nullptr : kernel(s.kernel).fold(s.args));

  std::vector<Column> in, out;
  Batch batch;
  std::vector<int64_t> lengths(registers.size(), 0);
  int64_t held = 0;
  while (reader->next(task, batch)) {
    if (task.stopped()) throw Error(ErrorKind::cancelled, "stopped");
    for (size_t i = 0; i < program_.out.size(); ++i) {
      auto r = static_cast<size_t>(program_.out[i]);
      registers[r] = std::move(batch.columns[i]), lengths[r] = batch.rows;
    }
    auto rows_of = [&](const std::vector<int>& regs) {
      for (int r : regs)
        if (!registers[static_cast<size_t>(r)].constant) return lengths[static_cast<size_t>(r)];
      return regs.empty() ? batch.rows : std::max<int64_t>(lengths[static_cast<size_t>(regs[0])], 1);
    };
    for (size_t s = 0; s < program_.steps.size(); ++s) {
      const Step& step = program_.steps[s];
      in.clear();
      for (int r : step.in) in.push_back(registers[static_cast<size_t>(r)]);
      out.assign(step.out.size(), {});
      const int64_t rows = maps_[s](task, in, rows_of(step.in), out);
      if (!in.empty() && std::all_of(in.begin(), in.end(), [](const Column& c) { return c.constant; }))
        for (auto& c : out) c.constant = true;  // of constants a constant
      for (size_t i = 0; i < step.out.size(); ++i) registers[static_cast<size_t>(step.out[i])] = std::move(out[i]), lengths[static_cast<size_t>(step.out[i])] = rows;
    }
    bool enough = !program_.sinks.empty();
    for (size_t s = 0; s < program_.sinks.size(); ++s) {
      const Sink& sink = program_.sinks[s];
      in.clear();
      for (int r : sink.in) in.push_back(registers[static_cast<size_t>(r)]);
      const int64_t rows = rows_of(sink.in);
      if (folds[s]) {
        folds[s]->add(task, in, rows);
        enough &= folds[s]->full();
      } else {
        Batch kept{rows, {}};
        for (const auto& c : in) kept.columns.push_back(own_text(spread(c, rows)));
        const int64_t bytes = size_of(kept);
        task.reserve(bytes), held += bytes;
        collected[s].push_back(std::move(kept));
        enough = false;
      }
    }
    if (enough) {
      task.report.stopped_early = true;
      break;
    }
  }
  std::vector<Output> outputs;
  for (size_t s = 0; s < program_.sinks.size(); ++s) {
    Output o;
    if (folds[s]) o.bytes = folds[s]->bytes(), o.fold = std::move(folds[s]), o.recipe = recipes_[s];
    else {
      for (const auto& b : collected[s]) o.bytes += size_of(b);
      o.batches = std::make_shared<const Batches>(std::move(collected[s]));
    }
    outputs.push_back(std::move(o));
  }
  return outputs;
}

}  // namespace muster::kernels
