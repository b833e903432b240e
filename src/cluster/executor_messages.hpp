// What a worker and its executors say to each other: structs, whose one list of fields writes and reads them.
//
// A request is a datagram: a RequestHead, and behind it what its kind says. Replies are frames of a stream: a ReplyHead, a message, and behind a TaskDone the
// bytes of the result. A stream that was damaged cannot be read on, so what a frame says of itself and what is in it are summed apart.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/messages.hpp"

namespace muster::cluster {

// ---- worker → executor

struct RequestHead {
  enum class Kind : uint8_t {
    call,         // an ExecutorCall
    lying_call,   // the ExecutorCall lies in the first descriptor that came along
    descriptors,  // some of those that belong to the call to come
    forget,       // Forgets, up to the end
  } kind = Kind::call;
  TaskId task{};
  uint16_t attempt = 0;
  uint32_t place = 0;  // of the first descriptor that came along, among those of the call
  static void fields(auto& m, auto&& f) { f(m.kind, m.task, m.attempt, m.place); }
};

struct ExecutorInput {
  enum class Place : uint8_t {
    value,       // here
    descriptor,  // in the next one
    pack,        // behind those before it that lie there
  } place = Place::value;
  uint64_t size = 0;  // where it is not here
  std::string_view value{};
  static void fields(auto& m, auto&& f) { f(m.place, m.size, m.value); }
};

struct ExecutorCall {
  bool pipeline = false;      // of the engine, in place of a function of the guest's
  uint32_t number = 0;        // of the function or pipeline
  std::string_view code{};    // of it; empty where the executor has it
  int64_t index = 0;          // of a pipeline: the partition
  int64_t limit = 0;          // bytes that the task may take
  int64_t reserved = 0;       // of these: reserved for it
  int64_t heard = 0;          // bytes of all results that the executor was known to have made
  uint32_t depth = 0;         // tasks around it
  std::string_view label{};
  std::string_view arguments{};
  std::vector<uint32_t> groups{};  // how many inputs each dependency has, then which output of each
  uint64_t pack = 0;               // bytes of many small inputs, which lie in the last descriptor
  std::vector<ExecutorInput> inputs{};
  static void fields(auto& m, auto&& f) {
    f(m.pipeline, m.number, m.code, m.index, m.limit, m.reserved, m.heard, m.depth, m.label, m.arguments, m.groups, m.pack, m.inputs);
  }
};

/// What the executor will not be asked for again.
struct Forget {
  enum class Thing : uint8_t { function, pipeline } thing = Thing::function;
  uint32_t number = 0;
  static void fields(auto& m, auto&& f) { f(m.thing, m.number); }
};

/// On a socket of its own: interrupts the task if it is the one that runs.
struct Interrupt {
  TaskId task{};
  uint16_t attempt = 0;
  static void fields(auto& m, auto&& f) { f(m.task, m.attempt); }
};

// ---- executor → worker

enum class ReplyType : uint8_t { ready, not_begun, seceded, done, failed };

/// The first one.
struct ExecutorReady {
  static constexpr ReplyType kType = ReplyType::ready;
  uint32_t version = kProtocol;
  static void fields(auto& m, auto&& f) { f(m.version); }
};

/// The call came without the code of a function that the executor does not have, or it was sent before it was known how much memory others before it took.
struct TaskNotBegun {
  static constexpr ReplyType kType = ReplyType::not_begun;
  TaskId task{};
  uint16_t attempt = 0;
  static void fields(auto& m, auto&& f) { f(m.task, m.attempt); }
};

struct TaskSeceded {
  static constexpr ReplyType kType = ReplyType::seceded;
  TaskId task{};
  uint16_t attempt = 0;
  static void fields(auto& m, auto&& f) { f(m.task, m.attempt); }
};

struct TaskDone {  // the result lies behind it, or in the descriptor that came along
  static constexpr ReplyType kType = ReplyType::done;
  TaskId task{};
  uint16_t attempt = 0;
  int64_t us = 0;
  int64_t memory = 0;  // bytes that a pipeline held at once
  bool native = false;
  uint64_t size = 0;
  std::string_view type{}, note{};
  static void fields(auto& m, auto&& f) { f(m.task, m.attempt, m.us, m.memory, m.native, m.size, m.type, m.note); }
};

struct TaskFailed {
  static constexpr ReplyType kType = ReplyType::failed;
  TaskId task{};
  uint16_t attempt = 0;
  int64_t us = 0;
  int64_t memory = 0;  // bytes that a pipeline was refused; 0 = it failed for another reason
  schedule::Failure why = schedule::Failure::raised;
  std::string_view note{};
  std::shared_ptr<const TaskError> error{};
  static void fields(auto& m, auto&& f) { f(m.task, m.attempt, m.us, m.memory, m.why, m.note, m.error); }
};

/// In front of each.
struct ReplyHead {
  uint32_t length = 0;   // bytes behind it
  ReplyType type = ReplyType::ready;
  uint8_t fds = 0;       // descriptors that come along
  uint16_t head_sum = 0; // of the fields before it
  uint64_t sum = 0;      // of the bytes behind it
};
static_assert(sizeof(ReplyHead) == 16);

/// Completes the head of a frame that begins at `at` and is the last of these bytes.
void finish_reply(std::string& bytes, size_t at, ReplyType type, uint8_t fds);

/// Writes a frame behind others: the message, and what f(std::string&) appends.
template <class M, class F>
void append_reply(net::Encoder& out, const M& message, uint8_t fds, F f) {
  const size_t at = out.size();
  out.bytes().append(sizeof(ReplyHead), '\0');
  net::put(out, message);
  f(out.bytes());
  finish_reply(out.bytes(), at, M::kType, fds);
}

/// A frame as it lies there.
struct ReplyFrame {
  ReplyType type = ReplyType::ready;
  uint8_t fds = 0;
  std::string_view body{};
  size_t size = 0;  // bytes, with its head
};
/// The first frame of these bytes; false: not all of it is there. Throws Error{io} where they are none.
bool first_reply(std::string_view bytes, ReplyFrame& out);

}  // namespace muster::cluster

namespace muster::net {

template <>
struct LastOf<cluster::ExecutorInput::Place> { static constexpr auto value = cluster::ExecutorInput::Place::pack; };
template <>
struct LastOf<cluster::RequestHead::Kind> { static constexpr auto value = cluster::RequestHead::Kind::forget; };
template <>
struct LastOf<cluster::Forget::Thing> { static constexpr auto value = cluster::Forget::Thing::pipeline; };

}  // namespace muster::net
