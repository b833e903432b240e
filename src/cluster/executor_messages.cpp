// A frame is believed only if both of its sums are right.
#include "cluster/executor_messages.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace muster::cluster {
namespace {
constexpr size_t kSummed = offsetof(ReplyHead, head_sum);
uint16_t sum_of_head(const ReplyHead& head) { return static_cast<uint16_t>(XXH3_64bits(&head, kSummed)); }
}  // namespace

void finish_reply(std::string& bytes, size_t at, ReplyType type, uint8_t fds) {
  const size_t begin = at + sizeof(ReplyHead);
  ReplyHead head{.length = static_cast<uint32_t>(bytes.size() - begin), .type = type, .fds = fds};
  head.head_sum = sum_of_head(head), head.sum = XXH3_64bits(bytes.data() + begin, head.length);
  std::memcpy(bytes.data() + at, &head, sizeof head);
}

bool first_reply(std::string_view bytes, ReplyFrame& out) {
  ReplyHead head;
  std::memcpy(&head, bytes.data(), std::min(bytes.size(), sizeof head));
  if (bytes.size() >= kSummed + sizeof head.head_sum && head.head_sum != sum_of_head(head)) throw Error(ErrorKind::io, "what it said is no reply");
  if (bytes.size() < sizeof head || bytes.size() - sizeof head < head.length) return false;
  out = {head.type, head.fds, bytes.substr(sizeof head, head.length), sizeof head + head.length};
  if (head.sum != XXH3_64bits(out.body.data(), out.body.size())) throw Error(ErrorKind::io, "a reply was damaged on its way");
  return true;
}

}  // namespace muster::cluster
