// Speed of the assignment of identifiers: 10 million items x 20 candidates x 4 tokens on one thread, added in
// chunks as they arrive from the ranks. Items come in groups of one title: a group has the same candidates in
// the same order, group sizes are heavy-tailed (a fifth of the items are repeats, as on Yelp). Making the
// candidates is not timed. Prints one JSON object.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <numeric>
#include <string>

#include "base/random.h"
#include "nn/memory.h"
#include "siit/assigner.h"
#include "unit/siit/naive_assigner.h"

namespace {

using namespace genrec;

/// Candidates as a function of (group, rank): an item belongs to the group of an earlier item now and then.
class CandidateMaker {
 public:
  CandidateMaker(int candidates, std::uint64_t codes, std::int64_t items)
      : candidates_(candidates), codes_(codes), group_(static_cast<std::size_t>(items)) {
    RandomStream random(1, Purpose::kSynthetic);
    for (std::size_t i = 0; i < group_.size(); ++i) {
      const bool repeats = i > 0 && random.below(100) < 23;
      group_[i] = repeats ? group_[random.below(i)] : static_cast<std::uint32_t>(i);
    }
  }
  void append(std::int64_t item, CandidateChunk& chunk) const {
    const std::uint32_t group = group_[static_cast<std::size_t>(item)];
    RandomStream random(2, Purpose::kSynthetic, {group});
    const std::uint64_t stem = random();
    for (int c = 0; c < candidates_; ++c) {
      // A beam's candidates share their beginnings: the last two tokens vary.
      const std::uint64_t variation = random();
      for (int l = 0; l < 4; ++l) {
        const std::uint64_t bits = (l < 2 ? stem : variation) >> (16 * l);
        chunk.tokens.push_back(
            static_cast<TokenId>(32100 + static_cast<std::uint64_t>(l) * codes_ + bits % codes_));
      }
      chunk.token_begin.push_back(static_cast<std::uint32_t>(chunk.tokens.size()));
    }
    chunk.item_begin.push_back(static_cast<std::uint32_t>(chunk.token_begin.size() - 1));
    chunk.confidence.push_back(-static_cast<float>(random.uniform()));
  }

 private:
  int candidates_;
  std::uint64_t codes_;
  std::vector<std::uint32_t> group_;
};

test::Candidates unpacked(const CandidateChunk& chunk) {
  test::Candidates candidates(chunk.items());
  for (std::size_t i = 0; i < chunk.items(); ++i) {
    for (auto c = chunk.item_begin[i]; c < chunk.item_begin[i + 1]; ++c) {
      const auto tokens = chunk.candidate(c);
      candidates[i].emplace_back(tokens.begin(), tokens.end());
    }
  }
  return candidates;
}

/// A small crowded case against the plainest program.
bool is_correct() {
  constexpr std::int64_t kItems = 5000;
  const CandidateMaker maker(5, 6, kItems);
  CandidateChunk chunk;
  for (std::int64_t item = 0; item < kItems; ++item) maker.append(item, chunk);
  std::vector<ItemId> order(kItems);
  std::iota(order.begin(), order.end(), 0);
  for (const bool by_confidence : {false, true}) {
    if (by_confidence) {
      std::stable_sort(order.begin(), order.end(), [&](ItemId a, ItemId b) {
        return chunk.confidence[static_cast<std::size_t>(a)] > chunk.confidence[static_cast<std::size_t>(b)];
      });
    }
    const auto expected = test::naive_assignment(unpacked(chunk), order, 0, true);
    IdentifierAssigner assigner(kItems, {.by_confidence = by_confidence});
    assigner.add(CandidateChunk(chunk));
    const Assignment mine = assigner.finish();
    for (ItemId item = 0; item < kItems; ++item) {
      if (!std::ranges::equal(mine.of(item), expected.identifiers[static_cast<std::size_t>(item)]))
        return false;
    }
    if (mine.avoidance != expected.avoidance || mine.overflowed != expected.overflowed) return false;
    if (std::abs(mine.collision_rate - expected.collision_rate) > 1e-12 || mine.overflowed.empty())
      return false;
  }
  return true;
}

/// Wall-clock and processor seconds of the parts between start() and stop().
class Stopwatch {
 public:
  void start() {
    began_ = std::chrono::steady_clock::now();
    cpu_began_ = std::clock();
  }
  /// The wall-clock seconds of this part.
  double stop() {
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
    wall_ += seconds;
    cpu_ += static_cast<double>(std::clock() - cpu_began_) / CLOCKS_PER_SEC;
    return seconds;
  }
  [[nodiscard]] double wall() const { return wall_; }
  [[nodiscard]] double cpu() const { return cpu_; }

 private:
  std::chrono::steady_clock::time_point began_;
  std::clock_t cpu_began_ = 0;
  double wall_ = 0, cpu_ = 0;
};

}  // namespace

/// bench_assign [ITEMS [id|confidence]]
int main(int argc, char** argv) {
  const std::int64_t items = argc > 1 ? std::atoll(argv[1]) : 10'000'000;
  const bool by_confidence = argc > 2 && std::string(argv[2]) == "confidence";
  constexpr int kCandidates = 20;
  constexpr std::int64_t kChunk = 16384;
  if (!is_correct()) {
    std::fprintf(stderr, "bench_assign: the assignment differs from the naive one\n");
    return 1;
  }
  const CandidateMaker maker(kCandidates, 256, items);
  Stopwatch watch;
  double slowest_chunk = 0;
  IdentifierAssigner assigner(items, {.by_confidence = by_confidence});
  for (std::int64_t begin = 0; begin < items; begin += kChunk) {
    CandidateChunk chunk;
    for (std::int64_t item = begin; item < std::min(items, begin + kChunk); ++item) maker.append(item, chunk);
    watch.start();
    assigner.add(std::move(chunk));
    slowest_chunk = std::max(slowest_chunk, watch.stop());
  }
  watch.start();
  const Assignment assignment = assigner.finish();
  const double finish = watch.stop();
  std::printf(
      "{\"bench\": \"assign\", \"items\": %lld, \"candidates\": %d, \"tokens\": 4, \"order\": \"%s\", "
      "\"seconds\": "
      "%.3f, \"cpu_seconds\": %.3f, \"finish_seconds\": %.3f, \"slowest_chunk_seconds\": %.4f, "
      "\"peak_rss_bytes\": %lld, \"overflow_rate\": %.6f, \"avoidance_symbols\": %d}\n",
      static_cast<long long>(items), kCandidates, by_confidence ? "confidence" : "id", watch.wall(),
      watch.cpu(), finish, slowest_chunk, static_cast<long long>(peak_memory_bytes()),
      assignment.overflow_rate, assignment.avoidance_symbols);
  return 0;
}
