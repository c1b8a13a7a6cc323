#include "decoding/device_automaton.h"

#include <algorithm>

namespace genrec {
namespace {

template <typename T>
at::Tensor on_device(const std::vector<T>& values, at::Device device) {
  at::Tensor host = at::empty({static_cast<std::int64_t>(values.size())}, at::kLong);
  std::copy(values.begin(), values.end(), host.data_ptr<std::int64_t>());
  return host.to(device);
}

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
    : begin(on_device(automaton.begin, device)),
      token(on_device(automaton.token, device)),
      target(on_device(automaton.target, device)),
      widest(widest_by_step(automaton)) {}

}  // namespace genrec
