// Writes Parquet files: one row group per batch, PLAIN values and dictionaries of text, snappy or zstd, statistics of every column.
#pragma once
#include <string>

#include "data/column.hpp"
#include "data/schema.hpp"

namespace muster::io::parquet {

enum class Compression { none, snappy, zstd };

/// Writes the fields' columns into a file that is whole or not there. Throws Error{unsupported} for dtypes Parquet has no type for (durations,
/// objects), Error{io} with the name the file is to have.
void write_file(const std::string& path, const std::string& name, const std::vector<data::Field>& fields, const data::Batches& rows, Compression compression);

}  // namespace muster::io::parquet
