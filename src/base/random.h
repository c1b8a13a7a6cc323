#pragma once
#include <array>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <span>
#include <utility>

namespace genrec {

/// Mixes 64 bits well (the finaliser of SplitMix64).
constexpr std::uint64_t mix64(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

/// What a random number is for: two purposes never share a stream. Values are written into no file.
enum class Purpose : std::uint64_t {
  kInitialisation = 1,
  kShardDeal,
  kEpochOrder,
  kTemplate,
  kDropout,
  kSynthetic,
  kClustering,
  kVocabularyGrowth,
  kTieBreak,
  kIdentifiers,
  kUserSample,
  kTest,
};

/// The key of a stream: the run's seed, the purpose, and whatever else names it (epoch, shard, item ...).
/// Streams are functions of their key alone, so nothing has to be saved to resume, and no rank count changes
/// a draw.
constexpr std::uint64_t stream_key(std::uint64_t seed, Purpose purpose,
                                   std::initializer_list<std::uint64_t> parts = {}) {
  std::uint64_t key = mix64(seed ^ mix64(static_cast<std::uint64_t>(purpose)));
  for (std::uint64_t part : parts) key = mix64(key ^ mix64(part + 0x632be59bd9b4e019ULL));
  return key;
}

/// A counter-based stream of 64-bit numbers; the results of the members below are the same on every platform,
/// unlike those of the distributions in <random>.
class RandomStream {
 public:
  using result_type = std::uint64_t;
  explicit constexpr RandomStream(std::uint64_t key) : key_(key) {}
  constexpr RandomStream(std::uint64_t seed, Purpose purpose, std::initializer_list<std::uint64_t> parts = {})
      : key_(stream_key(seed, purpose, parts)) {}

  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return std::numeric_limits<result_type>::max(); }
  constexpr result_type operator()() { return mix64(key_ + 0x9e3779b97f4a7c15ULL * ++counter_); }

  /// Uniform in [0, n); n > 0. Without bias (Lemire's multiply and reject).
  constexpr std::uint64_t below(std::uint64_t n) {
    unsigned __int128 product = static_cast<unsigned __int128>((*this)()) * n;
    auto low = static_cast<std::uint64_t>(product);
    if (low < n) {
      const std::uint64_t threshold = (0 - n) % n;
      while (low < threshold) {
        product = static_cast<unsigned __int128>((*this)()) * n;
        low = static_cast<std::uint64_t>(product);
      }
    }
    return static_cast<std::uint64_t>(product >> 64);
  }
  /// Uniform in [0, 1), 53 bits.
  constexpr double uniform() { return static_cast<double>((*this)() >> 11) * 0x1.0p-53; }
  /// Standard normal (Box-Muller; one draw of two is thrown away to keep the stream stateless).
  double normal();

  template <typename T>
  constexpr void shuffle(std::span<T> values) {
    for (std::size_t n = values.size(); n > 1; --n) std::swap(values[n - 1], values[below(n)]);
  }

 private:
  std::uint64_t key_;
  std::uint64_t counter_ = 0;
};

}  // namespace genrec
