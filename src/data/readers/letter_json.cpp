#include "data/readers/letter_json.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/error.h"
#include "data/text_cleaning.h"
#include "io/json_file.h"

namespace genrec {
namespace {

constexpr std::int64_t kLargestId = std::numeric_limits<std::int32_t>::max() - 1;

/// `what` is wrong with the value that `pointer` names.
[[noreturn]] void fail(const std::filesystem::path& path, const std::string& pointer,
                       const std::string& what) {
  throw DataError(path.string() + ": line " + std::to_string(json_line(path, pointer)) + ": " + what);
}

/// "0", "17", but neither "-1" nor "007".
std::optional<std::int64_t> parse_id(std::string_view text) {
  std::int64_t id = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), id);
  const bool whole = failure == std::errc() && end == text.data() + text.size();
  const bool plain = !text.empty() && text[0] != '-' && (text[0] != '0' || text.size() == 1);
  return whole && plain && id <= kLargestId ? std::optional(id) : std::nullopt;
}

/// The values of an object whose keys are ids, row = id; every id from 0 has to be there once.
std::vector<const Json*> by_id(const Json& root, const std::filesystem::path& path, const std::string& what) {
  if (!root.is_object()) fail(path, "", "expected one object with " + what + " ids as keys");
  std::vector<const Json*> rows(root.size(), nullptr);
  std::int64_t beyond = kLargestId + 1;
  for (const auto& [key, value] : root.items()) {
    const auto id = parse_id(key);
    if (!id) {
      fail(path, json_step(key), what + " id " + Json(key).dump() + ": expected a whole number from 0 on");
    }
    if (*id < static_cast<std::int64_t>(rows.size())) {
      rows[static_cast<std::size_t>(*id)] = &value;
    } else {
      beyond = std::min(beyond, *id);
    }
  }
  const auto gap = std::find(rows.begin(), rows.end(), nullptr);
  if (gap != rows.end()) {
    const auto next = std::find_if(gap, rows.end(), [](const Json* row) { return row != nullptr; });
    const std::int64_t after = next != rows.end() ? next - rows.begin() : beyond;
    fail(path, json_step(std::to_string(after)),
         what + " ids have a gap: " + std::to_string(gap - rows.begin()) + " is missing before " +
             std::to_string(after) + "; number them 0, 1, 2, ...");
  }
  return rows;
}

/// A text field: a text, a list of texts (joined by blanks), or nothing.
std::string text_field(const Json& entry, const char* field, const std::filesystem::path& path,
                       const std::string& pointer) {
  const auto found = entry.find(field);
  if (found == entry.end() || found->is_null()) return {};
  std::string text;
  if (found->is_string()) {
    text = found->get_ref<const std::string&>();
  } else {
    const bool is_list = found->is_array() && std::all_of(found->begin(), found->end(),
                                                          [](const Json& part) { return part.is_string(); });
    if (!is_list) {
      fail(path, pointer + "/" + field, std::string(field) + ": expected a text or a list of texts");
    }
    for (const Json& part : *found) text += (text.empty() ? "" : " ") + part.get_ref<const std::string&>();
  }
  return clean_text(text);
}

Catalogue read_catalogue(const std::filesystem::path& path) {
  const Json root = read_json(path);
  Catalogue catalogue;
  const auto rows = by_id(root, path, "item");
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::string pointer = json_step(std::to_string(i));
    if (!rows[i]->is_object()) {
      fail(path, pointer, "item " + std::to_string(i) + ": expected an object with \"title\"");
    }
    catalogue.titles.push_back(text_field(*rows[i], "title", path, pointer));
    catalogue.descriptions.push_back(text_field(*rows[i], "description", path, pointer));
  }
  return catalogue;
}

/// Appends all histories. `items`: size of the catalogue, none when it is not known.
void read_histories(const std::filesystem::path& path, std::optional<std::int64_t> items,
                    WholeDataset& whole) {
  const Json root = read_json(path);
  const auto rows = by_id(root, path, "user");
  for (std::size_t user = 0; user < rows.size(); ++user) {
    const std::string pointer = json_step(std::to_string(user));
    if (!rows[user]->is_array()) {
      fail(path, pointer, "user " + std::to_string(user) + ": expected a list of item ids");
    }
    std::size_t position = 0;
    for (const Json& value : *rows[user]) {
      const auto refuse = [&](const std::string& why) {
        fail(path, pointer + "/" + std::to_string(position),
             "user " + std::to_string(user) + ", item " + value.dump() + ": " + why);
      };
      if (!value.is_number_integer()) refuse("expected an item id, a whole number");
      // A number above the signed range wraps to a negative one here and is refused as well.
      const auto item = value.get<std::int64_t>();
      if (item < 0 || item > kLargestId) refuse("expected an item id from 0 on");
      if (items && item >= *items) {
        refuse("not in the catalogue, which holds the items 0 to " + std::to_string(*items - 1));
      }
      whole.items.push_back(static_cast<ItemId>(item));
      ++position;
    }
    whole.offsets.push_back(static_cast<std::int64_t>(whole.items.size()));
  }
}

}  // namespace

WholeDataset read_letter_json(const std::filesystem::path& dir, const std::string& name, bool needs_text,
                              DatasetRepairs& repairs) {
  const std::filesystem::path item_file = dir / (name + ".item.json");
  WholeDataset whole;
  whole.name = name;
  std::optional<std::int64_t> items;
  std::error_code unreadable;
  if (std::filesystem::exists(item_file, unreadable)) {
    whole.catalogue = read_catalogue(item_file);
    items = whole.catalogue.size();
  } else if (needs_text) {
    throw MissingInput(item_file.string() + ": no such file; expected the items' titles, which prompts and " +
                       "alignment need (model.vocabulary = codes does without)");
  } else {
    repairs.no_item_file = true;
  }
  read_histories(dir / (name + ".inter.json"), items, whole);
  if (!items) {
    const auto largest = std::max_element(whole.items.begin(), whole.items.end());
    const auto count = largest == whole.items.end() ? std::size_t{0} : static_cast<std::size_t>(*largest) + 1;
    whole.catalogue.titles.resize(count);
    whole.catalogue.descriptions.resize(count);
  }
  return whole;
}

}  // namespace genrec
