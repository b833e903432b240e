// Program: a fused pipeline as plain data. Registers hold columns; every step names a kernel and its registers.
#pragma once
#include <string>
#include <vector>

#include "base/value.hpp"

namespace muster::data {

struct Step {
  std::string kernel;
  base::Value args;
  std::vector<int> in;   // registers, all of one length or constant
  std::vector<int> out;
  int built = -1;        // of a kernel that looks into a built side: the program's input that is it, or of whose rows it is made (Program::builds)
};

struct Sink {
  std::string kernel;    // a fold; empty = collect the batches
  base::Value args;
  std::vector<int> in;
};

struct Program {
  enum class From : uint8_t { source, batches };  // a source kernel, or the batches of the task's first input
  From from = From::source;
  std::string source;        // kernel of From::source
  base::Value source_args;
  std::string whole;         // From::batches: kernel applied to the input first, or empty
  base::Value whole_args;
  int streams = 1;           // From::batches: so many inputs, of which a task has one, stand for the first
  std::vector<int> out;      // registers of the source's columns
  struct Broadcast { int input, column, reg; };
  std::vector<Broadcast> broadcasts;  // column of a one-row input that every row sees; inputs count from 0
  struct Build { int input; std::string kernel; base::Value args; };
  std::vector<Build> builds;          // of the rows of an input: a fold's state, which steps look into
  std::vector<Step> steps;
  std::vector<Sink> sinks;
  int registers = 0;

  base::Value encode() const;
  static Program decode(const base::Value& value);
};

}  // namespace muster::data
