// Messages between processes: what is written is read, what no writer made is refused, and only the connection that sent it ends.
#include <gtest/gtest.h>
#include <unistd.h>

#include <random>
#include <thread>

#include "cluster/client.hpp"
#include "cluster/hub.hpp"
#include "cluster/messages.hpp"
#include "cluster/node.hpp"
#include "cluster/object_server.hpp"
#include "base/error.hpp"

namespace muster::cluster {
namespace {
using base::Dict, base::List, base::Value;
using net::Fd, net::Frame;

graph::Graph sample_graph() {
  graph::Graph g;
  g.ranges.push_back({.count = 2, .function = "pipeline", .args = Dict{{"a", List{1, 2.5, "x"}}}, .partition = {4, 7}, .reports = true, .label = "read"});
  g.ranges.push_back({.count = 1,
                      .function = "python",
                      .inputs = {{0, graph::Dependency::Rule::block, 2, 1, 0}, {0, graph::Dependency::Rule::all, 1, -1, 0}},
                      .wanted_tasks = {0},
                      .options = {.priority = -3, .retries = 2, .workers = {"w"}, .allow_other_workers = true, .resources = {{"gpu", 0.5}}, .timeout_us = 7},
                      .begins = {0, 1},
                      .needs = {{5, 6}},
                      .output = 1,
                      .functions = {std::make_shared<const std::string>("code")},
                      .function_of = {0},
                      .labels = {"f"},
                      .arguments = {std::make_shared<const std::string>("pickle")}});
  return g;
}

TaskError sample_error() {
  return {.kind = TaskError::Kind::guest, .error = ErrorKind::io, .type = "m.E", .message = "no", .task = "f", .traceback = "File", .pickled = "bytes",
          .notes = {"a", "b"}};
}

// f(a message of each type, all fields given).
template <class F>
void each_sample(F f) {
  const TaskId task{4097, 11};
  const auto error = std::make_shared<const TaskError>(sample_error());
  const auto graph = std::make_shared<const graph::Graph>(sample_graph());
  const auto blob = [](const char* text) { return std::make_shared<const std::string>(text); };
  f(RegisterWorker{.address = "unix://@a", .name = "n", .host = "h", .threads = 2, .memory_limit = 3, .pid = 4, .resources = {{"gpu", 1.5}}});
  f(Finished{task, 1, 2, 3, "int", "note", true, "value"});
  f(Failed{task, 1, schedule::Failure::refused, error, "note", {{task, 2, "holder"}}});
  f(Retracted{{{task, 1}, {task, 2}}});
  f(Seceded{task, 1});
  f(Added{task, 1});
  f(Heartbeat{1, 2, 3, 4});
  f(WelcomeWorker{.slot = 3});
  f(PutRange{1, "python", "f", Dict{{"k", 1}}, 5, false, {0, 1}, 2});
  f(DropRange{1});
  f(PutFunction{1, "bytes"});
  f(DropFunction{1});
  f(Assign{task, 1, 2, 3, 4, 5, "arguments", {1, 1}, {{task, 1, true, "value", {}}, {task, 2, false, "", {"a", "b"}}}});
  f(Cancel{task, 1});
  f(Retract{1});
  f(FreeObject{task, 1});
  f(Hello{.name = "client", .depth = 1});
  f(Submit{4097, true, graph});
  f(CloseJob{4097});
  f(Want{{task, task}});
  f(Release{{task}});
  f(CancelTasks{{task}});
  f(Retry{{task}});
  f(FireAndForget{{task}});
  f(Scatter{task, 5, "str", true, {"a", "b"}});
  f(Promise{task, "p", true});
  f(Bind{task, graph});
  f(Refuse{task, error});
  f(Ask{1, "identity", List{1, "x"}});
  f(Hold{task, {task}});
  f(WelcomeClient{.id = 9});
  f(News{News::Kind::failed, task, 1, "str", blob("v"), {"h"}, blob("note"), task, error});
  f(Answer{1, Dict{{"a", 1}}, error});
  f(Rejected{.why = "because"});
  f(GetObject{task, 1, true});
  f(ObjectHead{ObjectHead::Found::refused, true, 3});
  f(PutObject{task, true, 3, "str"});
}

TEST(Messages, AreReadAsTheyWereWritten) {
  each_sample([](const auto& message) {
    using M = std::decay_t<decltype(message)>;
    const std::string bytes = net::encoded(message);
    EXPECT_EQ(net::encoded(net::decoded<M>(bytes)), bytes) << typeid(M).name();
    EXPECT_NE(bytes, net::encoded(M{})) << typeid(M).name();
  });
  const auto error = net::decoded<TaskError>(net::encoded(sample_error()));
  EXPECT_EQ(error, sample_error());
  const auto g = *net::decoded<Submit>(net::encoded(Submit{1, false, std::make_shared<const graph::Graph>(sample_graph())})).graph;
  EXPECT_EQ(g.ranges.at(1).options, sample_graph().ranges[1].options);
  EXPECT_EQ(g.ranges[0].args, sample_graph().ranges[0].args);
  EXPECT_EQ(*g.ranges[1].arguments.at(0), "pickle");
}

TEST(Messages, ThatEndEarlyOrLateAreRefused) {
  each_sample([](const auto& message) {
    using M = std::decay_t<decltype(message)>;
    const std::string bytes = net::encoded(message);
    for (size_t size = 0; size < bytes.size(); ++size) EXPECT_THROW(net::decoded<M>(bytes.substr(0, size)), Error) << typeid(M).name() << " cut at " << size;
    EXPECT_THROW(net::decoded<M>(bytes + '\0'), Error) << typeid(M).name();
  });
}

TEST(Messages, WithOtherBytesAreReadOrRefused) {
  std::mt19937 random(20);
  each_sample([&](const auto& message) {
    using M = std::decay_t<decltype(message)>;
    const std::string bytes = net::encoded(message);
    for (int i = 0; i < 300; ++i) {
      std::string other = bytes;
      for (uint32_t n = random() % 3 + 1; n > 0; --n) other[random() % other.size()] = static_cast<char>(random() % 2 ? random() : 0xFF);
      try {
        static_cast<void>(net::decoded<M>(other));
      } catch (const Error& e) {
        EXPECT_FALSE(std::string(e.what()).empty());
      }
    }
  });
}

TEST(Messages, WhoseListsDoNotFitAreRefused) {
  const auto refused = [](auto change) {
    auto g = sample_graph();
    change(g.ranges[1]);
    EXPECT_THROW(net::decoded<Submit>(net::encoded(Submit{1, false, std::make_shared<const graph::Graph>(std::move(g))})), Error);
  };
  refused([](auto& r) { r.count = -1; });
  refused([](auto& r) { r.count = 2; });
  refused([](auto& r) { r.begins = {0, 2}; });
  refused([](auto& r) { r.function_of = {1}; });
  refused([](auto& r) { r.wanted_tasks = {1}; });
  refused([](auto& r) { r.labels = {}, r.labels = {"a", "b"}; });
  EXPECT_THROW(net::decoded<Submit>(net::encoded(Submit{1, false, nullptr})), Error);
  EXPECT_THROW(net::decoded<News>(net::encoded(News{.kind = News::Kind::failed})), Error);
}

TEST(Errors, AreTheSameBehindAProcess) {
  Error e(ErrorKind::invalid, "no good", "pandas.errors.ParserError");
  e.through("read_csv").through("partition 3");
  const Error there = opened(net::decoded<TaskError>(net::encoded(written_down(e))));
  EXPECT_STREQ(there.what(), e.what());
  EXPECT_EQ(there.kind, e.kind);
  EXPECT_EQ(there.python, e.python);
  EXPECT_EQ(there.trail, e.trail);
  EXPECT_NE(std::string(opened(sample_error()).what()).find("m.E: no"), std::string::npos);
}

// ---- connections

// What the other end says before it ends the connection; "" if it ends it without a word.
std::string last_words(const Fd& fd) {
  std::string why;
  try {
    for (;;) {
      const Frame f = net::receive_frame(fd, 10);
      if (Type{f.type} == Type::rejected) why = net::decoded<Rejected>(f.body).why;
    }
  } catch (const Error& e) {
    EXPECT_EQ(std::string(e.what()).find("no answer"), std::string::npos) << "the connection stays open";
  }
  return why;
}

class AHub : public ::testing::Test {
 protected:
  Fd knock() { return net::connect(net::Address::parse(hub->address()), 5); }
  void expect_it_answers() { EXPECT_EQ(witness->ask("identity", Value(), 5)["workers"].list().size(), 0u); }
  std::shared_ptr<Hub> hub = std::make_shared<Hub>(HubOptions{});
  std::unique_ptr<Client> witness = std::make_unique<Client>(hub->address(), "witness", 5);
};

TEST_F(AHub, TurnsOtherVersionsAwayAndSaysWhich) {
  const auto expect = [&](const auto& message) {
    const Fd fd = knock();
    send(fd, message);
    const std::string why = last_words(fd);
    EXPECT_NE(why.find("version " + std::to_string(kProtocol)), std::string::npos) << why;
    EXPECT_NE(why.find("version 77"), std::string::npos) << why;
  };
  expect(Hello{.version = 77, .name = "other"});
  expect(RegisterWorker{.version = 77});
  const Fd fd = knock();  // whatever stands behind the number
  net::send_frame(fd, static_cast<uint16_t>(Type::hello), std::string("M\0\0\0nothing we know", 19));
  EXPECT_NE(last_words(fd).find("version 77"), std::string::npos);
  expect_it_answers();
}

TEST_F(AHub, EndsTheConnectionThatIsNotUnderstood) {
  const std::string whole = net::encoded(Hello{.name = "n"});
  std::vector<std::string> firsts = {"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", std::string(100, '\xff'), std::string(100, '\0')};
  for (const auto& bytes : firsts) {
    const Fd fd = knock();
    ASSERT_EQ(::write(fd.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    EXPECT_NE(last_words(fd).find("not muster's protocol"), std::string::npos);
  }
  const auto submit = static_cast<uint16_t>(Type::submit), hello = static_cast<uint16_t>(Type::hello);
  for (const auto& [type, body] :
       {std::pair<uint16_t, std::string>{999, ""}, {submit, "x"}, {hello, whole.substr(0, whole.size() - 1)}, {hello, ""}}) {
    const Fd fd = knock();
    net::send_frame(fd, type, body);
    EXPECT_NE(last_words(fd), "");
  }
  expect_it_answers();
}

TEST_F(AHub, EndsClientsAndWorkersThatSendWhatItCannotRead) {
  each_sample([&](const auto& message) {
    const std::string body = net::encoded(message);
    const auto type = static_cast<uint16_t>(std::decay_t<decltype(message)>::kType);
    for (const bool worker : {false, true}) {
      const Fd fd = knock();
      if (worker) send(fd, RegisterWorker{.address = "unix://@nowhere", .name = "w"});
      else send(fd, Hello{.name = "c"});
      net::send_frame(fd, type, body.substr(0, body.size() - 1));
      EXPECT_NE(last_words(fd), "") << type;
    }
  });
  for (int tries = 0; tries < 500 && witness->ask("identity", Value(), 5)["workers"].list().size() > 0; ++tries) usleep(10'000);
  expect_it_answers();
}

// A scheduler that answers the first frame of whoever comes with this message.
template <class M>
std::string error_behind(const M& message, const std::function<void(const std::string& address)>& come) {
  auto [listener, address] = net::listen(net::Address::parse("unix://@muster-" + random_name()));
  net::set_blocking(listener, true);
  std::thread scheduler([&, &l = listener] {
    const Fd fd = net::accept(l, true);
    net::receive_frame(fd, 10);
    send(fd, message);
    last_words(fd);
  });
  std::string why;
  try {
    come(address.text());
  } catch (const Error& e) {
    why = e.what();
  }
  scheduler.join();
  return why;
}

TEST(OtherSchedulers, AreNotSpokenTo) {
  const auto client = [](const std::string& address) { Client(address, "c", 5); };
  const auto worker = [](const std::string& address) { run_node({.scheduler = address, .memory_limit = 100'000'000}); };
  for (const std::string& why : {error_behind(WelcomeClient{.version = 77}, client), error_behind(WelcomeWorker{.version = 77}, worker)}) {
    EXPECT_NE(why.find("version 77"), std::string::npos) << why;
    EXPECT_NE(why.find("version " + std::to_string(kProtocol)), std::string::npos) << why;
  }
  for (const std::string& why : {error_behind(Rejected{.why = "go away"}, client), error_behind(Rejected{.why = "go away"}, worker)})
    EXPECT_NE(why.find("go away"), std::string::npos) << why;
  EXPECT_NE(error_behind(Retract{1}, client).find("which no scheduler sends"), std::string::npos);
  EXPECT_NE(error_behind(Want{}, worker).find("which no scheduler sends"), std::string::npos);
}

}  // namespace
}  // namespace muster::cluster
