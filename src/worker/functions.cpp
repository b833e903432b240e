// A function is bound once for a range and called by many threads: it changes nothing of its own. Inputs are read, never written to.
#include "worker/functions.hpp"

#include "base/error.hpp"
#include "kernels/parted_state.hpp"
#include "kernels/ranged_state.hpp"
#include "kernels/registry.hpp"
#include "kernels/row_parts.hpp"
#include "worker/native.hpp"
#include "worker/store.hpp"

namespace muster::worker {
using namespace base;
using kernels::Output;
namespace {
constexpr char kJoinParts[] = "join parts";

/// A fused program over one partition.
class PipelineFunction : public Function {
 public:
  explicit PipelineFunction(const Value& args) : pipeline_(data::Program::decode(args)) {}
  std::vector<Output> run(data::Task& task, const Inputs& inputs, std::string_view) const override {
    std::vector<kernels::Pipeline::Input> given;
    const size_t streams = static_cast<size_t>(std::max(1, pipeline_.streams()));
    for (size_t n = 0; n < inputs.size(); ++n) {
      const auto& outputs = inputs[n];
      if (outputs.empty() && n < streams) continue;
      if (outputs.size() == 1) {
        given.push_back({outputs[0].batches, outputs[0].fold});
        continue;
      }
      data::Batches all;
      for (const auto& o : outputs) all.insert(all.end(), o.batches->begin(), o.batches->end());
      given.push_back({std::make_shared<const data::Batches>(std::move(all)), nullptr});
    }
    return pipeline_.run(task, given);
  }

 private:
  kernels::Pipeline pipeline_;
};

constexpr int64_t kWorthParting = 1 << 20;  // bytes of a state

/// Merges the states of a fold, in partition order, into a new one: inputs stay as they are, for an attempt after this one, and for whoever else reads them.
/// With "parts" a large state leaves an output for each part: no reader gets, or has room for, more than its own.
class CombineFunction : public Function {
 public:
  explicit CombineFunction(const Value& args) : last_(args["last"].boolean()), parts_(args["parts"].is_integer() ? args["parts"].integer() : 1) {}
  std::vector<Output> run(data::Task& task, const Inputs& inputs, std::string_view) const override {
    auto& states = inputs.at(0);
    const auto& recipe = states.at(0).recipe;
    const std::shared_ptr<data::Fold> all = kernels::kernel(recipe->kernel).fold(recipe->args);
    for (const auto& state : states) {
      if (task.stopped()) throw Error(ErrorKind::cancelled, "stopped");
      all->merge(task, *state.fold);
    }
    Output out;
    if (last_) {
      auto rows = all->finish(task);
      for (const auto& b : rows) out.bytes += data::size_of(b);
      out.batches = std::make_shared<const data::Batches>(std::move(rows));
      return {out};
    }
    all->seal(task);
    out.bytes = all->bytes(), out.fold = all, out.recipe = recipe;
    if (parts_ == 1 || kernels::all_bytes(*all) < kWorthParting) return {out};
    std::vector<Output> parts(static_cast<size_t>(parts_), out);
    for (int64_t p = 0; p < parts_; ++p) {
      Output& part = parts[static_cast<size_t>(p)];
      part.fold = kernels::parts_of(*all, p * kernels::kRowParts / parts_, (p + 1) * kernels::kRowParts / parts_);
      part.bytes = out.bytes / parts_ + (p == 0 ? out.bytes % parts_ : 0);
    }
    return parts;
  }

 private:
  bool last_;
  int64_t parts_;
};

/// Merges one part of a fold's states; the task's number is the part's.
class CombinePartFunction : public Function {
 public:
  std::vector<Output> run(data::Task& task, const Inputs& inputs, std::string_view) const override {
    auto& states = inputs.at(0);
    std::vector<data::Fold*> folds;
    for (const auto& s : states) {
      s.fold->seal(task);
      folds.push_back(s.fold.get());
    }
    const auto& recipe = *states.at(0).recipe;
    return {rows_of(kernels::kernel(recipe.kernel).fold(recipe.args)->merge_part(task, folds, task.partition()))};
  }
  static Output rows_of(data::Batches rows) {
    Output out;
    for (const auto& b : rows) out.bytes += data::size_of(b);
    out.batches = std::make_shared<const data::Batches>(std::move(rows));
    return out;
  }
};

/// Puts the parts together; `args` are the fold's kernel and its arguments.
class JoinPartsFunction : public Function {
 public:
  explicit JoinPartsFunction(const Value& args) : kernel_(args["kernel"].string()), args_(args["args"]) {}
  std::vector<Output> run(data::Task& task, const Inputs& inputs, std::string_view) const override {
    std::vector<std::shared_ptr<const data::Batches>> parts;
    int64_t bytes = 0;
    for (const auto& i : inputs.at(0)) parts.push_back(i.batches), bytes += i.bytes;
    budget().make_room(bytes);
    return {CombinePartFunction::rows_of(kernels::kernel(kernel_).fold(args_)->join_parts(task, parts))};
  }

 private:
  std::string kernel_;
  Value args_;
};

/// Some rows of a state that is to be cut.
class SampleFunction : public Function {
 public:
  std::vector<Output> run(data::Task& task, const Inputs& inputs, std::string_view) const override {
    const auto& state = inputs.at(0).at(0);
    state.fold->seal(task);
    return {CombinePartFunction::rows_of({kernels::ranged(*state.fold).sample()})};
  }
};

/// Where to cut, by the samples of all states; `args` are the fold's kernel and its arguments.
class BoundsFunction : public Function {
 public:
  explicit BoundsFunction(const Value& args) : kernel_(args["kernel"].string()), args_(args["args"]) {}
  std::vector<Output> run(data::Task&, const Inputs& inputs, std::string_view) const override {
    data::Batches samples;
    for (const auto& i : inputs.at(0)) samples.insert(samples.end(), i.batches->begin(), i.batches->end());
    const auto fold = kernels::kernel(kernel_).fold(args_);
    return {CombinePartFunction::rows_of({kernels::ranged(*fold).bounds(samples, args_["parts"].integer())})};
  }

 private:
  std::string kernel_;
  Value args_;
};

/// Cuts a state into ranges, each an output, at bounds that are its second input, or known to it.
class CutFunction : public Function {
 public:
  std::vector<Output> run(data::Task& task, const Inputs& inputs, std::string_view) const override {
    const auto& state = inputs.at(0).at(0);
    const int64_t parts = state.recipe->args["parts"].integer();
    state.fold->seal(task);
    const auto& whole = kernels::ranged(*state.fold);
    auto ranges = whole.cut(inputs.size() > 1 ? inputs[1].at(0).batches->at(0) : whole.bounds({}, parts));
    std::vector<Output> out(static_cast<size_t>(parts));
    for (size_t p = 0; p < out.size(); ++p) {
      out[p].recipe = state.recipe;
      out[p].fold = p < ranges.size() ? std::move(ranges[p]) : kernels::kernel(state.recipe->kernel).fold(state.recipe->args);
    }
    out.back().bytes = state.bytes;  // they share the memory, which is free when the last of them is gone
    return out;
  }
};

/// A function of a C++ program.
class NativeFunction : public Function {
 public:
  explicit NativeFunction(const Value& args) : call_(native(args["name"].string())) {}
  std::vector<Output> run(data::Task&, const Inputs& inputs, std::string_view arguments) const override {
    std::vector<std::string_view> bytes;
    for (const auto& group : inputs)
      for (const auto& o : group) bytes.emplace_back(o.text ? std::string_view(*o.text) : std::string_view());
    Output out;
    out.text = std::make_shared<const std::string>(call_(arguments, bytes));
    out.bytes = static_cast<int64_t>(out.text->size());
    return {out};
  }

 private:
  Native call_;
};

/// What was made elsewhere.
class GivenFunction : public Function {
 public:
  explicit GivenFunction(const Value& args) : outputs_(static_cast<const All*>(args.opaque()->object.get())), keep_(args.opaque()) {}
  using All = std::vector<std::vector<Output>>;
  std::vector<Output> run(data::Task& task, const Inputs&, std::string_view) const override { return outputs_->at(static_cast<size_t>(task.partition())); }

 private:
  const All* outputs_;
  std::shared_ptr<const Opaque> keep_;
};

/// Does nothing: what the runtime itself costs.
class NoFunction : public Function {
  std::vector<Output> run(data::Task&, const Inputs&, std::string_view) const override { return {Output{}}; }
};
}  // namespace

std::unique_ptr<Function> bind(const std::string& function, const Value& args) {
  if (function == "pipeline") return std::make_unique<PipelineFunction>(args);
  if (function == "combine") return std::make_unique<CombineFunction>(args);
  if (function == "combine part") return std::make_unique<CombinePartFunction>();
  if (function == "sample") return std::make_unique<SampleFunction>();
  if (function == "bounds") return std::make_unique<BoundsFunction>(args);
  if (function == "cut") return std::make_unique<CutFunction>();
  if (function == kJoinParts) return std::make_unique<JoinPartsFunction>(args);
  if (function == "native") return std::make_unique<NativeFunction>(args);
  if (function == kGiven) return std::make_unique<GivenFunction>(args);
  if (function == "nothing") return std::make_unique<NoFunction>();
  throw internal("unknown function ", function);
}

Value given(std::vector<std::vector<Output>> outputs) {
  return std::make_shared<const Opaque>(Opaque{kGiven, std::make_shared<GivenFunction::All>(std::move(outputs))});
}

bool puts_together(const std::string& function) { return function == kJoinParts; }

}  // namespace muster::worker
