#include "cluster/spawn.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.hpp"
#include "base/fd.hpp"
#include "muster/error.hpp"

namespace muster::cluster {
using namespace base;

pid_t spawn(const std::vector<std::string>& command, const std::vector<int>& fds) {
  std::vector<char*> argv;
  for (const auto& part : command) argv.push_back(const_cast<char*>(part.c_str()));
  argv.push_back(nullptr);
  int report[2];
  if (pipe2(report, O_CLOEXEC) != 0) throw Error(ErrorKind::io, concat("cannot start ", command[0], ": ", std::strerror(errno)));
  Fd mine(report[0]), childs(report[1]);
  const pid_t parent = getpid(), child = fork();
  if (child < 0) throw Error(ErrorKind::io, concat("cannot start ", command[0], ": ", std::strerror(errno)));
  if (child == 0) {
    // Between fork and exec only calls that are safe after a fork of a process with threads.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    setpgid(0, 0);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    signal(SIGINT, SIG_DFL), signal(SIGPIPE, SIG_DFL);
    int moved[8];  // out of the way of 3, 4, ... first
    const size_t count = fds.size() < 8 ? fds.size() : 8;
    for (size_t i = 0; i < count; ++i) moved[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 64);
    for (size_t i = 0; i < count; ++i) dup2(moved[i], 3 + static_cast<int>(i));
    execvp(argv[0], argv.data());
    const int why = errno;
    [[maybe_unused]] auto n = write(report[1], &why, sizeof why);
    _exit(127);
  }
  childs.reset();
  int why = 0;
  if (read(mine.get(), &why, sizeof why) == sizeof why) {
    waitpid(child, nullptr, 0);
    throw Error(ErrorKind::io, concat("cannot start ", command[0], ": ", std::strerror(why)));
  }
  return child;
}

}  // namespace muster::cluster
