// The executor hook: how a kernel calls a user's Python function. The Python package sets it; a C++ program has none.
#pragma once
#include <functional>

#include "data/kernel.hpp"
#include "data/schema.hpp"

namespace muster::kernels {

/// What a function made: rows, and columns (by position, index columns first) that the promised dtype cannot hold, with one that can; their values are
/// not there.
struct PythonRows {
  data::Batch rows;
  std::vector<std::pair<int64_t, data::DType>> wider;
};

/// Calls `function` with the rows as a pandas object of schema `in`; gives its result as columns of schema `out`, index columns first.
/// `ids`: row ids are the index as they are, else the rows are numbered from 0.
using PythonApply = std::function<PythonRows(data::Task&, const base::Opaque& function, const data::Batches& rows, const data::Schema& in,
                                             const data::Schema& out, bool ids)>;

/// A column of text as a function of a Series of text has it.
data::Column python_text(data::Task& task, const base::Opaque& function, const data::Column& text, int64_t rows);

void set_python_apply(PythonApply apply);
const PythonApply& python_apply();

/// The dtype of values of two dtypes, as pandas has it; objects in a program without Python.
data::DType common_dtype(data::DType one, data::DType other);
using PythonDtypes = std::function<data::DType(data::DType one, data::DType other)>;
void set_python_dtypes(PythonDtypes common);

/// Some objects of a source of a column, as bytes. `stays`: they say something without rows, too.
struct PickledObjects {
  int64_t count = 0;
  bool stays = false;
  std::string bytes;
};
/// The objects at these places of a source of an object column, in pieces of equal counts but for the last. `column` is what errors call it.
using PythonObjects = std::function<std::vector<PickledObjects>(const base::Opaque& source, const std::vector<int64_t>& places, const std::string& column)>;
/// An object as bytes for another process.
using PythonPickle = std::function<std::string(const base::Opaque& object)>;
using PythonUnpickle = std::function<std::shared_ptr<const base::Opaque>(const std::string& bytes, const std::string& token)>;
void set_python_border(PythonPickle pickle, PythonUnpickle unpickle, PythonObjects objects);
/// The bytes of an object; those it came as where nobody has looked at it.
std::string pickle_of(const base::Opaque& object);
/// The object of such bytes, under its token.
std::shared_ptr<const base::Opaque> unpickled(const std::string& bytes, const std::string& token);
const PythonObjects& python_objects();

}  // namespace muster::kernels
