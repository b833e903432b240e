// One budget for the process: eight tenths of the smallest memory that the machine and its control groups name, until a limit is set.
#include "worker/store.hpp"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "base/error.hpp"
#include "data/memory.hpp"

namespace muster::worker {
using namespace base;

const char* const kWaysOut = "ask for less (select columns, aggregate), write with to_parquet instead of computing, or raise memory-limit in muster.config";

bool Budget::try_take(int64_t bytes) {
  if ((used_ += bytes) <= limit_ || bytes <= 0) return true;
  used_ -= bytes;
  return false;
}

void Budget::take(int64_t bytes) {
  if (!try_take(bytes))
    throw Error(ErrorKind::memory, concat("the memory budget of ", limit_ / 1'000'000, " MB is used up (", used_ / 1'000'000, " MB held, ", bytes / 1'000'000,
                                          " MB more wanted); ", kWaysOut));
}

void Budget::set_limit(int64_t bytes) {
  limit_ = bytes;
  data::keep_memory(std::min<int64_t>(int64_t{1} << 30, bytes / 8));
}

void Budget::make_room(int64_t bytes) const {
  if (bytes > limit_ / 8) data::return_unused_memory();
}

int64_t default_memory_limit() {
  int64_t memory = static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  for (const char* path : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    std::ifstream in(path);
    if (int64_t limit; in >> limit) memory = std::min(memory, limit);
  }
  return memory / 10 * 8;
}

int64_t cpu_count() {
  cpu_set_t set;
  int64_t cpus = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : sysconf(_SC_NPROCESSORS_ONLN);
  std::ifstream in("/sys/fs/cgroup/cpu.max");
  std::string quota;
  if (double period; in >> quota >> period && quota != "max")
    cpus = std::min<int64_t>(cpus, std::max<int64_t>(1, static_cast<int64_t>(std::ceil(std::stod(quota) / period))));
  return std::max<int64_t>(1, cpus);
}

Budget& budget() {
  static Budget one(default_memory_limit());
  return one;
}

}  // namespace muster::worker
