// Child processes that die with the thread that started them.
#pragma once
#include <sys/types.h>

#include <string>
#include <vector>

namespace muster::cluster {

/// Starts a command; `fds` become its descriptors 3, 4, ... (at most 8), `errors`, if there is one, its standard error; all others are closed. It gets
/// SIGKILL when the calling thread ends, and leaves the terminal's Ctrl-C to its parent. Throws Error{io} if the program cannot be started.
pid_t spawn(const std::vector<std::string>& command, const std::vector<int>& fds, int errors = -1);

}  // namespace muster::cluster
