#pragma once
#include <string>
#include <vector>

#include "data/dataset.h"

namespace genrec {

/// What stands for each item in text. `text`: "title", or "title+description" (joined by ", " where both are
/// there). Throws UsageError for another word.
[[nodiscard]] std::vector<std::string> item_texts(const Catalogue& catalogue, const std::string& text);

}  // namespace genrec
