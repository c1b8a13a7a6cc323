#pragma once
#include <cstdint>
#include <string>

#include "app/options.h"
#include "training/checkpoint.h"

namespace genrec {

/// Whether the run that stands at `state` may go on although option `key` differs from the one it was made
/// with and is now that of `options`: where and how it computes may always change; what shapes results only
/// as long as nothing has used it, so that the run ends like one that had the new value from the start.
[[nodiscard]] bool may_change(const std::string& key, const CheckpointState& state,
                              const ProgramOptions& options);
/// The same for a tokenizer (tiger, letter) that has begun `epochs` epochs.
[[nodiscard]] bool tokenizer_may_change(const std::string& key, std::int64_t epochs,
                                        const ProgramOptions& options);

}  // namespace genrec
