#include "io/host_array.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "expect_error.h"

namespace genrec {
namespace {

using ::testing::ElementsAre;

HostArray of_bits(ElementType type, const std::vector<std::uint16_t>& bits) {
  HostArray array{type, {static_cast<std::int64_t>(bits.size())}, {}};
  const auto raw = std::as_bytes(std::span(bits));
  array.bytes.assign(raw.begin(), raw.end());
  return array;
}

TEST(HostArray, KeepsValuesAndShape) {
  const std::vector<std::int32_t> values{1, -2, 3, 4, 5, 6};
  const HostArray array = HostArray::of<std::int32_t>(values, {2, 3});
  EXPECT_EQ(array.count(), 6);
  EXPECT_EQ(array.bytes.size(), 24U);
  EXPECT_THAT(array.as<std::int32_t>(), ElementsAre(1, -2, 3, 4, 5, 6));
  EXPECT_THAT(test::error_of<DataError>([&] { (void)array.as<float>(); }), ::testing::HasSubstr("f32"));
  EXPECT_THAT(test::error_of<DataError>([&] { (void)array.to_float(); }), ::testing::HasSubstr("i32"));
  EXPECT_THROW((void)HostArray::of<std::int32_t>(values, {2, 2}), Error);
}

TEST(HostArray, ShapesAsText) {
  EXPECT_EQ(text_of_shape(std::vector<std::int64_t>{2, 3}), "[2, 3]");
  EXPECT_EQ(text_of_shape({}), "[]");
}

TEST(HostArray, HalfPrecision) {
  const auto values =
      of_bits(ElementType::kFloat16, {0x3c00, 0xc000, 0x0001, 0x8000, 0x7bff, 0x7c00, 0x0400}).to_float();
  EXPECT_THAT(values, ElementsAre(1.0F, -2.0F, 0x1p-24F, -0.0F, 65504.0F,
                                  std::numeric_limits<float>::infinity(), 0x1p-14F));
  EXPECT_TRUE(std::signbit(values[3]));
  EXPECT_TRUE(std::isnan(of_bits(ElementType::kFloat16, {0x7e00}).to_float()[0]));
}

TEST(HostArray, BrainFloatAndDouble) {
  EXPECT_THAT(of_bits(ElementType::kBFloat16, {0x3f80, 0xc040, 0x0000}).to_float(),
              ElementsAre(1.0F, -3.0F, 0.0F));
  const std::vector<double> doubles{0.5, -1e300};
  EXPECT_THAT(HostArray::of<double>(doubles, {2}).to_float(),
              ElementsAre(0.5F, -std::numeric_limits<float>::infinity()));
}

}  // namespace
}  // namespace genrec
