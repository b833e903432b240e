#include "cluster/object_server.hpp"

#include "base/error.hpp"
#include "muster/error.hpp"
#include "net/messages.hpp"
#include "worker/object_store.hpp"

namespace muster::cluster {
using namespace base;
using namespace net;
using worker::Object;
namespace {

void send_object(const std::shared_ptr<Connection>& to, const Object& o, bool found, bool descriptor) {
  Connection& c = *to;
  std::shared_ptr<const Object> kept;
  try {
    // From where it lies; what was never encoded, or is spilled, is read now.
    kept = found ? worker::counted_bytes(o) : std::make_shared<const Object>();
  } catch (const Error& e) {
    c.send(Type::object, Encoder().operator<<(uint8_t{2}).operator<<(static_cast<uint8_t>(e.kind)).operator<<(static_cast<uint64_t>(e.message.size())).take() + e.message);
    return;
  }
  Encoder out;
  out << static_cast<uint8_t>(found) << static_cast<uint8_t>(o.native);
  if (descriptor && kept->segment && kept->segment->fd() >= 0) {
    c.send(Type::object, out.operator<<(static_cast<uint64_t>(kept->segment->size())).take(), {kept->segment->fd()}, {nullptr, 0, kept});
    return;
  }
  const std::string_view view = kept->view();
  out << static_cast<uint64_t>(view.size());
  c.send(Type::object, out.take(), {}, {view.data(), view.size(), kept});
}
}  // namespace

void serve_objects(Loop& loop, Fd fd, std::function<void(std::function<void()>)> run, std::function<bool(TaskId, uint16_t, Object&)> find, std::function<void(TaskId, Object&&)> put) {
  auto c = loop.add(std::move(fd));
  std::weak_ptr<Connection> weak = c;
  c->on_frame = [weak, run = std::move(run), find = std::move(find), put = std::move(put)](Frame&& f) {
    auto self = weak.lock();
    if (!self) return;
    Decoder in(f.body);
    const auto id = in.get<TaskId>();
    Object o;
    if (f.type == Type::get_object) {
      const auto attempt = in.get<uint16_t>();
      const bool descriptor = in.get<uint8_t>();
      const bool found = find(id, attempt, o);
      run([self, o = std::move(o), found, descriptor] { send_object(self, o, found, descriptor); });
    } else if (f.type == Type::put_object) {
      o.native = in.get<uint8_t>();
      const auto size = in.get<uint64_t>();
      o.type = in.get<std::string>();
      o.bytes = static_cast<int64_t>(size);
      if (!f.fds.empty()) o.segment = std::make_shared<worker::Segment>(std::move(f.fds[0]), size);
      else o.small = std::make_shared<const std::string>(in.take(size));
      put(id, std::move(o));
      self->send(Type::stored, Encoder().operator<<(uint8_t{1}).operator<<("").take());
    } else {
      throw Error(ErrorKind::io, "a message no peer sends");
    }
  };
  loop.start(c);
}

}  // namespace muster::cluster
