#include "kernels/texts.hpp"

#include <array>
#include <atomic>

namespace muster::kernels {
using namespace data;

Keep memo(const std::shared_ptr<const Dictionary>& dictionary, uint64_t number, const std::function<Keep()>& make) {
  struct Memo {
    std::weak_ptr<const Dictionary> of;
    uint64_t number = 0;
    Keep made;
  };
  thread_local std::array<Memo, 8> memos;
  thread_local size_t oldest = 0;
  for (auto& m : memos) {
    if (m.number == number && m.of.lock() == dictionary) return m.made;
    if (m.made && m.of.expired()) m = {};
  }
  Keep made = make();
  if (made) memos[oldest] = {dictionary, number, made}, oldest = (oldest + 1) % memos.size();
  return made;
}

uint64_t new_memo() {
  static std::atomic<uint64_t> last{0};
  return ++last;
}

}  // namespace muster::kernels
