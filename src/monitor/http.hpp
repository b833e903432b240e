// A small web server on loopback for what is to be seen: GET and HEAD of whole pages, for programs of the same user.
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace muster::monitor {

struct Page {
  int status = 200;
  std::string type = "text/plain; charset=utf-8";
  std::string body;
  std::string location{};  // of a redirect
};

class HttpServer {
 public:
  /// `socket` listens on loopback; `accept` takes a connection of it, -1 when there is none that may come in.
  HttpServer(int socket, std::function<int(int socket)> accept, std::function<Page(const std::string& path)> answer);
  ~HttpServer();

 private:
  void accept_loop();
  void serve(int fd);
  int socket_;
  std::function<int(int)> accept_;
  std::function<Page(const std::string&)> answer_;
  std::atomic<bool> stopping_{false};
  std::atomic<int> open_{0};
  std::thread thread_;
};

/// True if a Host header names this machine's loopback, and an Origin, if there is one, too.
bool is_loopback_name(const std::string& host_and_port);

}  // namespace muster::monitor
