// Objects are looked up in the loop and made ready elsewhere: a large one, or one on disk, holds up no other.
#include "cluster/object_server.hpp"

#include "base/error.hpp"
#include "cluster/messages.hpp"
#include "cluster/object_sink.hpp"
#include "kernels/wire.hpp"
#include "muster/error.hpp"
#include "worker/object_store.hpp"

namespace muster::cluster {
using namespace base;
using namespace net;
using worker::Object;
namespace {

constexpr int64_t kSmall = 64 << 10;  // bytes: an object up to here is not cut

// Bytes of an object with several outputs that are handed out by descriptor cost the same whole, and serve every reader there.
bool comes_whole(const Object& o, uint32_t output, bool descriptor) {
  return output == worker::kAllOutputs || worker::encoded_bytes(o) <= kSmall || worker::outputs_of(o) == 1 || (descriptor && o.segment && o.segment->fd() >= 0);
}

// From where it lies; what was never encoded, or is spilled, is read now.
void send_object(const std::shared_ptr<Connection>& to, const Object& o, bool found, const GetObject& said) {
  Connection& c = *to;
  ObjectHead head{found ? ObjectHead::Found::yes : ObjectHead::Found::no, o.native, 0};
  std::shared_ptr<const Object> kept;
  std::string_view view;
  try {
    head.output = !found || comes_whole(o, said.output, said.descriptor) ? worker::kAllOutputs : said.output;
    kept = found ? worker::counted_bytes(o, head.output) : std::make_shared<const Object>();
    const bool cut = head.output != worker::kAllOutputs && kept->output == worker::kAllOutputs;
    if (!cut && said.descriptor && kept->segment && kept->segment->fd() >= 0) {
      head.size = kept->segment->size();
      return send(c, head, {kept->segment->fd()}, {nullptr, 0, kept});
    }
    view = cut ? kernels::encoded_output(kept->view(), head.output) : kept->view();
  } catch (const Error& e) {
    const auto why = std::make_shared<const std::string>(encoded(written_down(e)));
    return send(c, ObjectHead{ObjectHead::Found::refused, false, why->size()}, {}, {why->data(), why->size(), why});
  }
  head.size = view.size();
  send(c, head, {}, {view.data(), view.size(), kept});
}
}  // namespace

void serve_objects(Loop& loop, Fd fd, ObjectDoor door) {
  auto c = loop.add(std::move(fd));
  std::weak_ptr<Connection> weak = c;
  c->sink = sink_for;
  c->on_frame = [weak, door = std::move(door)](Frame&& f) {
    auto self = weak.lock();
    if (!self) return;
    if (Type{f.type} == Type::get_object) {
      const auto said = decoded<GetObject>(f.body);
      Object o;
      const bool found = door.find(said.object, said.attempt, o);
      door.run([self, o = std::move(o), found, said] { send_object(self, o, found, said); });
    } else if (Type{f.type} == Type::put_object) {
      auto said = decoded<PutObject>(f.body);
      Object o;
      o.native = said.native, o.type = std::move(said.type);
      take_bytes(f, said.size, o);
      door.put(said.object, std::move(o), [self](const std::optional<Error>& refused) {
        send(*self, Stored{refused ? std::make_shared<const TaskError>(written_down(*refused)) : nullptr});
      });
    } else {
      throw Error(ErrorKind::io, concat("a message of type ", f.type, ", which no peer sends"));
    }
  };
  loop.start(c);
}

}  // namespace muster::cluster
