// What came from another process as bytes of the guest language: opened where somebody looks at it, moved on as it is where not.
#pragma once
#include <memory>
#include <mutex>
#include <string>

#include "base/value.hpp"

namespace muster::data {

/// Objects of the guest language: the bytes their pickle gave or, once somebody has looked at them, themselves.
class Pickled {
 public:
  Pickled(std::string bytes, int64_t count, bool stays = false) : count(count), stays(stays), bytes_(std::make_shared<const std::string>(std::move(bytes))) {}
  const int64_t count;  // of the objects
  const bool stays;     // says something without any of its objects, as the categories of none do

  /// None once they are opened.
  std::shared_ptr<const std::string> bytes() const {
    std::lock_guard lock(mutex_);
    return bytes_;
  }
  /// The objects; the first who asks opens them, by `open(bytes)`, outside of any lock.
  template <class Open>
  std::shared_ptr<const base::Opaque> opened(Open open) const {
    std::shared_ptr<const std::string> bytes;
    {
      std::lock_guard lock(mutex_);
      if (opened_) return opened_;
      bytes = bytes_;
    }
    auto made = open(*bytes);
    std::lock_guard lock(mutex_);
    if (!opened_) opened_ = made, bytes_.reset();
    return opened_;
  }

 private:
  mutable std::mutex mutex_;
  mutable std::shared_ptr<const std::string> bytes_;
  mutable std::shared_ptr<const base::Opaque> opened_;
};

/// The token of an Opaque that is a Pickled.
inline constexpr const char* kPickled = "pickled";

inline std::shared_ptr<const base::Opaque> opaque_of(std::shared_ptr<Pickled> pickled) {
  return std::make_shared<const base::Opaque>(base::Opaque{kPickled, std::move(pickled)});
}
/// Null of other objects.
inline const Pickled* pickled_in(const base::Opaque& object) { return object.token == kPickled ? static_cast<const Pickled*>(object.object.get()) : nullptr; }

}  // namespace muster::data
