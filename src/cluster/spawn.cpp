// Between fork and exec only calls that are safe there are made. The child dies with its parent's thread, and asks whether that is still the one; its
// descriptors are those it was given, as 3, 4, ..., since all others close on exec.
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

pid_t spawn(const std::vector<std::string>& command, const std::vector<int>& fds, int errors) {
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
    signal(SIGINT, SIG_DFL), signal(SIGPIPE, SIG_DFL), signal(SIGXFSZ, SIG_DFL);
    constexpr int kFirst = 3, kMost = 8;
    int moved[kMost];  // out of the way of 3, 4, ... first, and so is the report
    const int count = static_cast<int>(fds.size()) < kMost ? static_cast<int>(fds.size()) : kMost;
    const int out = fcntl(report[1], F_DUPFD_CLOEXEC, kFirst + count);
    bool all = out >= 0;
    for (int i = 0; i < count && all; ++i) all = (moved[i] = fcntl(fds[static_cast<size_t>(i)], F_DUPFD_CLOEXEC, kFirst + count)) >= 0;
    for (int i = 0; i < count && all; ++i) all = dup2(moved[i], kFirst + i) >= 0;
    if (all && errors >= 0) all = dup2(errors, 2) >= 0;
    if (all) execvp(argv[0], argv.data());
    const int why = errno;
    [[maybe_unused]] auto n = write(out >= 0 ? out : report[1], &why, sizeof why);
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
