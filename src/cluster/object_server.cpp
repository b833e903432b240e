// Objects are looked up in the loop and made ready elsewhere: a large one, or one on disk, holds up no other.
#include "cluster/object_server.hpp"

#include "base/error.hpp"
#include "cluster/messages.hpp"
#include "cluster/object_sink.hpp"
#include "muster/error.hpp"
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
    const auto why = std::make_shared<const std::string>(encoded(written_down(e)));
    send(c, ObjectHead{ObjectHead::Found::refused, false, why->size()}, {}, {why->data(), why->size(), why});
    return;
  }
  ObjectHead head{found ? ObjectHead::Found::yes : ObjectHead::Found::no, o.native, 0};
  if (descriptor && kept->segment && kept->segment->fd() >= 0) {
    head.size = kept->segment->size();
    send(c, head, {kept->segment->fd()}, {nullptr, 0, kept});
    return;
  }
  const std::string_view view = kept->view();
  head.size = view.size();
  send(c, head, {}, {view.data(), view.size(), kept});
}
}  // namespace

void serve_objects(Loop& loop, Fd fd, std::function<void(std::function<void()>)> run, std::function<bool(TaskId, uint16_t, Object&)> find, std::function<void(TaskId, Object&&)> put) {
  auto c = loop.add(std::move(fd));
  std::weak_ptr<Connection> weak = c;
  c->sink = sink_for;
  c->on_frame = [weak, run = std::move(run), find = std::move(find), put = std::move(put)](Frame&& f) {
    auto self = weak.lock();
    if (!self) return;
    if (Type{f.type} == Type::get_object) {
      const auto said = decoded<GetObject>(f.body);
      Object o;
      const bool found = find(said.object, said.attempt, o);
      run([self, o = std::move(o), found, descriptor = said.descriptor] { send_object(self, o, found, descriptor); });
    } else if (Type{f.type} == Type::put_object) {
      auto said = decoded<PutObject>(f.body);
      Object o;
      o.native = said.native, o.type = std::move(said.type);
      take_bytes(f, said.size, o);
      put(said.object, std::move(o));
      send(*self, Stored());
    } else {
      throw Error(ErrorKind::io, concat("a message of type ", f.type, ", which no peer sends"));
    }
  };
  loop.start(c);
}

}  // namespace muster::cluster
