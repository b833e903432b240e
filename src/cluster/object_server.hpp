// Hands a worker's objects to whoever asks for them, and takes those that clients bring.
#pragma once
#include <functional>

#include "base/ids.hpp"
#include "net/connection.hpp"
#include "worker/objects.hpp"

namespace muster::cluster {

/// Serves one connection from now on. What takes long, making bytes of an object, is handed to `run`, which may do it in another thread. `find` copies out the object of this attempt (kAnyAttempt: of any), false if it is not here.
void serve_objects(net::Loop& loop, base::Fd fd, std::function<void(std::function<void()>)> run, std::function<bool(base::TaskId, uint16_t attempt, worker::Object& out)> find, std::function<void(base::TaskId, worker::Object&&)> put);

}  // namespace muster::cluster
