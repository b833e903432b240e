// Why a task has no result, as it travels between processes and languages. Where it arises it is written down once; who asks for the result opens it.
#pragma once
#include <exception>
#include <functional>
#include <string>
#include <vector>

#include "muster/error.hpp"

namespace muster::cluster {

struct TaskError {
  enum class Kind : uint8_t {
    guest,         // the guest's function raised `pickled`
    engine,        // a muster::Error
    timed_out,     // it ran longer than it may
    killed,        // the process that ran it died
    lost,          // data that only its client had are gone
    disconnected,  // the client has ended, or its scheduler
  } kind = Kind::engine;
  ErrorKind error = ErrorKind::internal;  // of the engine's
  std::string type{};                     // class of the exception, as Python imports it; of the engine's: "" = the one of its kind
  std::string message{};
  std::string task{};                     // of killed: what it is called
  std::string traceback{};                // of the guest's: as a text
  std::string pickled{};                  // of the guest's: the exception, with its causes
  std::vector<std::string> notes{};       // of the engine's: its trail; of the guest's: its notes

  static void fields(auto& m, auto&& f) { f(m.kind, m.error, m.type, m.message, m.task, m.traceback, m.pickled, m.notes); }
  bool operator==(const TaskError&) const = default;
};

TaskError written_down(const Error& error);
/// As the engine raises it: what a program without the guest's language sees.
Error opened(const TaskError& error);

/// As the guest's language raises it; none before it has said how.
using GuestErrors = std::function<std::exception_ptr(const TaskError&)>;
void set_guest_errors(GuestErrors errors);
/// What is thrown in this process.
std::exception_ptr exception_of(const TaskError& error);

}  // namespace muster::cluster
