// Dtypes that the engine carries and never opens ("category", "datetime64[us, UTC]"): known by a number of their content, the same in every process.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "base/value.hpp"
#include "data/dtype.hpp"

namespace muster::data {

struct ForeignDType {
  std::string name;   // what messages call it
  std::string token;  // equal tokens mean equal dtypes, in every process
  std::shared_ptr<const base::Opaque> definition;  // the guest language's own
};

/// The dtype as the engine carries it, from now on known in this process. Throws Error{unsupported} if a known one of other content has its number.
DType know(ForeignDType dtype);
/// What is known here of a dtype that the engine carries; nothing of others and of one that only another process has seen.
std::optional<ForeignDType> foreign_dtype(DType type);

/// The definition of such a dtype as an argument that goes to other processes, [name, token, definition]; none of other dtypes. And back: it is known from
/// then on.
base::Value definition_of(DType type);
void know(const base::Value& definition);

}  // namespace muster::data
