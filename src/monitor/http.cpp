// The only file that knows Boost.Beast: its headers cost seconds.
#include "monitor/http.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

namespace muster::monitor {
namespace http = boost::beast::http;
namespace asio = boost::asio;
namespace {
constexpr int kConnections = 32;
constexpr int kSilence = 5;           // seconds a connection may say nothing
constexpr size_t kHeader = 16 * 1024;
}  // namespace

bool is_loopback_name(const std::string& text) {
  std::string host = text;
  if (const auto scheme = host.find("://"); scheme != std::string::npos) host = host.substr(scheme + 3);
  if (host.starts_with("[::1]")) return true;
  host = host.substr(0, host.find(':'));
  return host == "localhost" || host == "127.0.0.1";
}

HttpServer::HttpServer(int socket, std::function<int(int)> accept, std::function<Page(const std::string&)> answer)
    : socket_(socket), accept_(std::move(accept)), answer_(std::move(answer)) {
  thread_ = std::thread([this] { accept_loop(); });
}

HttpServer::~HttpServer() {
  stopping_ = true;
  ::shutdown(socket_, SHUT_RDWR);
  thread_.join();
  ::close(socket_);
  while (open_ > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

void HttpServer::accept_loop() {
  while (!stopping_) {
    pollfd p{socket_, POLLIN, 0};
    if (poll(&p, 1, 500) <= 0) continue;
    const int fd = accept_(socket_);
    if (fd < 0) continue;
    if (open_ >= kConnections) {
      ::close(fd);
      continue;
    }
    ++open_;
    std::thread([this, fd] {
      try {
        serve(fd);
      } catch (const std::exception&) {  // a connection that breaks ends; the next is as good as ever
      }
      --open_;
    }).detach();
  }
}

void HttpServer::serve(int fd) {
  asio::io_context context;
  asio::ip::tcp::socket stream(context, asio::ip::tcp::v4(), fd);
  timeval patience{kSilence, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  boost::beast::flat_buffer buffer(kHeader);
  while (!stopping_) {
    http::request_parser<http::empty_body> parser;
    parser.header_limit(kHeader);
    pollfd p{fd, POLLIN, 0};
    for (int waited = 0; buffer.size() == 0 && poll(&p, 1, 100) == 0; ++waited)
      if (stopping_ || waited > kSilence * 10) return;
    http::read(stream, buffer, parser);
    const auto& request = parser.get();
    Page page;
    const std::string target(request.target().data(), request.target().size());
    const std::string host(request[http::field::host].data(), request[http::field::host].size());
    const std::string origin(request[http::field::origin].data(), request[http::field::origin].size());
    if (!is_loopback_name(host) || (!origin.empty() && !is_loopback_name(origin)))
      page = {403, "text/plain", "This monitor answers to localhost and 127.0.0.1 only.\n"};
    else if (request.method() != http::verb::get && request.method() != http::verb::head) page = {405, "text/plain", "GET only.\n"};
    else page = answer_(target.substr(0, target.find('?')));
    http::response<http::string_body> response(static_cast<http::status>(page.status), request.version());
    response.set(http::field::content_type, page.type);
    response.set("X-Content-Type-Options", "nosniff");
    response.set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'");
    response.set(http::field::cache_control, "no-store");
    if (!page.location.empty()) response.set(http::field::location, page.location);
    response.keep_alive(request.keep_alive());
    const bool head = request.method() == http::verb::head;
    if (!head) response.body() = std::move(page.body);
    response.prepare_payload();
    http::write(stream, response);
    if (!response.keep_alive()) return;
  }
}

}  // namespace muster::monitor
