#include "siit/regeneration.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "comm/agreed_stop.h"
#include "decoding/parallel_generator.h"
#include "tokenizers/symbols.h"

namespace genrec {
namespace {

constexpr std::size_t kChunkBytes = std::size_t{8} << 20;
constexpr double kSecondsOfRound = 120;
constexpr std::int64_t kFewestBlocks = 8, kMostBlocks = 1 << 20;  // of a thread

/// One item as 32-bit words: count, then length, score bits and tokens of each candidate.
void append_record(std::span<const Hypothesis> candidates, std::vector<std::int32_t>& words) {
  words.push_back(static_cast<std::int32_t>(candidates.size()));
  for (const Hypothesis& candidate : candidates) {
    words.push_back(static_cast<std::int32_t>(candidate.tokens.size()));
    words.push_back(std::bit_cast<std::int32_t>(candidate.score));
    words.insert(words.end(), candidate.tokens.begin(), candidate.tokens.end());
  }
}

/// Puts records together again from chunks that may end anywhere.
class RecordReader {
 public:
  RecordReader(ItemId first, const CandidateSink& sink) : sink_(sink), next_(first) {}

  void feed(std::span<const std::byte> bytes) {
    pending_.insert(pending_.end(), bytes.begin(), bytes.end());
    const std::size_t words = pending_.size() / sizeof(std::int32_t);
    words_.resize(words);
    std::memcpy(words_.data(), pending_.data(), words * sizeof(std::int32_t));
    std::size_t used = 0;
    while (std::size_t length = record_length(used)) {
      emit(used);
      used += length;
    }
    pending_.erase(pending_.begin(),
                   pending_.begin() + static_cast<std::ptrdiff_t>(used * sizeof(std::int32_t)));
  }
  [[nodiscard]] ItemId next_item() const { return next_; }
  [[nodiscard]] bool empty() const { return pending_.empty(); }

 private:
  /// Words of the record that begins at `at`; 0 while it is incomplete.
  [[nodiscard]] std::size_t record_length(std::size_t at) const {
    if (at >= words_.size()) return 0;
    std::size_t position = at + 1;
    for (std::int32_t c = 0; c < words_[at]; ++c) {
      if (position >= words_.size()) return 0;
      position += 2 + static_cast<std::size_t>(words_[position]);
      if (position > words_.size()) return 0;
    }
    return position - at;
  }
  void emit(std::size_t at) {
    candidates_.resize(static_cast<std::size_t>(words_[at]));
    std::size_t position = at + 1;
    for (Hypothesis& candidate : candidates_) {
      const auto length = static_cast<std::size_t>(words_[position]);
      candidate.score = std::bit_cast<float>(words_[position + 1]);
      const auto* first = words_.data() + position + 2;
      candidate.tokens.assign(first, first + length);
      position += 2 + length;
    }
    sink_(next_++, candidates_);
  }

  const CandidateSink& sink_;
  std::vector<std::byte> pending_;
  std::vector<std::int32_t> words_;
  std::vector<Hypothesis> candidates_;
  ItemId next_;
};

std::vector<TokenId> pieces_in(const IdentifierTable& table, const Vocabulary& vocabulary) {
  std::vector<TokenId> pieces;
  for (const std::string& symbol : table.symbols()) {
    if (piece_of(symbol)) pieces.push_back(vocabulary.token(symbol));
  }
  return pieces;
}

}  // namespace

TokenAutomaton regeneration_automaton(const IdentifierTable& initial, const Vocabulary& vocabulary) {
  std::vector<std::string> family;
  for (const std::string& symbol : initial.symbols()) family.push_back(symbol_family(symbol));
  std::vector<std::set<std::string>> families;
  std::int64_t shortest = std::numeric_limits<std::int64_t>::max();
  for (ItemId item = 0; item < initial.items(); ++item) {
    std::int64_t length = 0;
    for (const SymbolId symbol : initial.of(item)) {
      const std::string& own = family[static_cast<std::size_t>(symbol)];
      if (own == kAvoidanceFamily) continue;
      if (static_cast<std::size_t>(length) == families.size()) families.emplace_back();
      families[static_cast<std::size_t>(length++)].insert(own);
    }
    shortest = std::min(shortest, length);
  }
  if (families.empty() || shortest == 0)
    throw DataError(
        "identifiers: an item has no symbol beside collision-avoidance ones; give another index.json");
  std::vector<std::vector<TokenId>> levels(families.size());
  const std::vector<TokenId> pieces = pieces_in(initial, vocabulary);
  for (std::size_t l = 0; l < families.size(); ++l) {
    if (families[l].contains(kPieceFamily)) levels[l] = pieces;
    for (const std::string& symbol : vocabulary.symbols()) {
      if (families[l].contains(symbol_family(symbol))) levels[l].push_back(vocabulary.token(symbol));
    }
  }
  return positionwise_automaton(levels, shortest);
}

std::int64_t RoundLength::items(Communicator& world) const {
  std::vector<std::int64_t> blocks{blocks_ * options_.threads};
  world.broadcast(blocks, 0);
  return blocks.front() * world.size() * options_.block;
}

void RoundLength::adapt(double seconds) {
  const double seconds_of_block = std::max(seconds, 1e-3) / static_cast<double>(blocks_);
  blocks_ =
      std::clamp(static_cast<std::int64_t>(kSecondsOfRound / seconds_of_block), kFewestBlocks, kMostBlocks);
}

void regenerate_identifiers(const T5Model& model, const PromptBuilder& prompt,
                            const TokenAutomaton& automaton, Range items, const RegenerationOptions& options,
                            Communicator& world, const CandidateSink& sink,
                            const std::function<void(std::int64_t done)>& progress) {
  const std::int64_t blocks = (items.size() + options.block - 1) / options.block;
  const Range mine = even_part(blocks, world.rank(), world.size());
  const Range own{std::min(items.end, items.begin + mine.begin * options.block),
                  std::min(items.end, items.begin + mine.end * options.block)};

  std::vector<std::int32_t> words;
  const auto make_sources = [&](Range range) {
    PackedSequences sources;
    for (std::int64_t i = range.begin; i < range.end; ++i)
      prompt(static_cast<ItemId>(own.begin + i), sources);
    return sources;
  };
  const auto keep = [&](std::int64_t, Range, std::vector<std::vector<Hypothesis>> found) {
    for (const auto& candidates : found) append_record(candidates, words);
  };
  leave_together(world, [&] {
    generate_in_blocks(model, own.size(), options.block, options.threads, make_sources, automaton,
                       BeamOptions{options.candidates, options.score}, keep, progress);
  });

  RecordReader reader(static_cast<ItemId>(items.begin), sink);
  world.gather_chunks(std::as_bytes(std::span(words)), 0, kChunkBytes,
                      [&](int, std::span<const std::byte> bytes) { reader.feed(bytes); });
  if (world.is_root() && (reader.next_item() != items.end || !reader.empty())) {
    throw Error(ExitCode::kInternal, "regeneration: candidates arrived up to item " +
                                         std::to_string(reader.next_item()) + ", not to " +
                                         std::to_string(items.end));
  }
}

}  // namespace genrec
