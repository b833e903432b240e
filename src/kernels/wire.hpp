// Outputs of tasks, and what they report, as bytes: between processes, and for objects that leave the worker that made them.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/wire.hpp"
#include "data/kernel.hpp"
#include "kernels/pipeline.hpp"

namespace muster::kernels {

/// The token of an object that is rows, a data::Batch.
inline constexpr const char* kPackedRows = "packed rows";

/// Objects of Python go as pickles of the places that rows are at; what came so and was not opened moves on as it is. Needs the GIL for others: to be called
/// without a mutex. Throws what Python does on objects that cannot be pickled.
void encode(base::Encoder& out, const data::Batches& batches);
/// The same of one batch whose columns lie in pieces, one behind the other.
void encode_pieces(base::Encoder& out, const std::vector<std::vector<data::ColumnRows>>& columns, int64_t rows);
/// Whether columns hold objects of Python.
bool hold_objects(const data::Batches& batches);
/// Columns of some size stay where they lie, if something holds these bytes; others are copied. Nobody may write to them.
data::Batches decode_batches(base::Decoder& in);

// ---- outputs of a task. Each is an object of its own, and says which it is; several lie behind a table of where each ends, so that one of them can be sent
// and opened alone.
void encode(base::Encoder& out, const std::vector<Output>& outputs);
std::string encode(const std::vector<Output>& outputs);
void encode_output(base::Encoder& out, const Output& output, size_t which);
/// Several outputs behind their table: `write` is called for one after the other.
void lay_together(base::Encoder& out, size_t count, const std::function<void(base::Encoder&, size_t which)>& write);
/// How many there are, 1 where it is one of several that came alone. Throws Error{io} on bytes that are no outputs, as all below.
size_t count_outputs(std::string_view bytes);
/// The bytes of one output: those of encode_output().
std::string_view encoded_output(std::string_view bytes, size_t which);
/// A fold comes back as the same kernel with the same state. Rows and parts of a state stay in `bytes` if `keep` holds these.
Output decode_output(std::string_view bytes, size_t which, std::shared_ptr<const void> keep = nullptr);
std::vector<Output> decode_outputs(std::string_view bytes, const std::shared_ptr<const void>& keep = nullptr);

/// The definitions of those of these dtypes that the engine carries and never opens, each once. A process that reads them knows them from then on.
void encode_definitions(base::Encoder& out, const std::vector<data::DType>& types);
void know_definitions(base::Decoder& in);

/// Empty for a report that says nothing. Dtypes that the engine does not open go with their definition.
std::string encode(const data::Report& report);
data::Report decode_report(std::string_view bytes);

}  // namespace muster::kernels
