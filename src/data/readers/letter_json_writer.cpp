#include <string>
#include <system_error>

#include "base/error.h"
#include "data/readers/letter_json.h"
#include "data/text_cleaning.h"
#include "io/failure.h"
#include "io/json_file.h"
#include "io/text_writer.h"

namespace genrec {
namespace {

/// One JSON object with ids as keys, a line a member.
class ObjectById {
 public:
  explicit ObjectById(const std::filesystem::path& path) : file_(path) { file_.write("{"); }
  /// `value` is JSON.
  void add(std::int64_t id, const std::string& value) {
    file_.write((id == 0 ? "\n\"" : ",\n\"") + std::to_string(id) + "\": " + value);
  }
  void commit() {
    file_.write("\n}\n");
    file_.commit();
  }

 private:
  TextWriter file_;
};

std::string quoted(const std::string& clean, const std::filesystem::path& path) {
  try {
    return Json(uncleaned_text(clean)).dump();
  } catch (const Json::type_error& error) {
    throw DataError("cannot write " + path.string() + ": a text is not UTF-8 (" + error.what() +
                    "); convert the dataset's texts to UTF-8");
  }
}

void write_catalogue(const std::filesystem::path& path, const Catalogue& catalogue) {
  ObjectById file(path);
  for (std::size_t item = 0; item < catalogue.titles.size(); ++item) {
    file.add(static_cast<std::int64_t>(item),
             "{\"title\": " + quoted(catalogue.titles[item], path) +
                 ", \"description\": " + quoted(catalogue.descriptions[item], path) + "}");
  }
  file.commit();
}

void write_histories(const std::filesystem::path& path, const Interactions& interactions) {
  ObjectById file(path);
  for (std::int64_t row = 0; row < interactions.rows(); ++row) {
    std::string list;
    for (const ItemId item : interactions.row(row)) list += (list.empty() ? "" : ", ") + std::to_string(item);
    file.add(row, "[" + list + "]");
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
