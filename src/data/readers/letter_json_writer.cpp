#include <string>
#include <system_error>

#include "base/error.h"
#include "data/readers/letter_json.h"
#include "data/text_cleaning.h"
#include "io/failure.h"
#include "io/json_object_writer.h"

namespace genrec {
namespace {

void write_catalogue(const std::filesystem::path& path, const Catalogue& catalogue) {
  JsonObjectWriter file(path);
  for (std::size_t item = 0; item < catalogue.titles.size(); ++item) {
    std::string texts = "{\"title\": ";
    texts += file.quoted(uncleaned_text(catalogue.titles[item]));
    texts += ", \"description\": ";
    texts += file.quoted(uncleaned_text(catalogue.descriptions[item]));
    texts += '}';
    file.add(std::to_string(item), texts);
  }
  file.commit();
}

void write_histories(const std::filesystem::path& path, const Interactions& interactions) {
  JsonObjectWriter file(path);
  for (std::int64_t row = 0; row < interactions.rows(); ++row) {
    std::string list;
    for (const ItemId item : interactions.row(row)) list += (list.empty() ? "" : ", ") + std::to_string(item);
    file.add(std::to_string(row), "[" + list + "]");
  }
  file.commit();
}

}  // namespace

void write_letter_json(const std::filesystem::path& dir, const std::string& name, const Dataset& dataset) {
  if (dataset.interactions.rows() != dataset.users()) {
    throw Error(ExitCode::kInternal, "write_letter_json needs the histories of all users");
  }
  std::error_code failed;
  std::filesystem::create_directories(dir, failed);
  if (failed) throw system_failure("make the folder", dir, failed.value());
  write_catalogue(dir / (name + ".item.json"), dataset.catalogue);
  write_histories(dir / (name + ".inter.json"), dataset.interactions);
}

}  // namespace genrec
