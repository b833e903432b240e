// Frames over sockets: they come whole in whatever pieces the network hands them over.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <chrono>
#include <thread>

#include "cluster/object_sink.hpp"
#include "net/connection.hpp"
#include "net/socket.hpp"

namespace muster::net {
namespace {

// Both ends of a connection over TCP.
std::pair<Fd, Fd> connected() {
  const auto [listener, address] = listen(Address::parse("tcp://127.0.0.1:0"));
  Fd asks = connect(address, 1);
  set_blocking(listener, true);
  Fd answers = accept(listener, false);
  set_blocking(answers, true);
  return {std::move(asks), std::move(answers)};
}

// The bytes of a frame with this payload.
std::string frame_bytes(const std::string& payload) {
  int ends[2];
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  const Fd out(ends[0]), in(ends[1]);
  std::string bytes;
  std::thread reads([&] {
    char buffer[1 << 16];
    for (ssize_t n; (n = ::recv(in.get(), buffer, sizeof buffer, 0)) > 0;) bytes.append(buffer, static_cast<size_t>(n));
  });
  send_frame(out, 7, "body", {}, {payload.data(), payload.size(), nullptr});
  shutdown(out.get(), SHUT_WR);
  reads.join();
  return bytes;
}

// A kernel whose buffers are full of small pieces says that there is something to read before a good piece is there.
TEST(Frames, AreReceivedInWhateverPiecesTheyCome) {
  for (const size_t size : {size_t{70'000}, size_t{280'000}, size_t{600'000}})
    for (const size_t piece : {1, 30, 100, 1000}) {
      SCOPED_TRACE(testing::Message() << size << " bytes, " << piece << " at once");
      const std::string payload(size, 'x'), bytes = frame_bytes(payload);
      const auto [asks, answers] = connected();
      std::thread sends([&, out = answers.get()] {
        const size_t slow = std::min<size_t>(bytes.size() / 4 * 3, piece == 1 ? 20'000 : 200'000);
        for (size_t at = 0; at < bytes.size();) {
          if (at >= slow && at < slow + piece) std::this_thread::sleep_for(std::chrono::milliseconds(100));
          const ssize_t n = ::send(out, bytes.data() + at, std::min(at < slow ? piece : size_t{65'536}, bytes.size() - at), MSG_NOSIGNAL);
          if (n <= 0) return;
          at += static_cast<size_t>(n);
        }
      });
      try {
        Frame f = receive_frame(asks, 10, cluster::sink_for);
        worker::Object o;
        cluster::take_bytes(f, size, o);
        EXPECT_EQ(f.type, 7);
        EXPECT_EQ(f.body, "body");
        EXPECT_EQ(o.view(), payload);
      } catch (const Error& e) {
        ADD_FAILURE() << e.what();
      }
      sends.join();
    }
}

TEST(Frames, ThatDoNotGoOnAreAnErrorInTime) {
  for (const size_t size : {size_t{1000}, size_t{1'000'000}})
    for (const size_t sent : {size_t{0}, size_t{10}, size_t{500}, size}) {  // nothing, part of the header, of the payload, all but the end
      const std::string bytes = frame_bytes(std::string(size, 'x'));
      for (const double seconds : {0.02, 0.3}) {
        const auto [asks, answers] = connected();
        ASSERT_EQ(::send(answers.get(), bytes.data(), sent, MSG_NOSIGNAL), static_cast<ssize_t>(sent));
        const auto start = std::chrono::steady_clock::now();
        try {
          receive_frame(asks, seconds, cluster::sink_for);
          ADD_FAILURE() << size << ", " << sent;
        } catch (const Error& e) {
          EXPECT_NE(std::string(e.what()).find("no answer in 0."), std::string::npos) << e.what();
        }
        const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        EXPECT_GE(took, seconds / 2);
        EXPECT_LT(took, seconds + 2);
      }
    }
}

TEST(Frames, AreAnErrorAtOnceWhereTheOtherEndIsGone) {
  const std::string bytes = frame_bytes(std::string(1'000'000, 'x'));
  for (const size_t sent : {size_t{0}, size_t{10}, size_t{300'000}}) {
    auto [asks, answers] = connected();
    std::thread sends([&bytes, sent, out = std::move(answers)] { ::send(out.get(), bytes.data(), sent, MSG_NOSIGNAL); });
    const auto start = std::chrono::steady_clock::now();
    EXPECT_THROW(receive_frame(asks, 30, cluster::sink_for), Error) << sent;
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
    sends.join();
  }
}

}  // namespace
}  // namespace muster::net
