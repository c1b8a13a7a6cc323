#pragma once
#include <cstdint>

#include "base/random.h"

namespace genrec {

// The random streams of the RQ-VAE's tokenizer, by what they are for.

/// The k-means that starts the codebook of a level.
constexpr std::uint64_t start_key(std::uint64_t seed, std::int64_t level) {
  return stream_key(seed, Purpose::kIdentifiers, {1, static_cast<std::uint64_t>(level)});
}
/// The items that the start of the codebooks looks at.
constexpr std::uint64_t start_sample_key(std::uint64_t seed) {
  return stream_key(seed, Purpose::kIdentifiers, {2});
}
/// The clusters of codes in an epoch.
constexpr std::uint64_t clusters_key(std::uint64_t seed, std::int64_t epoch) {
  return stream_key(seed, Purpose::kIdentifiers, {3, static_cast<std::uint64_t>(epoch)});
}
/// The positives of the diversity loss in an epoch.
constexpr std::uint64_t positives_key(std::uint64_t seed, std::int64_t epoch) {
  return stream_key(seed, Purpose::kIdentifiers, {4, static_cast<std::uint64_t>(epoch)});
}
/// The items that unused codes of a level restart from.
constexpr std::uint64_t restart_key(std::uint64_t seed, std::int64_t epoch, std::int64_t level) {
  return stream_key(seed, Purpose::kIdentifiers,
                    {5, static_cast<std::uint64_t>(epoch), static_cast<std::uint64_t>(level)});
}
/// The identifier of an item under method "random".
constexpr std::uint64_t random_identifier_key(std::uint64_t seed, std::int64_t item) {
  return stream_key(seed, Purpose::kIdentifiers, {6, static_cast<std::uint64_t>(item)});
}
/// Its codes where there are more levels than a number holds.
constexpr std::uint64_t random_levels_key(std::uint64_t seed, std::int64_t item) {
  return stream_key(seed, Purpose::kIdentifiers, {7, static_cast<std::uint64_t>(item)});
}
/// Dropout in an epoch; an item is in one batch of it.
constexpr std::uint64_t dropout_key(std::uint64_t seed, std::int64_t epoch) {
  return stream_key(seed, Purpose::kDropout, {5, static_cast<std::uint64_t>(epoch)});
}

}  // namespace genrec
