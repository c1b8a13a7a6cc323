#pragma once
#include <cstdint>
#include <vector>

#include "base/types.h"

namespace genrec {

/// Token sequences laid one behind the other, no padding: sequence b is tokens[offsets[b] .. offsets[b+1]).
struct PackedSequences {
  std::vector<TokenId> tokens;
  std::vector<std::int64_t> offsets{0};

  [[nodiscard]] std::int64_t sequences() const { return static_cast<std::int64_t>(offsets.size()) - 1; }
  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(tokens.size()); }
  void close_sequence() { offsets.push_back(static_cast<std::int64_t>(tokens.size())); }
};

/// A batch for teacher forcing. The decoder's input is `target` shifted right behind the start token
/// (kPadToken); every target token counts in the loss. keys[b] names sample b on every rank (dropout hangs on
/// it).
struct Seq2SeqBatch {
  PackedSequences source;  ///< end token included
  PackedSequences target;  ///< end token included
  std::vector<std::uint64_t> keys;
  [[nodiscard]] std::int64_t samples() const { return source.sequences(); }
};

}  // namespace genrec
