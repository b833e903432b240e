// What is written here is read by another process, which may be handed damaged or hostile bytes: every length and position is checked before it is used. Both
// ends are the same build.
//
// Values lie so that columns can point to them: aligned from the start of an object, with room that kernels may read at both ends. A reader has them in place
// where something holds the bytes and they have come to lie as they were written.
#include "kernels/wire.hpp"

#include <algorithm>
#include <deque>
#include <functional>
#include <limits>
#include <map>
#include <span>
#include <unordered_map>

#include "base/copy.hpp"
#include "base/error.hpp"
#include "data/foreign_dtypes.hpp"
#include "data/pickled.hpp"
#include "kernels/python_call.hpp"
#include "kernels/registry.hpp"
#include "kernels/spill.hpp"
#include "muster/error.hpp"

namespace muster::kernels {
using namespace base;
using namespace data;
namespace {

constexpr int64_t kPlaces = (int64_t{1} << kForeignBits) - 1;
constexpr size_t kLine = 64;            // bytes: what values are aligned to, and their room at both ends
constexpr size_t kWorthKeeping = 4096;  // bytes; fewer are copied: they would hold more than themselves

// Values of one kind, one after the other: so many bytes, which `write` adds.
template <class Write>
void put_run(Encoder& out, size_t size, Write write) {
  out << static_cast<uint64_t>(size);
  const bool in_place = size >= kWorthKeeping;
  if (in_place) {
    const auto room = static_cast<uint8_t>(2 * kLine - 1 - out.size() % kLine);  // behind itself
    out << room;
    out.bytes().append(room, '\0');
  }
  write(out.bytes());
  if (in_place) out.bytes().append(kLine, '\0');
}

void put_run(Encoder& out, const void* values, size_t size) {
  put_run(out, size, [&](std::string& to) { to.append(std::string_view(static_cast<const char*>(values), size)); });
}

char* grown(std::string& bytes, size_t by) {
  bytes.resize(bytes.size() + by);
  return bytes.data() + bytes.size() - by;
}

std::string_view take_run(base::Decoder& in) {
  const auto size = in.get<uint64_t>();
  if (size < kWorthKeeping) return in.take(size);
  const auto room = in.get<uint8_t>();
  if (room < kLine) throw Error(ErrorKind::io, "values without room in front of them");
  in.take(room);
  const auto run = in.take(size);
  in.take(kLine);
  return run;
}

struct Run {
  const char* values;
  Keep keep;
};

// Where a run stays: in place, or in memory of its own.
Run kept(const base::Decoder& in, std::string_view run) {
  if (in.keep() && run.size() >= kWorthKeeping && reinterpret_cast<uintptr_t>(run.data()) % alignof(int64_t) == 0) return {run.data(), in.keep()};
  auto own = allocate(static_cast<int64_t>(run.size()));
  copy_bytes(own.get(), run.data(), static_cast<int64_t>(run.size()));
  return {own.get(), own};
}

bool is_packed(const Column& c) { return c.length == 1 && c.foreign && c.foreign->sources.size() == 1 && c.foreign->sources[0]->token == kPackedRows; }
bool is_objects(const Column& c) { return c.storage == Storage::object && !is_packed(c); }

// The objects of a column of some batches: the sources' places that rows are at, and where these are among the pieces that are sent.
class SentObjects {
 public:
  void add(const Column& c) {
    if (!c.foreign) return;
    if (name_.empty()) name_ = c.foreign->column;
    std::vector<Source*> sources;
    for (const auto& s : c.foreign->sources) {
      const auto [at, fresh] = numbers_.try_emplace(s.get(), sources_.size());
      if (fresh) sources_.push_back({.objects = s});
      sources.push_back(&sources_[at->second]);
    }
    for (int64_t i = 0; i < c.length; ++i)
      if (const int64_t p = present(c.as<int64_t>()[i]); p != -1) sources.at(static_cast<size_t>(p >> kForeignBits))->places.push_back(p & kPlaces);
  }

  void encode(Encoder& out, int64_t column) {
    std::vector<kernels::PickledObjects> pieces;
    for (auto& s : sources_) {
      s.first = static_cast<int64_t>(pieces.size());
      auto& places = s.places;
      const auto unordered = std::adjacent_find(places.begin(), places.end(), std::greater_equal<>());
      if (unordered != places.end()) {
        std::sort(places.begin(), places.end());
        places.erase(std::unique(places.begin(), places.end()), places.end());
      }
      const Pickled* pickled = pickled_in(*s.objects);
      if (const auto bytes = pickled ? pickled->bytes() : nullptr) {
        s.moves_on = true;
        if (!places.empty() || pickled->stays) pieces.push_back({pickled->count, pickled->stays, *bytes});
        continue;
      }
      for (auto& piece : python_objects()(*s.objects, places, name_.empty() ? concat("number ", column) : name_)) {
        if (s.piece == 0) s.piece = std::max<int64_t>(piece.count, 1);
        pieces.push_back(std::move(piece));
      }
    }
    out << static_cast<uint64_t>(pieces.size());
    for (const auto& p : pieces) out << p.count << static_cast<uint8_t>(p.stays) << p.bytes;
  }

  /// A column's positions, among the pieces.
  std::vector<int64_t> positions(const Column& c) const {
    std::vector<int64_t> out(c.as<int64_t>(), c.as<int64_t>() + c.length);
    for (auto& position : out) {
      const int64_t p = present(position);
      if (p == -1 || !c.foreign) continue;
      const Source& s = sources_[numbers_.at(c.foreign->sources[static_cast<size_t>(p >> kForeignBits)].get())];
      int64_t place = p & kPlaces, piece = s.first;
      if (!s.moves_on) {
        const int64_t guess = place - s.places.front();
        const bool run = guess < static_cast<int64_t>(s.places.size()) && s.places[static_cast<size_t>(guess)] == place;
        const int64_t rank = run ? guess : std::lower_bound(s.places.begin(), s.places.end(), place) - s.places.begin();
        piece += rank / s.piece, place = rank % s.piece;
      }
      const int64_t moved = piece << kForeignBits | place;
      position = position < 0 ? -2 - moved : moved;
    }
    return out;
  }

 private:
  struct Source {
    std::shared_ptr<const Opaque> objects;
    std::vector<int64_t> places = {};  // in order, each once
    int64_t first = 0;                 // of its pieces
    int64_t piece = 0;                 // objects in one
    bool moves_on = false;             // as the piece it came as
  };
  // Also of what says itself that it is missing; -1 of what is not there.
  static int64_t present(int64_t position) { return position < -1 ? -2 - position : position; }

  std::deque<Source> sources_;
  std::unordered_map<const Opaque*, size_t> numbers_;
  std::string name_;
};

template <class Size> constexpr Size kNoText = std::numeric_limits<Size>::max();  // the size of one that is missing

using Texts = std::span<const std::span<const Text>>;  // in pieces

template <class F>
void each_text(Texts pieces, F f) {
  for (const auto& piece : pieces)
    for (const Text& t : piece) f(t);
}

template <class Size>
void put_sizes(Encoder& out, Texts texts, size_t count) {
  put_run(out, count * sizeof(Size), [&](std::string& to) {
    char* at = grown(to, count * sizeof(Size));
    each_text(texts, [&](const Text& t) {
      const Size size = t.data ? static_cast<Size>(t.size) : kNoText<Size>;
      std::memcpy(at, &size, sizeof size), at += sizeof size;
    });
  });
}

// Their sizes, in as few bytes as these fit into, and behind them all texts without a gap.
void encode_texts(Encoder& out, Texts texts) {
  int64_t bytes = 0, longest = 0;
  size_t count = 0;
  each_text(texts, [&](const Text& t) {
    ++count;
    if (t.data) bytes += t.size, longest = std::max(longest, t.size);
  });
  const bool large = longest >= kNoText<uint32_t>;
  out << static_cast<uint8_t>(large);
  large ? put_sizes<uint64_t>(out, texts, count) : put_sizes<uint32_t>(out, texts, count);
  put_run(out, static_cast<size_t>(bytes), [&](std::string& to) {
    char* at = grown(to, static_cast<size_t>(bytes));
    const char *begin = nullptr, *end = nullptr;  // what lies together goes together
    const auto put = [&] { std::copy(begin, end, at), at += end - begin; };
    each_text(texts, [&](const Text& t) {
      if (!t.data || t.size == 0) return;
      if (t.data != end) put(), begin = t.data;
      end = t.data + t.size;
    });
    put();
  });
}

void encode(Encoder& out, const Column& c, const SentObjects* objects) {
  out << static_cast<uint8_t>(c.storage) << c.length << static_cast<uint8_t>(c.constant);
  if (c.storage == Storage::object) {
    out << static_cast<uint8_t>(is_packed(c));
    if (is_packed(c)) return kernels::encode(out, Batches{*static_cast<const Batch*>(c.foreign->sources[0]->object.get())});
    const auto positions = objects->positions(c);
    put_run(out, positions.data(), positions.size() * sizeof(int64_t));
    return put_run(out, nullptr, 0);
  }
  if (c.storage == Storage::text) {
    const std::span<const Text> all(c.as<Text>(), static_cast<size_t>(c.length));
    return encode_texts(out, {&all, 1});
  }
  put_run(out, c.values, static_cast<size_t>(c.length * width(c.storage)));
  put_run(out, c.valid, c.valid ? static_cast<size_t>(c.length) : 0);
}

// As one column of so many rows.
void encode_joined(Encoder& out, std::span<const ColumnRows> pieces, int64_t rows) {
  const Storage storage = pieces[0].column->storage;
  out << static_cast<uint8_t>(storage) << rows << uint8_t{0};
  if (storage == Storage::text) {
    std::vector<std::span<const Text>> texts;
    for (const auto& p : pieces) texts.emplace_back(p.column->as<Text>() + p.begin, static_cast<size_t>(p.rows));
    return encode_texts(out, texts);
  }
  const auto size = static_cast<size_t>(width(storage));
  put_run(out, static_cast<size_t>(rows) * size, [&](std::string& to) {
    for (const auto& p : pieces) to.append(p.column->as<char>() + static_cast<size_t>(p.begin) * size, static_cast<size_t>(p.rows) * size);
  });
  const bool flags = std::any_of(pieces.begin(), pieces.end(), [](const auto& p) { return p.column->valid; });
  put_run(out, flags ? static_cast<size_t>(rows) : 0, [&](std::string& to) {
    for (const auto& p : pieces)
      if (flags && p.column->valid) to.append(reinterpret_cast<const char*>(p.column->valid) + p.begin, static_cast<size_t>(p.rows));
      else if (flags) to.append(static_cast<size_t>(p.rows), 1);
  });
}

Batches decode_batches(base::Decoder& in, bool packed);

Column decode_packed(base::Decoder& in) {
  Batches rows = decode_batches(in, true);
  if (rows.size() != 1) throw Error(ErrorKind::io, "packed rows that are none");
  auto held = std::make_shared<Batch>(std::move(rows[0]));
  Writable position(Storage::object, 1);
  position.as<int64_t>()[0] = 0;
  Column c = std::move(position).finish(held);
  c.foreign = std::make_shared<const Foreign>(Foreign{{std::make_shared<const Opaque>(Opaque{kPackedRows, held})}, {}});
  return c;
}

// The objects of one column of some batches.
std::shared_ptr<const Foreign> decode_objects(base::Decoder& in) {
  auto foreign = std::make_shared<Foreign>();
  for (uint64_t n = in.count(); n > 0; --n) {
    const auto count = in.get<int64_t>();
    const bool stays = in.get<uint8_t>();
    foreign->sources.push_back(opaque_of(std::make_shared<Pickled>(in.get<std::string>(), count, stays)));
  }
  return foreign;
}

// Of a fixed width.
Column decode_fixed(base::Decoder& in, Storage storage, int64_t length) {
  const auto values = take_run(in), valid = take_run(in);
  const auto rows = static_cast<size_t>(length), bytes = rows * static_cast<size_t>(width(storage));
  if (values.size() != bytes || (!valid.empty() && valid.size() != rows)) throw Error(ErrorKind::io, "a column whose values do not fit");
  auto run = kept(in, values);
  Column c;
  c.storage = storage, c.length = length, c.values = run.values, c.keep = std::move(run.keep);
  if (c.keep == in.keep()) c.kept_bytes = static_cast<int64_t>(in.kept_bytes());
  if (!valid.empty()) {
    auto flags = kept(in, valid);
    c.valid = reinterpret_cast<const uint8_t*>(flags.values), c.keep = keep_both(std::move(c.keep), std::move(flags.keep));
  }
  return c;
}

Column decode_positions(base::Decoder& in, int64_t length, const std::shared_ptr<const Foreign>& objects) {
  Column c = decode_fixed(in, Storage::object, length);
  c.foreign = objects;
  for (int64_t i = 0; i < length; ++i) {
    const int64_t position = c.as<int64_t>()[i], p = position < -1 ? -2 - position : position;
    if (p == -1) continue;
    const auto source = static_cast<size_t>(p >> kForeignBits);
    const bool there = objects && source < objects->sources.size() && (p & kPlaces) < pickled_in(*objects->sources[source])->count;
    if (!there) throw Error(ErrorKind::io, "an object column whose objects are not there");
  }
  return c;
}

// Returns whether the sizes are those of all these bytes.
template <class Size>
bool put_texts(std::string_view sizes, std::string_view bytes, Text* texts) {
  for (; !sizes.empty(); sizes.remove_prefix(sizeof(Size)), ++texts) {
    Size size;
    std::memcpy(&size, sizes.data(), sizeof size);
    if (size == kNoText<Size>) {
      *texts = {};
      continue;
    }
    if (size > bytes.size()) return false;
    *texts = {bytes.data(), static_cast<int64_t>(size)};
    bytes.remove_prefix(size);
  }
  return bytes.empty();
}

Column decode_texts(base::Decoder& in, int64_t length) {
  const bool large = in.get<uint8_t>();
  const auto sizes = take_run(in), bytes = take_run(in);
  bool fit = sizes.size() == static_cast<size_t>(length) * (large ? sizeof(uint64_t) : sizeof(uint32_t));
  if (!fit) throw Error(ErrorKind::io, "a text column whose sizes do not fit");
  auto run = kept(in, bytes);
  Writable w(Storage::text, length);
  const std::string_view lies(run.values, bytes.size());
  fit = large ? put_texts<uint64_t>(sizes, lies, w.as<Text>()) : put_texts<uint32_t>(sizes, lies, w.as<Text>());
  if (!fit) throw Error(ErrorKind::io, "a text column whose sizes do not fit");
  const bool in_place = run.keep && run.keep == in.keep();
  Column c = std::move(w).finish(std::move(run.keep));
  c.text_kept = true;
  if (in_place) c.kept_bytes = static_cast<int64_t>(in.kept_bytes());
  return c;
}

// `packed`: of packed rows, which hold no others. `objects`: of this column.
Column decode_column(base::Decoder& in, bool packed, const std::shared_ptr<const Foreign>& objects) {
  const auto storage = static_cast<Storage>(in.get<uint8_t>());
  const auto length = in.get<int64_t>();
  const bool constant = in.get<uint8_t>();
  if (storage > Storage::row_id || length < 0 || static_cast<uint64_t>(length) > in.rest().size()) throw Error(ErrorKind::io, "bytes that are no column");
  Column c;
  if (storage == Storage::object && in.get<uint8_t>()) {
    if (packed || length != 1) throw Error(ErrorKind::io, "packed rows where there are none");
    c = decode_packed(in);
  } else if (storage == Storage::object) {
    c = decode_positions(in, length, objects);
  } else if (storage == Storage::text) {
    c = decode_texts(in, length);
  } else {
    c = decode_fixed(in, storage, length);
  }
  c.constant = constant;
  return c;
}

Batches decode_batches(base::Decoder& in, bool packed) {
  Batches out(in.count());
  std::map<uint64_t, std::shared_ptr<const Foreign>> objects;
  for (uint64_t n = in.count(); n > 0; --n) {
    const auto column = in.get<uint64_t>();
    objects[column] = decode_objects(in);
  }
  for (auto& b : out) {
    b.rows = in.get<int64_t>();
    if (b.rows < 0) throw Error(ErrorKind::io, "rows that are less than none");
    b.columns.resize(in.count());
    for (size_t c = 0; c < b.columns.size(); ++c) {
      const auto of = objects.find(c);
      const Column& made = b.columns[c] = decode_column(in, packed, of == objects.end() ? nullptr : of->second);
      if (made.constant ? made.length != 1 : made.length != b.rows) throw Error(ErrorKind::io, "a column whose rows are not those of its batch");
    }
  }
  return out;
}
}  // namespace

void encode(Encoder& out, const Batches& batches) {
  std::map<size_t, SentObjects> objects;  // by column: batches share what they look at
  for (const auto& b : batches)
    for (size_t c = 0; c < b.columns.size(); ++c)
      if (is_objects(b.columns[c])) objects[c].add(b.columns[c]);
  out << static_cast<uint64_t>(batches.size()) << static_cast<uint64_t>(objects.size());
  for (auto& [column, of] : objects) {
    out << static_cast<uint64_t>(column);
    of.encode(out, static_cast<int64_t>(column));
  }
  for (const auto& b : batches) {
    out << b.rows << static_cast<uint64_t>(b.columns.size());
    for (size_t c = 0; c < b.columns.size(); ++c) encode(out, b.columns[c], is_objects(b.columns[c]) ? &objects.at(c) : nullptr);
  }
}

void encode_pieces(Encoder& out, const std::vector<std::vector<ColumnRows>>& columns, int64_t rows) {
  const auto lies_apart = [](const ColumnRows& p) { return p.column->storage == Storage::object || p.column->constant; };
  if (std::any_of(columns.begin(), columns.end(), [&](const auto& pieces) { return std::any_of(pieces.begin(), pieces.end(), lies_apart); })) {
    Batch joined{rows, {}};
    for (const auto& pieces : columns) joined.columns.push_back(concatenate(pieces));
    return encode(out, Batches{std::move(joined)});
  }
  out << uint64_t{1} << uint64_t{0} << rows << static_cast<uint64_t>(columns.size());  // one batch, no objects
  for (const auto& pieces : columns) encode_joined(out, pieces, rows);
}

bool hold_objects(const Batches& batches) {
  return std::any_of(batches.begin(), batches.end(), [](const Batch& b) { return std::any_of(b.columns.begin(), b.columns.end(), is_objects); });
}

Batches decode_batches(base::Decoder& in) { return decode_batches(in, false); }

void encode(Encoder& out, const std::vector<Output>& outputs) {
  if (outputs.size() == 1) encode_output(out, outputs[0], 0);
  else lay_together(out, outputs.size(), [&](Encoder& one, size_t i) { encode_output(one, outputs[i], i); });
}

// Zeros between the count of several outputs and their table, so that the first begins at a line, as the others do.
static size_t zeros_before_table(size_t count) { return (kLine - (count + 3) * sizeof(uint64_t) % kLine) % kLine; }

void lay_together(Encoder& out, size_t count, const std::function<void(Encoder&, size_t)>& write) {
  const size_t begin = out.size();
  out << static_cast<uint64_t>(count);
  out.bytes().append(zeros_before_table(count), '\0');
  PackedPartsWriter table(out, count);
  for (size_t i = 0; i < count; ++i)
    table.add([&](Encoder& one) {
      write(one, i);
      one.bytes().append((kLine - (one.size() - begin) % kLine) % kLine, '\0');
    });
}

std::string encode(const std::vector<Output>& outputs) {
  Encoder out;
  encode(out, outputs);
  return out.take();
}

void encode_output(Encoder& out, const Output& o, size_t which) {
  out << uint64_t{1} << static_cast<uint64_t>(which) << o.bytes << static_cast<uint8_t>(o.fold ? 1 : o.batches ? 2 : o.text ? 3 : 0);
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

size_t count_outputs(std::string_view bytes) { return base::Decoder(bytes).get<uint64_t>(); }

std::string_view encoded_output(std::string_view bytes, size_t which) {
  base::Decoder in(bytes);
  const auto count = in.get<uint64_t>();
  if (count == 1) return bytes;
  in.take(zeros_before_table(count));
  if (in.get<uint64_t>() != count || count > in.rest().size() / sizeof(uint64_t) || which >= count)
    throw Error(ErrorKind::io, concat("the bytes of a result are damaged: their table has no output number ", which));
  const auto ends = in.take(count * sizeof(uint64_t)), all = in.get<std::string_view>();
  uint64_t begin = 0, end = 0;
  if (which) std::memcpy(&begin, ends.data() + (which - 1) * sizeof begin, sizeof begin);
  std::memcpy(&end, ends.data() + which * sizeof end, sizeof end);
  if (begin > end || end > all.size())
    throw Error(ErrorKind::io,
                concat("the bytes of a result are damaged: output number ", which, " lies at ", begin, " to ", end, " of ", all.size(), " bytes"));
  return all.substr(begin, end - begin);
}

Output decode_output(std::string_view bytes, size_t which, std::shared_ptr<const void> keep) {
  base::Decoder in(encoded_output(bytes, which), std::move(keep), bytes.size());
  if (in.get<uint64_t>() != 1 || in.get<uint64_t>() != which)
    throw Error(ErrorKind::io, concat("the bytes of a result are damaged: they are not those of output number ", which));
  Output o;
  o.bytes = in.get<int64_t>();
  const auto kind = in.get<uint8_t>();
  if (kind == 1) {
    auto recipe = std::make_shared<Sink>();
    recipe->kernel = in.get<std::string>();
    auto args = in.get<std::string_view>();
    recipe->args = Value::decode(args, [](const std::string& token) { return std::make_shared<const Opaque>(Opaque{token, nullptr}); });  // labels
    o.fold = kernel(recipe->kernel).fold(recipe->args);
    o.fold->decode(in);
    o.recipe = std::move(recipe);
  } else if (kind == 2) {
    o.batches = std::make_shared<const Batches>(decode_batches(in));
  } else if (kind == 3) {
    o.text = std::make_shared<const std::string>(in.get<std::string>());
  }
  if (in.rest().size() >= kLine)
    throw Error(ErrorKind::io, concat("the bytes of a result are damaged: ", in.rest().size(), " are left behind output number ", which));
  return o;
}

std::vector<Output> decode_outputs(std::string_view bytes, const std::shared_ptr<const void>& keep) {
  const size_t count = count_outputs(bytes);
  if (count > bytes.size()) throw Error(ErrorKind::io, concat("the bytes of a result are damaged: they are too few for ", count, " outputs"));
  std::vector<Output> out;
  for (size_t i = 0; i < count; ++i) out.push_back(decode_output(bytes, i, keep));
  return out;
}

void encode_definitions(Encoder& out, const std::vector<DType>& types) {
  std::map<uint64_t, ForeignDType> defined;
  for (DType type : types)
    if (auto foreign = foreign_dtype(type)) defined.try_emplace(type.foreign, std::move(*foreign));
  out << static_cast<uint64_t>(defined.size());
  for (const auto& [number, d] : defined) out << d.name << d.token << pickle_of(*d.definition);
}

void know_definitions(Decoder& in) {
  for (uint64_t n = in.count(); n > 0; --n) {
    auto name = in.get<std::string>(), token = in.get<std::string>();
    know(ForeignDType{std::move(name), std::move(token), opaque_of(std::make_shared<Pickled>(in.get<std::string>(), 1))});
  }
}

std::string encode(const Report& r) {
  if (r.rows == 0 && r.begin < 0 && r.end < 0 && r.missing.empty() && r.wider.empty() && r.warnings.empty() && r.counted.empty() && !r.stopped_early) return {};
  Encoder out;
  out << r.rows << r.begin << r.end << r.missing << static_cast<uint64_t>(r.wider.size());
  std::vector<DType> types;
  for (const auto& [column, type] : r.wider) out << column << code(type), types.push_back(type);
  encode_definitions(out, types);
  out << static_cast<uint64_t>(r.warnings.size());
  for (const auto& w : r.warnings) out << w;
  out << static_cast<uint8_t>(r.stopped_early) << static_cast<uint8_t>(r.guessed) << static_cast<uint64_t>(r.counted.size());
  for (const auto& c : r.counted) out << c.id << c.rows;
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
  know_definitions(in);
  r.warnings.resize(in.count());
  for (auto& w : r.warnings) w = in.get<std::string>();
  r.stopped_early = in.get<uint8_t>(), r.guessed = in.get<uint8_t>();
  r.counted.resize(in.count());
  for (auto& c : r.counted) c.id = in.get<int64_t>(), c.rows = in.get<int64_t>();
  return r;
}

}  // namespace muster::kernels
