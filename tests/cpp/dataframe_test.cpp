// Files, groups beyond the memory limit, Arrow and rows that look at other rows, through the C++ door: what the sanitizers are to see.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <numeric>

#include "api/session.hpp"
#include "muster/muster.hpp"

namespace muster {
namespace {

class Files : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(folder);
    std::ofstream csv(folder + "/a.csv");
    csv << "k,text,x\n";
    for (int i = 0; i < kRows; ++i) csv << (i * 7919LL) % 20011 << ",text number " << i % 1000 << "," << (i % 11 ? std::to_string(i) : "") << "\n";
    csv.close();
    read_csv(folder + "/a.csv", {.blocksize = 200'000}).to_parquet(folder + "/pq");
  }
  void TearDown() override {
    api::set_memory_limit(api::memory_limit());
    std::filesystem::remove_all(folder);
  }
  static constexpr int kRows = 60'000;
  const std::string folder = "/tmp/muster-dataframe-test-" + std::to_string(getpid());
};

TEST_F(Files, ParquetHoldsWhatWasWritten) {
  const DataFrame csv = read_csv(folder + "/a.csv"), parquet = read_parquet(folder + "/pq");
  EXPECT_GT(std::distance(std::filesystem::directory_iterator(folder + "/pq"), {}), 3);
  EXPECT_EQ(parquet.len(), kRows);
  EXPECT_EQ(csv["x"].sum().number(), parquet["x"].sum().number());
  EXPECT_EQ(csv[csv["text"] == "text number 7"]["x"].sum().number(), parquet[parquet["text"] == "text number 7"]["x"].sum().number());
  EXPECT_EQ(parquet[parquet["x"] > 59'990]["k"].count().number(), 8);
}

TEST_F(Files, GroupsBeyondTheLimitAreSpilled) {
  const auto sums = [&] { return read_parquet(folder + "/pq", {.blocksize = 0}).groupby({"k", "text"}, {.sort = false})["x"].sum(); };
  const Table before = sums().compute();
  const auto total = sums().sum().number();
  api::set_memory_limit(4 << 20);
  const Table after = sums().compute({.threads = 3});
  EXPECT_EQ(before.rows(), after.rows());
  EXPECT_EQ(before.numbers("x"), after.numbers("x"));
  EXPECT_EQ(sums().sum().number(), total);
}

TEST_F(Files, RowsLookAtOtherPartitions) {
  const DataFrame df = read_parquet(folder + "/pq", {.blocksize = 0});
  const auto total = df["x"].cumsum().compute().numbers("x");
  EXPECT_EQ(total.back(), df["x"].sum().number());
  EXPECT_EQ(df["text"].shift(1).compute().texts("text")[30'000], "text number 999");
  EXPECT_EQ(df["x"].ffill().isna().sum().number(), 1);
  EXPECT_EQ(df["k"].diff(-1).compute().rows(), kRows);
}

TEST_F(Files, RowsAreMergedAndMoved) {
  const DataFrame df = read_parquet(folder + "/pq", {.blocksize = 0});
  const DataFrame sums = df.groupby("text").agg({{"x", {"sum"}}}).reset_index();
  const double of_text = df[df["text"] == "text number 7"]["x"].sum().number();
  const auto check = [&] {
    const DataFrame merged = df.merge(sums, {.how = "left", .on = "text", .suffixes = {"", "_sum"}});
    EXPECT_EQ(merged.len(), kRows);
    EXPECT_EQ(merged[merged["text"] == "text number 7"]["x_sum"].mean().number(), of_text);
    EXPECT_EQ(df.merge(sums, {.on = "text", .npartitions = 3, .broadcast = false}).len(), kRows);
    EXPECT_EQ(df.join(sums.set_index("text"), {.on = "text", .rsuffix = "_sum"})["x_sum"].sum().number(), merged["x_sum"].sum().number());
    const auto sorted = df.sort_values({"text", "k"}, {.ascending = {true, false}}).compute({.threads = 3}).texts("text");
    EXPECT_TRUE(std::is_sorted(sorted.begin(), sorted.end()));
    const auto numbers = df.set_index("k", {.npartitions = 5}).compute().numbers("k");
    EXPECT_TRUE(numbers.size() == kRows && std::is_sorted(numbers.begin(), numbers.end()));
    const DataFrame shuffled = df.shuffle("text", {.npartitions = 4});
    double texts = 0;  // none in two partitions
    for (int64_t p = 0; p < shuffled.npartitions(); ++p) texts += shuffled.get_partition(p)["text"].nunique().number();
    EXPECT_EQ(texts, 1000);
  };
  check();
  api::set_memory_limit(8 << 20);
  check();
}

TEST_F(Files, GroupsAndWindowsStandBesideRows) {
  const DataFrame df = read_parquet(folder + "/pq", {.blocksize = 0});
  const auto beside = df.groupby("text")["x"].transform("count").compute({.threads = 3}).numbers("x");
  EXPECT_EQ(std::accumulate(beside.begin(), beside.end(), 0.0) / kRows, df["x"].count().number() / 1000);
  const auto windows = df["k"].rolling(3).sum().compute().numbers("k"), k = df["k"].compute().numbers("k");
  for (size_t i = 2; i < kRows; ++i) ASSERT_EQ(windows[i], k[i - 2] + k[i - 1] + k[i]) << i;
}

TEST_F(Files, ArrowKeepsItsMemoryAlive) {
  ArrowSchema schema;
  ArrowArray array;
  to_arrow(read_parquet(folder + "/pq").compute(), &schema, &array);
  const DataFrame df = from_arrow(&schema, &array, 5);
  EXPECT_EQ(schema.release, nullptr);
  EXPECT_EQ(df.npartitions(), 5);
  EXPECT_EQ(df["text"].nunique().number(), 1000);
  EXPECT_EQ(df["x"].isna().sum().number(), (kRows + 10) / 11);
  to_arrow(df.compute(), &schema, &array);
  ArrowArray moved = *array.children[1];  // a child may be moved out of its parent
  array.children[1]->release = nullptr;
  array.release(&array), schema.release(&schema);
  moved.release(&moved);
  EXPECT_THROW(from_arrow(&schema, &array), Error);
}

TEST_F(Files, WhatCannotBeWrittenLeavesNothing) {
  const DataFrame df = read_parquet(folder + "/pq");
  EXPECT_THROW(df.to_parquet("/proc/nowhere"), Error);
  EXPECT_THROW(df.to_parquet(folder + "/out", "lzo"), Error);
  EXPECT_FALSE(std::filesystem::exists(folder + "/out"));
  EXPECT_THROW(df.assign("d", df["k"].astype("datetime64[us]").diff()).to_parquet(folder + "/out"), Error);
  EXPECT_FALSE(std::filesystem::exists(folder + "/out"));
}

TEST_F(Files, AWriteThatFailsLeavesWhatWasThere) {
  std::ofstream csv(folder + "/bad.csv");
  csv << "a,b\n";
  for (int i = 0; i < 60'000; ++i) csv << i << ",some text\n";
  csv << "1,2,3\n";
  csv.close();
  const DataFrame df = read_csv(folder + "/bad.csv", {.blocksize = 50'000});
  ASSERT_GT(df.npartitions(), 5);
  EXPECT_THROW(df.to_parquet(folder + "/made/for/it"), Error);
  EXPECT_FALSE(std::filesystem::exists(folder + "/made"));
  std::filesystem::create_directory(folder + "/kept");
  EXPECT_EQ(df.head().rows(), 5);
  EXPECT_EQ(df.get_partition(0).to_parquet(folder + "/kept"), df.get_partition(0).len());
  const auto size = std::filesystem::file_size(folder + "/kept/part.0.parquet");
  EXPECT_THROW(df.to_parquet(folder + "/kept"), Error);
  EXPECT_EQ(std::filesystem::file_size(folder + "/kept/part.0.parquet"), size);
  std::filesystem::create_directories(folder + "/taken/part.1.parquet/in it");  // a folder where a file is to be
  try {
    df.get_partition(0).repartition(2).to_parquet(folder + "/taken");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(error.message.find("taken/part.1.parquet"), std::string::npos) << error.message;
  }
  for (const auto& [name, entries] : {std::pair("/kept", 1), std::pair("/taken", 1)})
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder + name), {}), entries) << name;
}

}  // namespace
}  // namespace muster
