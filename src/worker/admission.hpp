// Who may run while memory is short. An attempt brings an estimate of what it needs, which is reserved as it starts: it starts where that fits, or
// where no other attempt runs; else it waits. What waits holds no memory, so whoever runs can end, and then the next may start: nobody waits for ever.
#pragma once
#include <cstdint>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "worker/store.hpp"

namespace muster::worker {

class Admission {
 public:
  explicit Admission(Budget& budget) : budget_(budget) {}
  struct Attempt {
    const void* owner;    // its job
    int64_t need = 0;     // bytes; a lower bound where nothing better is known
    int64_t stage = 0;    // of those that fit the latest stage runs first: it uses up what earlier ones made
    std::function<void()> resume{};  // called once, without locks of this class, when the attempt has begun after all
    const void* which = nullptr;     // of the owner's, for hurry()
  };

  /// True: the attempt has begun, and `need` bytes are reserved for it. False: call wait().
  bool begin(const void* owner, int64_t need);
  /// Waits for its turn; may resume it, or others, before it returns.
  void wait(Attempt attempt);
  /// An attempt that has begun ran out of memory, and gave back what it held. True: it waits. False: waiting would change nothing, as no other
  /// attempt holds memory and those that wait were tried; it still counts as begun.
  bool postpone(Attempt attempt);
  /// Somebody begins to give memory back: until its end() others that do not fit wait for it.
  void begin_giving(const void* owner);
  /// Memory was given back: resumes those that fit now.
  void room();
  /// The least that one who waits needs; 0: nobody waits.
  int64_t wanted() const;
  /// An attempt that has begun is over, what it had reserved is given back.
  void end(const void* owner);
  /// Resumes all that wait, whatever they need, or one of them: their job stops.
  void hurry(const void* owner, const void* which = nullptr);
  /// The owner is left behind: what waits is dropped, what has begun counts no more.
  void forget(const void* owner);

 private:
  struct Waiting {
    Attempt attempt;
    uint64_t tried;  // alone and in vain, with this many attempts ended
  };
  using Resumed = std::vector<std::function<void()>>;
  void count(const void* owner);
  void uncount(const void* owner);
  void start(Attempt& attempt, Resumed& resumed);
  void choose(Resumed& resumed);

  Budget& budget_;
  mutable std::mutex mutex_;
  std::vector<Waiting> waiting_;
  std::vector<std::pair<const void*, int64_t>> running_;  // by owner, who are few
  int64_t total_ = 0;    // of running_
  uint64_t ended_ = 1;   // attempts
};

}  // namespace muster::worker
