// Merging states changes none of them: an attempt after one that was broken off, and whoever else reads a state, finds it as it was.
#include <gtest/gtest.h>

#include <functional>

#include "base/hash.hpp"
#include "kernels/distinct_counts.hpp"
#include "kernels/modes.hpp"
#include "kernels/quantiles.hpp"
#include "kernels/registry.hpp"
#include "kernels/wire.hpp"
#include "worker/functions.hpp"

namespace muster::worker {
namespace {
using namespace base;
using namespace data;
using kernels::Output;

class QuietTask : public Task {
 public:
  explicit QuietTask(int64_t partition, int64_t headroom = int64_t{1} << 40) : partition_(partition), headroom_(headroom) {}
  bool stopped() const override { return false; }
  int64_t partition() const override { return partition_; }
  void reserve(int64_t) override {}
  void progress(int64_t) override {}
  int64_t headroom() const override { return headroom_; }

 private:
  int64_t partition_, headroom_;
};

Column integers(int64_t rows, int64_t first, int64_t modulus) {
  Writable w(Storage::int64, rows);
  for (int64_t i = 0; i < rows; ++i) w.as<int64_t>()[i] = (first + i) * 7919 % modulus;
  return std::move(w).finish();
}

struct Kind {
  const char* name;
  Value args;
  size_t columns;
};

std::vector<Kind> kinds() {
  static const bool registered = (kernels::register_kernels(kernels::builtin_kernels()),
      kernels::register_kernels({kernels::quantiles_kernel(), kernels::distinct_counts_kernel(),
      kernels::distinct_in_groups_kernel(), kernels::modes_kernel()}), true);
  EXPECT_TRUE(registered);
  const Value int64 = code(DType{Storage::int64});
  const auto aggregate = [&](const char* function) { return Dict{{"function", function}, {"type", int64}, {"options", Dict{}}, {"input", 0}}; };
  const List aggregates{aggregate("sum"), aggregate("min"), aggregate("first_row")};
  return {{"group_by", Dict{{"keys", List{int64}}, {"aggregates", aggregates}, {"dropna", true}, {"sort", true}}, 2},
          {"group_by", Dict{{"keys", List{int64}}, {"aggregates", List{aggregate("nunique"), aggregate("median")}}, {"dropna", true}, {"sort", false}}, 2},
          {"group_by", Dict{{"keys", List{}}, {"aggregates", aggregates}, {"dropna", true}, {"sort", true}}, 1},
          {"quantiles", Dict{{"types", List{int64}}, {"q", List{0.25, 0.5}}, {"middle", false}}, 1},
          {"first_rows", Dict{{"n", 30'000}}, 2},
          {"last_rows", Dict{{"n", 30'000}}, 2},
          {"top_rows", Dict{{"n", 50}, {"by", List{0}}, {"ascending", List{true}}, {"keep", "first"}}, 2}};
}

std::vector<Output> states_of(const Kind& kind, int64_t modulus, int64_t headroom) {
  auto recipe = std::make_shared<Sink>();
  recipe->kernel = kind.name, recipe->args = kind.args;
  std::vector<Output> out;
  for (int64_t p = 0; p < 5; ++p) {
    QuietTask task(p, headroom);
    std::shared_ptr<Fold> fold = kernels::kernel(kind.name).fold(kind.args);
    constexpr int64_t kRows = 20'000;
    std::vector<Column> columns;
    for (size_t c = 0; c < kind.columns; ++c) columns.push_back(integers(kRows, p * kRows + static_cast<int64_t>(c), modulus));
    fold->add(task, columns, kRows);
    fold->seal(task);
    Output o;
    o.fold = fold, o.recipe = recipe, o.bytes = fold->bytes();
    out.push_back(o);
  }
  return out;
}

std::string hash_of(const std::vector<Output>& outputs) { return hash_bytes(kernels::encode(outputs)).hex(); }
std::string rows_of(const std::vector<Output>& outputs) {
  Encoder out;
  kernels::encode(out, Batches{concatenate(*outputs.at(0).batches)});
  return hash_bytes(out.bytes()).hex();
}

TEST(Combine, ChangesNoInput) {
  for (int64_t headroom : {int64_t{1} << 40, int64_t{1} << 20})
    for (int64_t modulus : {100, 10'000, 1'000'003})
      for (const Kind& kind : kinds()) {
        SCOPED_TRACE(concat(kind.name, " of ", modulus, ", headroom ", headroom));
        const auto states = states_of(kind, modulus, headroom);
        const std::string before = hash_of(states);
        QuietTask task(0, headroom);
        const auto last = worker::bind("combine", Dict{{"last", true}}), inner = worker::bind("combine", Dict{{"last", false}});
        const std::string once = rows_of(last->run(task, {states}, {}));
        EXPECT_EQ(hash_of(states), before);
        EXPECT_EQ(rows_of(last->run(task, {states}, {})), once) << "a second attempt";
        // In a tree, and with some states that came from elsewhere.
        const auto far = kernels::decode_outputs(kernels::encode(states));
        std::vector<Output> some{far[0], states[1], far[2]}, tree{inner->run(task, {some}, {}).at(0), inner->run(task, {{states[3], far[4]}}, {}).at(0)};
        EXPECT_EQ(rows_of(last->run(task, {tree}, {})), once) << "a tree";
        EXPECT_EQ(rows_of(last->run(task, {kernels::decode_outputs(kernels::encode(tree))}, {})), once) << "a tree from elsewhere";
        EXPECT_EQ(hash_of(states), before);
      }
}

// What "combine" leaves for each reader is what that one needs of the whole, here and from elsewhere, and no more bytes than that.
TEST(Combine, LeavesAnOutputForEachPart) {
  const Value int64 = code(DType{Storage::int64});
  const auto aggregate = [&](const char* function) { return Dict{{"function", function}, {"type", int64}, {"options", Dict{}}, {"input", 0}}; };
  kinds();
  std::vector<Kind> parted;
  for (const Value& sort : {Value(true), Value(false)})
    for (const List& aggregates : {List{aggregate("sum"), aggregate("first_row")}, List{aggregate("nunique"), aggregate("median")}})
      parted.push_back({"group_by", Dict{{"keys", List{int64}}, {"aggregates", aggregates}, {"dropna", true}, {"sort", sort}, {"parts", 4}}, 2});
  parted.push_back({"distinct_in_groups", Dict{{"keys", List{int64}},
          {"values", List{int64}}, {"skips_missing", true}, {"dropna", true}, {"sort", true}, {"parts", 4}}, 2});
  parted.push_back({"distinct_counts", Dict{{"types", List{int64, int64}}, {"dropna", true}, {"parts", 4}}, 2});
  parted.push_back({"modes", Dict{{"types", List{int64}}, {"dropna", true}, {"parts", 4}, {"first", 0}}, 1});
  bool cut = false;
  for (int64_t headroom : {int64_t{1} << 40, int64_t{1} << 20})
    for (int64_t modulus : {10'000, 1'000'003})
      for (const Kind& kind : parted) {
        SCOPED_TRACE(concat(kind.name, " of ", modulus, ", headroom ", headroom));
        const auto states = states_of(kind, modulus, headroom);
        QuietTask task(0, headroom);
        const auto whole = worker::bind("combine", Dict{{"last", false}})->run(task, {states}, {});
        const auto outputs = worker::bind("combine", Dict{{"last", false}, {"parts", 4}})->run(task, {states}, {});
        if (outputs.size() == 1) continue;  // small
        ASSERT_EQ(outputs.size(), 4u);
        cut = true;
        const auto part = worker::bind("combine part", Value()), join = worker::bind("join parts", Dict{{"kernel", kind.name}, {"args", kind.args}});
        const auto all_of = [&](const std::function<Output(int64_t)>& read) {
          std::vector<Output> parts;
          for (int64_t p = 0; p < 4; ++p) {
            QuietTask one(p, headroom);
            parts.push_back(part->run(one, {{read(p)}}, {}).at(0));
          }
          return rows_of(join->run(task, {parts}, {}));
        };
        const std::string expected = all_of([&](int64_t) { return whole[0]; });
        EXPECT_EQ(all_of([&](int64_t p) { return outputs[static_cast<size_t>(p)]; }), expected);
        const std::string bytes = kernels::encode(outputs);
        EXPECT_EQ(all_of([&](int64_t p) { return kernels::decode_output(bytes, static_cast<size_t>(p)); }), expected);
        EXPECT_LT(bytes.size(), kernels::encode(whole).size() * 3 / 2);
        for (size_t p = 0; p < 4; ++p) EXPECT_LT(kernels::encoded_output(bytes, p).size(), bytes.size() / 3);
        int64_t held = 0;
        for (const auto& o : outputs) held += o.bytes;
        EXPECT_EQ(held, whole[0].bytes);
      }
  EXPECT_TRUE(cut);
}

TEST(Combine, PartsOfStatesFromElsewhere) {
  for (int64_t headroom : {int64_t{1} << 40, int64_t{1} << 20})
    for (int64_t modulus : {100, 10'000, 1'000'003}) {
      Kind kind = kinds()[0];
      Dict args = kind.args.dict();
      args.emplace_back("parts", 4);
      kind.args = args;
      const auto states = states_of(kind, modulus, headroom);
      const auto far = kernels::decode_outputs(kernels::encode(states));
      const auto part = worker::bind("combine part", Value()), join = worker::bind("join parts", Dict{{"kernel", kind.name}, {"args", kind.args}});
      const auto all_of = [&](const std::vector<Output>& from) {
        std::vector<Output> parts;
        for (int64_t p = 0; p < 4; ++p) {
          QuietTask task(p, headroom);
          parts.push_back(part->run(task, {from}, {}).at(0));
        }
        QuietTask task(0, headroom);
        return rows_of(join->run(task, {parts}, {}));
      };
      const std::string here = all_of(states);
      EXPECT_EQ(all_of(far), here);
      // Where they lie: in bytes that live as long as a state that looks at them.
      std::vector<Output> in_place;
      std::vector<std::weak_ptr<const std::string>> bytes;
      for (const auto& state : states) {
        const auto encoded = std::make_shared<const std::string>(kernels::encode(std::vector<Output>{state}));
        bytes.push_back(encoded);
        in_place.push_back(kernels::decode_output(*encoded, 0, encoded));
      }
      if (modulus > 100 && headroom > 1 << 30) {
        EXPECT_FALSE(bytes[0].expired());
      }
      EXPECT_EQ(all_of(in_place), here);
      EXPECT_EQ(hash_of(in_place), hash_of(states));
      in_place.clear();
      for (const auto& b : bytes) EXPECT_TRUE(b.expired());
      EXPECT_EQ(all_of({states[0], far[1], far[2], states[3], far[4]}), here);
      QuietTask task(0, headroom);
      const auto inner = worker::bind("combine", Dict{{"last", false}});
      const auto tree = std::vector<Output>{inner->run(task, {{far[0], states[1], far[2]}}, {}).at(0), inner->run(task, {{states[3], far[4]}}, {}).at(0)};
      EXPECT_EQ(all_of(tree), here);
      EXPECT_EQ(all_of(kernels::decode_outputs(kernels::encode(tree))), here);
    }
}
}  // namespace
}  // namespace muster::worker
