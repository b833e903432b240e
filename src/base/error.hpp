// Errors, as the engine's folders raise them: `throw invalid("read_csv: ...", x)`.
#pragma once
#include "base/text.hpp"
#include "muster/error.hpp"

namespace muster::base {

template <class... Parts>
Error invalid(const Parts&... parts) { return {ErrorKind::invalid, concat(parts...)}; }
template <class... Parts>
Error type_error(const Parts&... parts) { return {ErrorKind::type, concat(parts...)}; }
template <class... Parts>
Error missing(const Parts&... parts) { return {ErrorKind::missing, concat(parts...)}; }
template <class... Parts>
Error io_error(const Parts&... parts) { return {ErrorKind::io, concat(parts...)}; }
template <class... Parts>
Error unsupported(const Parts&... parts) { return {ErrorKind::unsupported, concat(parts...)}; }
template <class... Parts>
Error internal(const Parts&... parts) { return {ErrorKind::internal, concat(parts...)}; }

/// "; did you mean a, b?" for the names nearest to `name`, or "" when none is near.
std::string near_matches(const std::string& name, const std::vector<std::string>& names);

}  // namespace muster::base
