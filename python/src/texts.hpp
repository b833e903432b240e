// Texts as Python objects.
#pragma once
#include <nanobind/nanobind.h>

#include <string>

namespace muster::python {
namespace nb = nanobind;

/// Puts the pieces of texts into an array of objects, which is long enough: a list for each text, cut at `mark`, which is not empty, at most `most` times
/// (negative: everywhere). Missing texts leave the array's element as it is. `payload`: as columns come from Python.
void split_texts(nb::tuple payload, const std::string& mark, int64_t most, nb::handle out);
/// Whether all elements of a writable array of objects are lists, texts, tuples, dicts or integers, none of which is missing; false says nothing.
bool all_are_present(nb::handle array);

}  // namespace muster::python
