// Calls that wait: any function becomes a task of a graph that runs in parallel in this process.
//
//   auto a = muster::delayed(load)("a.bin"), b = muster::delayed(load)("b.bin");
//   double sum = muster::delayed([](const Data& x, const Data& y) { return x.sum() + y.sum(); })(a, b).compute();
#pragma once
#include <any>
#include <functional>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "muster/dataframe.hpp"
#include "muster/export.hpp"

namespace muster {

namespace detail {
struct Call {
  std::function<std::any(const std::vector<const std::any*>&)> run;
  std::vector<std::shared_ptr<const Call>> inputs;
};
/// Runs the graph behind `root`, shared calls once, on `threads` threads (0 = as many as CPUs). Throws what a function threw.
MUSTER_API std::any compute(const std::shared_ptr<const Call>& root, int64_t threads);
}  // namespace detail

/// The result of a call that is not made yet. Copies share it.
template <class R>
class [[nodiscard]] Delayed {
 public:
  explicit Delayed(std::shared_ptr<const detail::Call> call) : call_(std::move(call)) {}
  /// Makes the call and all it needs. Throws what a function threw.
  [[nodiscard]] R compute(int64_t threads = 0) const { return std::any_cast<R>(detail::compute(call_, threads)); }
  [[nodiscard]] const std::shared_ptr<const detail::Call>& call() const { return call_; }

 private:
  std::shared_ptr<const detail::Call> call_;
};

namespace detail {
template <class T> struct is_delayed : std::false_type {};
template <class R> struct is_delayed<Delayed<R>> : std::true_type { using type = R; };

// An argument as the function sees it: the result of an input, or the value itself.
template <class T>
decltype(auto) argument(const T& value, const std::vector<const std::any*>& inputs, size_t& next) {
  if constexpr (is_delayed<T>::value) return *std::any_cast<typename is_delayed<T>::type>(inputs[next++]);
  else return value;
}
template <class T> struct argument_type { using type = const T&; };
template <class R> struct argument_type<Delayed<R>> { using type = const R&; };
}  // namespace detail

/// Makes a function lazy: calling what is returned gives a Delayed. Arguments that are Delayed stand for their results; the function is called with
/// const references and must return a copyable value.
template <class F>
[[nodiscard]] auto delayed(F function) {
  return [function = std::move(function)]<class... A>(A... args) {
    using R = std::decay_t<std::invoke_result_t<const F&, typename detail::argument_type<A>::type...>>;
    auto call = std::make_shared<detail::Call>();
    auto add = [&](const auto& a) {
      if constexpr (detail::is_delayed<std::decay_t<decltype(a)>>::value) call->inputs.push_back(a.call());
    };
    (add(args), ...);
    call->run = [function, kept = std::make_tuple(std::move(args)...)](const std::vector<const std::any*>& inputs) -> std::any {
      size_t next = 0;
      return std::apply([&](const auto&... a) -> std::any {
        std::tuple<decltype(detail::argument(a, inputs, next))...> values{detail::argument(a, inputs, next)...};  // in order
        return std::any(R(std::apply(function, values)));
      }, kept);
    };
    return Delayed<R>(std::move(call));
  };
}

/// As above, of several values at once: delayed_all({a, b, c}) gives their results as a vector.
template <class R>
Delayed<std::vector<R>> delayed_all(const std::vector<Delayed<R>>& values) {
  auto call = std::make_shared<detail::Call>();
  for (const auto& v : values) call->inputs.push_back(v.call());
  call->run = [](const std::vector<const std::any*>& inputs) -> std::any {
    std::vector<R> out;
    for (const auto* i : inputs) out.push_back(*std::any_cast<R>(i));
    return out;
  };
  return Delayed<std::vector<R>>(std::move(call));
}

}  // namespace muster
