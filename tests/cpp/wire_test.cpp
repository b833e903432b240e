// Rows as bytes: they come back equal, in place where something holds the bytes, and damaged bytes are an error or other rows, never a read beside them.
#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <memory>
#include <random>
#include <vector>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "data/dispatch.hpp"
#include "kernels/packing.hpp"
#include "kernels/wire.hpp"
#include "worker/object_store.hpp"
#include "worker/objects.hpp"
#include "worker/slabs.hpp"
#include "worker/store.hpp"

namespace muster::kernels {
namespace {
using namespace base;
using namespace data;

constexpr Storage kFixed[] = {Storage::boolean, Storage::int8,    Storage::int16,   Storage::int32,     Storage::int64,    Storage::uint8, Storage::uint16,
                              Storage::uint32,  Storage::uint64,  Storage::float32, Storage::float64,   Storage::timestamp, Storage::duration, Storage::row_id};

Column numbers(Storage storage, int64_t rows, bool flags) {
  Writable out(storage, rows);
  visit_fixed(storage, [&](auto tag) {
    using T = typename decltype(tag)::type;
    for (int64_t i = 0; i < rows; ++i) out.as<T>()[i] = static_cast<T>(storage == Storage::boolean ? i % 3 == 0 : i * 7 % 101);
  });
  if (flags)
    for (int64_t i = 0; i < rows; ++i) out.valid()[i] = i % 5 != 0;
  return std::move(out).finish();
}

Column texts(int64_t rows) {
  auto bytes = std::make_shared<std::string>();
  for (int64_t i = 0; i < rows; ++i) bytes->append(static_cast<size_t>(i % 23), static_cast<char>('a' + i % 26));
  Writable out(Storage::text, rows);
  const char* at = bytes->data();
  for (int64_t i = 0; i < rows; ++i) out.as<Text>()[i] = i % 7 == 3 ? Text{} : Text{at, i % 23}, at += i % 23;
  return std::move(out).finish(bytes);
}

Batch rows_of(int64_t rows) {
  Batch out{rows, {texts(rows)}};
  for (Storage storage : kFixed)
    for (bool flags : {false, true}) out.columns.push_back(numbers(storage, rows, flags));
  out.columns.push_back(constant_of(Value(int64_t{5}), {Storage::int64}));
  out.columns.push_back(constant_of(Value("five"), {Storage::text}));
  return out;
}

Output output_of(Batches batches) {
  Output out;
  for (const auto& b : batches) out.bytes += size_of(b);
  out.batches = std::make_shared<const Batches>(std::move(batches));
  return out;
}

bool equal(const Column& a, const Column& b) {
  if (a.storage != b.storage || a.length != b.length || a.constant != b.constant) return false;
  for (int64_t i = 0; i < a.length; ++i) {
    if (a.is_missing(i) != b.is_missing(i)) return false;
    const auto bytes = static_cast<size_t>(width(a.storage)), at = static_cast<size_t>(i) * bytes;
    const bool same = a.storage == Storage::text ? a.as<Text>()[i].view() == b.as<Text>()[i].view()
                                                 : std::memcmp(a.as<char>() + at, b.as<char>() + at, bytes) == 0;
    if (!same) return false;
  }
  return true;
}

bool equal(const Batches& a, const Batches& b) {
  const auto column = [](const Column& c, const Column& d) { return equal(c, d); };
  const auto columns = [&](const Batch& x, const Batch& y) {
    return x.rows == y.rows && std::equal(x.columns.begin(), x.columns.end(), y.columns.begin(), y.columns.end(), column);
  };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), columns);
}

bool lies_in(std::string_view bytes, const void* at) {
  const auto* p = static_cast<const char*>(at);
  return p >= bytes.data() && p < bytes.data() + bytes.size();
}

// Bytes that begin so many bytes behind a line.
struct Lying {
  Lying(std::string_view from, size_t shift) : memory(allocate(static_cast<int64_t>(from.size() + shift))), view(memory.get() + shift, from.size()) {
    std::memcpy(memory.get() + shift, from.data(), from.size());
  }
  std::shared_ptr<char> memory;
  std::string_view view;
};

TEST(Wire, RowsComeBackWhereverTheyLie) {
  for (int64_t rows : {0, 1, 5, 1000, 6000})
    for (size_t outputs : {1, 3}) {
      const Batches batches{rows_of(rows), rows_of(3), rows_of(0)};
      const std::string bytes = encode(std::vector<Output>(outputs, output_of(batches)));
      for (size_t shift : {0, 4, 8, 63}) {
        Lying lying(bytes, shift);
        for (bool keep : {false, true})
          for (size_t which = 0; which < outputs; ++which) {
            const Output o = decode_output(lying.view, which, keep ? lying.memory : nullptr);
            EXPECT_TRUE(equal(*o.batches, batches)) << rows << " rows, shift " << shift;
            const Batch& first = o.batches->front();
            const bool in_place = keep && shift % 8 == 0 && rows == 6000;
            if (rows == 1000) continue;  // some columns are large enough, others not
            EXPECT_EQ(rows && lies_in(lying.view, first.columns[0].as<Text>()[std::min<int64_t>(1, rows - 1)].data), in_place);
            for (size_t c = 1; c + 2 < first.columns.size(); ++c) {
              EXPECT_EQ(lies_in(lying.view, first.columns[c].values), in_place) << c;
              if (!in_place || shift) continue;
              EXPECT_EQ(reinterpret_cast<uintptr_t>(first.columns[c].values) % 64, 0u) << "output " << which << ", column " << c;
            }
          }
      }
    }
}

TEST(Wire, OneOfSeveralLiesTheSameAlone) {
  const Batches batches{rows_of(20'000)};
  const std::string bytes = encode(std::vector<Output>(3, output_of(batches)));
  for (size_t which = 0; which < 3; ++which) {
    Lying alone(encoded_output(bytes, which), 0);
    const Output o = decode_output(alone.view, which, alone.memory);
    EXPECT_TRUE(equal(*o.batches, batches));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(o.batches->front().columns[3].values) % 64, 0u);
    EXPECT_TRUE(lies_in(alone.view, o.batches->front().columns[3].values));
  }
}

TEST(Wire, WhatLiesInBytesKeepsThem) {
  const Batches batches{rows_of(20'000)};
  auto bytes = std::make_shared<const std::string>(encode(std::vector<Output>{output_of(batches)}));
  const std::weak_ptr<const std::string> alive = bytes;
  Batches opened = *decode_output(*bytes, 0, bytes).batches;
  bytes.reset();
  EXPECT_FALSE(alive.expired());
  EXPECT_TRUE(equal(opened, batches));
  Column text = opened[0].columns[0], flagged = slice(opened[0].columns[4], 5, 2);
  opened.clear();
  flagged = {};
  EXPECT_FALSE(alive.expired());
  EXPECT_TRUE(equal(text, batches[0].columns[0]));
  EXPECT_TRUE(text.text_kept && text.kept_bytes > 0);
  text.text_kept = false, text = own_text(text);
  EXPECT_TRUE(alive.expired());
  EXPECT_TRUE(equal(text, batches[0].columns[0]));
}

TEST(Wire, PiecesComeBackAsOneBatch) {
  for (bool constants : {false, true}) {
    Batch rows = rows_of(9'000);
    if (!constants) rows.columns.resize(rows.columns.size() - 2);
    std::vector<std::vector<ColumnRows>> pieces;
    std::deque<Column> others;  // of another batch, without flags
    for (const auto& c : rows.columns) {
      auto& of_column = pieces.emplace_back();
      if (c.constant) others.push_back(spread(c, rows.rows));
      const Column& values = c.constant ? others.back() : c;
      for (const auto& [begin, count] : {std::pair<int64_t, int64_t>{0, 1}, {1, 5'000}, {5'001, 0}, {5'001, 3'999}})
        of_column.push_back({&values, begin, count});
    }
    base::Encoder out;
    encode_pieces(out, pieces, rows.rows);
    const std::string bytes = out.take();
    base::Decoder in(bytes);
    const Batches back = decode_batches(in);
    EXPECT_TRUE(in.empty());
    ASSERT_EQ(back.size(), 1u);
    for (size_t c = 0; c < rows.columns.size(); ++c) EXPECT_TRUE(equal(back[0].columns[c], spread(rows.columns[c], rows.rows))) << c;
  }
  const Column flagged = numbers(Storage::int64, 10, true), plain = numbers(Storage::int64, 10, false);
  base::Encoder out;
  encode_pieces(out, {{{&plain, 0, 10}, {&flagged, 0, 10}}}, 20);
  const std::string bytes = out.take();
  base::Decoder in(bytes);
  const Column both = decode_batches(in)[0].columns[0];
  for (int64_t i = 0; i < 20; ++i) EXPECT_EQ(both.is_missing(i), i >= 10 && flagged.is_missing(i - 10));
}

// A few rows or columns that stay would keep the whole object.
TEST(Wire, RowsThatStayLeaveALargerObject) {
  const Batches batches{rows_of(100'000)};
  const auto bytes = std::make_shared<const std::string>(encode(std::vector<Output>{output_of(batches)}));
  const auto kept = [&](bool all) {
    std::vector<Column> columns;
    Batches opened = *decode_output(*bytes, 0, bytes).batches;
    for (size_t c = 0; c < opened[0].columns.size(); ++c)
      if (all || c == 0 || c == 9 || c == 10 || c == 17 || c == 18) columns.push_back(opened[0].columns[c]);
    Packing packing;
    packing.add(columns, 100'000);
    opened.clear();
    const Batches out = packing.take();
    for (size_t c = 0; c < columns.size(); ++c) EXPECT_TRUE(equal(spread(out[0].columns[c], 100'000), spread(columns[c], 100'000)));
    columns.clear();
    return bytes.use_count() > 1;
  };
  EXPECT_TRUE(kept(true));
  EXPECT_FALSE(kept(false));
}

// All that a reader may look at, as a number: what lies outside of the bytes is for sanitizers to find.
uint64_t all_of(const Batches& batches) {
  uint64_t sum = 0;
  for (const auto& b : batches)
    for (const auto& c : b.columns)
      for (int64_t i = 0; i < (c.constant ? 1 : b.rows); ++i) {
        sum += c.is_missing(i);
        if (c.storage == Storage::text) sum += hash_bytes(c.as<Text>()[i].view()).low;
        else visit_fixed(c.storage, [&](auto tag) { sum += static_cast<uint64_t>(c.as<typename decltype(tag)::type>()[i] != 0); });
      }
  return sum;
}

TEST(Wire, DamagedRowsAreAnErrorOrOtherRows) {
  std::mt19937 random(1);
  int errors = 0;
  for (int64_t rows : {3, 700, 5000}) {
    const std::string bytes = encode(std::vector<Output>{output_of({rows_of(rows)}), output_of({Batch{rows, {texts(rows)}}})});
    for (int round = 0; round < (rows > 1000 ? 600 : 3000); ++round) {
      std::string damaged = bytes;
      for (unsigned k = random() % 3; k < 3; ++k) {
        const size_t at = random() % 2 ? random() % std::min<size_t>(600, bytes.size()) : random() % bytes.size();
        if (random() % 2) damaged[at] = static_cast<char>(random());
        else if (at + 8 <= damaged.size()) {
          const uint64_t number = random() % 2 ? ~uint64_t{0} >> random() % 64 : random() % (2 * bytes.size());
          std::memcpy(damaged.data() + at, &number, sizeof number);
        }
      }
      if (random() % 4 == 0) damaged.resize(random() % damaged.size());
      const auto exact = std::make_unique<char[]>(damaged.size());  // not a byte more
      std::memcpy(exact.get(), damaged.data(), damaged.size());
      const auto keep = std::make_shared<int>(0);
      try {
        const Output o = decode_output({exact.get(), damaged.size()}, random() % 2, random() % 2 ? keep : nullptr);
        if (o.batches) all_of(*o.batches);
      } catch (const Error&) {
        ++errors;
      }
    }
  }
  EXPECT_GT(errors, 1000);
}

// The slab is not written again while a column points into it.
TEST(Wire, ASlabWaitsForItsColumns) {
  worker::slabs().clear(), worker::slabs().set_limit(size_t{1} << 30);
  const Batches batches{rows_of(100'000)}, others{rows_of(100'001)};
  const auto written = [](const Batches& rows) {
    worker::Object o;
    o.native = true, o.outputs = std::make_shared<const std::vector<Output>>(std::vector<Output>{output_of(rows)});
    return worker::as_bytes(o).segment;
  };
  auto segment = written(batches);
  const worker::Segment* first = segment.get();
  ASSERT_TRUE(first);
  const auto slabs_before = worker::slabs().bytes();
  Column text, number;
  {
    const Batches opened = *decode_output(segment->view(), 0, segment).batches;
    text = opened[0].columns[0], number = opened[0].columns[9];
    EXPECT_TRUE(lies_in(segment->view(), number.values));
  }
  segment.reset();
  written(others);
  EXPECT_GT(worker::slabs().bytes(), slabs_before) << "another slab";
  EXPECT_TRUE(equal(text, batches[0].columns[0]));
  text = {};
  written(others);
  EXPECT_TRUE(equal(number, batches[0].columns[9]));
  number = {};
  const auto bytes = worker::slabs().bytes();
  written(others), written(others);
  EXPECT_EQ(worker::slabs().bytes(), bytes) << "written again";
  EXPECT_EQ(worker::segment_bytes(), 0);
  worker::slabs().clear();
}

// What was opened where it lies is handed out as it is, and counts once.
TEST(Wire, AnOpenedObjectKeepsItsBytes) {
  const int64_t before = worker::budget().used();
  {
    worker::ObjectStore store;
    const Output output = output_of({rows_of(100'000)});
    worker::Object o = worker::encoded_object({output});
    const auto segment = o.segment;
    ASSERT_TRUE(segment);
    worker::budget().hold(o.bytes);
    store.put(TaskId{1, 1}, o);
    const Output opened = decode_output(segment->view(), 0, segment);
    store.opened(o, TaskId{1, 1}, opened);
    EXPECT_EQ(worker::budget().used(), before + opened.bytes);
    const worker::Object found = *store.find(TaskId{1, 1});
    EXPECT_TRUE(found.outputs);
    EXPECT_EQ(worker::as_bytes(found).segment, segment);
    store.spill(0);
    EXPECT_EQ(worker::budget().used(), before);
    EXPECT_TRUE(equal(*decode_output(worker::as_bytes(*store.find(TaskId{1, 1})).view(), 0).batches, *output.batches));
  }
  EXPECT_EQ(worker::budget().used(), before);
}

}  // namespace
}  // namespace muster::kernels
