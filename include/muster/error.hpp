// The one exception type: what went wrong, who must act, and the way through the engine it took.
#pragma once
#include <exception>
#include <string>
#include <vector>

#include "muster/export.hpp"

namespace muster {

/// Who must act on an error; each kind has one Python class.
enum class ErrorKind {
  invalid,      ///< ValueError: an argument or a byte of input is wrong
  type,         ///< TypeError: the operation is not defined for this dtype
  missing,      ///< KeyError: a name is not there
  io,           ///< OSError: a file cannot be opened or read
  memory,       ///< MemoryError: the budget is exceeded
  cancelled,    ///< CancelledError: the computation was stopped
  unsupported,  ///< NotImplementedError: muster does not do this yet
  internal,     ///< RuntimeError: a mistake of muster's own
};

/// An error of muster. `what()` is the message followed by the trail.
class MUSTER_API Error : public std::exception {
 public:
  Error(ErrorKind kind, std::string message, std::string python = {});
  ~Error() override;
  Error(const Error&);
  const char* what() const noexcept override;

  ErrorKind kind;
  std::string message;
  std::vector<std::string> trail;  ///< innermost first: operation, partition, file
  std::string python;              ///< a subclass to raise in Python, such as "pandas.errors.ParserError"
  std::string payload;             ///< an opaque token of a user's own Python exception, else empty

  /// The same error with one more line on its trail.
  Error& through(std::string where);

 private:
  std::string text_;
  void compose();
};

}  // namespace muster
