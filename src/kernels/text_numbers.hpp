// Numbers that texts stand for.
#pragma once
#include "data/kernel.hpp"

namespace muster::kernels {

/// Texts as numbers of `type`, read as Python's int() and float() read ASCII; of bool: whether they are not empty. A missing text is NaN (bool: True).
/// Throws Error{invalid} naming the text where it is no number, or an integer has no missing value; OverflowError where the number does not fit.
data::Column numbers_of(const data::Column& texts, int64_t rows, data::DType type, const std::string& what);

}  // namespace muster::kernels
