#pragma once
#include <cstdint>

namespace genrec {

/// Row of the item catalogue, 0 .. items-1.
using ItemId = std::int32_t;
/// Row of the user list of the whole dataset, 0 .. users-1.
using UserId = std::int32_t;
/// Row of the model's embedding table.
using TokenId = std::int32_t;

/// T5's reserved tokens: padding is also the decoder's start token.
inline constexpr TokenId kPadToken = 0;
inline constexpr TokenId kEndToken = 1;
inline constexpr TokenId kUnknownToken = 2;

}  // namespace genrec
