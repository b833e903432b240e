#include "cluster/function_numbers.hpp"

#include "base/hash.hpp"

namespace muster::cluster {
namespace {
constexpr int64_t kIdleFunctions = 4 << 20;  // bytes of functions that no range names
}  // namespace

uint32_t FunctionNumbers::use(const graph::Blob& bytes) {
  auto [known, fresh] = numbers_.try_emplace(base::hash_bytes(*bytes).hex(), next_);
  if (fresh) functions_[next_++] = {bytes, known->first};
  Function& f = functions_.at(known->second);
  if (f.ranges++ == 0 && idle_.erase(f.idle)) idle_bytes_ -= static_cast<int64_t>(f.bytes->size());
  return known->second;
}

std::vector<uint32_t> FunctionNumbers::leave(uint32_t number) {
  Function& left = functions_.at(number);
  if (--left.ranges) return {};
  left.idle = ++idles_;
  idle_[left.idle] = number;
  idle_bytes_ += static_cast<int64_t>(left.bytes->size());
  std::vector<uint32_t> dropped;
  while (idle_bytes_ > kIdleFunctions) {
    const auto oldest = functions_.extract(idle_.extract(idle_.begin()).mapped());
    idle_bytes_ -= static_cast<int64_t>(oldest.mapped().bytes->size());
    numbers_.erase(oldest.mapped().content);
    dropped.push_back(oldest.key());
  }
  return dropped;
}

}  // namespace muster::cluster
