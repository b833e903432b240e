// Row by row kernels: arithmetic, comparison, logic, casts, missing values, membership.
#pragma once
#include "data/kernel.hpp"

namespace muster::kernels {

/// "binary" {op, type, text}: both inputs already of `type`. Ops: add sub mul truediv floordiv mod pow; eq ne lt le gt ge; and or xor. text: the second
/// input, where it is this one text. "unary" {op, type}: neg abs invert isna notna. "cast" {from, to}. "fill" {type, value}. "is_in" {type, values, missing}.
/// "select" (a mask, then columns): the rows where the mask holds.
std::vector<data::Kernel> elementwise_kernels();
std::vector<data::Kernel> selection_kernels();
data::Map is_in(const data::Args& args);

/// The flags of a result that is missing where an input is; nullptr when none is.
const uint8_t* both_present(const data::Column& a, const data::Column& b, int64_t rows, data::Keep& keep);

}  // namespace muster::kernels
