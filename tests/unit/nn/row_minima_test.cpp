#include "nn/row_minima.h"

#include <cmath>
#include <limits>
#include <vector>

#include "unit/nn/random_tensors.h"

namespace genrec {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::vector<std::int64_t> places(const at::Tensor& x) {
  const at::Tensor found = first_minima(x);
  return {found.const_data_ptr<std::int64_t>(), found.const_data_ptr<std::int64_t>() + found.numel()};
}

TEST(RowMinima, EqualArgminAtEveryWidth) {
  for (const std::int64_t columns : {1, 3, 4, 7, 16, 33, 100, 256}) {
    const at::Tensor x = test::normal({70, columns}, static_cast<std::uint64_t>(columns));
    EXPECT_TRUE(at::equal(first_minima(x), x.argmin(1))) << columns;
    EXPECT_TRUE(at::equal(first_minima(x.t().contiguous().t()), x.argmin(1))) << columns << ", columns first";
  }
}

TEST(RowMinima, TheFirstOfEqualsCounts) {
  for (const std::int64_t columns : {5, 64}) {
    at::Tensor x = at::ones({3, columns});
    x[1].narrow(0, 2, 3).fill_(-4);
    x[2][columns - 1].fill_(0);
    EXPECT_EQ(places(x), (std::vector<std::int64_t>{0, 2, columns - 1}));
  }
}

TEST(RowMinima, RowsWithoutANumberHaveAPlaceAllTheSame) {
  at::Tensor x = test::normal({4, 20}, 1).abs();
  x[0].fill_(kNaN);
  x[1].fill_(kInfinity);
  x[2][3].fill_(kNaN);
  x[2][19].fill_(-1);
  x[3][0].fill_(-kInfinity);
  EXPECT_EQ(places(x), (std::vector<std::int64_t>{0, 0, 19, 0}));
  EXPECT_EQ(first_minima(at::empty({0, 7})).numel(), 0);
}

}  // namespace
}  // namespace genrec
