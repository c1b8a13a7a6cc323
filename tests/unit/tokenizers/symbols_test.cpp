#include "tokenizers/symbols.h"

#include <gtest/gtest.h>

#include <limits>

namespace genrec {
namespace {

TEST(Symbols, FamiliesAreTheLetters) {
  EXPECT_EQ(symbol_family("<a_12>"), "a");
  EXPECT_EQ(symbol_family("<CI7>"), "CI");
  EXPECT_EQ(symbol_family("<item_3>"), "item");
  EXPECT_EQ(symbol_family("<7>"), "<7>");
  EXPECT_EQ(symbol_family("plain"), "plain");
  EXPECT_EQ(symbol_family(avoidance_symbol(11)), kAvoidanceFamily);
  EXPECT_EQ(symbol_family(piece_symbol(11)), kPieceFamily);
}

TEST(Symbols, PiecesThereAndBack) {
  EXPECT_EQ(piece_symbol(123), "<piece_123>");
  for (const TokenId piece :
       {kUnknownToken, TokenId{3}, TokenId{32099}, std::numeric_limits<TokenId>::max()}) {
    EXPECT_EQ(piece_of(piece_symbol(piece)), piece);
  }
}

TEST(Symbols, OtherSymbolsAreNoPieces) {
  for (const char* symbol : {"", "<a_12>", "<piece_>", "<piece_12", "<piece_x>", "<piece_-3>", "<piece_007>",
                             "<piece_12 >", "<piece_99999999999>", "piece_12>"}) {
    EXPECT_FALSE(piece_of(symbol).has_value()) << symbol;
  }
  EXPECT_FALSE(piece_of(piece_symbol(kPadToken)).has_value());
  EXPECT_FALSE(piece_of(piece_symbol(kEndToken)).has_value());
}

}  // namespace
}  // namespace genrec
