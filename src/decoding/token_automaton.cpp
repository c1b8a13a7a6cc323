#include "decoding/token_automaton.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "base/error.h"

namespace genrec {
namespace {

/// Items in the order of their identifiers (a prefix before what continues it), then of their ids: stable
/// counting sorts from the last position to the first.
template <typename Identifiers>
std::vector<ItemId> sorted_items(const Identifiers& identifiers, std::int64_t longest) {
  const auto items = static_cast<std::size_t>(identifiers.items());
  const TokenId highest = *std::max_element(identifiers.tokens.begin(), identifiers.tokens.end());
  std::vector<ItemId> order(items), sorted(items);
  std::vector<TokenId> keys(items);
  std::vector<std::size_t> place(static_cast<std::size_t>(highest) + 2);
  std::iota(order.begin(), order.end(), 0);
  for (std::int64_t position = longest - 1; position >= 0; --position) {
    std::fill(place.begin(), place.end(), 0);
    for (std::size_t i = 0; i < items; ++i) {
      const bool ended = position >= identifiers.length(order[i]);
      keys[i] = ended ? 0 : identifiers.at(order[i], position);
      ++place[static_cast<std::size_t>(keys[i]) + 1];
    }
    std::partial_sum(place.begin(), place.end(), place.begin());
    for (std::size_t i = 0; i < items; ++i) sorted[place[static_cast<std::size_t>(keys[i])]++] = order[i];
    order.swap(sorted);
  }
  return order;
}

void check_node_count(std::size_t nodes) {
  if (nodes > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
    throw DataError("identifiers: their prefix tree has " + std::to_string(nodes) +
                    " nodes, more than 2^31; shorten the identifiers or take fewer items");
  }
}

}  // namespace

/// Identifiers as (offsets, tokens).
struct PrefixTrie::Identifiers {
  std::span<const std::int64_t> offsets;
  std::span<const TokenId> tokens;

  [[nodiscard]] std::int64_t items() const { return static_cast<std::int64_t>(offsets.size()) - 1; }
  [[nodiscard]] std::int64_t length(ItemId item) const {
    const auto i = static_cast<std::size_t>(item);
    return offsets[i + 1] - offsets[i];
  }
  [[nodiscard]] std::span<const TokenId> of(ItemId item) const {
    return tokens.subspan(static_cast<std::size_t>(offsets[static_cast<std::size_t>(item)]),
                          static_cast<std::size_t>(length(item)));
  }
  [[nodiscard]] TokenId at(ItemId item, std::int64_t position) const {
    return tokens[static_cast<std::size_t>(offsets[static_cast<std::size_t>(item)] + position)];
  }
};

PrefixTrie::PrefixTrie(const TokenizedItems& items) : PrefixTrie(items.offsets(), items.tokens()) {}

PrefixTrie::PrefixTrie(std::span<const std::int64_t> offsets, std::span<const TokenId> tokens) {
  const Identifiers identifiers{offsets, tokens};
  std::int64_t longest = 0, shortest = std::numeric_limits<std::int64_t>::max();
  for (ItemId item = 0; item < identifiers.items(); ++item) {
    longest = std::max(longest, identifiers.length(item));
    shortest = std::min(shortest, identifiers.length(item));
  }
  if (identifiers.items() < 1 || shortest < 1 ||
      *std::min_element(tokens.begin(), tokens.end()) <= kEndToken) {
    throw Error(ExitCode::kInternal, "prefix tree: items need identifiers of tokens above the end token");
  }
  automaton_.max_steps = longest + 1;
  item_begin_.assign(1, 0);

  // A copy in the order of the identifiers: what follows reads memory from front to back.
  const std::vector<ItemId> order = sorted_items(identifiers, longest);
  std::vector<std::int64_t> sorted_offsets(offsets.size());
  std::vector<TokenId> sorted_tokens(tokens.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    const auto identifier = identifiers.of(order[i]);
    std::copy(identifier.begin(), identifier.end(), sorted_tokens.begin() + sorted_offsets[i]);
    sorted_offsets[i + 1] = sorted_offsets[i] + static_cast<std::int64_t>(identifier.size());
  }
  const Identifiers sorted{sorted_offsets, sorted_tokens};
  reserve_levels(sorted);
  add_levels(sorted, order);
}

void PrefixTrie::reserve_levels(const Identifiers& sorted) {
  std::size_t nodes = 1, ends = 0;
  std::span<const TokenId> before;
  for (ItemId i = 0; i < sorted.items(); ++i) {
    const auto identifier = sorted.of(i);
    const auto differs = std::ranges::mismatch(before, identifier);
    nodes += static_cast<std::size_t>(identifier.end() - differs.in2);
    if (differs.in1 != before.end() || differs.in2 != identifier.end()) ++ends;
    before = identifier;
  }
  check_node_count(nodes);
  automaton_.begin.reserve(nodes + 1);
  item_begin_.reserve(nodes + 1);
  automaton_.token.reserve(nodes - 1 + ends);
  automaton_.target.reserve(nodes - 1 + ends);
  items_.reserve(static_cast<std::size_t>(sorted.items()));
}

void PrefixTrie::add_levels(const Identifiers& sorted, std::span<const ItemId> order) {
  // Nodes are numbered level by level; each stands for a run of items with a common prefix. Items that end at
  // a node leave the runs.
  std::vector<std::int32_t> rest(order.size()), longer;
  longer.reserve(order.size());
  std::iota(rest.begin(), rest.end(), 0);
  std::vector<std::uint32_t> run_ends{static_cast<std::uint32_t>(rest.size())}, next_ends;
  std::int32_t nodes = 1;
  for (std::int64_t depth = 0; !run_ends.empty(); ++depth) {
    next_ends.clear();
    longer.clear();
    std::size_t i = 0;
    for (const std::uint32_t run_end : run_ends) {
      const std::size_t run_begin = i;
      for (; i < run_end && sorted.length(rest[i]) == depth; ++i) {
        items_.push_back(order[static_cast<std::size_t>(rest[i])]);
      }
      if (i > run_begin) add_edge(kEndToken, TokenAutomaton::kFinal);
      for (TokenId before = -1; i < run_end; ++i) {
        const TokenId token = sorted.at(rest[i], depth);
        if (token != before) {
          if (before != -1) next_ends.push_back(static_cast<std::uint32_t>(longer.size()));
          add_edge(token, nodes++);
          before = token;
        }
        longer.push_back(rest[i]);
      }
      const auto end = static_cast<std::uint32_t>(longer.size());
      if (end > (next_ends.empty() ? 0 : next_ends.back())) next_ends.push_back(end);
      automaton_.begin.push_back(static_cast<std::int64_t>(automaton_.token.size()));
      item_begin_.push_back(static_cast<std::int64_t>(items_.size()));
    }
    run_ends.swap(next_ends);
    rest.swap(longer);
  }
}

void PrefixTrie::add_edge(TokenId token, std::int32_t target) {
  automaton_.token.push_back(token);
  automaton_.target.push_back(target);
}

std::span<const ItemId> PrefixTrie::items_at(std::int32_t node) const {
  const auto n = static_cast<std::size_t>(node);
  return std::span(items_).subspan(static_cast<std::size_t>(item_begin_[n]),
                                   static_cast<std::size_t>(item_begin_[n + 1] - item_begin_[n]));
}

TokenAutomaton positionwise_automaton(const std::vector<std::vector<TokenId>>& levels,
                                      std::int64_t min_length) {
  const auto length = static_cast<std::int64_t>(levels.size());
  if (min_length < 1 || min_length > length) {
    throw Error(ExitCode::kInternal, "token automaton: shortest length " + std::to_string(min_length) +
                                         " of " + std::to_string(length) + " levels");
  }
  TokenAutomaton automaton;
  automaton.max_steps = length + 1;
  for (std::int64_t node = 0; node <= length; ++node) {
    if (node >= min_length) {
      automaton.token.push_back(kEndToken);
      automaton.target.push_back(TokenAutomaton::kFinal);
    }
    if (node < length) {
      std::vector<TokenId> tokens = levels[static_cast<std::size_t>(node)];
      std::sort(tokens.begin(), tokens.end());
      tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
      if (tokens.empty() || tokens.front() <= kEndToken) {
        throw Error(ExitCode::kInternal, "token automaton: level " + std::to_string(node) +
                                             " needs tokens, all above the end token");
      }
      automaton.token.insert(automaton.token.end(), tokens.begin(), tokens.end());
      automaton.target.insert(automaton.target.end(), tokens.size(), static_cast<std::int32_t>(node) + 1);
    }
    automaton.begin.push_back(static_cast<std::int64_t>(automaton.token.size()));
  }
  return automaton;
}

}  // namespace genrec
