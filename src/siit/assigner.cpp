#include "siit/assigner.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "base/random.h"
#include "tokenizers/symbols.h"

namespace genrec {
namespace {

constexpr std::int32_t kInserted = -1;
/// Items whose first table slot is fetched ahead of its use.
constexpr std::size_t kAhead = 16;

/// Which item holds an identifier. Open addressing; a slot is 32 bits of the hash and the item, and equality
/// is decided by the tokens themselves.
class HolderTable {
 public:
  explicit HolderTable(std::int64_t items)
      : slots_(std::bit_ceil(static_cast<std::size_t>(items) * 3 / 2 + 2)), mask_(slots_.size() - 1) {}

  void prefetch(std::uint64_t hash) const { __builtin_prefetch(&slots_[hash & mask_]); }
  /// The holder of `tokens`; kInserted when there was none and `item` now is. `of(holder)` gives a holder's
  /// tokens.
  template <typename Of>
  ItemId find_or_insert(std::span<const TokenId> tokens, std::uint64_t hash, ItemId item, const Of& of) {
    const std::uint64_t tag = hash & ~std::uint64_t{0xffffffff};
    for (std::uint64_t place = hash & mask_;; place = (place + 1) & mask_) {
      const std::uint64_t slot = slots_[place];
      if (slot == 0) {
        slots_[place] = tag | (static_cast<std::uint32_t>(item) + 1);
        return kInserted;
      }
      if ((slot ^ tag) >> 32 == 0) {
        const auto holder = static_cast<ItemId>(static_cast<std::uint32_t>(slot) - 1);
        if (std::ranges::equal(of(holder), tokens)) return holder;
      }
    }
  }

 private:
  std::vector<std::uint64_t> slots_;  ///< 0: empty
  std::uint64_t mask_;
};

}  // namespace

std::uint64_t identifier_hash(std::span<const TokenId> tokens) {
  std::uint64_t hash = tokens.size();
  for (TokenId token : tokens) hash = mix64(hash ^ static_cast<std::uint32_t>(token));
  return hash;
}

void CandidateChunk::add_candidate(std::span<const TokenId> candidate) {
  tokens.insert(tokens.end(), candidate.begin(), candidate.end());
  token_begin.push_back(static_cast<std::uint32_t>(tokens.size()));
}

void CandidateChunk::close_item(float score_of_first) {
  item_begin.push_back(static_cast<std::uint32_t>(token_begin.size() - 1));
  confidence.push_back(score_of_first);
}

void CandidateChunk::append(std::span<const Hypothesis> candidates) {
  for (const Hypothesis& candidate : candidates) add_candidate(candidate.tokens);
  close_item(candidates.empty() ? 0 : candidates.front().score);
}

struct IdentifierAssigner::Impl {
  /// An item without a free candidate, and who holds its first one.
  struct Sharer {
    ItemId holder, item;
    auto operator<=>(const Sharer&) const = default;
  };

  std::int64_t items;
  AssignerOptions options;
  HolderTable holders;
  std::int64_t added = 0;
  CandidateChunk pending;
  std::vector<CandidateChunk> chunks;     ///< by confidence: all of them
  std::vector<std::int64_t> chunk_begin;  ///< first item of each chunk
  std::vector<std::uint32_t> chosen;      ///< by confidence: each item's candidate, within its chunk
  Assignment result;
  std::vector<Sharer> sharers;

  Impl(std::int64_t n, AssignerOptions o) : items(n), options(o), holders(n) {
    result.offsets.reserve(static_cast<std::size_t>(n) + 1);
  }

  void take(CandidateChunk chunk);
  void assign_in_order(const CandidateChunk& chunk, std::int64_t first_item);
  void assign_by_confidence();
  /// The candidate of the chunk's item i that `item` gets.
  template <typename Of>
  std::uint32_t choose(const CandidateChunk& chunk, std::size_t i, ItemId item, const Of& of);
  void append(std::span<const TokenId> tokens) {
    result.tokens.insert(result.tokens.end(), tokens.begin(), tokens.end());
    result.offsets.push_back(static_cast<std::int64_t>(result.tokens.size()));
  }
  [[nodiscard]] const CandidateChunk& chunk_of(ItemId item, std::size_t& local) const {
    const auto above = std::upper_bound(chunk_begin.begin(), chunk_begin.end(), std::int64_t{item});
    const auto c = static_cast<std::size_t>(above - chunk_begin.begin()) - 1;
    local = static_cast<std::size_t>(item - chunk_begin[c]);
    return chunks[c];
  }
  void avoid_collisions();
};

template <typename Of>
std::uint32_t IdentifierAssigner::Impl::choose(const CandidateChunk& chunk, std::size_t i, ItemId item,
                                               const Of& of) {
  const std::uint32_t first = chunk.item_begin[i];
  std::uint32_t end = chunk.item_begin[i + 1];
  if (options.candidates > 0) end = std::min(end, first + static_cast<std::uint32_t>(options.candidates));
  ItemId first_holder = kInserted;
  for (std::uint32_t c = first; c < end; ++c) {
    const auto tokens = chunk.candidate(c);
    const ItemId holder = holders.find_or_insert(tokens, identifier_hash(tokens), item, of);
    if (holder == kInserted) return c;
    if (c == first) first_holder = holder;
  }
  sharers.push_back({first_holder, item});
  return first;
}

void IdentifierAssigner::Impl::take(CandidateChunk chunk) {
  const std::int64_t first_item = added;
  added += static_cast<std::int64_t>(chunk.items());
  if (added > items) {
    throw Error(ExitCode::kInternal,
                "assignment: candidates for more than " + std::to_string(items) + " items");
  }
  for (std::size_t i = 0; i < chunk.items(); ++i) {
    if (chunk.item_begin[i] == chunk.item_begin[i + 1]) {
      throw Error(ExitCode::kInternal, "assignment: item " +
                                           std::to_string(first_item + static_cast<std::int64_t>(i)) +
                                           " has no candidate");
    }
  }
  if (options.by_confidence) {
    chunk_begin.push_back(first_item);
    chunks.push_back(std::move(chunk));
  } else {
    assign_in_order(chunk, first_item);
  }
}

void IdentifierAssigner::Impl::assign_in_order(const CandidateChunk& chunk, std::int64_t first_item) {
  const auto of = [this](ItemId holder) { return result.of(holder); };
  for (std::size_t i = 0; i < chunk.items(); ++i) {
    if (i + kAhead < chunk.items())
      holders.prefetch(identifier_hash(chunk.candidate(chunk.item_begin[i + kAhead])));
    append(chunk.candidate(
        choose(chunk, i, static_cast<ItemId>(first_item + static_cast<std::int64_t>(i)), of)));
  }
}

void IdentifierAssigner::Impl::assign_by_confidence() {
  std::vector<float> confidence;
  confidence.reserve(static_cast<std::size_t>(items));
  for (const auto& chunk : chunks)
    confidence.insert(confidence.end(), chunk.confidence.begin(), chunk.confidence.end());
  std::vector<ItemId> order(static_cast<std::size_t>(items));
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](ItemId a, ItemId b) {
    const float first = confidence[static_cast<std::size_t>(a)],
                second = confidence[static_cast<std::size_t>(b)];
    return first != second ? first > second : a < b;
  });
  chosen.resize(static_cast<std::size_t>(items));
  const auto of = [this](ItemId holder) {
    std::size_t local = 0;
    return chunk_of(holder, local).candidate(chosen[static_cast<std::size_t>(holder)]);
  };
  for (ItemId item : order) {
    std::size_t local = 0;
    const CandidateChunk& chunk = chunk_of(item, local);
    chosen[static_cast<std::size_t>(item)] = choose(chunk, local, item, of);
  }
  for (ItemId item = 0; item < items; ++item) append(of(item));
}

void IdentifierAssigner::Impl::avoid_collisions() {
  std::sort(sharers.begin(), sharers.end());
  std::vector<ItemId> group;
  for (std::size_t begin = 0, end = 0; begin < sharers.size(); begin = end) {
    const ItemId holder = sharers[begin].holder;
    group.assign(1, holder);
    for (; end < sharers.size() && sharers[end].holder == holder; ++end) group.push_back(sharers[end].item);
    std::sort(group.begin(), group.end());
    for (std::size_t j = 0; j < group.size(); ++j) {
      result.avoidance[static_cast<std::size_t>(group[j])] = static_cast<std::int32_t>(j);
    }
    result.avoidance_symbols = std::max(result.avoidance_symbols, static_cast<std::int32_t>(group.size()));
  }
}

IdentifierAssigner::IdentifierAssigner(std::int64_t items, AssignerOptions options)
    : impl_(std::make_unique<Impl>(items, options)) {}

IdentifierAssigner::~IdentifierAssigner() = default;

void IdentifierAssigner::add(CandidateChunk chunk) {
  if (impl_->pending.items() > 0) impl_->take(std::exchange(impl_->pending, {}));
  impl_->take(std::move(chunk));
}

void IdentifierAssigner::add(std::span<const Hypothesis> candidates) {
  impl_->pending.append(candidates);
  if (impl_->pending.items() >= CandidateChunk::kItems) impl_->take(std::exchange(impl_->pending, {}));
}

void IdentifierAssigner::visit_added(const std::function<void(const CandidateChunk&)>& visit) {
  Impl& impl = *impl_;
  if (impl.pending.items() > 0) impl.take(std::exchange(impl.pending, {}));
  if (impl.options.by_confidence) {
    for (const CandidateChunk& chunk : impl.chunks) visit(chunk);
    return;
  }
  // Who overflowed got its first candidate, which an earlier item has: alone, it overflows again.
  CandidateChunk chunk;
  for (std::int64_t item = 0; item < impl.added; ++item) {
    chunk.add_candidate(impl.result.of(static_cast<ItemId>(item)));
    chunk.close_item(/*score_of_first=*/0);
    if (chunk.items() == CandidateChunk::kItems) visit(std::exchange(chunk, {}));
  }
  if (chunk.items() > 0) visit(chunk);
}

Assignment IdentifierAssigner::finish() {
  Impl& impl = *impl_;
  if (impl.pending.items() > 0) impl.take(std::exchange(impl.pending, {}));
  if (impl.added != impl.items) {
    throw Error(ExitCode::kInternal, "assignment: candidates for " + std::to_string(impl.added) + " of " +
                                         std::to_string(impl.items) + " items");
  }
  if (impl.options.by_confidence) impl.assign_by_confidence();
  Assignment& result = impl.result;
  for (const auto& sharer : impl.sharers) result.overflowed.push_back(sharer.item);
  std::sort(result.overflowed.begin(), result.overflowed.end());
  result.avoidance.assign(static_cast<std::size_t>(impl.items), -1);
  if (impl.options.avoid_collisions) impl.avoid_collisions();
  // Everybody else brought an identifier of his own.
  const auto shared = static_cast<double>(impl.sharers.size());
  result.overflow_rate = impl.items > 0 ? shared / static_cast<double>(impl.items) : 0;
  result.collision_rate = result.overflow_rate;
  result.collision_rate_final = impl.options.avoid_collisions ? 0 : result.collision_rate;
  return std::move(result);
}

IdentifierTable assigned_table(const Assignment& assignment, const Vocabulary& vocabulary) {
  std::vector<SymbolId> number(static_cast<std::size_t>(vocabulary.size()), -1);
  for (TokenId token : assignment.tokens) number[static_cast<std::size_t>(token)] = 0;
  std::vector<std::string> symbols;
  for (TokenId token = 0; token < vocabulary.size(); ++token) {
    auto& n = number[static_cast<std::size_t>(token)];
    if (n < 0) continue;
    n = static_cast<SymbolId>(symbols.size());
    symbols.push_back(vocabulary.symbol(token));
  }
  const auto first_avoidance = static_cast<SymbolId>(symbols.size());
  for (std::int32_t j = 0; j < assignment.avoidance_symbols; ++j) symbols.push_back(avoidance_symbol(j));

  std::vector<std::int64_t> offsets{0};
  std::vector<SymbolId> codes;
  offsets.reserve(assignment.offsets.size());
  codes.reserve(assignment.tokens.size() + 2 * assignment.overflowed.size());
  for (ItemId item = 0; item < assignment.items(); ++item) {
    for (TokenId token : assignment.of(item)) codes.push_back(number[static_cast<std::size_t>(token)]);
    const std::int32_t j = assignment.avoidance[static_cast<std::size_t>(item)];
    if (j >= 0) codes.push_back(first_avoidance + j);
    offsets.push_back(static_cast<std::int64_t>(codes.size()));
  }
  return IdentifierTable(std::move(symbols), std::move(offsets), std::move(codes));
}

}  // namespace genrec
