// Under a mutex: expressions are made by any thread. The oldest are forgotten first, so that a long program does not grow.
#include "expr/annotations.hpp"

#include <deque>
#include <map>
#include <mutex>
#include <utility>

namespace muster::expr {
using base::Hash128;
namespace {

constexpr size_t kMost = 1 << 16;  // nodes; the oldest are forgotten

struct Known {
  std::mutex mutex;
  std::map<Hash128, std::shared_ptr<const graph::Options>> by_node;
  std::deque<Hash128> in_order;

  void put(const Hash128& node, std::shared_ptr<const graph::Options> options) {
    const auto [at, fresh] = by_node.insert_or_assign(node, std::move(options));
    if (fresh) in_order.push_back(at->first);
    if (in_order.size() <= kMost) return;
    by_node.erase(in_order.front());
    in_order.pop_front();
  }
};
Known& known() {
  static auto* all = new Known;  // never destroyed: threads of an ending process may still look
  return *all;
}
thread_local std::shared_ptr<const graph::Options> said;
}  // namespace

void annotate(std::shared_ptr<const graph::Options> options) { said = std::move(options); }

Unannotated::Unannotated() : before_(std::exchange(said, nullptr)) {}

std::shared_ptr<const graph::Options> annotations_of(const Hash128& node) {
  std::lock_guard lock(known().mutex);
  const auto found = known().by_node.find(node);
  return found == known().by_node.end() ? nullptr : found->second;
}

void note_annotations(const Hash128& node) {
  if (!said) return;
  std::lock_guard lock(known().mutex);
  known().put(node, said);
}

void hand_on_annotations(const Hash128& from, const Hash128& to) {
  if (from == to) return;
  if (auto options = annotations_of(from)) {
    std::lock_guard lock(known().mutex);
    known().put(to, std::move(options));
  }
}

}  // namespace muster::expr
