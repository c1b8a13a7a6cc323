#pragma once
#include <array>
#include <string_view>

namespace genrec {

/// A family of synthetic items: its noun and the names of its groups.
struct SyntheticFamily {
  std::string_view noun;
  std::array<std::string_view, 6> groups;
};

extern const std::array<SyntheticFamily, 8> kSyntheticFamilies;
extern const std::array<std::string_view, 24> kSyntheticMakers;
extern const std::array<std::string_view, 32> kSyntheticQualities;

}  // namespace genrec
