// What several frame operators say alike: picking columns, casting registers, keeping rows.
#pragma once
#include "expr/op.hpp"

namespace muster::ops::frame {
using namespace expr;

using Ops = std::vector<Op>;
using enum Owner;

constexpr int64_t kMergedParts = 16;  // in which the states of a group-by are merged, side by side

/// A register as another dtype; the register itself where nothing changes.
int cast(Lowering& l, int stage, int reg, DType from, DType to, const std::string& operation);
/// A constant in a register.
int constant(Lowering& l, int stage, const Value& value, DType type);
/// The rows where `mask` (a boolean register) holds, index included.
Rows select(Lowering& l, const Rows& rows, int mask);
/// The index columns that a result has: one of numbers where rows have row ids.
std::vector<Field> index_fields(const Schema& schema);
/// The rows with an index to look at: row ids as numbers.
Rows labelled(Lowering& l, const Schema& schema, Rows rows);
/// The arguments with one of them put in, or replaced; none where it is an empty list.
Value with_argument(const Value& args, const char* name, List value);
/// A register with one value per row, to count rows by.
int any_register(const Rows& rows);
/// Labels given as one label or a list of labels.
std::vector<Label> labels(const Value& given);
/// Their positions in the first input, all of a repeated label; throws Error{missing} for an unknown one.
std::vector<int64_t> positions(const Call& c, const Value& given, const std::string& operation);
/// A value for each column: from a dict by label, null where it says nothing, or the same for all.
std::vector<const Value*> by_column(const Call& c, const Value& given);
/// Whether two schemas have the same labels in the same order.
bool same_labels(const Schema& a, const Schema& b);
/// A label for columns that have some levels: filled up with "". Throws Error{invalid} for a tuple of another length.
Label in_levels(const Label& label, size_t levels);
/// Boolean column of the same rows: True where all (or any) of the registers hold. `regs` not empty.
int combine(Lowering& l, int stage, const char* op, const std::vector<int>& regs);
/// Whether a column of this dtype holds the value exactly, so that pandas keeps the dtype; false for missing values and lazy ones.
bool holds(DType type, const Value& value);
bool is_missing(const Value& value);
/// A step of one register per column; a column for which `args` are empty stays as it is. `check` throws for what is not native. Dtypes stay.
Op of_each_column(std::string name, std::vector<Method> on, std::function<void(const Call&, DType)> check, std::string kernel,
                  std::function<Dict(const Call&, DType)> args);
/// The dtype pandas gives a Python scalar.
DType type_of(const Value& scalar);
std::string python_value(const Value& v);
/// The argument "partitions". Throws Error{invalid} for what is no positive integer.
int64_t partition_count(const Call& c, const std::string& operation);
/// Throws for divisions that are no borders of partitions: values of the index' dtype that ascend, each there once but the last, none missing, at least two.
void check_divisions(const List& divisions, const Field& index);
/// Whether one of two values that divisions may have is smaller.
bool is_below(const Value& a, const Value& b);

}  // namespace muster::ops::frame
