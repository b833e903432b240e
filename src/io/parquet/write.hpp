// Writes Parquet files: one row group per batch, PLAIN values and dictionaries of text, snappy or zstd, statistics of every column.
#pragma once
#include <string>

#include "data/column.hpp"
#include "data/schema.hpp"

namespace muster::io::parquet {

enum class Compression { none, snappy, zstd };

/// Writes the fields' columns as a file that is whole under `path` or not there. Throws Error{unsupported} for dtypes Parquet has no type for
/// (durations, objects), Error{io} naming the file.
void write_file(const std::string& path, const std::vector<data::Field>& fields, const data::Batches& rows, Compression compression);

}  // namespace muster::io::parquet
