// The source of data that is already in memory: from_pandas, persisted collections.
#pragma once
#include "data/kernel.hpp"

namespace muster::kernels {

/// Partitions of a table in memory; carried through expressions as an Opaque.
struct MemoryTable {
  std::vector<data::Batches> partitions;
  std::vector<int64_t> rows;  // per partition
};

/// A name for a table that no other one has, in no process.
std::string new_table_token();
base::Value memory_value(std::shared_ptr<const MemoryTable> table, std::string token);
const MemoryTable& memory_table(const base::Value& value);
/// Null of other objects.
const MemoryTable* table_in(const base::Opaque& object);

/// The rows of one partition as "memory.scan" hands them out; `batches` must outlive it.
std::unique_ptr<data::Reader> memory_reader(const data::Batches& batches, const base::Value& args, int64_t partition);

/// "memory.scan" {rows, columns, row_ids}: the wanted columns, then row ids. Without "rows" these are the last input.
data::Kernel memory_kernel();

}  // namespace muster::kernels
