#include "base/shards.h"

#include <gtest/gtest.h>

namespace genrec {
namespace {

TEST(EvenPart, CoversEverythingOnceAndEvenly) {
  for (const std::int64_t n : {0, 1, 3, 10, 101}) {
    for (const std::int64_t parts : {1, 2, 4, 7}) {
      std::int64_t next = 0;
      for (std::int64_t part = 0; part < parts; ++part) {
        const Range range = even_part(n, part, parts);
        EXPECT_EQ(range.begin, next);
        EXPECT_GE(range.size(), n / parts);
        EXPECT_LE(range.size(), n / parts + 1);
        next = range.end;
      }
      EXPECT_EQ(next, n);
    }
  }
}

}  // namespace
}  // namespace genrec
