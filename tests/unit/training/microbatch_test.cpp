#include "training/microbatch.h"

#include <gtest/gtest.h>

namespace genrec {
namespace {

Seq2SeqBatch batch_of(const std::vector<std::int64_t>& source_lengths) {
  Seq2SeqBatch batch;
  TokenId token = 100;
  for (std::int64_t length : source_lengths) {
    for (std::int64_t i = 0; i < length; ++i) batch.source.tokens.push_back(token++);
    batch.source.close_sequence();
    batch.target.tokens.push_back(token++);
    batch.target.close_sequence();
    batch.keys.push_back(static_cast<std::uint64_t>(token++));
  }
  return batch;
}

TEST(Microbatches, CoverTheBatchInOrder) {
  const Seq2SeqBatch batch = batch_of({4, 9, 2, 7, 7, 1, 30, 3, 5, 6});
  for (std::int64_t limit : {0, 1, 5, 12, 20, 50, 1000}) {
    const auto ranges = microbatches(batch, limit);
    PackedSequences source, target;
    std::vector<std::uint64_t> keys;
    for (Range range : ranges) {
      ASSERT_GT(range.size(), 0);
      const Seq2SeqBatch part = batch_part(batch, range);
      ASSERT_EQ(part.samples(), range.size());
      ASSERT_EQ(part.target.sequences(), range.size());
      EXPECT_EQ(part.source.offsets.front(), 0);
      EXPECT_EQ(part.source.offsets.back(), part.source.size());
      for (std::int64_t b = 0; b < range.size(); ++b) {
        const auto i = static_cast<std::size_t>(b);
        source.tokens.insert(source.tokens.end(), part.source.tokens.begin() + part.source.offsets[i],
                             part.source.tokens.begin() + part.source.offsets[i + 1]);
        source.close_sequence();
      }
      target.tokens.insert(target.tokens.end(), part.target.tokens.begin(), part.target.tokens.end());
      keys.insert(keys.end(), part.keys.begin(), part.keys.end());
    }
    EXPECT_EQ(source.tokens, batch.source.tokens) << limit;
    EXPECT_EQ(source.offsets, batch.source.offsets) << limit;
    EXPECT_EQ(target.tokens, batch.target.tokens) << limit;
    EXPECT_EQ(keys, batch.keys) << limit;
  }
}

TEST(Microbatches, AreEvenAndNearTheLimit) {
  const Seq2SeqBatch batch = batch_of(std::vector<std::int64_t>(100, 9));  // 1000 tokens
  const auto ranges = microbatches(batch, 300);
  ASSERT_EQ(ranges.size(), 4U);
  for (Range range : ranges) EXPECT_EQ(range.size(), 25);
  EXPECT_EQ(microbatches(batch, 0).size(), 1U);
  EXPECT_EQ(microbatches(batch, 1).size(), 100U);
}

TEST(Microbatches, NoneForAnEmptyBatch) {
  EXPECT_TRUE(microbatches(Seq2SeqBatch{}, 0).empty());
  EXPECT_TRUE(microbatches(Seq2SeqBatch{}, 10).empty());
}

}  // namespace
}  // namespace genrec
