// Tests that fail on purpose on the last rank; ctest expects the run to fail (WILL_FAIL).
#include <gtest/gtest.h>

#include "mpi/mpi_main.h"

namespace genrec {

TEST(OneRank, Expect) {
  EXPECT_NE(test::runtime().rank(), test::runtime().size() - 1);
}

TEST(OneRank, Assert) {
  ASSERT_NE(test::runtime().rank(), test::runtime().size() - 1);
  test::runtime().world().barrier();
}

}  // namespace genrec
