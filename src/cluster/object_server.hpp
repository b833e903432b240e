// Hands a worker's objects to whoever asks for them, and takes those that clients bring.
#pragma once
#include <functional>
#include <optional>

#include "base/ids.hpp"
#include "muster/error.hpp"
#include "net/connection.hpp"
#include "worker/objects.hpp"

namespace muster::cluster {

/// What a worker does for whoever is connected to it.
struct ObjectDoor {
  /// Runs what takes long, making bytes of an object, perhaps in another thread.
  std::function<void(std::function<void()>)> run;
  /// Copies out the object of this attempt (kAnyAttempt: of any), false if it is not here.
  std::function<bool(base::TaskId, uint16_t attempt, worker::Object& out)> find;
  /// Takes an object; `stored` is called once there is room for more, or with the reason for which it was not taken.
  std::function<void(base::TaskId, worker::Object&&, std::function<void(std::optional<Error>)> stored)> put;
};

/// Serves one connection from now on.
void serve_objects(net::Loop& loop, base::Fd fd, ObjectDoor door);

}  // namespace muster::cluster
