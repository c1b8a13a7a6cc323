#include "decoding/device_automaton.h"

#include <algorithm>

#include "nn/indices.h"

namespace genrec {
namespace {

std::vector<std::int64_t> widest_by_step(const TokenAutomaton& automaton) {
  std::vector<std::int64_t> widest;
  std::vector<std::int32_t> nodes{0}, next;
  while (!nodes.empty()) {
    widest.push_back(0);
    next.clear();
    for (const std::int32_t node : nodes) {
      const auto n = static_cast<std::size_t>(node);
      const std::int64_t first = automaton.begin[n], last = automaton.begin[n + 1];
      widest.back() = std::max(widest.back(), last - first);
      for (auto edge = static_cast<std::size_t>(first); edge < static_cast<std::size_t>(last); ++edge) {
        if (automaton.target[edge] != TokenAutomaton::kFinal) next.push_back(automaton.target[edge]);
      }
    }
    std::sort(next.begin(), next.end());
    next.erase(std::unique(next.begin(), next.end()), next.end());
    nodes.swap(next);
  }
  return widest;
}

}  // namespace

DeviceAutomaton::DeviceAutomaton(const TokenAutomaton& automaton, at::Device device)
    : begin(index_on(automaton.begin, device)),
      token(index_on(automaton.token, device)),
      target(index_on(automaton.target, device)),
      widest(widest_by_step(automaton)) {}

}  // namespace genrec
