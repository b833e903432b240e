// The wire form of values and expressions: what goes in comes out, and damaged bytes are errors.
#include <gtest/gtest.h>

#include "api/session.hpp"
#include "base/error.hpp"
#include "base/value.hpp"

namespace muster {
namespace {
using namespace base;

TEST(Value, RoundTrips) {
  const Value v = List{Value(), true, 1, 2.5, "text", Moment{5}, InputRef{1}, List{1, List{}}, Dict{{"a", 1}, {2, "b"}}};
  std::string bytes;
  v.encode(bytes);
  std::string_view in = bytes;
  EXPECT_EQ(Value::decode(in), v);
  EXPECT_TRUE(in.empty());
}

TEST(Value, TruncatedBytesAreErrors) {
  const Value v = List{1, "text", Dict{{"a", List{2.5}}}};
  std::string bytes;
  v.encode(bytes);
  for (size_t n = 0; n < bytes.size(); ++n) {
    std::string_view in(bytes.data(), n);
    EXPECT_THROW(Value::decode(in), Error) << n;
  }
}

TEST(Value, DeepNestingIsAnError) {
  std::string bytes;
  for (int i = 0; i < 100000; ++i) bytes += std::string("l\1\0\0\0\0\0\0\0", 9);
  std::string_view in = bytes;
  EXPECT_THROW(Value::decode(in), Error);
}

TEST(Error, NamesNearMatches) { EXPECT_NE(near_matches("DepDelai", {"ArrDelay", "DepDelay", "Origin"}).find("DepDelay"), std::string::npos); }

TEST(Expression, DamagedWireFormIsAnError) {
  api::start();
  Value v = List{1, List{List{"row_count", Dict{}, List{7}}}, List{0}};
  std::string bytes;
  v.encode(bytes);
  EXPECT_THROW(expr::decode(bytes), Error);
  v = List{1, List{List{"no such operator", Dict{}, List{}}}, List{0}};
  bytes.clear(), v.encode(bytes);
  EXPECT_THROW(expr::decode(bytes), Error);
}
}  // namespace
}  // namespace muster
