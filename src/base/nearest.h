#pragma once
#include <span>
#include <string>
#include <string_view>

namespace genrec {

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`.
int edit_distance(std::string_view a, std::string_view b);

/// The candidate nearest to `name`, the first of equals; empty without candidates.
std::string nearest_name(std::string_view name, std::span<const std::string> candidates);

}  // namespace genrec
