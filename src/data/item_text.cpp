#include "data/item_text.h"

#include "base/error.h"

namespace genrec {

std::vector<std::string> item_texts(const Catalogue& catalogue, const std::string& text) {
  if (text == "title") return catalogue.titles;
  if (text != "title+description") {
    throw UsageError("data.text = " + text + ": expected title or title+description");
  }
  std::vector<std::string> texts = catalogue.titles;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::string& description = catalogue.descriptions[i];
    if (!texts[i].empty() && !description.empty()) texts[i] += ", ";
    texts[i] += description;
  }
  return texts;
}

}  // namespace genrec
