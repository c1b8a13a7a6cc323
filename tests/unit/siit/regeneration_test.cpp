#include "siit/regeneration.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/error.h"

namespace genrec {
namespace {

std::vector<TokenId> allowed(const TokenAutomaton& automaton, std::int32_t node) {
  const auto tokens = automaton.tokens_of(node);
  return {tokens.begin(), tokens.end()};
}

TEST(RegenerationAutomaton, LevelsKeepToTheirCodes) {
  const auto initial = IdentifierTable::from_strings({{"<a_1>", "<b_1>"}, {"<a_2>", "<b_1>"}});
  Vocabulary vocabulary(10, initial.symbols());  // a_1, a_2, b_1 are 10, 11, 12
  vocabulary.add(std::vector<std::string>{"<x_0>", "<b_7>"});
  const TokenAutomaton automaton = regeneration_automaton(initial, vocabulary);
  EXPECT_EQ(automaton.max_steps, 3);
  EXPECT_EQ(allowed(automaton, 0), (std::vector<TokenId>{10, 11}));
  EXPECT_EQ(allowed(automaton, 1), (std::vector<TokenId>{12, 14}));
  EXPECT_EQ(allowed(automaton, 2), (std::vector<TokenId>{kEndToken}));
}

TEST(RegenerationAutomaton, TextKeepsToTheWordsOfTheTable) {
  // Titles of one to three pieces; the last two share one and are told apart.
  const auto initial = IdentifierTable::from_strings({{"<piece_40>", "<piece_7>", "<piece_9>"},
                                                      {"<piece_33>"},
                                                      {"<piece_40>", "<piece_33>", "<x_0>"},
                                                      {"<piece_40>", "<piece_33>", "<x_1>"}});
  const Vocabulary vocabulary(50, initial.symbols());
  const TokenAutomaton automaton = regeneration_automaton(initial, vocabulary);
  EXPECT_EQ(automaton.max_steps, 4);
  EXPECT_EQ(allowed(automaton, 0), (std::vector<TokenId>{7, 9, 33, 40}));
  EXPECT_EQ(allowed(automaton, 1), (std::vector<TokenId>{kEndToken, 7, 9, 33, 40}));
  EXPECT_EQ(allowed(automaton, 2), (std::vector<TokenId>{kEndToken, 7, 9, 33, 40}));
  EXPECT_EQ(allowed(automaton, 3), (std::vector<TokenId>{kEndToken}));
}

TEST(RegenerationAutomaton, NothingButAvoidanceIsAnError) {
  const auto initial = IdentifierTable::from_strings({{"<x_0>"}, {"<a_1>"}});
  EXPECT_THROW((void)regeneration_automaton(initial, Vocabulary(10, initial.symbols())), DataError);
}

}  // namespace
}  // namespace genrec
