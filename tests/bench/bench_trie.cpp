// The prefix tree of large catalogues: how long it takes to build, what memory it takes, and what constraint
// and top-k of a beam search cost by the number of items. Identifiers are 4 random codes out of 256 each;
// log-probabilities are random, so no model is involved. Before a clock starts, every identifier of a sample
// is followed through the tree.
//
//   bench_trie [--items 20000000] [--searches 10000,100000,1000000,10000000] [--users 256] [--repeat 5]
#include <algorithm>
#include <cstdint>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "base/random.h"
#include "bench/bench.h"
#include "decoding/beam_search.h"
#include "decoding/token_automaton.h"
#include "nn/memory.h"

namespace {

using namespace genrec;

constexpr std::int64_t kLevels = 4, kCodes = 256;
constexpr TokenId kFirstCode = 32100;
constexpr std::int32_t kBeams = 20;

struct Identifiers {
  std::vector<std::int64_t> offsets{0};
  std::vector<TokenId> tokens;

  explicit Identifiers(std::int64_t items) {
    offsets.reserve(static_cast<std::size_t>(items) + 1);
    tokens.reserve(static_cast<std::size_t>(items * kLevels));
    RandomStream random(1, Purpose::kSynthetic);
    for (std::int64_t i = 0; i < items; ++i) {
      std::uint64_t bits = random();
      for (std::int64_t level = 0; level < kLevels; ++level, bits /= kCodes) {
        tokens.push_back(
            static_cast<TokenId>(kFirstCode + level * kCodes + static_cast<std::int64_t>(bits % kCodes)));
      }
      offsets.push_back(static_cast<std::int64_t>(tokens.size()));
    }
  }
};

/// Does the path of an identifier end at a node that names the item?
bool finds(const PrefixTrie& trie, const Identifiers& identifiers, ItemId item) {
  std::int32_t node = 0;
  for (std::int64_t l = 0; l < kLevels; ++l) {
    const auto tokens = trie.automaton().tokens_of(node);
    const TokenId token = identifiers.tokens[static_cast<std::size_t>(item * kLevels + l)];
    const auto place = std::ranges::lower_bound(tokens, token);
    if (place == tokens.end() || *place != token) return false;
    const auto edge = trie.automaton().begin[static_cast<std::size_t>(node)] + (place - tokens.begin());
    node = trie.automaton().target[static_cast<std::size_t>(edge)];
  }
  const auto items = trie.items_at(node);
  return std::ranges::binary_search(items, item);
}

void check(const PrefixTrie& trie, const Identifiers& identifiers) {
  const auto items = static_cast<std::int64_t>(identifiers.offsets.size()) - 1;
  for (std::int64_t i = 0; i < items; i += std::max<std::int64_t>(1, items / 10'000)) {
    bench::require(finds(trie, identifiers, static_cast<ItemId>(i)),
                   "item " + std::to_string(i) + " is not in the tree");
  }
}

/// Microseconds a user of all that is not the model: candidates, top-k, bookkeeping of the beams.
Json search_cost(std::int64_t items, std::int64_t users, int repeat) {
  const Identifiers identifiers(items);
  const PrefixTrie trie(identifiers.offsets, identifiers.tokens);
  check(trie, identifiers);
  std::vector<float> scores(1 << 20);
  RandomStream random(2, Purpose::kSynthetic);
  for (float& score : scores) score = -12.0F * static_cast<float>(random.uniform());
  std::size_t candidates = 0;
  const bench::Rates rates = bench::measure(repeat, static_cast<double>(users), [&] {
    candidates = 0;
    for (std::int64_t u = 0; u < users; ++u) {
      BeamSearch search(trie.automaton(), 1, {.beams = kBeams});
      while (!search.done()) {
        candidates += search.candidates().size();
        const std::size_t first = static_cast<std::size_t>(u) * 997 % (scores.size() / 2);
        search.advance(std::span(scores).subspan(first, search.candidates().size()));
      }
      bench::require(!search.take_results().front().empty(), "a search found nothing");
    }
  });
  return {{"items", items},
          {"us_per_user", 1e6 / rates.median()},
          {"candidates_per_user", static_cast<double>(candidates) / static_cast<double>(users)}};
}

Json build_cost(std::int64_t items) {
  const Identifiers identifiers(items);
  const std::int64_t before = peak_memory_bytes();
  const Stopwatch watch;
  const PrefixTrie trie(identifiers.offsets, identifiers.tokens);
  const double seconds = watch.seconds();
  const std::int64_t peak = peak_memory_bytes();
  check(trie, identifiers);
  return {{"items", items},
          {"nodes", trie.automaton().nodes()},
          {"seconds", seconds},
          {"rss_bytes_before", before},
          {"peak_rss_bytes", peak}};
}

Json run(const bench::Options& options) {
  Json result = build_cost(std::stoll(options.at("--items")));  // first: the peak of memory shall be its own
  Json searches = Json::array();
  std::istringstream sizes(options.at("--searches"));
  for (std::string size; std::getline(sizes, size, ',');) {
    searches.push_back(
        search_cost(std::stoll(size), bench::number(options, "--users"), bench::number(options, "--repeat")));
  }
  if (searches.empty()) throw UsageError("--searches: expected numbers of items");
  result["growth"] =
      searches.back()["us_per_user"].get<double>() / searches.front()["us_per_user"].get<double>();
  result["searches"] = std::move(searches);
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  return genrec::bench::run("trie", [&] {
    return run(genrec::bench::arguments(argc, argv,
                                        {{"--items", "20000000"},
                                         {"--searches", "10000,100000,1000000,10000000"},
                                         {"--users", "256"},
                                         {"--repeat", "5"}}));
  });
}
