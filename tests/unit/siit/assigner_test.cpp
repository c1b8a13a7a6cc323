#include "siit/assigner.h"

#include <gmock/gmock.h>

#include <set>

#include "base/error.h"
#include "base/random.h"
#include "siit/candidate_arrays.h"
#include "unit/siit/naive_assigner.h"

namespace genrec {
namespace {

using test::Candidates;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<TokenId> identifier(const Assignment& assignment, ItemId item) {
  const auto tokens = assignment.of(item);
  return {tokens.begin(), tokens.end()};
}

Assignment assigned(const Candidates& candidates, const AssignerOptions& options,
                    std::vector<float> confidence = {}, std::size_t chunk = 3) {
  confidence.resize(candidates.size());
  IdentifierAssigner assigner(static_cast<std::int64_t>(candidates.size()), options);
  for (std::size_t begin = 0; begin < candidates.size(); begin += chunk) {
    assigner.add(test::chunk_of(candidates, begin, std::min(candidates.size(), begin + chunk), confidence));
  }
  return assigner.finish();
}

/// Stopped after some items, and gone on with by another assigner from arrays of a checkpoint.
Assignment assigned_in_two(const Candidates& candidates, const AssignerOptions& options,
                           const std::vector<float>& confidence, std::size_t first_part) {
  const auto items = static_cast<std::int64_t>(candidates.size());
  IdentifierAssigner stopped(items, options), resumed(items, options);
  const auto add = [&](IdentifierAssigner& assigner, std::size_t i) {
    std::vector<Hypothesis> mine;
    for (const auto& tokens : candidates[i]) mine.push_back({tokens, 0, confidence[i], 0});
    assigner.add(mine);
  };
  for (std::size_t i = 0; i < first_part; ++i) add(stopped, i);
  add_candidates(candidate_arrays(stopped), static_cast<std::int64_t>(first_part), resumed);
  for (std::size_t i = first_part; i < candidates.size(); ++i) {
    add(stopped, i);
    add(resumed, i);
  }
  const Assignment unstopped = stopped.finish();
  Assignment result = resumed.finish();
  EXPECT_EQ(result.tokens, unstopped.tokens) << "saving changed the assigner that was saved";
  EXPECT_EQ(result.avoidance, unstopped.avoidance);
  return result;
}

/// Items 0-2 and 4 want the same identifier; the others are alone.
const Candidates kCandidates = {
    {{5, 6}, {5, 7}}, {{5, 6}, {5, 7}}, {{5, 6}, {5, 7}}, {{8}, {5, 6}}, {{5, 6}, {9}}};

TEST(Assigner, BeamTakesTheFirstFreeCandidate) {
  const Assignment a = assigned(kCandidates, {.avoid_collisions = false});
  EXPECT_THAT(identifier(a, 0), ElementsAre(5, 6));
  EXPECT_THAT(identifier(a, 1), ElementsAre(5, 7));
  EXPECT_THAT(identifier(a, 2), ElementsAre(5, 6));  // both are taken: candidate 1
  EXPECT_THAT(identifier(a, 3), ElementsAre(8));
  EXPECT_THAT(identifier(a, 4), ElementsAre(9));
  EXPECT_THAT(a.overflowed, ElementsAre(2));
  EXPECT_DOUBLE_EQ(a.collision_rate, 0.2);
  EXPECT_DOUBLE_EQ(a.collision_rate_final, 0.2);
  EXPECT_DOUBLE_EQ(a.overflow_rate, 0.2);
  EXPECT_THAT(a.avoidance, ElementsAre(-1, -1, -1, -1, -1));
}

TEST(Assigner, BeamWithAvoidanceNumbersAllMembersOfAGroup) {
  const Assignment a = assigned(kCandidates, {});
  EXPECT_THAT(a.avoidance, ElementsAre(0, -1, 1, -1, -1));
  EXPECT_EQ(a.avoidance_symbols, 2);
  EXPECT_DOUBLE_EQ(a.collision_rate, 0.2);
  EXPECT_DOUBLE_EQ(a.collision_rate_final, 0);
}

TEST(Assigner, GreedyLooksAtCandidateOne) {
  const Assignment a = assigned(kCandidates, {.avoid_collisions = false, .candidates = 1});
  for (ItemId item : {0, 1, 2, 4}) EXPECT_THAT(identifier(a, item), ElementsAre(5, 6));
  EXPECT_THAT(identifier(a, 3), ElementsAre(8));
  EXPECT_THAT(a.overflowed, ElementsAre(1, 2, 4));
  EXPECT_DOUBLE_EQ(a.collision_rate, 0.6);
  EXPECT_DOUBLE_EQ(a.collision_rate_final, 0.6);
}

TEST(Assigner, GreedyWithAvoidance) {
  const Assignment a = assigned(kCandidates, {.candidates = 1});
  EXPECT_THAT(a.avoidance, ElementsAre(0, 1, 2, -1, 3));
  EXPECT_DOUBLE_EQ(a.collision_rate, 0.6);
  EXPECT_DOUBLE_EQ(a.collision_rate_final, 0);
}

TEST(Assigner, ByConfidenceTheSurestChoosesFirst) {
  const Assignment a = assigned(kCandidates, {.by_confidence = true}, {-3, -1, -3, -9, -0.5F});
  EXPECT_THAT(identifier(a, 4), ElementsAre(5, 6));
  EXPECT_THAT(identifier(a, 1), ElementsAre(5, 7));
  EXPECT_THAT(identifier(a, 0), ElementsAre(5, 6));
  EXPECT_THAT(identifier(a, 2), ElementsAre(5, 6));
  EXPECT_THAT(a.overflowed, ElementsAre(0, 2));
  EXPECT_THAT(a.avoidance, ElementsAre(0, -1, 1, -1, 2));  // numbers by item, whoever held the identifier
}

TEST(Assigner, APrefixIsAnotherIdentifier) {
  const Assignment a = assigned({{{5}}, {{5, 6}}, {{5, 6, 7}}}, {});
  EXPECT_THAT(a.overflowed, IsEmpty());
  EXPECT_DOUBLE_EQ(a.collision_rate, 0);
}

TEST(Assigner, AgreesWithTheNaiveOneOnRandomCandidates) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    RandomStream random(seed, Purpose::kTest);
    Candidates candidates(200);
    std::vector<float> confidence;
    for (auto& mine : candidates) {
      confidence.push_back(-static_cast<float>(random.below(50)));
      std::set<std::vector<TokenId>> distinct;
      const std::size_t wanted = 1 + random.below(5);
      while (distinct.size() < wanted) {
        std::vector<TokenId> tokens(1 + random.below(3));
        for (TokenId& token : tokens) token = 3 + static_cast<TokenId>(random.below(5));
        if (distinct.insert(tokens).second) mine.push_back(tokens);
      }
    }
    std::vector<ItemId> by_id(candidates.size());
    std::iota(by_id.begin(), by_id.end(), 0);
    auto by_confidence = by_id;
    std::stable_sort(by_confidence.begin(), by_confidence.end(), [&](ItemId a, ItemId b) {
      return confidence[static_cast<std::size_t>(a)] > confidence[static_cast<std::size_t>(b)];
    });
    for (const bool sure_first : {false, true}) {
      for (const bool avoid : {false, true}) {
        for (const int most : {0, 1, 2}) {
          const auto naive = test::naive_assignment(candidates, sure_first ? by_confidence : by_id,
                                                    static_cast<std::size_t>(most), avoid);
          const Assignment mine = assigned(candidates, {avoid, sure_first, most}, confidence, 1 + seed % 70);
          ASSERT_EQ(mine.items(), 200);
          for (ItemId item = 0; item < 200; ++item) {
            ASSERT_EQ(identifier(mine, item), naive.identifiers[static_cast<std::size_t>(item)])
                << "seed " << seed;
          }
          EXPECT_EQ(mine.avoidance, naive.avoidance);
          EXPECT_EQ(mine.overflowed, naive.overflowed);
          EXPECT_DOUBLE_EQ(mine.collision_rate, naive.collision_rate);
          const Assignment resumed =
              assigned_in_two(candidates, {avoid, sure_first, most}, confidence, 5 * seed);
          EXPECT_EQ(resumed.tokens, mine.tokens);
          EXPECT_EQ(resumed.offsets, mine.offsets);
          EXPECT_EQ(resumed.avoidance, mine.avoidance);
          EXPECT_EQ(resumed.overflowed, mine.overflowed);
        }
      }
    }
  }
}

/// Two identifiers of two tokens with one 64-bit key: the high bits of the keys' inner halves must agree by
/// chance, the low bits are then made equal by the second tokens.
Candidates hash_collision() {
  std::vector<std::pair<std::uint64_t, TokenId>> halves;
  for (TokenId token = 3; token < (1 << 20); ++token) {
    halves.emplace_back(mix64(2 ^ static_cast<std::uint64_t>(token)), token);
  }
  std::sort(halves.begin(), halves.end());
  for (std::size_t i = 1; i < halves.size(); ++i) {
    const std::uint64_t difference = halves[i].first ^ halves[i - 1].first;
    if (difference >> 31 != 0) continue;
    const TokenId second = 5;
    return {{{halves[i].second, second}},
            {{halves[i - 1].second, static_cast<TokenId>(difference) ^ second}}};
  }
  return {};
}

TEST(Assigner, EqualHashesAreNoCollision) {
  const Candidates candidates = hash_collision();
  ASSERT_EQ(candidates.size(), 2U);
  ASSERT_NE(candidates[0], candidates[1]);
  ASSERT_EQ(identifier_hash(candidates[0][0]), identifier_hash(candidates[1][0]));
  const Assignment a = assigned(candidates, {});
  EXPECT_THAT(a.overflowed, IsEmpty());
  EXPECT_EQ(identifier(a, 1), candidates[1][0]);
}

TEST(CandidateArrays, HoldWhatHasToBeAddedAgain) {
  IdentifierAssigner by_id(5, {}), by_confidence(5, {.by_confidence = true});
  for (IdentifierAssigner* assigner : {&by_id, &by_confidence}) {
    EXPECT_TRUE(candidate_arrays(*assigner).empty());
    assigner->add(test::chunk_of(kCandidates, 0, 4, {-1, -2, -3, -4}));
  }
  const auto integers = [](const WeightMap& arrays, const char* name) {
    const auto values = arrays.at(name).as<std::int32_t>();
    return std::vector<std::int32_t>(values.begin(), values.end());
  };
  const WeightMap assigned = candidate_arrays(by_id), all = candidate_arrays(by_confidence);
  EXPECT_THAT(integers(assigned, "counts"), ElementsAre(1, 1, 1, 1));
  EXPECT_THAT(integers(assigned, "tokens"), ElementsAre(5, 6, 5, 7, 5, 6, 8));
  EXPECT_THAT(integers(all, "counts"), ElementsAre(2, 2, 2, 2));
  EXPECT_THAT(integers(all, "lengths"), ElementsAre(2, 2, 2, 2, 2, 2, 1, 2));
  EXPECT_THAT(all.at("confidence").to_float(), ElementsAre(-1, -2, -3, -4));
}

TEST(CandidateArrays, OfAnotherNumberOrThatDoNotFitAreAnError) {
  IdentifierAssigner assigner(5, {.by_confidence = true});
  assigner.add(test::chunk_of(kCandidates, 0, 5, {1, 2, 3, 4, 5}));
  const WeightMap arrays = candidate_arrays(assigner);
  const auto add = [](const WeightMap& some, std::int64_t items) {
    IdentifierAssigner fresh(5, {.by_confidence = true});
    add_candidates(some, items, fresh);
  };
  EXPECT_NO_THROW(add(arrays, 5));
  EXPECT_NO_THROW(add({}, 0));
  EXPECT_THROW(add(arrays, 4), DataError);
  for (const auto& [name, array] : arrays) {
    WeightMap absent = arrays, longer = arrays, other = arrays;
    absent.erase(name);
    EXPECT_THROW(add(absent, 5), DataError) << name;
    HostArray& more = longer.at(name);
    more.bytes.insert(more.bytes.end(), more.bytes.begin(), more.bytes.begin() + 4);
    ++more.shape.front();
    EXPECT_THROW(add(longer, 5), DataError) << name;
    other.at(name).type = ElementType::kUInt8;
    EXPECT_THROW(add(other, 5), DataError) << name;
  }
}

TEST(CandidateArrays, OfMoreItemsThanAChunkHolds) {
  Candidates candidates(10'000);
  std::vector<float> confidence;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const auto token = static_cast<TokenId>(3 + i % 7000);
    candidates[i] = {{token, 4}, {token, 5, 6}};
    confidence.push_back(-static_cast<float>(i % 100));
  }
  for (const bool sure_first : {false, true}) {
    const Assignment whole = assigned(candidates, {.by_confidence = sure_first}, confidence, 3000);
    EXPECT_EQ(assigned_in_two(candidates, {.by_confidence = sure_first}, confidence, 9000).tokens,
              whole.tokens);
  }
}

TEST(Assigner, TakesItemsOneByOne) {
  IdentifierAssigner assigner(3, {});
  const std::vector<Hypothesis> mine{{{5}, 0, -1, -1}, {{6}, 0, -2, -2}};
  assigner.add(mine);
  assigner.add(test::chunk_of({{{5}, {6}}}, 0, 1, {0}));
  assigner.add(mine);
  const Assignment a = assigner.finish();
  EXPECT_THAT(a.tokens, ElementsAre(5, 6, 5));
  EXPECT_THAT(a.avoidance, ElementsAre(0, -1, 1));
}

TEST(Assigner, RefusesMissingAndExtraItems) {
  IdentifierAssigner assigner(2, {});
  assigner.add(test::chunk_of({{{5}}}, 0, 1, {0}));
  EXPECT_THROW((void)assigner.finish(), Error);
  EXPECT_THROW(assigner.add(test::chunk_of({{}}, 0, 1, {0})), Error);
  IdentifierAssigner one(1, {});
  EXPECT_THROW(one.add(test::chunk_of({{{5}}, {{6}}}, 0, 2, {0, 0})), Error);
}

TEST(Assigner, TheTableHasSymbolsOfAvoidance) {
  const Vocabulary vocabulary(3, {"<a_0>", "<a_1>", "<b_7>"});
  const TokenId a0 = vocabulary.token("<a_0>"), a1 = vocabulary.token("<a_1>"),
                b7 = vocabulary.token("<b_7>");
  const Assignment assignment = assigned({{{a1, b7}}, {{a0}}, {{a1, b7}}, {{a1}}}, {});
  const IdentifierTable table = assigned_table(assignment, vocabulary);
  ASSERT_EQ(table.items(), 4);
  EXPECT_THAT(table.strings_of(0), ElementsAre("<a_1>", "<b_7>", "<x_0>"));
  EXPECT_THAT(table.strings_of(1), ElementsAre("<a_0>"));
  EXPECT_THAT(table.strings_of(2), ElementsAre("<a_1>", "<b_7>", "<x_1>"));
  EXPECT_THAT(table.strings_of(3), ElementsAre("<a_1>"));
  EXPECT_EQ(table.collision_rate(), 0);
}

}  // namespace
}  // namespace genrec
