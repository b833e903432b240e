// Every message: who sends it to whom, and its fields in the order of the wire. Bodies are written with Encoder and read with Decoder where they are
// made and used; what several of them carry stands here.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/wire.hpp"
#include "graph/graph.hpp"

namespace muster::net {
using base::Decoder, base::Encoder;

enum Type : uint16_t {
  // worker → scheduler
  register_worker = 1,  // address, name, host, threads, memory limit, pid, resources [name, amount]
  finished,             // [task, attempt u16, bytes i64, us i64, kind text, note bytes, inlined u8, value bytes]
  failed,               // [task, attempt, why u8, error bytes, note bytes, lost [object, attempt, holder address]]
  retracted,            // [task, attempt]; ends the retract
  seceded,              // [task, attempt]
  added,                // [object, attempt]
  heartbeat,            // rss i64, stored i64, running, waiting, executors u32
  // scheduler → worker
  welcome_worker,       // slot
  put_range,            // number u32, function, label, args Value, timeout us, results may be inlined u8, which output of each dependency and of the explicit inputs [u32], depth u32
  drop_ranges,          // [number u32]: nothing of them will come any more
  put_function,         // number u32, bytes
  drop_functions,       // [number u32]: no task needs them
  assign,               // [task, attempt, range u32, index i64, priority u64, function u32, arguments bytes, groups [u32], inputs [object, attempt, inlined u8, value bytes | holders [address]]]
  cancel,               // [task, attempt]
  retract,              // count u32
  free_objects,         // [object, attempt]
  stop_worker,
  // client → scheduler
  hello,                // name, tasks around it u32
  submit,               // job, open u8, graph
  close_job,            // job
  want, release, cancel_tasks, retry,  // [task]
  scatter,              // job, index, bytes, kind text, renewable u8, holders [address]
  promise,              // task, label, renewable u8
  bind,                 // task, graph
  refuse,               // task, error bytes
  ask,                  // question u64, name, argument bytes
  fire_and_forget,      // [task]
  hold,                 // task, [task]: what that one's function, arguments or result mention
  // scheduler → client
  welcome_client,       // client number
  news,                 // see cluster/client.cpp
  answer,               // question u64, ok u8, bytes
  // data: whoever asks
  get_object,           // object, attempt (65535 = any), want descriptor u8
  object,               // found u8, kind u8, size u64; then the bytes, or one descriptor; found = 2: why it cannot be sent, with the error's kind
  put_object,           // object, kind u8, size, name of its type; then the bytes or one descriptor
  stored,               // ok u8, message
};

void encode(Encoder& out, const graph::Graph& graph);
/// Throws Error{io} on bytes that are no graph.
std::shared_ptr<const graph::Graph> decode_graph(Decoder& in);
void encode(Encoder& out, const base::Value& value);
base::Value decode_value(Decoder& in);

}  // namespace muster::net
