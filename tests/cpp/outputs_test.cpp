// Outputs of a task as bytes: one of many is sent, spilled and opened without the others, and damaged bytes are an error that says so.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <cstring>
#include <random>
#include <thread>

#include "cluster/fetcher.hpp"
#include "cluster/messages.hpp"
#include "cluster/object_server.hpp"
#include "kernels/wire.hpp"
#include "worker/object_store.hpp"
#include "worker/store.hpp"

namespace muster::cluster {
namespace {
using kernels::Output;
using worker::Object, worker::ObjectKey, worker::ObjectStore;

std::vector<Output> texts(size_t count, size_t size) {
  std::vector<Output> out(count);
  for (size_t i = 0; i < count; ++i) {
    out[i].text = std::make_shared<const std::string>(size, static_cast<char>('a' + i));
    out[i].bytes = static_cast<int64_t>(size);
  }
  return out;
}

Object native(std::vector<Output> outputs) {
  Object o;
  o.native = true, o.type = "native";
  for (const auto& out : outputs) o.bytes += out.bytes;
  o.outputs = std::make_shared<const std::vector<Output>>(std::move(outputs));
  return o;
}

Object as_it_lies(Object o) {
  o = worker::as_bytes(o);
  return o;
}

Object spilled(Object o) {
  ObjectStore store;
  worker::budget().hold(o.bytes);
  store.put(TaskId{1, 1}, std::move(o));
  store.spill(0);
  return *store.find(TaskId{1, 1});
}

// A worker's door on TCP, and between it and whoever asks a relay that counts the bytes that are handed out.
class Door {
 public:
  Door() {
    auto [inner, inside] = net::listen(net::Address::parse("tcp://127.0.0.1:0"));
    auto [outer, outside] = net::listen(net::Address::parse("tcp://127.0.0.1:0"));
    address = outside.text(), listener_ = std::move(outer);
    net::set_blocking(listener_, true);
    loop_.add_listener(std::move(inner), false, [this](net::Fd fd) {
      serve_objects(loop_, std::move(fd), {
        .run = [](std::function<void()> job) { job(); },
        .find = [this](TaskId id, uint16_t, Object& out) {
          auto found = store.find(id);
          if (found) out = std::move(*found);
          return found.has_value();
        },
        .put = [](TaskId, Object&&, std::function<void(std::optional<Error>)> stored) { stored({}); },
      });
    });
    relay_ = std::thread([this, inside = inside] { relay(inside); });
  }
  ~Door() {
    stop_ = true;
    relay_.join();
    loop_.stop();
  }
  void put(Object o) {
    worker::budget().hold(o.bytes);
    store.put(TaskId{1, 1}, std::move(o));
  }
  Object get(uint32_t output) {
    const int64_t before = handed_out;
    Object o = peers_.get(address, {TaskId{1, 1}, output}, kAnyAttempt, 10);
    took = handed_out - before;
    return o;
  }

  ObjectStore store;
  std::string address;
  std::atomic<int64_t> handed_out{0};
  int64_t took = 0;

 private:
  void relay(const net::Address& inside) {
    pollfd waiting{listener_.get(), POLLIN, 0};
    while (!stop_ && poll(&waiting, 1, 10) != 1) {}
    if (stop_) return;
    const net::Fd asks(::accept(listener_.get(), nullptr, nullptr)), answers = net::connect(inside, 1);
    std::string buffer(1 << 16, '\0');
    while (!stop_) {
      pollfd both[] = {{asks.get(), POLLIN, 0}, {answers.get(), POLLIN, 0}};
      if (poll(both, 2, 10) < 1) continue;
      for (int i = 0; i < 2; ++i) {
        if (!both[i].revents) continue;
        const ssize_t n = ::recv(both[i].fd, buffer.data(), buffer.size(), 0);
        if (n <= 0) return;
        if (i == 1) handed_out += n;
        for (ssize_t at = 0, sent = 0; at < n; at += sent)
          if ((sent = ::send(both[1 - i].fd, buffer.data() + at, static_cast<size_t>(n - at), MSG_NOSIGNAL)) < 0) return;
      }
    }
  }
  net::Loop loop_;
  net::Fd listener_;
  Peers peers_;
  std::atomic<bool> stop_{false};
  std::thread relay_;
};

TEST(Outputs, OneIsOpenedWithoutTheOthers) {
  for (size_t count : {1, 2, 7, 129}) {
    const auto outputs = texts(count, 1000);
    const std::string bytes = kernels::encode(outputs);
    EXPECT_EQ(kernels::count_outputs(bytes), count);
    for (size_t i = 0; i < count; ++i) {
      EXPECT_EQ(*kernels::decode_output(bytes, i).text, *outputs[i].text);
      const std::string alone(kernels::encoded_output(bytes, i));
      EXPECT_LT(alone.size(), 1100u);
      EXPECT_EQ(*kernels::decode_output(alone, i).text, *outputs[i].text);
      EXPECT_THROW(kernels::decode_output(alone, i + 1), Error);
    }
    EXPECT_THROW(kernels::decode_output(bytes, count), Error);
    EXPECT_EQ(kernels::decode_outputs(bytes).size(), count);
  }
  EXPECT_TRUE(kernels::decode_outputs(kernels::encode(std::vector<Output>{})).empty());
}

TEST(Outputs, DamagedBytesAreAnErrorAndNoOtherOutput) {
  const auto outputs = texts(16, 50);
  const std::string bytes = kernels::encode(outputs);
  std::mt19937 random(1);
  for (int round = 0; round < 20'000; ++round) {
    std::string damaged = bytes;
    const size_t table = bytes.size() - kernels::encoded_output(bytes, 15).size() * 16;
    damaged[random() % table] = static_cast<char>(random());
    if (random() % 4 == 0) damaged.resize(random() % damaged.size());
    const size_t which = random() % 16;
    try {
      EXPECT_EQ(*kernels::decode_output(damaged, which).text, *outputs[which].text);  // what was damaged has no say
    } catch (const Error& e) {
      EXPECT_EQ(e.kind, ErrorKind::io);
    }
  }
}

TEST(Outputs, OnlyTheBytesOfOneCrossTcp) {
  Door door;
  constexpr size_t kSize = 300'000, kCount = 16;
  for (const auto& form : {native(texts(kCount, kSize)), as_it_lies(native(texts(kCount, kSize))), spilled(native(texts(kCount, kSize)))}) {
    door.put(form);
    for (uint32_t i : {0u, 7u, 15u}) {
      const Object one = door.get(i);
      EXPECT_EQ(one.output, i);
      EXPECT_EQ(*kernels::decode_output(one.view(), i).text, std::string(kSize, static_cast<char>('a' + i)));
      EXPECT_GT(door.took, static_cast<int64_t>(kSize));
      EXPECT_LT(door.took, static_cast<int64_t>(kSize) + 1000);
    }
    const Object all = door.get(worker::kAllOutputs);
    EXPECT_EQ(all.output, worker::kAllOutputs);
    EXPECT_GT(door.took, static_cast<int64_t>(kSize * kCount));
    EXPECT_EQ(*kernels::decode_outputs(all.view()).at(3).text, std::string(kSize, 'd'));
  }
  door.put(native(texts(kCount, 100)));
  EXPECT_EQ(door.get(3).output, worker::kAllOutputs) << "a small object comes whole, once for all that read it";
  door.put(native(texts(1, kSize)));
  EXPECT_EQ(door.get(0).output, worker::kAllOutputs);
}

TEST(Outputs, ADamagedTableIsRefusedWithAReason) {
  Door door;
  Object o = as_it_lies(native(texts(16, 50'000)));
  std::string bytes(o.view());
  const auto first = static_cast<size_t>(kernels::encoded_output(bytes, 0).data() - bytes.data());
  std::memset(bytes.data() + first - 17 * sizeof(uint64_t), 0xFF, 64);  // where the first outputs end
  o.segment.reset(), o.small = std::make_shared<const std::string>(bytes);
  door.put(o);
  try {
    door.get(1);
    FAIL();
  } catch (const Refused& e) {
    EXPECT_EQ(e.kind, ErrorKind::io);
    EXPECT_NE(std::string(e.what()).find("damaged"), std::string::npos) << e.what();
  }
  EXPECT_EQ(door.get(15).output, 15u) << "the connection goes on, with what is not damaged";
}

TEST(Outputs, TheBudgetIsEvenWhateverBecomesOfThem) {
  const int64_t before = worker::budget().used();
  {
    ObjectStore store;
    for (uint32_t i = 0; i < 4; ++i) {
      Object one = worker::as_bytes(native(texts(16, 100'000)), i);
      worker::budget().hold(one.bytes);
      store.put({TaskId{1, 1}, i}, std::move(one));
    }
    EXPECT_FALSE(store.find(TaskId{1, 1}));
    EXPECT_EQ(store.find_output({TaskId{1, 1}, 2})->output, 2u);
    EXPECT_FALSE(store.find_output({TaskId{1, 1}, 9}));
    store.spill(0);
    EXPECT_EQ(worker::budget().used(), before);
    const Object again = worker::as_bytes(*store.find_output({TaskId{1, 1}, 2}));
    const Output opened = kernels::decode_output(again.view(), 2);
    EXPECT_EQ(*opened.text, std::string(100'000, 'c'));
    store.opened(*store.find_output({TaskId{1, 1}, 2}), {TaskId{1, 1}, 2}, opened);
    EXPECT_EQ(worker::budget().used(), before + 100'000);
    EXPECT_EQ(kernels::encoded_output(worker::as_bytes(*store.find_output({TaskId{1, 1}, 2})).view(), 2), again.view());
    EXPECT_TRUE(store.erase({TaskId{1, 1}, 2}, 0));
    EXPECT_FALSE(store.erase({TaskId{1, 1}, 2}, 0));
    Object all = native(texts(3, 700'000));
    worker::budget().hold(all.bytes);
    store.put(TaskId{1, 1}, std::move(all));
    EXPECT_EQ(store.find_output({TaskId{1, 1}, 1})->output, worker::kAllOutputs) << "the whole object has all";
  }
  EXPECT_EQ(worker::budget().used(), before);
}

// Those that hold nothing are kept in runs: each is there, under its attempt, until it is replaced or erased.
TEST(Outputs, ObjectsThatHoldNothingAreKeptAsIfEachWereAlone) {
  const int64_t before = worker::budget().used();
  for (unsigned seed = 0; seed < 300 && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    ObjectStore store;
    std::map<TaskId, std::pair<uint16_t, int64_t>> expected;  // attempt and bytes
    for (int step = 0; step < 60; ++step) {
      const TaskId first{1 + static_cast<uint32_t>(random() % 2), static_cast<uint32_t>(random() % 30)};
      const auto attempt = static_cast<uint16_t>(random() % 2);
      const auto count = static_cast<uint32_t>(1 + random() % 10);
      const auto each = [&](auto f) {
        for (TaskId task = first; task.index < first.index + count; ++task.index) f(task);
      };
      switch (random() % 4) {
        case 0:
          store.put_nothing({first, attempt}, count);
          each([&](TaskId task) { expected[task] = {attempt, 0}; });
          break;
        case 1: {
          Object one = native(texts(1, 100));
          one.attempt = attempt;
          worker::budget().hold(one.bytes);
          expected[first] = {attempt, one.bytes};
          store.put(first, std::move(one));
          break;
        }
        case 2:
          store.erase_run({first, attempt}, count);
          each([&](TaskId task) {
            if (expected.contains(task) && expected[task].first == attempt) expected.erase(task);
          });
          break;
        default:
          EXPECT_EQ(store.erase(first, attempt), expected.contains(first) && expected[first].first == attempt);
          if (expected.contains(first) && expected[first].first == attempt) expected.erase(first);
      }
      int64_t bytes = 0;
      for (uint32_t job : {0u, 1u, 2u, 3u})
        for (uint32_t i = 0; i < 45; ++i) {
          const auto known = expected.find({job, i});
          for (const auto& found : {store.find(TaskId{job, i}), store.find_output({TaskId{job, i}, 0})}) {
            ASSERT_EQ(found.has_value(), known != expected.end()) << job << ", " << i;
            if (!found) continue;
            ASSERT_EQ(std::pair(found->attempt, found->bytes), known->second);
            ASSERT_EQ(found->outputs->size(), 1u);
          }
          if (known != expected.end()) bytes += known->second.second;
        }
      ASSERT_EQ(store.bytes(), bytes);
      ASSERT_EQ(worker::budget().used(), before + bytes);
    }
  }
  EXPECT_EQ(worker::budget().used(), before);
}

}  // namespace
}  // namespace muster::cluster
