// Clusters of C++ programs: functions registered by name run on workers, which are this program, started again, or any worker that has loaded the
// library in which they are.
//
//   double area(double r) { return 3.14159 * r * r; }
//   static const muster::Function<double(double)> kArea("area", area);   // in every process
//   int main(int argc, char** argv) {
//     if (auto status = muster::worker_if_asked(argc, argv)) return *status;
//     muster::Cluster cluster({.workers = 2});
//     muster::Future<double> a = cluster.submit(kArea, 2.0);
//     std::cout << a.result() + cluster.submit(kArea, a).result() << '\n';
//     std::cout << muster::read_csv("flights.csv")["distance"].mean().number({.cluster = &cluster}) << '\n';
//   }
#pragma once
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "muster/error.hpp"
#include "muster/export.hpp"

namespace muster {

/// What the program muster-node does, for programs that want to be started as workers themselves: {"worker", address, ...} or {"scheduler", ...}.
/// Returns the exit status; throws Error{invalid} on arguments it does not know.
[[nodiscard]] MUSTER_API int node_main(const std::vector<std::string>& arguments);
/// Runs as a worker if a Cluster of this program started it so, and gives the exit status then. Call it first in main().
[[nodiscard]] MUSTER_API std::optional<int> worker_if_asked(int argc, char** argv);

/// How a value travels: numbers, bools, enums, text, and vectors and pairs of these. Specialize it for types of your own.
template <class T, class = void>
struct Wire;
template <class T>
struct Wire<T, std::enable_if_t<std::is_arithmetic_v<T> || std::is_enum_v<T>>> {
  static void write(std::string& out, const T& v) { out.append(reinterpret_cast<const char*>(&v), sizeof v); }
  static T read(std::string_view& in) {
    T v;
    if (in.size() < sizeof v) throw Error(ErrorKind::io, "a value whose bytes end early");
    std::memcpy(&v, in.data(), sizeof v);
    in.remove_prefix(sizeof v);
    return v;
  }
};
template <>
struct Wire<std::string> {
  static void write(std::string& out, const std::string& v) {
    Wire<uint64_t>::write(out, v.size());
    out += v;
  }
  static std::string read(std::string_view& in) {
    const auto size = Wire<uint64_t>::read(in);
    if (size > in.size()) throw Error(ErrorKind::io, "a value whose bytes end early");
    std::string v(in.substr(0, size));
    in.remove_prefix(size);
    return v;
  }
};
template <class T>
struct Wire<std::vector<T>> {
  static void write(std::string& out, const std::vector<T>& v) {
    Wire<uint64_t>::write(out, v.size());
    for (const auto& x : v) Wire<T>::write(out, x);
  }
  static std::vector<T> read(std::string_view& in) {
    const auto size = Wire<uint64_t>::read(in);
    if (size > in.size()) throw Error(ErrorKind::io, "a value whose bytes end early");
    std::vector<T> v;
    for (uint64_t i = 0; i < size; ++i) v.push_back(Wire<T>::read(in));
    return v;
  }
};
template <class A, class B>
struct Wire<std::pair<A, B>> {
  static void write(std::string& out, const std::pair<A, B>& v) { Wire<A>::write(out, v.first), Wire<B>::write(out, v.second); }
  static std::pair<A, B> read(std::string_view& in) {
    A a = Wire<A>::read(in);
    return {std::move(a), Wire<B>::read(in)};
  }
};

namespace detail {
/// Bytes of the arguments that are values; the others are inputs, whose bytes come in order. `from[i]` is 1 where argument i is an input.
using Native = std::function<std::string(std::string_view arguments, const std::vector<std::string_view>& inputs)>;
MUSTER_API void register_native(const std::string& name, Native function);

class ClusterState;
struct FutureState;
MUSTER_API std::shared_ptr<FutureState> submit(const std::shared_ptr<ClusterState>& cluster, const std::string& name, std::string arguments,
                                               const std::vector<std::shared_ptr<FutureState>>& inputs);
/// Waits; throws what the function threw, as an Error.
MUSTER_API std::string result(const std::shared_ptr<FutureState>& future);
MUSTER_API bool done(const std::shared_ptr<FutureState>& future);
MUSTER_API void cancel(const std::shared_ptr<FutureState>& future);
}  // namespace detail

/// The result of a task on a cluster, there or on its way; when the last copy goes, the result is freed.
template <class R>
class [[nodiscard]] Future {
 public:
  explicit Future(std::shared_ptr<detail::FutureState> state) : state_(std::move(state)) {}
  /// Waits for it. Throws Error: what the function threw, or that it was cancelled.
  R result() const {
    const std::string bytes = detail::result(state_);
    std::string_view in = bytes;
    return Wire<R>::read(in);
  }
  [[nodiscard]] bool done() const { return detail::done(state_); }
  /// Stops the task, running or not, and all that needs it; what another client wants goes on.
  void cancel() const { detail::cancel(state_); }
  [[nodiscard]] const std::shared_ptr<detail::FutureState>& state() const { return state_; }

 private:
  std::shared_ptr<detail::FutureState> state_;
};

template <class Signature>
class Function;
/// A function by the name under which every process of a cluster knows it. Make one in each, before main() or worker_if_asked().
template <class R, class... A>
class Function<R(A...)> {
 public:
  Function(std::string name, R (*function)(A...)) : name_(std::move(name)) {
    detail::register_native(name_, [function](std::string_view arguments, const std::vector<std::string_view>& inputs) {
      size_t next = 0;
      auto take = [&]<class T>(T*) {
        if (Wire<bool>::read(arguments)) {
          std::string_view bytes = inputs.at(next++);
          return Wire<T>::read(bytes);
        }
        return Wire<T>::read(arguments);
      };
      std::tuple<std::decay_t<A>...> values{take(static_cast<std::decay_t<A>*>(nullptr))...};
      std::string out;
      Wire<std::decay_t<R>>::write(out, std::apply(function, std::move(values)));
      return out;
    });
  }
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  std::string name_;
};

struct ClusterOptions {
  int64_t workers = 0;            // 0 = one for each CPU
  int64_t threads = 1;            // of each
  std::string address = {};       // of a scheduler that runs already; then no worker is started
  std::vector<std::string> load = {};  // libraries that workers load first, when they are not this program
};

/// A cluster of workers on this machine, or the client of one that runs already. Copies share it; the workers end with the last.
class MUSTER_API Cluster {
 public:
  /// Throws Error{io} if workers do not come.
  explicit Cluster(const ClusterOptions& options = {});

  /// Calls a registered function; arguments are values or futures of them.
  template <class R, class... P, class... A>
  Future<std::decay_t<R>> submit(const Function<R(P...)>& function, const A&... args) const {
    static_assert(sizeof...(P) == sizeof...(A), "a registered function is called with all its arguments");
    std::string bytes;
    std::vector<std::shared_ptr<detail::FutureState>> inputs;
    (write<std::decay_t<P>>(bytes, inputs, args), ...);
    return Future<std::decay_t<R>>(detail::submit(state_, function.name(), std::move(bytes), inputs));
  }
  /// Calls it once for each item; all calls are on their way before the first result is.
  template <class R, class P, class T>
  [[nodiscard]] std::vector<Future<std::decay_t<R>>> map(const Function<R(P)>& function, const std::vector<T>& items) const {
    std::vector<Future<std::decay_t<R>>> out;
    for (const auto& x : items) out.push_back(submit(function, x));
    return out;
  }
  /// The scheduler's address, for clients of other programs.
  [[nodiscard]] std::string address() const;
  [[nodiscard]] int64_t workers() const;
  [[nodiscard]] const std::shared_ptr<detail::ClusterState>& state() const { return state_; }

 private:
  template <class P, class T>
  static void write(std::string& bytes, std::vector<std::shared_ptr<detail::FutureState>>& inputs, const T& value) {
    if constexpr (requires { value.state(); }) {
      Wire<bool>::write(bytes, true);
      inputs.push_back(value.state());
    } else {
      Wire<bool>::write(bytes, false);
      Wire<P>::write(bytes, P(value));
    }
  }
  std::shared_ptr<detail::ClusterState> state_;
};

}  // namespace muster
