// The block index against a byte by byte reference, on every SIMD target this CPU has; and invariance in where a block ends.
#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <random>

#include "io/csv/index.hpp"
#include "io/csv/number.hpp"

namespace muster::io::csv {
namespace {

// Separators and row ends outside quotes, by parity.
std::vector<uint32_t> reference(const std::string& s) {
  std::vector<uint32_t> out;
  bool inside = false;
  for (size_t i = 0; i < s.size(); ++i) {
    if (s[i] == '"') inside = !inside;
    else if (!inside && (s[i] == ',' || s[i] == '\n')) out.push_back(static_cast<uint32_t>(i));
  }
  return out;
}

TEST(CsvIndex, MatchesTheReferenceOnEveryTarget) {
  std::mt19937 random(1);
  const std::string alphabet = "ab1,,\n\"\r x";
  int tested = 0;
  for (uint32_t targets = hwy::SupportedTargets(), i = 0; i < 32; ++i) {
    const uint32_t target = 1u << i;
    if (!(targets & target)) continue;
    ++tested;
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    for (int round = 0; round < 3000; ++round) {
      std::string text;
      const size_t length = random() % 300, kinds = 3 + random() % (alphabet.size() - 2);
      for (size_t k = 0; k < length; ++k) text += alphabet[random() % kinds];
      std::string padded = text + std::string(128, ',');
      std::vector<uint32_t> positions(padded.size() + 64);
      const Index index = index_block(padded.data(), static_cast<int64_t>(text.size()), ',', '"', positions.data());
      positions.resize(static_cast<size_t>(index.count));
      EXPECT_EQ(positions, reference(text)) << text;
      EXPECT_EQ(index.open_quote, std::count(text.begin(), text.end(), '"') % 2 == 1);
    }
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  EXPECT_GE(tested, 2);  // the vector code and the scalar code at least
}

TEST(CsvNumber, FastPathsAgreeWithTheSlowOnes) {
  std::mt19937 random(2);
  const std::string alphabet = "0123456789.-+e ";
  for (int round = 0; round < 300000; ++round) {
    std::string text(16, '7');
    const size_t length = random() % 20, kinds = random() % 2 ? 10 : alphabet.size();
    for (size_t k = 0; k < length; ++k) text += alphabet[random() % kinds];
    const char* p = text.data() + 16;
    const auto n = static_cast<int64_t>(length);
    int64_t fast, slow;
    if (fast_integer(p, n, fast)) {
      ASSERT_EQ(slow_integer({p, n}, 0, slow), IntegerText::fits) << text;
      EXPECT_EQ(fast, slow) << text;
    }
    double quick, exact;
    if (fast_decimal(p, n, quick)) {
      ASSERT_TRUE(slow_decimal({p, n}, '.', 0, exact)) << text;
      EXPECT_EQ(quick, exact) << text;
    }
  }
}
}  // namespace
}  // namespace muster::io::csv
