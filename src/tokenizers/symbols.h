#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/types.h"

namespace genrec {

/// The family of collision-avoidance symbols, "<x_0>", "<x_1>", ... (method 5.4 #12).
inline constexpr const char* kAvoidanceFamily = "x";
/// The family of text pieces.
inline constexpr const char* kPieceFamily = "piece";

/// The letters of a symbol: "a" of "<a_12>", "CI" of "<CI7>"; the whole symbol where it has no such form.
[[nodiscard]] std::string symbol_family(const std::string& symbol);

/// "<x_j>".
[[nodiscard]] std::string avoidance_symbol(std::int32_t number);

// Identifiers may be written in text: "<piece_123>" is piece 123 of the SentencePiece model that the text
// model has, and no token of its own. Such identifiers belong to that SentencePiece model.

[[nodiscard]] std::string piece_symbol(TokenId piece);
/// The piece that a symbol stands for; nothing for any other symbol, the end and padding tokens included.
[[nodiscard]] std::optional<TokenId> piece_of(std::string_view symbol);

}  // namespace genrec
