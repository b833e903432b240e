// Loops of independent pieces on a few threads, for the steps behind a run's tasks: putting results together and handing them out.
#pragma once
#include <algorithm>
#include <cstdint>
#include <exception>
#include <thread>
#include <vector>

namespace muster::base {

/// Calls f(begin, end) for ranges that cover [0, count), each of at least `grain`, on up to 8 threads; the caller's is one of them. Rethrows what one threw.
template <class F>
void side_by_side(int64_t count, int64_t grain, F f) {
  const int64_t pieces = std::min<int64_t>(8, count / std::max<int64_t>(1, grain));
  const int64_t threads = pieces <= 1 ? 1 : std::clamp<int64_t>(std::thread::hardware_concurrency(), 1, pieces);  // the system reads a file to say that
  if (threads == 1) return count ? f(0, count) : void();
  std::vector<std::exception_ptr> errors(static_cast<size_t>(threads));
  auto piece = [&](int64_t t) {
    try {
      f(count * t / threads, count * (t + 1) / threads);
    } catch (...) {
      errors[static_cast<size_t>(t)] = std::current_exception();
    }
  };
  std::vector<std::thread> others;
  for (int64_t t = 1; t < threads; ++t) others.emplace_back(piece, t);
  piece(0);
  for (auto& o : others) o.join();
  for (const auto& e : errors)
    if (e) std::rethrow_exception(e);
}

}  // namespace muster::base
