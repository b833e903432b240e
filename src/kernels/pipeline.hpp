// Runs a Program over one partition, batch by batch: source → steps → sinks.
#pragma once
#include <memory>
#include <vector>

#include "data/kernel.hpp"
#include "data/program.hpp"

namespace muster::kernels {

/// What a task leaves in the store, one per sink: batches, or the state of a fold.
struct Output {
  std::shared_ptr<const data::Batches> batches;
  std::shared_ptr<data::Fold> fold;
  std::shared_ptr<const data::Sink> recipe;  // of a fold: the kernel and its arguments
  std::shared_ptr<const std::string> text;   // of a C++ function: bytes the engine does not open
  int64_t bytes = 0;
};

/// A program bound to its kernels; shared by the threads that run its partitions.
class Pipeline {
 public:
  explicit Pipeline(data::Program program);
  /// How many inputs stand for the first (data::Program::streams).
  int streams() const { return program_.from == data::Program::From::batches ? program_.streams : 1; }
  /// What a task is given: rows, or the state of a fold.
  struct Input {
    std::shared_ptr<const data::Batches> rows;
    std::shared_ptr<const data::Fold> state;
  };
  /// `inputs`: what the program reads, in order. Throws what kernels throw, and Error{cancelled} when the task is stopped.
  std::vector<Output> run(data::Task& task, const std::vector<Input>& inputs) const;

 private:
  data::Program program_;
  std::unique_ptr<data::Source> source_;
  data::Whole whole_;
  bool table_is_input_ = false;  // a table in memory whose partition is the task's last input
  std::vector<data::Map> maps_;  // of steps that look into a built side: none
  std::vector<data::Look> looks_;
  size_t by_batch_ = 0;          // steps before this one work batch by batch, the others on all rows of the partition
  std::vector<std::shared_ptr<const data::Sink>> recipes_;  // per sink
};

}  // namespace muster::kernels
