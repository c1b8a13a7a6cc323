#pragma once
#include <algorithm>
#include <map>
#include <numeric>
#include <vector>

#include "siit/assigner.h"

namespace genrec::test {

/// items × candidates × tokens, best first.
using Candidates = std::vector<std::vector<std::vector<TokenId>>>;

struct NaiveAssignment {
  std::vector<std::vector<TokenId>> identifiers;
  std::vector<int> avoidance;
  std::vector<ItemId> overflowed;
  double collision_rate = 0;
};

/// What IdentifierAssigner does, as plainly as it can be written: `order` visits the items.
inline NaiveAssignment naive_assignment(const Candidates& candidates, const std::vector<ItemId>& order,
                                        std::size_t most, bool avoid) {
  NaiveAssignment result;
  result.identifiers.resize(candidates.size());
  result.avoidance.assign(candidates.size(), -1);
  std::map<std::vector<TokenId>, std::vector<ItemId>> taken;
  for (ItemId item : order) {
    const auto& mine = candidates[static_cast<std::size_t>(item)];
    std::size_t c = 0;
    while (c < mine.size() && (most == 0 || c < most) && taken.contains(mine[c])) ++c;
    if (c == mine.size() || (most > 0 && c == most)) {
      result.overflowed.push_back(item);
      c = 0;
    }
    result.identifiers[static_cast<std::size_t>(item)] = mine[c];
    taken[mine[c]].push_back(item);
  }
  std::sort(result.overflowed.begin(), result.overflowed.end());
  result.collision_rate =
      static_cast<double>(candidates.size() - taken.size()) / static_cast<double>(candidates.size());
  for (auto& [identifier, group] : taken) {
    if (!avoid || group.size() < 2) continue;
    std::sort(group.begin(), group.end());
    for (std::size_t j = 0; j < group.size(); ++j) {
      result.avoidance[static_cast<std::size_t>(group[j])] = static_cast<int>(j);
    }
  }
  return result;
}

inline CandidateChunk chunk_of(const Candidates& candidates, std::size_t begin, std::size_t end,
                               const std::vector<float>& confidence) {
  CandidateChunk chunk;
  for (std::size_t i = begin; i < end; ++i) {
    std::vector<Hypothesis> mine;
    for (const auto& tokens : candidates[i]) mine.push_back({tokens, 0, confidence[i], 0});
    chunk.append(mine);
  }
  return chunk;
}

}  // namespace genrec::test
