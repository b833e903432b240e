#include "kernels/wire.hpp"

#include "base/error.hpp"
#include "kernels/registry.hpp"
#include "muster/error.hpp"

namespace muster::kernels {
using namespace base;
using namespace data;
namespace {

bool is_packed(const Column& c) { return c.length == 1 && c.foreign && c.foreign->sources.size() == 1 && c.foreign->sources[0]->token == kPackedRows; }

void encode(Encoder& out, const Column& c) {
  if (c.storage == Storage::object && !is_packed(c)) throw Error(ErrorKind::unsupported, "columns of Python objects cannot go to other processes yet; give the column a dtype (meta=)");
  out << static_cast<uint8_t>(c.storage) << c.length << static_cast<uint8_t>(c.constant);
  if (c.storage == Storage::object) return kernels::encode(out, Batches{*static_cast<const Batch*>(c.foreign->sources[0]->object.get())});
  if (c.storage == Storage::text) {
    const Text* t = c.as<Text>();
    std::vector<int64_t> sizes(static_cast<size_t>(c.length));
    std::string bytes;
    for (int64_t i = 0; i < c.length; ++i) {
      sizes[static_cast<size_t>(i)] = t[i].data ? t[i].size : -1;
      if (t[i].data) bytes.append(t[i].data, static_cast<size_t>(t[i].size));
    }
    out << sizes << bytes;
    return;
  }
  out << std::string_view(static_cast<const char*>(c.values), static_cast<size_t>(c.length * width(c.storage)));
  out << (c.valid ? std::string_view(reinterpret_cast<const char*>(c.valid), static_cast<size_t>(c.length)) : std::string_view());
}

Batches decode_batches(base::Decoder& in, bool packed);

Column decode_packed(base::Decoder& in) {
  Batches rows = decode_batches(in, true);
  if (rows.size() != 1) throw Error(ErrorKind::io, "packed rows that are none");
  auto held = std::make_shared<Batch>(std::move(rows[0]));
  Writable position(Storage::object, 1);
  position.as<int64_t>()[0] = 0;
  Column c = std::move(position).finish(held);
  c.foreign = std::make_shared<const Foreign>(Foreign{{std::make_shared<const Opaque>(Opaque{kPackedRows, held})}});
  return c;
}

// `packed`: of packed rows, which hold no others.
Column decode_column(base::Decoder& in, bool packed) {
  const auto storage = static_cast<Storage>(in.get<uint8_t>());
  const auto length = in.get<int64_t>();
  const bool constant = in.get<uint8_t>();
  if (storage > Storage::row_id || (storage == Storage::object && (packed || length != 1)) || length < 0) throw Error(ErrorKind::io, "bytes that are no column");
  Column c;
  if (storage == Storage::object) {
    c = decode_packed(in);
  } else if (storage == Storage::text) {
    const auto sizes = in.list<int64_t>();
    const auto bytes = in.get<std::string_view>();
    if (static_cast<int64_t>(sizes.size()) != length) throw Error(ErrorKind::io, "a text column whose sizes do not fit");
    auto kept = allocate(static_cast<int64_t>(bytes.size()) + 1);
    std::memcpy(kept.get(), bytes.data(), bytes.size());
    Writable w(storage, length);
    int64_t at = 0;
    for (int64_t i = 0; i < length; ++i) {
      const int64_t size = sizes[static_cast<size_t>(i)];
      if (size > static_cast<int64_t>(bytes.size()) - at || size < -1) throw Error(ErrorKind::io, "a text column whose sizes do not fit");
      w.as<Text>()[i] = size < 0 ? Text{} : Text{kept.get() + at, size};
      at += std::max<int64_t>(size, 0);
    }
    c = std::move(w).finish(kept);
  } else {
    const auto values = in.get<std::string_view>(), valid = in.get<std::string_view>();
    if (static_cast<int64_t>(values.size()) != length * width(storage) || (!valid.empty() && static_cast<int64_t>(valid.size()) != length)) throw Error(ErrorKind::io, "a column whose values do not fit");
    Writable w(storage, length);
    std::memcpy(w.as<char>(), values.data(), values.size());
    if (!valid.empty()) std::memcpy(w.valid(), valid.data(), valid.size());
    c = std::move(w).finish();
  }
  c.constant = constant;
  return c;
}

Batches decode_batches(base::Decoder& in, bool packed) {
  Batches out(in.count());
  for (auto& b : out) {
    b.rows = in.get<int64_t>();
    b.columns.resize(in.count());
    for (auto& c : b.columns) c = decode_column(in, packed);
  }
  return out;
}
}  // namespace

void encode(Encoder& out, const Batches& batches) {
  out << static_cast<uint64_t>(batches.size());
  for (const auto& b : batches) {
    out << b.rows << static_cast<uint64_t>(b.columns.size());
    for (const auto& c : b.columns) encode(out, c);
  }
}

Batches decode_batches(base::Decoder& in) { return decode_batches(in, false); }

std::string encode(const std::vector<Output>& outputs) {
  Encoder out;
  out << static_cast<uint64_t>(outputs.size());
  for (const auto& o : outputs) {
    out << o.bytes << static_cast<uint8_t>(o.fold ? 1 : o.batches ? 2 : o.text ? 3 : 0);
    if (o.fold) {
      std::string args;
      o.recipe->args.encode(args);
      out << o.recipe->kernel << args;
      o.fold->encode(out);
    } else if (o.batches) {
      encode(out, *o.batches);
    } else if (o.text) {
      out << *o.text;
    }
  }
  return out.take();
}

std::vector<Output> decode_outputs(std::string_view bytes) {
  base::Decoder in(bytes);
  std::vector<Output> out(in.count());
  for (auto& o : out) {
    o.bytes = in.get<int64_t>();
    const auto kind = in.get<uint8_t>();
    if (kind == 1) {
      auto recipe = std::make_shared<Sink>();
      recipe->kernel = in.get<std::string>();
      auto args = in.get<std::string_view>();
      recipe->args = Value::decode(args);
      o.fold = kernel(recipe->kernel).fold(recipe->args);
      o.fold->decode(in);
      o.recipe = std::move(recipe);
    } else if (kind == 2) {
      o.batches = std::make_shared<const Batches>(decode_batches(in));
    } else if (kind == 3) {
      o.text = std::make_shared<const std::string>(in.get<std::string>());
    }
  }
  return out;
}

std::string encode(const Report& r) {
  if (r.rows == 0 && r.begin < 0 && r.end < 0 && r.missing.empty() && r.wider.empty() && r.warnings.empty() && !r.stopped_early) return {};
  Encoder out;
  out << r.rows << r.begin << r.end << r.missing << static_cast<uint64_t>(r.wider.size());
  for (const auto& [column, type] : r.wider) out << column << code(type);
  out << static_cast<uint64_t>(r.warnings.size());
  for (const auto& w : r.warnings) out << w;
  out << static_cast<uint8_t>(r.stopped_early) << static_cast<uint8_t>(r.guessed);
  return out.take();
}

Report decode_report(std::string_view bytes) {
  Report r;
  if (bytes.empty()) return r;
  base::Decoder in(bytes);
  r.rows = in.get<int64_t>(), r.begin = in.get<int64_t>(), r.end = in.get<int64_t>(), r.missing = in.list<int64_t>();
  for (uint64_t n = in.count(); n > 0; --n) {
    const auto column = in.get<int64_t>();
    r.wider.emplace_back(column, dtype_of(in.get<int64_t>()));
  }
  r.warnings.resize(in.count());
  for (auto& w : r.warnings) w = in.get<std::string>();
  r.stopped_early = in.get<uint8_t>(), r.guessed = in.get<uint8_t>();
  return r;
}

}  // namespace muster::kernels
