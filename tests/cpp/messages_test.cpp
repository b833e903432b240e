// Messages between processes: what is written is read, what no writer made is refused, and only the connection that sent it ends.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "cluster/client.hpp"
#include "cluster/executor_end.hpp"
#include "cluster/hub.hpp"
#include "cluster/launch/local.hpp"
#include "cluster/messages.hpp"
#include "cluster/node.hpp"
#include "cluster/object_server.hpp"
#include "base/error.hpp"

namespace muster::cluster {
namespace {
using base::Dict, base::List, base::Value;
using net::Encoder, net::Decoder, net::Fd, net::Frame;

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
  f(Finished{task, 1, 2, 3, "int", "note", true, "value", 2});
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
  f(Assign{task, 1, 2, 3, 4, 5, "arguments", {1, 1}, {{task, 1, true, "value", {}}, {task, 2, false, "", {"a", "b"}}}, 2});
  f(Cancel{task, 1});
  f(Retract{1});
  f(FreeObject{task, 1, 2});
  f(Hello{.name = "client", .depth = 1});
  f(Submit{4097, true, graph});
  f(CloseJob{4097});
  f(Want{{task, task}});
  f(Release{{task}});
  f(CancelTasks{{task}, true});
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

// The same between a worker and its executors.
template <class F>
void each_executor_sample(F f) {
  const TaskId task{4097, 11};
  f(RequestHead{RequestHead::Kind::descriptors, task, 1, 199});
  f(ExecutorCall{true, 1, "code", 2, 3, 4, 5, 6, "label", "arguments", {1, 0}, 9,
      {{ExecutorInput::Place::descriptor, 7, ""}, {ExecutorInput::Place::value, 0, "value"}, {ExecutorInput::Place::pack, 9, ""}}});
  f(Forget{Forget::Thing::pipeline, 1});
  f(Interrupt{task, 1});
  f(ExecutorReady{.version = 77});
  f(TaskNotBegun{task, 1});
  f(TaskSeceded{task, 1});
  f(TaskDone{task, 1, 2, 3, true, 4, "int", "note"});
  f(TaskFailed{task, 1, 2, 3, schedule::Failure::refused, "note", std::make_shared<const TaskError>(sample_error())});
}

template <class F>
void each_message(F f) {
  each_sample(f);
  each_executor_sample(f);
}

TEST(Messages, AreReadAsTheyWereWritten) {
  each_message([](const auto& message) {
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

// Of tasks that follow each other there is one message, which says what each of theirs said.
template <class M, class Make>
void runs_say_what_each_said(Make make) {
  std::mt19937 random(3);
  for (int round = 0; round < 200; ++round) {
    Batch<M> batch;
    std::vector<std::string> all, read;
    TaskId task{4097, 5};
    for (uint32_t n = random() % 40; n > 0; --n) {
      if (random() % 8) ++task.index;
      else task = {4096 + random() % 2, random() % 4};
      const M message = make(task, random() % 16 ? 0 : random() % 3);
      all.push_back(net::encoded(message));
      batch.add(message);
    }
    net::each<M>(batch.take(), [&](M&& run) {
      for (uint32_t n = 0; n < run.count; ++n) {
        M one = run;
        one.count = 1, one.task.index += n;
        if constexpr (requires { one.priority; }) one.priority += n, one.index += n;
        read.push_back(net::encoded(one));
      }
    });
    EXPECT_EQ(all, read);
    EXPECT_TRUE(batch.take().empty());
  }
}

TEST(Messages, OfTasksThatFollowEachOtherBecomeOne) {
  runs_say_what_each_said<FreeObject>([](TaskId task, uint16_t other) { return FreeObject{task, other}; });
  runs_say_what_each_said<Finished>([](TaskId task, uint32_t other) {
    return Finished{.task = task, .bytes = other, .type = other == 1 ? "int" : Finished::kNative, .note = other == 2 ? "note" : ""};
  });
  runs_say_what_each_said<Assign>([](TaskId task, uint32_t other) {
    return Assign{.task = task, .range = other, .index = task.index + other, .priority = task.index, .arguments = other == 2 ? "arguments" : ""};
  });
  Batch<FreeObject> many;
  for (uint32_t i = 0; i < 3 * kLongestRun + 1; ++i) many.add({{1, i}, 0});
  EXPECT_LT(many.take().size(), 100u);
  EXPECT_THROW(net::decoded<FreeObject>(net::encoded(FreeObject{{1, 0}, 0, 0})), Error);
  EXPECT_THROW(net::decoded<FreeObject>(net::encoded(FreeObject{{1, 0}, 0, kLongestRun + 1})), Error);
}

TEST(Messages, ThatEndEarlyOrLateAreRefused) {
  each_message([](const auto& message) {
    using M = std::decay_t<decltype(message)>;
    const std::string bytes = net::encoded(message);
    for (size_t size = 0; size < bytes.size(); ++size) EXPECT_THROW(net::decoded<M>(bytes.substr(0, size)), Error) << typeid(M).name() << " cut at " << size;
    EXPECT_THROW(net::decoded<M>(bytes + '\0'), Error) << typeid(M).name();
  });
}

TEST(Messages, WithOtherBytesAreReadOrRefused) {
  std::mt19937 random(20);
  each_message([&](const auto& message) {
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

// ---- executors

TEST(Replies, ThatAreDamagedAreNone) {
  Encoder out;
  append_reply(out, TaskSeceded{{1, 2}, 3}, 0, [](std::string&) {});
  const size_t first = out.size();
  append_reply(out, TaskDone{{1, 2}, 3, 4, 5, false, 5, "str", "note"}, 1, [](std::string& bytes) { bytes += "value"; });
  const std::string bytes = out.take();
  ReplyFrame frame;
  ASSERT_TRUE(first_reply(bytes, frame));
  EXPECT_EQ(frame.type, ReplyType::seceded);
  EXPECT_EQ(frame.size, first);
  ASSERT_TRUE(first_reply(std::string_view(bytes).substr(first), frame));
  EXPECT_EQ(frame.fds, 1);
  EXPECT_TRUE(frame.body.ends_with("value"));
  for (size_t size = 0; size < first; ++size) EXPECT_FALSE(first_reply(std::string_view(bytes).substr(0, size), frame)) << size;
  for (size_t at = 0; at < first; ++at)
    for (const char change : {'\1', '\x80', '\xff'}) {
      std::string other = bytes.substr(0, first);
      other[at] = static_cast<char>(other[at] ^ change);
      EXPECT_THROW(first_reply(other, frame), Error) << at;
    }
  EXPECT_THROW(first_reply(std::string_view(bytes).substr(1), frame), Error);
}

// The worker's ends of an executor's sockets.
class AnExecutor : public ::testing::Test {
 protected:
  static std::pair<Fd, Fd> pair(int type) {
    int fds[2];
    EXPECT_EQ(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds), 0);
    return {Fd(fds[0]), Fd(fds[1])};
  }
  static Fd file(const std::string& bytes) {
    Fd out(memfd_create("object", MFD_CLOEXEC));
    EXPECT_EQ(write(out.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    return out;
  }
  void send(const RequestHead& head, const std::string& more, const std::vector<int>& some = {}) {
    ASSERT_GT(net::send_with(requests.first.get(), net::encoded(head) + more, some, 0), 0);
  }
  void ahead(uint32_t task, uint32_t place, const std::vector<int>& some) { send({RequestHead::Kind::descriptors, {0, task}, 0, place}, "", some); }
  ExecutorEnd::Next next() {
    return end.next([this](const Forget& said) { forgotten.push_back(said.number); });
  }
  // The sizes of the files that came with the call at hand.
  std::vector<int64_t> sizes() {
    std::vector<int64_t> out;
    for (const auto& fd : end.fds()) out.push_back(lseek(fd.get(), 0, SEEK_END));
    return out;
  }
  std::string said() {
    std::string bytes(1 << 16, '\0');
    bytes.resize(static_cast<size_t>(std::max<ssize_t>(0, recv(replies.first.get(), bytes.data(), bytes.size(), MSG_DONTWAIT))));
    return bytes;
  }
  std::pair<Fd, Fd> requests = pair(SOCK_SEQPACKET), replies = pair(SOCK_STREAM), cancels = pair(SOCK_SEQPACKET);
  ExecutorEnd end{std::move(requests.second), std::move(replies.second), std::move(cancels.second)};
  std::vector<uint32_t> forgotten;
  const std::string call = net::encoded(ExecutorCall{.number = 7, .limit = 1000, .reserved = 200, .label = "len"});
};

TEST_F(AnExecutor, ForgetsDescriptorsAheadOfARequestThatDoesNotFollow) {
  std::vector<Fd> files;
  std::vector<int> fds;
  for (size_t size : {10, 20, 30, 40}) fds.push_back(files.emplace_back(file(std::string(size, 'x'))).get());
  const auto some = [&](size_t begin, size_t until) {
    return std::vector<int>(fds.begin() + static_cast<long>(begin), fds.begin() + static_cast<long>(until));
  };
  ahead(1, 0, some(0, 1));  // the socket was full behind it: another task goes first
  send({RequestHead::Kind::call, {0, 2}}, call, some(1, 2));
  ASSERT_EQ(next(), ExecutorEnd::Next::call);
  EXPECT_EQ(end.task().index, 2u);
  EXPECT_EQ(sizes(), (std::vector<int64_t>{20}));
  ahead(1, 0, some(0, 2));  // and again, from the start
  ahead(1, 0, some(0, 2));
  ahead(1, 2, some(2, 3));
  EXPECT_EQ(next(), ExecutorEnd::Next::nothing);
  send({RequestHead::Kind::call, {0, 1}}, call, some(3, 4));
  ASSERT_EQ(next(), ExecutorEnd::Next::call);
  EXPECT_EQ(sizes(), (std::vector<int64_t>{10, 20, 30, 40}));
  ahead(3, 0, some(0, 2));
  send({RequestHead::Kind::forget}, net::encoded(Forget{Forget::Thing::function, 9}));  // what will not be used comes in between
  const Fd large = file(call);
  send({RequestHead::Kind::lying_call, {0, 3}}, "", {large.get(), fds[2]});  // a large call lies in the first descriptor of its own datagram
  ASSERT_EQ(next(), ExecutorEnd::Next::call);
  EXPECT_EQ(sizes(), (std::vector<int64_t>{10, 20, 30}));
  EXPECT_EQ(end.call().number, 7u);
  EXPECT_EQ(end.call().label, "len");
  EXPECT_EQ(forgotten, std::vector<uint32_t>{9});
  requests.first.reset();
  EXPECT_EQ(next(), ExecutorEnd::Next::over);
}

TEST_F(AnExecutor, ReadsNoDamagedRequest) {
  const RequestHead head{RequestHead::Kind::call, {0, 1}, 2};
  for (size_t size = 0; size < call.size(); ++size) {
    send(head, call.substr(0, size));
    EXPECT_THROW(next(), Error) << size;
  }
  const Fd nothing = file("");
  send({RequestHead::Kind::lying_call, {0, 1}, 2}, "", {nothing.get()});
  EXPECT_THROW(next(), Error);
}

TEST_F(AnExecutor, IsInterruptedWhereItRunsTheTask) {
  const auto interrupt = [&](uint32_t task) { net::send_with(cancels.first.get(), net::encoded(Interrupt{{0, task}, 0}), {}, 0); };
  send({RequestHead::Kind::call, {0, 1}}, call);
  ASSERT_EQ(next(), ExecutorEnd::Next::call);
  interrupt(2);
  EXPECT_FALSE(end.interrupted());
  interrupt(2), interrupt(1);
  EXPECT_TRUE(end.interrupted());
  end.over();
  interrupt(1);
  EXPECT_FALSE(end.interrupted());
}

TEST_F(AnExecutor, BeginsNothingForWhichThereIsNoMemoryAnyMore) {
  const std::string result(500, 'x');
  for (uint32_t task = 1; task <= 4; ++task) send({RequestHead::Kind::call, {0, task}}, call);
  for (uint32_t task = 1; task <= 2; ++task) {
    ASSERT_EQ(next(), ExecutorEnd::Next::call) << "it was given 800 bytes, and made " << (task - 1) * 500;
    end.done(false, "bytes", "", 0, {result});
    end.over();
  }
  EXPECT_EQ(next(), ExecutorEnd::Next::nothing);
  std::vector<uint32_t> back;
  const std::string bytes = said();
  ReplyFrame frame;
  for (std::string_view left = bytes; first_reply(left, frame); left.remove_prefix(frame.size))
    if (frame.type == ReplyType::not_begun) back.push_back(net::decoded<TaskNotBegun>(frame.body).task.index);
  EXPECT_EQ(back, (std::vector<uint32_t>{3, 4}));
  send({RequestHead::Kind::call, {0, 3}}, net::encoded(ExecutorCall{.number = 7, .limit = 1000, .reserved = 200, .heard = 1000}));
  EXPECT_EQ(next(), ExecutorEnd::Next::call);
}

TEST_F(AnExecutor, GathersReplies) {
  for (uint32_t task : {1, 2}) send({RequestHead::Kind::call, {0, task}}, call);
  ASSERT_EQ(next(), ExecutorEnd::Next::call);
  end.done(false, "int", "", 0, {"a", "bc"});
  ASSERT_EQ(next(), ExecutorEnd::Next::call);
  end.failed(schedule::Failure::raised, nullptr, "", 0);  // failures are told at once
  const std::string bytes = said();
  ReplyFrame frame;
  ASSERT_TRUE(first_reply(bytes, frame));
  Decoder in(frame.body);
  const auto done = net::taken<TaskDone>(in);
  EXPECT_EQ(done.task.index, 1u);
  EXPECT_EQ(done.size, 3u);
  EXPECT_EQ(in.rest(), "abc");
  ASSERT_TRUE(first_reply(std::string_view(bytes).substr(frame.size), frame));
  EXPECT_EQ(net::decoded<TaskFailed>(frame.body).task.index, 2u);
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

// A worker whose executors say these bytes: what becomes of a task.
std::shared_ptr<const TaskError> error_of_executors(const std::string& bytes) {
  const std::string path = ::testing::TempDir() + "said-" + random_name();
  std::ofstream(path) << bytes;
  LocalCluster cluster({.executor = {"sh", "-c", "cat \"$0\" >&4; exec sleep 60", path}});
  Client client(cluster.hub(), "client");
  const auto blob = std::make_shared<const std::string>("bytes");
  graph::Graph g;
  g.ranges.push_back({.count = 1, .function = "python", .wanted = true, .label = "f", .functions = {blob}, .arguments = {blob}});
  const TaskId task = client.submit(std::move(g), true);
  EXPECT_TRUE(client.wait({task}, false, 30));
  std::filesystem::remove(path);
  return client.known(task).error;
}

TEST(OtherExecutors, AreNamed) {
  Encoder other, early;
  append_reply(other, ExecutorReady{.version = 77}, 0, [](std::string&) {});
  append_reply(early, TaskDone{}, 0, [](std::string&) {});
  const auto versions = error_of_executors(other.take());
  ASSERT_TRUE(versions);
  EXPECT_NE(versions->message.find("version 77"), std::string::npos) << versions->message;
  EXPECT_NE(versions->message.find("version " + std::to_string(kProtocol)), std::string::npos) << versions->message;
  const auto unready = error_of_executors(early.take());
  ASSERT_TRUE(unready);
  EXPECT_NE(unready->message.find("before it was ready"), std::string::npos) << unready->message;
}

}  // namespace
}  // namespace muster::cluster
