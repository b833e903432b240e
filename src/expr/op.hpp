// The operator form: everything an operator says of itself, in one file. This header is all that such a file needs.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "data/kernel.hpp"
#include "expr/node.hpp"

namespace muster::expr {

using namespace base;
using namespace data;

/// Who has the method in Python.
enum class Owner { frame, series, scalar, groupby, datetime, internal };

/// A method: everything that Python, its types and C++ say of it is written from this (tools/generate/).
struct Method {
  Owner owner;
  /// Python's, without self. A parameter whose type its name does not tell (the generator's table) is annotated: "decimals: int = 0".
  std::string signature;
  /// Where it is not the operator's: __add__, or a second name such as isnull.
  std::string name = {};
  /// Parameters of the C++ method; each has the name of one of Python's, and those left out have Python's default. Where nothing is said: the required ones.
  std::optional<std::string> cpp = {};
};

struct Param {
  std::string name, doc;
};

struct Doc {
  std::string summary = {}, returns = {};
  std::vector<std::pair<std::string, std::string>> raises = {};
  std::string notes = {}, example = {};
};

/// An operator with its arguments and inputs: a node being made, lowered or drawn.
class Call {
 public:
  Call(const Op& op_, const Value& args_, const std::vector<Expr>& inputs_) : op(op_), args(args_), inputs(inputs_) {}
  const Op& op;
  const Value& args;
  const std::vector<Expr>& inputs;
  const Schema& input(size_t i = 0) const { return inputs.at(i)->schema; }
  const Positions& positions(size_t i = 0) const { return inputs.at(i)->positions; }
  /// Of the first column of the first input with this label; throws as Schema::position.
  int64_t position(const Label& label, const std::string& operation) const {
    const auto at = positions().first(label);
    return at >= 0 ? at : input().position(label, operation);
  }
  /// The same of a label that only one column has; throws as Schema::only.
  int64_t only(const Label& label, const std::string& operation) const {
    const auto at = positions().all(label);
    return at.size() == 1 ? at[0] : input().only(label, operation);
  }
  const Value& operator[](const char* name) const { return args[name]; }
  bool has(const char* name) const { return args.has(name); }
};

/// Columns in registers of one stage.
struct Rows {
  int stage = -1;
  std::vector<int> columns, index;  // registers; index: one per index column, or the row id
};

/// Numbers from here on name results (Lowering::name_result); sources' columns have small ones.
constexpr int64_t kResults = int64_t{1} << 40;

/// Number of a source's row ids among its open columns: they become row numbers when a result leaves the engine.
constexpr int64_t kRowIds = -1;

/// What an operator builds its part of the plan with.
class Lowering {
 public:
  virtual ~Lowering() = default;
  /// The registers of input i. A one-row input of another stage is seen by every row.
  virtual const Rows& input(size_t i = 0) = 0;
  /// A stage that begins with the operator's own source kernel (Op::source_kernel): `registers` columns, of which only those needed are read (Op::source).
  virtual Rows source(int registers) = 0;
  /// A step in a stage; the registers it writes. The same step is made once.
  virtual std::vector<int> step(int stage, const std::string& kernel, Value args, std::vector<int> in, int out) = 0;
  /// Adds all rows to a fold's state, over all partitions; the columns of the result, one row set in one partition.
  /// `from[i]`: which of `in` decide whether result column i becomes wider (ARCHITECTURE.md, "Open dtypes").
  virtual Rows fold(int stage, const std::string& kernel, Value args, std::vector<int> in, const std::vector<std::vector<int>>& from) = 0;
  /// Adds all rows to a fold whose states are cut into the partitions of its result (Traits::ranged), as many as its argument "parts" says; column i is the
  /// i-th of `in`.
  virtual Rows ranges(int stage, const std::string& kernel, Value args, std::vector<int> in) = 0;
  /// Calls a kernel with all rows of a partition (`result`: of the only one); the columns of its result.
  virtual Rows whole(int stage, const std::string& kernel, Value args, std::vector<int> in, int out) = 0;
  /// The inputs lowered, each with its first partition among those of all; the partitions asked for are taken into account.
  virtual std::vector<std::pair<Rows, int64_t>> inputs() = 0;
  /// A stage whose partitions are those of these rows, one input after the other; all have as many columns. Row ids have been moved by the numbers beside them.
  virtual Rows one_after_the_other(const std::vector<std::pair<Rows, int64_t>>& parts) = 0;
  /// Rows of input i, which are not the operator's: what is built of them is looked into. All of them, or of an operator that joins partitions its own.
  virtual const Rows& apart(size_t i) = 0;
  /// Adds these rows to a fold whose state the steps of `stage` look into; its number there. Its argument "each" says whether the operator joins partitions.
  virtual int build(int stage, int from, const std::string& kernel, Value args, std::vector<int> in) = 0;
  /// A step that looks into what was built.
  virtual std::vector<int> look(int stage, int built, const std::string& kernel, Value args, std::vector<int> in, int out) = 0;
  /// New row ids, of the rows that the operator makes in a stage; `like`: a register with a value for each.
  virtual int new_row_ids(int stage, int like) = 0;
  /// Calls a kernel with the rows of all partitions, once for each of `count` new partitions; the columns of its result. Column i is the i-th of `in`.
  virtual Rows gather(int stage, const std::string& kernel, Value args, std::vector<int> in, int64_t count) = 0;
  /// The input with only these partitions read.
  virtual Rows input_partitions(const std::vector<int64_t>& partitions) = 0;
  /// Says that a register is the source's open column `id`: a missing value in it is reported under that number.
  virtual void open_column(int stage, int reg, int64_t id) = 0;
  /// Names a result whose dtype is known only when it is there: under next_result(), which the next call moves on, the kernel reports a missing value
  /// in it (`open`), or a wider dtype, with which Op::revise makes the node's column `field` anew.
  virtual void name_result(int stage, int reg, int64_t field, bool open) = 0;
  virtual int64_t next_result() const = 0;
  /// Says that a register's dtype depends on what another's depends on.
  virtual void depend(int stage, int reg, int on_stage, int on_reg) = 0;
  /// One more than the largest partition that a register's row ids may name: a partition chosen from a source keeps its number there.
  virtual int64_t row_partitions(int stage, int reg) = 0;
  /// A register's row ids as the numbers that a result shows: labels to look at. Where the source does not know how many rows its partitions have, those in
  /// front are counted in a pass of their own.
  virtual int labels(int stage, int reg) = 0;
  int one(int stage, const std::string& kernel, Value args, std::vector<int> in) { return step(stage, kernel, std::move(args), std::move(in), 1)[0]; }
};

struct Op {
  std::string name;
  std::vector<Method> on = {};
  Doc doc = {};
  std::vector<Param> params = {};
  /// The schema of the result. Throws for arguments that make no sense.
  std::function<Schema(const Call&)> schema = {};
  /// One-row results of its first input that the operator needs beside it: they become inputs behind those given when the operator is called.
  std::function<std::vector<Expr>(const Call&, const Expr& input)> beside = {};
  std::function<Rows(Lowering&, const Call&)> lower = {};
  /// True: the result has the input's rows in the input's order.
  bool same_rows = false;
  /// True: each partition keeps some of its rows, with their index.
  bool fewer_rows = false;
  /// True: one partition over all of the input's.
  bool folds = false;
  /// True: inputs behind the first are read apart (Lowering::apart), and may be rows of the first input's own sources.
  bool joins = false;
  /// True: of these, partition p reads partition p.
  bool joins_partitions = false;
  /// What is made of a call in its place, of other operators; null where the operator itself is.
  std::function<Expr(const Call&)> instead = {};
  /// Of one that reads all of an input apart: the same with rows of both inputs exchanged, so that none is put together as a whole; null where it cannot be.
  std::function<Expr(const Call&)> exchanged = {};
  /// True: the argument "divisions" says the result's, as it does of sources.
  bool sets_divisions = false;
  /// True: a Series gives a Scalar, a DataFrame a value for each column; the methods of others give what they belong to.
  bool reduces = false;
  /// The shape in which pandas' method of the operator's name stands in where the operator refuses: "rows", "partitions", "whole" or "beside"
  /// (python/muster/dataframe/_through_pandas.py). Default: shape_of says it.
  std::string fallback = {};
  std::function<int64_t(const Call&)> partitions = {};
  /// True: lowers its input with some of its partitions (Lowering::input_partitions).
  bool picks_partitions = false;
  /// Of a source: the name of its kernel.
  std::string source_kernel = {};
  /// Of a source: the arguments of its kernel when only these registers are needed.
  std::function<Value(const Call&, const std::vector<int>& needed)> source = {};
  /// Of a source: its arguments may have "filters", conjunctions of (register, operation, value): rows that satisfy none need not be given.
  bool takes_filters = false;
  /// Of a source: the same call over the files as they are now.
  std::function<Value(const Call&)> refresh = {};
  /// Of a source, or of what names results: the arguments with wider column types and known first rows of partitions (ARCHITECTURE.md, "Source revisions").
  std::function<Value(const Call&, const std::vector<std::pair<int64_t, DType>>& wider, const std::vector<std::pair<int64_t, int64_t>>& begins)> revise = {};
  /// Of a source, or of what makes new row ids: the first partition of each file and the total behind; row numbers begin anew at each.
  std::function<std::vector<int64_t>(const Call&)> files = {};
  /// Of a source that knows it without reading rows: how many rows each partition has.
  std::function<std::vector<int64_t>(const Call&)> partition_rows = {};
  /// Of a source that is dearer to read than to keep: about how many bytes the column in each register has in memory.
  std::function<std::vector<int64_t>(const Call&)> bytes = {};
  /// What explain() shows besides the name.
  std::function<std::string(const Call&)> show = {};
  std::vector<Kernel> kernels = {};
  /// Of an operator that runs Python: "rows", "tree" or "whole".
  std::string python = {};
};

/// The fallback shape, which the operator's traits tell where it says none.
inline std::string shape_of(const Op& op) {
  if (!op.fallback.empty()) return op.fallback;
  if (op.folds) return "whole";
  if (op.fewer_rows) return "partitions";
  return op.beside ? "beside" : "rows";
}

/// Operators by name; filled once at start.
void register_ops(std::vector<Op> ops);
const Op& op(const std::string& name);
std::vector<const Op*> all_ops();

}  // namespace muster::expr
