#include "cluster/task_error.hpp"

#include "base/text.hpp"

namespace muster::cluster {
using base::concat;
namespace {

GuestErrors& guest_errors() {
  static GuestErrors errors;
  return errors;
}
}  // namespace

TaskError written_down(const Error& e) { return {.kind = TaskError::Kind::engine, .error = e.kind, .type = e.python, .message = e.message, .notes = e.trail}; }

Error opened(const TaskError& e) {
  switch (e.kind) {
    case TaskError::Kind::engine: {
      Error out(e.error, e.message, e.type);
      for (const auto& where : e.notes) out.through(where);
      return out;
    }
    case TaskError::Kind::guest: return {ErrorKind::internal, concat(e.type, ": ", e.message, e.traceback.empty() ? "" : "\n", e.traceback)};
    case TaskError::Kind::timed_out: return {ErrorKind::cancelled, e.message};
    case TaskError::Kind::killed: return {ErrorKind::internal, concat(e.task, " ended its process each time it was tried: ", e.message)};
    default: return {ErrorKind::io, e.message};
  }
}

void set_guest_errors(GuestErrors errors) { guest_errors() = std::move(errors); }

std::exception_ptr exception_of(const TaskError& e) {
  if (e.kind != TaskError::Kind::engine && guest_errors()) return guest_errors()(e);
  return std::make_exception_ptr(opened(e));
}

}  // namespace muster::cluster
